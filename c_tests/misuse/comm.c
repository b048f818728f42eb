/* Communicators, and collectives of a single rank. */
#include "misuse.h"

static int destroyed;
static void destroy(void *ctx) { (void)ctx, destroyed++; }

static shardspec_status exchange(void *ctx, const shardspec_message *sends, size_t send_count,
                                 const shardspec_message *receives, size_t receive_count,
                                 shardspec_error *error) {
  (void)ctx, (void)sends, (void)send_count, (void)receives, (void)receive_count, (void)error;
  return SHARDSPEC_USER_STATUS;
}

static shardspec_status wait(void *ctx, void *started, shardspec_error *error) {
  (void)ctx, (void)started, (void)error;
  return SHARDSPEC_USER_STATUS;
}

static void misuse_construction(shardspec_comm *right) {
  shardspec_comm_vtable table = {.struct_size = sizeof table, .destroy = destroy, .exchange = exchange},
                        small = table,
                        silent = table, half = table;
  small.struct_size = 4;
  silent.exchange = NULL;
  half.wait = wait;
  MISUSE(NULL_ARGUMENT, "NULL vtable", shardspec_comm_new, NULL, NULL, 0, 1, &out.comm);
  MISUSE(INVALID_ARGUMENT, "vtable of 4 bytes", shardspec_comm_new, &small, NULL, 0, 1, &out.comm);
  MISUSE(INVALID_ARGUMENT, "NULL exchange", shardspec_comm_new, &silent, NULL, 0, 1, &out.comm);
  MISUSE(INVALID_ARGUMENT, "wait without start", shardspec_comm_new, &half, NULL, 0, 1, &out.comm);
  MISUSE(INVALID_ARGUMENT, "size 0", shardspec_comm_new, &table, NULL, 0, 0, &out.comm);
  MISUSE(INVALID_ARGUMENT, "size INT64_MIN", shardspec_comm_new, &table, NULL, 0, INT64_MIN, &out.comm);
  MISUSE(INVALID_ARGUMENT, "rank -1", shardspec_comm_new, &table, NULL, -1, 4, &out.comm);
  MISUSE(INDEX_OUT_OF_RANGE, "rank 4 of 4", shardspec_comm_new, &table, NULL, 4, 4, &out.comm);
  destroyed = 0;
  WRONG_OUT(shardspec_comm *, shardspec_comm_new, &table, NULL, 0, 1, P);
  WRONG_ERROR(shardspec_comm_new, &table, NULL, 0, 1, &out.comm);
  CHECK_EQUAL(destroyed, 4);

  MISUSE(INVALID_ARGUMENT, "size 0", shardspec_comm_new_local, 0, &out.comm);
  MISUSE(INVALID_ARGUMENT, "size SIZE_MAX", shardspec_comm_new_local, SIZE_MAX, &out.comm);
  WRONG_OUT(shardspec_comm *, shardspec_comm_new_local, 1, P);
  WRONG_ERROR(shardspec_comm_new_local, 1, &out.comm);

  WRONG_HANDLE(shardspec_comm, OK, shardspec_comm_free, H);
  WRONG_ERROR(shardspec_comm_free, right);
  WRONG_HANDLE(shardspec_comm, NULL_ARGUMENT, shardspec_comm_rank, H, &out.i64);
  WRONG_OUT(int64_t, shardspec_comm_rank, right, P);
  WRONG_ERROR(shardspec_comm_rank, right, &out.i64);
  WRONG_HANDLE(shardspec_comm, NULL_ARGUMENT, shardspec_comm_size, H, &out.i64);
  WRONG_OUT(int64_t, shardspec_comm_size, right, P);
  WRONG_ERROR(shardspec_comm_size, right, &out.i64);
}

static void misuse_exchange(shardspec_comm *right) {
  shardspec_message null = {0, NULL, 1}, huge = {0, out.text, SIZE_MAX}, minus = {-1, out.text, 1},
                    past = {1, out.text, 1}, own = {0, out.text, 1};
  WRONG_HANDLE(shardspec_comm, NULL_ARGUMENT, shardspec_comm_exchange, H, &own, 1, &own, 1);
  MISUSE(NULL_ARGUMENT, "NULL sends", shardspec_comm_exchange, right, NULL, 1, NULL, 0);
  MISUSE(NULL_ARGUMENT, "NULL receives", shardspec_comm_exchange, right, NULL, 0, NULL, 1);
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX sends", shardspec_comm_exchange, right, &own, SIZE_MAX, NULL, 0);
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX receives", shardspec_comm_exchange, right, NULL, 0, &own, SIZE_MAX);
  MISUSE(NULL_ARGUMENT, "NULL message", shardspec_comm_exchange, right, &null, 1, &null, 1);
  MISUSE(INVALID_ARGUMENT, "message of SIZE_MAX", shardspec_comm_exchange, right, &huge, 1, &huge, 1);
  MISUSE(INVALID_ARGUMENT, "peer -1", shardspec_comm_exchange, right, &minus, 1, NULL, 0);
  MISUSE(INDEX_OUT_OF_RANGE, "peer 1 of 1", shardspec_comm_exchange, right, NULL, 0, &past, 1);
  MISUSE(INVALID_ARGUMENT, "sent and not received", shardspec_comm_exchange, right, &own, 1, NULL, 0);
  WRONG_ERROR(shardspec_comm_exchange, right, &own, 1, &own, 1);

  WRONG_HANDLE(shardspec_comm, NULL_ARGUMENT, shardspec_comm_abort, H, "why");
  MISUSE(INVALID_ARGUMENT, "a reason that is no UTF-8", shardspec_comm_abort, right, "\xff");
  WRONG_ERROR(shardspec_comm_abort, right, "why");
}

static void misuse_group(shardspec_comm *right) {
  static const int64_t first[] = {0, 0}, second[] = {1}, negative[] = {-1}, nodes[] = {3, -1};
  WRONG_HANDLE(shardspec_comm, NULL_ARGUMENT, shardspec_comm_new_group, H, first, first, 1, &out.comm);
  MISUSE(INVALID_ARGUMENT, "no members", shardspec_comm_new_group, right, first, NULL, 0, &out.comm);
  MISUSE(INVALID_ARGUMENT, "a member twice", shardspec_comm_new_group, right, first, NULL, 2, &out.comm);
  MISUSE(INDEX_OUT_OF_RANGE, "member 1 of 1", shardspec_comm_new_group, right, second, NULL, 1, &out.comm);
  MISUSE(INVALID_ARGUMENT, "member -1", shardspec_comm_new_group, right, negative, NULL, 1, &out.comm);
  MISUSE(INVALID_ARGUMENT, "placement rank -1", shardspec_comm_new_group, right, first, negative, 1, &out.comm);
  MISUSE(INVALID_ARGUMENT, "two of all ranks", shardspec_comm_new_group, right, NULL, first, 2, &out.comm);
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX members", shardspec_comm_new_group, right, first, NULL, SIZE_MAX, &out.comm);
  WRONG_OUT(shardspec_comm *, shardspec_comm_new_group, right, first, NULL, 1, P);
  WRONG_ERROR(shardspec_comm_new_group, right, first, NULL, 1, &out.comm);
  WRONG_HANDLE(shardspec_comm, NULL_ARGUMENT, shardspec_comm_placement_rank, H, 0, &out.i64);
  MISUSE(INDEX_OUT_OF_RANGE, "rank 1 of 1", shardspec_comm_placement_rank, right, 1, &out.i64);
  MISUSE(INVALID_ARGUMENT, "rank -1", shardspec_comm_placement_rank, right, -1, &out.i64);
  WRONG_OUT(int64_t, shardspec_comm_placement_rank, right, 0, P);
  WRONG_ERROR(shardspec_comm_placement_rank, right, 0, &out.i64);
  WRONG_HANDLE(shardspec_comm, NULL_ARGUMENT, shardspec_comm_node, H, 0, &out.i64);
  MISUSE(INDEX_OUT_OF_RANGE, "rank 1 of 1", shardspec_comm_node, right, 1, &out.i64);
  MISUSE(INVALID_ARGUMENT, "rank -1", shardspec_comm_node, right, -1, &out.i64);
  WRONG_OUT(int64_t, shardspec_comm_node, right, 0, P);
  WRONG_ERROR(shardspec_comm_node, right, 0, &out.i64);
  MISUSE(NULL_ARGUMENT, "NULL nodes", shardspec_comm_new_local_on_nodes, NULL, 1, &out.comm);
  MISUSE(INVALID_ARGUMENT, "size 0", shardspec_comm_new_local_on_nodes, nodes, 0, &out.comm);
  MISUSE(INVALID_ARGUMENT, "size SIZE_MAX", shardspec_comm_new_local_on_nodes, nodes, SIZE_MAX, &out.comm);
  MISUSE(INVALID_ARGUMENT, "node -1", shardspec_comm_new_local_on_nodes, nodes + 1, 1, &out.comm);
  WRONG_OUT(shardspec_comm *, shardspec_comm_new_local_on_nodes, nodes, 1, P);
  WRONG_ERROR(shardspec_comm_new_local_on_nodes, nodes, 1, &out.comm);
}

static void misuse_request(shardspec_comm *right) {
  shardspec_message own = {0, out.text, 1}, null = {0, NULL, 1}, past = {1, out.text, 1};
  shardspec_request *freed, *request;
  WRONG_HANDLE(shardspec_comm, NULL_ARGUMENT, shardspec_comm_exchange_start, H, &own, 1, &own, 1, &out.request);
  MISUSE(NULL_ARGUMENT, "NULL sends", shardspec_comm_exchange_start, right, NULL, 1, NULL, 0, &out.request);
  MISUSE(NULL_ARGUMENT, "NULL receives", shardspec_comm_exchange_start, right, NULL, 0, NULL, 1, &out.request);
  MISUSE(NULL_ARGUMENT, "NULL message", shardspec_comm_exchange_start, right, &null, 1, &null, 1, &out.request);
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX sends", shardspec_comm_exchange_start, right, &own, SIZE_MAX, NULL, 0, &out.request);
  MISUSE(INDEX_OUT_OF_RANGE, "peer 1 of 1", shardspec_comm_exchange_start, right, NULL, 0, &past, 1, &out.request);
  MISUSE(INVALID_ARGUMENT, "sent and not received", shardspec_comm_exchange_start, right, &own, 1, NULL, 0, &out.request);
  WRONG_OUT(shardspec_request *, shardspec_comm_exchange_start, right, &own, 1, &own, 1, P);
  WRONG_ERROR(shardspec_comm_exchange_start, right, &own, 1, &own, 1, &out.request);
  CHECK_OK(shardspec_comm_exchange_start(right, NULL, 0, NULL, 0, &freed, &err));
  CHECK_OK(shardspec_comm_exchange_start(right, NULL, 0, NULL, 0, &request, &err));
  CHECK_OK(shardspec_request_free(freed, &err));
  wrong_handles_for(freed, request, chunk, metadata);
  WRONG_HANDLE(shardspec_request, NULL_ARGUMENT, shardspec_request_test, H, &out.i32);
  WRONG_OUT(int32_t, shardspec_request_test, request, P);
  WRONG_ERROR(shardspec_request_test, request, &out.i32);
  WRONG_HANDLE(shardspec_request, NULL_ARGUMENT, shardspec_request_wait, H);
  WRONG_ERROR(shardspec_request_wait, request);
  WRONG_HANDLE(shardspec_request, OK, shardspec_request_free, H);
  WRONG_ERROR(shardspec_request_free, request);
  CHECK_OK(shardspec_request_free(request, &err));
}

static void misuse_decline(shardspec_comm *right) {
  WRONG_HANDLE(shardspec_comm, NULL_ARGUMENT, shardspec_comm_decline, H, 1, "why");
  MISUSE(INVALID_ARGUMENT, "status 0", shardspec_comm_decline, right, 0, "why");
  MISUSE(INVALID_ARGUMENT, "status INT32_MIN", shardspec_comm_decline, right, INT32_MIN, "why");
  MISUSE(NULL_ARGUMENT, "NULL message", shardspec_comm_decline, right, 1, NULL);
  MISUSE(INVALID_ARGUMENT, "a message that is no UTF-8", shardspec_comm_decline, right, 1, NOT_UTF8);
  WRONG_ERROR(shardspec_comm_decline, right, 1, "why");
}

static void misuse_collectives(shardspec_comm *right, shardspec_metadata *single) {
  shardspec_copy_options small_copy = {4, 0, 0};
  shardspec_comm_options small = {8, 0, NULL}, with_small = {sizeof with_small, 0, &small_copy};
  shardspec_tensor_view odd = full;
  odd.shape = shards[0].shape;
#define COMM_SCATTER(source, view, buffers, count, options) right, single, source, view, buffers, count, options
  WRONG_HANDLE(shardspec_comm, NULL_ARGUMENT, shardspec_comm_scatter, H, single, 0, &full, &out.view, 1, NULL);
  MISUSE(INVALID_HANDLE, "spec as metadata", shardspec_comm_scatter, right, (shardspec_metadata *)chunk, 0, &full, &full, 1, NULL);
  MISUSE(NULL_ARGUMENT, "NULL metadata", shardspec_comm_scatter, right, NULL, 0, &full, &full, 1, NULL);
  MISUSE(INVALID_ARGUMENT, "source_rank -1", shardspec_comm_scatter, COMM_SCATTER(-1, &full, &full, 1, NULL));
  MISUSE(INDEX_OUT_OF_RANGE, "source_rank 1 of 1", shardspec_comm_scatter, COMM_SCATTER(1, &full, &full, 1, NULL));
  MISUSE(NULL_ARGUMENT, "NULL full", shardspec_comm_scatter, COMM_SCATTER(0, NULL, &full, 1, NULL));
  MISUSE(NULL_ARGUMENT, "NULL shards", shardspec_comm_scatter, COMM_SCATTER(0, &full, NULL, 1, NULL));
  MISUSE(INVALID_ARGUMENT, "no shards", shardspec_comm_scatter, COMM_SCATTER(0, &full, NULL, 0, NULL));
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX shards", shardspec_comm_scatter, COMM_SCATTER(0, &full, &full, SIZE_MAX, NULL));
  MISUSE(SHAPE_MISMATCH, "another shape", shardspec_comm_scatter, COMM_SCATTER(0, &odd, &full, 1, NULL));
  MISUSE(ALIASED, "onto itself", shardspec_comm_scatter, COMM_SCATTER(0, &full, &full, 1, NULL));
  MISUSE(INVALID_ARGUMENT, "options of 8 bytes", shardspec_comm_scatter, COMM_SCATTER(0, &full, &full, 1, &small));
  MISUSE(INVALID_ARGUMENT, "copy options of 4 bytes", shardspec_comm_scatter, COMM_SCATTER(0, &full, &full, 1, &with_small));
  MISUSE(INVALID_PLACEMENT, "rank:1 of 1", shardspec_comm_scatter, right, metadata, 0, &full, shards, 1, NULL);
  WRONG_ERROR(shardspec_comm_scatter, COMM_SCATTER(0, &full, &full, 1, NULL));

#define COMM_GATHER(target, buffers, count, view, options) right, single, target, buffers, count, view, options
  WRONG_HANDLE(shardspec_comm, NULL_ARGUMENT, shardspec_comm_gather, H, single, 0, &full, 1, &full, NULL);
  MISUSE(NULL_ARGUMENT, "NULL metadata", shardspec_comm_gather, right, NULL, 0, &full, 1, &full, NULL);
  MISUSE(INVALID_ARGUMENT, "destination_rank -2", shardspec_comm_gather, COMM_GATHER(-2, &full, 1, &full, NULL));
  MISUSE(INDEX_OUT_OF_RANGE, "destination_rank 1 of 1", shardspec_comm_gather, COMM_GATHER(1, &full, 1, &full, NULL));
  MISUSE(NULL_ARGUMENT, "NULL full", shardspec_comm_gather, COMM_GATHER(SHARDSPEC_ALL_RANKS, &full, 1, NULL, NULL));
  MISUSE(NULL_ARGUMENT, "NULL shards", shardspec_comm_gather, COMM_GATHER(0, NULL, 1, &full, NULL));
  MISUSE(INVALID_ARGUMENT, "two shards of one", shardspec_comm_gather, COMM_GATHER(0, shards, 2, &full, NULL));
  MISUSE(ALIASED, "onto itself", shardspec_comm_gather, COMM_GATHER(0, &full, 1, &full, NULL));
  MISUSE(INVALID_ARGUMENT, "options of 8 bytes", shardspec_comm_gather, COMM_GATHER(0, &full, 1, &full, &small));
  WRONG_ERROR(shardspec_comm_gather, COMM_GATHER(0, &full, 1, &full, NULL));
}

static void misuse_reshard(shardspec_comm *right, shardspec_metadata *single) {
  shardspec_comm_options small = {8, 0, NULL};
#define RESHARD(from, to, options) right, single, from, 1, single, to, 1, options
  WRONG_HANDLE(shardspec_comm, NULL_ARGUMENT, shardspec_comm_reshard, H, single, &full, 1, single, &full, 1, NULL);
  MISUSE(NULL_ARGUMENT, "NULL from", shardspec_comm_reshard, right, NULL, &full, 1, single, &full, 1, NULL);
  MISUSE(NULL_ARGUMENT, "NULL to", shardspec_comm_reshard, right, single, &full, 1, NULL, &full, 1, NULL);
  MISUSE(INVALID_HANDLE, "spec as to", shardspec_comm_reshard, right, single, &full, 1, (shardspec_metadata *)chunk, &full, 1, NULL);
  MISUSE(NULL_ARGUMENT, "NULL source_shards", shardspec_comm_reshard, RESHARD(NULL, &full, NULL));
  MISUSE(NULL_ARGUMENT, "NULL destination_shards", shardspec_comm_reshard, RESHARD(&full, NULL, NULL));
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX source_shards", shardspec_comm_reshard, right, single, &full, SIZE_MAX, single, &full, 1, NULL);
  MISUSE(INVALID_ARGUMENT, "no destination_shards", shardspec_comm_reshard, right, single, &full, 1, single, NULL, 0, NULL);
  MISUSE(ALIASED, "onto itself", shardspec_comm_reshard, RESHARD(&full, &full, NULL));
  MISUSE(INVALID_ARGUMENT, "options of 8 bytes", shardspec_comm_reshard, RESHARD(&full, &full, &small));
  MISUSE(INVALID_PLACEMENT, "rank:1 of 1", shardspec_comm_reshard, right, single, &full, 1, metadata, shards, 2, NULL);
  WRONG_ERROR(shardspec_comm_reshard, RESHARD(&full, &full, NULL));
}

/* A wrong call that starts: what is wrong is the result of its request. */
#define MISUSE_START(wanted, misuse, function, ...)                                                \
  (prepare(), judge(#function, misuse, result_of(function(__VA_ARGS__, &started, &err)), SHARDSPEC_##wanted, &err))
static shardspec_request *started;
static shardspec_status result_of(shardspec_status status) {
  CHECK_OK(status);
  status = shardspec_request_wait(started, &err);
  CHECK(shardspec_request_free(started, NULL) == SHARDSPEC_OK);
  return status;
}

static void misuse_starts(shardspec_comm *right, shardspec_metadata *single, const shardspec_comm_tensor *tensor,
                          const shardspec_transfer *prepared) {
  static shardspec_transfer *unmade = (shardspec_transfer *)&unmade;
  shardspec_comm_options small_options = {8, 0, NULL};
  shardspec_comm_tensor small = *tensor, self = *tensor, no_tag = *tensor;
  small.struct_size = 16;
  no_tag.tag = NOT_UTF8;
  self.destination_shards = self.source_shards;
  WRONG_HANDLE(shardspec_comm, NULL_ARGUMENT, shardspec_comm_transfer_start, H, tensor, 1, NULL, &out.request);
  MISUSE_START(NULL_ARGUMENT, "NULL tensors", shardspec_comm_transfer_start, right, NULL, 1, NULL);
  MISUSE_START(INVALID_ARGUMENT, "SIZE_MAX tensors", shardspec_comm_transfer_start, right, tensor, SIZE_MAX, NULL);
  MISUSE_START(INVALID_ARGUMENT, "tensor of 16 bytes", shardspec_comm_transfer_start, right, &small, 1, NULL);
  MISUSE_START(INVALID_ARGUMENT, "a tag that is no UTF-8", shardspec_comm_transfer_start, right, &no_tag, 1, NULL);
  MISUSE_START(ALIASED, "onto itself", shardspec_comm_transfer_start, right, &self, 1, NULL);
  MISUSE_START(INVALID_ARGUMENT, "options of 8 bytes", shardspec_comm_transfer_start, right, tensor, 1, &small_options);
  WRONG_OUT(shardspec_request *, shardspec_comm_transfer_start, right, tensor, 1, NULL, P);
  WRONG_ERROR(shardspec_comm_transfer_start, right, tensor, 1, NULL, &out.request);

  WRONG_HANDLE(shardspec_comm, NULL_ARGUMENT, shardspec_transfer_start, prepared, H, NULL, 0, &out.request);
  MISUSE_START(NULL_ARGUMENT, "NULL tensors", shardspec_transfer_start, prepared, right, NULL, 1);
  MISUSE_START(INVALID_ARGUMENT, "no tensors", shardspec_transfer_start, prepared, right, tensor, 0);
  MISUSE_START(INVALID_ARGUMENT, "tensor of 16 bytes", shardspec_transfer_start, prepared, right, &small, 1);
  MISUSE_START(ALIASED, "onto itself", shardspec_transfer_start, prepared, right, &self, 1);
  WRONG_OUT(shardspec_request *, shardspec_transfer_start, prepared, right, NULL, 0, P);
  WRONG_ERROR(shardspec_transfer_start, prepared, right, NULL, 0, &out.request);

  WRONG_HANDLE(shardspec_comm, NULL_ARGUMENT, shardspec_transfer_prepare_start, H, tensor, 1, NULL, &out.transfer, &out.request);
  MISUSE_START(NULL_ARGUMENT, "NULL tensors", shardspec_transfer_prepare_start, right, NULL, 1, NULL, &unmade);
  MISUSE_START(INVALID_ARGUMENT, "SIZE_MAX tensors", shardspec_transfer_prepare_start, right, tensor, SIZE_MAX, NULL, &unmade);
  MISUSE_START(INVALID_ARGUMENT, "tensor of 16 bytes", shardspec_transfer_prepare_start, right, &small, 1, NULL, &unmade);
  MISUSE_START(ALIASED, "onto itself", shardspec_transfer_prepare_start, right, &self, 1, NULL, &unmade);
  MISUSE_START(INVALID_ARGUMENT, "options of 8 bytes", shardspec_transfer_prepare_start, right, tensor, 1, &small_options, &unmade);
  CHECK(unmade == NULL);
  WRONG_OUT(shardspec_transfer *, shardspec_transfer_prepare_start, right, tensor, 1, NULL, P, &out.request);
  WRONG_OUT(shardspec_request *, shardspec_transfer_prepare_start, right, tensor, 1, NULL, &out.transfer, P);
  WRONG_ERROR(shardspec_transfer_prepare_start, right, tensor, 1, NULL, &out.transfer, &out.request);

  WRONG_HANDLE(shardspec_comm, NULL_ARGUMENT, shardspec_comm_scatter_start, H, single, 0, &full, &out.view, 1, NULL, &out.request);
  MISUSE_START(INVALID_HANDLE, "spec as metadata", shardspec_comm_scatter_start, right, (shardspec_metadata *)chunk, 0, &full, &full, 1, NULL);
  MISUSE_START(NULL_ARGUMENT, "NULL metadata", shardspec_comm_scatter_start, right, NULL, 0, &full, &full, 1, NULL);
  MISUSE_START(INDEX_OUT_OF_RANGE, "source_rank 1 of 1", shardspec_comm_scatter_start, COMM_SCATTER(1, &full, &full, 1, NULL));
  MISUSE_START(NULL_ARGUMENT, "NULL full", shardspec_comm_scatter_start, COMM_SCATTER(0, NULL, &full, 1, NULL));
  MISUSE_START(NULL_ARGUMENT, "NULL shards", shardspec_comm_scatter_start, COMM_SCATTER(0, &full, NULL, 1, NULL));
  MISUSE_START(INVALID_ARGUMENT, "SIZE_MAX shards", shardspec_comm_scatter_start, COMM_SCATTER(0, &full, &full, SIZE_MAX, NULL));
  MISUSE_START(ALIASED, "onto itself", shardspec_comm_scatter_start, COMM_SCATTER(0, &full, &full, 1, NULL));
  WRONG_OUT(shardspec_request *, shardspec_comm_scatter_start, COMM_SCATTER(0, &full, &full, 1, NULL), P);
  WRONG_ERROR(shardspec_comm_scatter_start, COMM_SCATTER(0, &full, &full, 1, NULL), &out.request);

  WRONG_HANDLE(shardspec_comm, NULL_ARGUMENT, shardspec_comm_gather_start, H, single, 0, &full, 1, &full, NULL, &out.request);
  MISUSE_START(NULL_ARGUMENT, "NULL metadata", shardspec_comm_gather_start, right, NULL, 0, &full, 1, &full, NULL);
  MISUSE_START(INVALID_ARGUMENT, "destination_rank -2", shardspec_comm_gather_start, COMM_GATHER(-2, &full, 1, &full, NULL));
  MISUSE_START(NULL_ARGUMENT, "NULL full", shardspec_comm_gather_start, COMM_GATHER(SHARDSPEC_ALL_RANKS, &full, 1, NULL, NULL));
  MISUSE_START(INVALID_ARGUMENT, "two shards of one", shardspec_comm_gather_start, COMM_GATHER(0, shards, 2, &full, NULL));
  MISUSE_START(ALIASED, "onto itself", shardspec_comm_gather_start, COMM_GATHER(0, &full, 1, &full, NULL));
  WRONG_OUT(shardspec_request *, shardspec_comm_gather_start, COMM_GATHER(0, &full, 1, &full, NULL), P);
  WRONG_ERROR(shardspec_comm_gather_start, COMM_GATHER(0, &full, 1, &full, NULL), &out.request);

  WRONG_HANDLE(shardspec_comm, NULL_ARGUMENT, shardspec_comm_reshard_start, H, single, &full, 1, single, &full, 1, NULL, &out.request);
  MISUSE_START(NULL_ARGUMENT, "NULL from", shardspec_comm_reshard_start, right, NULL, &full, 1, single, &full, 1, NULL);
  MISUSE_START(INVALID_HANDLE, "spec as to", shardspec_comm_reshard_start, right, single, &full, 1, (shardspec_metadata *)chunk, &full, 1, NULL);
  MISUSE_START(NULL_ARGUMENT, "NULL destination_shards", shardspec_comm_reshard_start, RESHARD(&full, NULL, NULL));
  MISUSE_START(INVALID_ARGUMENT, "no destination_shards", shardspec_comm_reshard_start, right, single, &full, 1, single, NULL, 0, NULL);
  MISUSE_START(ALIASED, "onto itself", shardspec_comm_reshard_start, RESHARD(&full, &full, NULL));
  MISUSE_START(INVALID_ARGUMENT, "options of 8 bytes", shardspec_comm_reshard_start, RESHARD(&full, &full, &small_options));
  WRONG_OUT(shardspec_request *, shardspec_comm_reshard_start, RESHARD(&full, &full, NULL), P);
  WRONG_ERROR(shardspec_comm_reshard_start, RESHARD(&full, &full, NULL), &out.request);

  WRONG_HANDLE(shardspec_comm, NULL_ARGUMENT, shardspec_comm_decline_start, H, 1, "why", &out.request);
  MISUSE_START(INVALID_ARGUMENT, "status 0", shardspec_comm_decline_start, right, 0, "why");
  MISUSE_START(NULL_ARGUMENT, "NULL message", shardspec_comm_decline_start, right, 1, NULL);
  MISUSE_START(INVALID_ARGUMENT, "a message that is no UTF-8", shardspec_comm_decline_start, right, 1, NOT_UTF8);
  WRONG_OUT(shardspec_request *, shardspec_comm_decline_start, right, 1, "why", P);
  WRONG_ERROR(shardspec_comm_decline_start, right, 1, "why", &out.request);
}

static void misuse_transfers(shardspec_comm *right, shardspec_metadata *single) {
  float written[15] = {0};
  shardspec_tensor_view from = full, to = full;
  to.data = written;
  shardspec_comm_tensor tensor = {sizeof tensor, "weight", single, single, NULL, &from, 1, &to, 1, {0, 0, 0}, 0};
  shardspec_comm_tensor small = tensor, no_source = tensor, no_tag = tensor, bits = tensor, self = tensor;
  shardspec_comm_options small_options = {8, 0, NULL};
  shardspec_transfer *prepared, *gone;
  small.struct_size = 16;
  no_source.source = NULL;
  no_tag.tag = "\xff";
  bits.dtype.code = 99;
  self.destination_shards = &from;
  CHECK_OK(shardspec_transfer_prepare(right, &tensor, 1, NULL, &prepared, &err));
  CHECK_OK(shardspec_transfer_prepare(right, &tensor, 1, NULL, &gone, &err));
#define WRONG_TENSORS(function, ...)                                                               \
  MISUSE(NULL_ARGUMENT, "NULL tensors", function, right, NULL, 1, __VA_ARGS__);                    \
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX tensors", function, right, &tensor, SIZE_MAX, __VA_ARGS__);   \
  MISUSE(INVALID_ARGUMENT, "tensor of 16 bytes", function, right, &small, 1, __VA_ARGS__);         \
  MISUSE(NULL_ARGUMENT, "NULL source", function, right, &no_source, 1, __VA_ARGS__);               \
  MISUSE(INVALID_ARGUMENT, "a tag that is no UTF-8", function, right, &no_tag, 1, __VA_ARGS__);    \
  MISUSE(INVALID_ARGUMENT, "dtype 99", function, right, &bits, 1, __VA_ARGS__);                    \
  MISUSE(ALIASED, "onto itself", function, right, &self, 1, __VA_ARGS__)
  WRONG_HANDLE(shardspec_comm, NULL_ARGUMENT, shardspec_comm_transfer, H, &tensor, 1, NULL);
  WRONG_TENSORS(shardspec_comm_transfer, NULL);
  MISUSE(INVALID_ARGUMENT, "options of 8 bytes", shardspec_comm_transfer, right, &tensor, 1, &small_options);
  WRONG_ERROR(shardspec_comm_transfer, right, &tensor, 1, NULL);

  WRONG_HANDLE(shardspec_comm, NULL_ARGUMENT, shardspec_transfer_prepare, H, &tensor, 1, NULL, &out.transfer);
  WRONG_TENSORS(shardspec_transfer_prepare, NULL, &out.transfer);
  MISUSE(INVALID_ARGUMENT, "options of 8 bytes", shardspec_transfer_prepare, right, &tensor, 1, &small_options, &out.transfer);
  WRONG_OUT(shardspec_transfer *, shardspec_transfer_prepare, right, &tensor, 1, NULL, P);
  WRONG_ERROR(shardspec_transfer_prepare, right, &tensor, 1, NULL, &out.transfer);

  WRONG_HANDLE(shardspec_comm, NULL_ARGUMENT, shardspec_transfer_run, prepared, H, NULL, 0);
  MISUSE(NULL_ARGUMENT, "NULL tensors", shardspec_transfer_run, prepared, right, NULL, 1);
  MISUSE(INVALID_ARGUMENT, "no tensors", shardspec_transfer_run, prepared, right, &tensor, 0);
  MISUSE(INVALID_ARGUMENT, "tensor of 16 bytes", shardspec_transfer_run, prepared, right, &small, 1);
  MISUSE(INVALID_ARGUMENT, "another tag", shardspec_transfer_run, prepared, right, &no_tag, 1);
  MISUSE(ALIASED, "onto itself", shardspec_transfer_run, prepared, right, &self, 1);
  WRONG_ERROR(shardspec_transfer_run, prepared, right, NULL, 0);

  misuse_starts(right, single, &tensor, prepared);

  CHECK_OK(shardspec_transfer_free(gone, &err));
  wrong_handles_for(gone, prepared, chunk, metadata);
  WRONG_HANDLE(shardspec_transfer, NULL_ARGUMENT, shardspec_transfer_run, H, right, NULL, 0);
  for (int h = 0; h < WRONG_HANDLES; h++) {
    const shardspec_transfer *wrong = (const shardspec_transfer *)wrong_handles[h];
    prepare();
    judge("shardspec_transfer_start", handle_misuses[h],
          result_of(shardspec_transfer_start(wrong, right, NULL, 0, &started, &err)),
          h == 0 ? SHARDSPEC_NULL_ARGUMENT : SHARDSPEC_INVALID_HANDLE, &err);
  }
  WRONG_HANDLE(shardspec_transfer, NULL_ARGUMENT, shardspec_transfer_fingerprint, H, &out.u64);
  WRONG_OUT(uint64_t, shardspec_transfer_fingerprint, prepared, P);
  WRONG_ERROR(shardspec_transfer_fingerprint, prepared, &out.u64);
  WRONG_HANDLE(shardspec_transfer, OK, shardspec_transfer_free, H);
  WRONG_ERROR(shardspec_transfer_free, prepared);
  CHECK_OK(shardspec_transfer_free(prepared, &err));
}

static void misuse_sharded(shardspec_comm *right, shardspec_metadata *single) {
  /* The metadata states no element type: that is what is wrong with it. */
  WRONG_HANDLE(shardspec_comm, NULL_ARGUMENT, shardspec_sharded_tensor_new_from_rank, H, single, 0, &full, NULL, &out.sharded_tensor);
  MISUSE(NULL_ARGUMENT, "NULL metadata", shardspec_sharded_tensor_new_from_rank, right, NULL, 0, &full, NULL, &out.sharded_tensor);
  MISUSE(INVALID_ARGUMENT, "no element type", shardspec_sharded_tensor_new_from_rank, right, single, 0, &full, NULL, &out.sharded_tensor);
  WRONG_OUT(shardspec_sharded_tensor *, shardspec_sharded_tensor_new_from_rank, right, single, 0, &full, NULL, P);
  WRONG_ERROR(shardspec_sharded_tensor_new_from_rank, right, single, 0, &full, NULL, &out.sharded_tensor);

  shardspec_sharded_tensor *tensor, *gone;
  CHECK_OK(shardspec_sharded_tensor_new_from_full(single, NULL, &full, NULL, &tensor, &err));
  CHECK_OK(shardspec_sharded_tensor_new_from_full(single, NULL, &full, NULL, &gone, &err));
  CHECK_OK(shardspec_sharded_tensor_free(gone, &err));
  wrong_handles_for(gone, tensor, chunk, metadata);
  WRONG_HANDLE(shardspec_sharded_tensor, NULL_ARGUMENT, shardspec_sharded_tensor_comm, H, &out.comm);
  WRONG_OUT(shardspec_comm *, shardspec_sharded_tensor_comm, tensor, P);
  WRONG_ERROR(shardspec_sharded_tensor_comm, tensor, &out.comm);
  CHECK_OK(shardspec_sharded_tensor_free(tensor, &err));
}

void misuse_comm(void) {
  shardspec_comm *freed, *right;
  shardspec_spec *spec;
  shardspec_metadata *single;
  CHECK_OK(shardspec_comm_new_local(1, &freed, &err));
  CHECK_OK(shardspec_comm_new_local(1, &right, &err));
  CHECK_OK(shardspec_comm_free(freed, &err));
  CHECK_OK(shardspec_spec_new_chunk(0, RANKS, 1, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, TENSOR, 2, NULL, &single, &err));
  wrong_handles_for(freed, right, chunk, metadata);
  misuse_construction(right);
  misuse_exchange(right);
  misuse_group(right);
  misuse_decline(right);
  misuse_collectives(right, single);
  misuse_reshard(right, single);
  misuse_sharded(right, single);
  wrong_handles_for(freed, right, chunk, metadata);
  misuse_transfers(right, single);
  wrong_handles_for(freed, right, chunk, metadata);
  misuse_request(right);
  CHECK_OK(shardspec_metadata_free(single, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
  CHECK_OK(shardspec_comm_free(right, &err));
}
