/* Local shards to and from other libraries: whatever was wrong, theirs were let go. */
#include "misuse.h"

static int let_go;
static void count(void *managed) { (void)managed, let_go++; }

static void misuse_exports(shardspec_sharded_tensor *tensor) {
#define EXPORT(function, form, place)                                                              \
  WRONG_HANDLE(shardspec_sharded_tensor, NULL_ARGUMENT, function, H, 0, place);                    \
  MISUSE(INDEX_OUT_OF_RANGE, "local 2 of 2", function, tensor, 2, place);                          \
  MISUSE(INDEX_OUT_OF_RANGE, "local SIZE_MAX", function, tensor, SIZE_MAX, place);                 \
  WRONG_OUT(form *, function, tensor, 0, P);                                                       \
  WRONG_ERROR(function, tensor, 0, place)
  EXPORT(shardspec_sharded_tensor_export_local, shardspec_managed_tensor, &out.managed_tensor);
  EXPORT(shardspec_sharded_tensor_export_local_legacy, shardspec_legacy_managed_tensor, &out.legacy_managed_tensor);
#undef EXPORT
}

static void misuse_imports(void) {
  static const size_t both[] = {0, 1}, past_end[] = {0, 2}, same[] = {1, 1};
  shardspec_managed_tensor first = {1, 0, NULL, count, 0, shards[0]};
  shardspec_managed_tensor second = {1, 0, NULL, count, 0, shards[1]};
  shardspec_managed_tensor *given[] = {&first, &second}, *twice[] = {&first, &first};
  shardspec_managed_tensor *one_null[] = {NULL, &second};
  shardspec_managed_tensor *odd[] = {&first, (shardspec_managed_tensor *)(void *)((char *)&second + 4)};
  shardspec_managed_tensor *const *odd_array = (shardspec_managed_tensor *const *)(void *)((char *)given + 1);
  int wanted = 0;
#define NEW(status, misuse, taken, owner, indices, shards, count)                                  \
  MISUSE(status, misuse, shardspec_sharded_tensor_new_from_managed, metadata, owner, indices, shards, count, &out.sharded_tensor); \
  CHECK_EQUAL(let_go, wanted += taken)
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_sharded_tensor_new_from_managed, H, NULL, both, given, 2, &out.sharded_tensor);
  CHECK_EQUAL(let_go, wanted += 2 * WRONG_HANDLES);
  NEW(NULL_ARGUMENT, "NULL shards", 0, NULL, both, NULL, 2);
  NEW(INVALID_ARGUMENT, "shards not aligned", 0, NULL, both, odd_array, 2);
  NEW(INVALID_ARGUMENT, "SIZE_MAX shards", 0, NULL, both, given, SIZE_MAX);
  NEW(NULL_ARGUMENT, "a NULL shard", 1, NULL, both, one_null, 2);
  NEW(INVALID_ARGUMENT, "a shard not aligned", 0, NULL, both, odd, 2);
  NEW(INVALID_ARGUMENT, "a managed tensor twice", 1, NULL, both, twice, 2);
  NEW(NULL_ARGUMENT, "NULL indices", 2, NULL, NULL, given, 2);
  NEW(INDEX_OUT_OF_RANGE, "shard 2 of 2", 2, NULL, past_end, given, 2);
  NEW(INVALID_ARGUMENT, "a shard twice", 2, NULL, same, given, 2);
  NEW(INVALID_ARGUMENT, "not the owner's", 2, "rank:1", both, given, 2);
  NEW(INVALID_PLACEMENT, "no owner", 2, "rank:", both, given, 2);
  WRONG_OUT(shardspec_sharded_tensor *, shardspec_sharded_tensor_new_from_managed, metadata, NULL, both, given, 2, P);
  WRONG_ERROR(shardspec_sharded_tensor_new_from_managed, metadata, NULL, both, given, 2, &out.sharded_tensor);
  CHECK_EQUAL(let_go, wanted += 8);
#undef NEW
}

void misuse_dlpack_shards(void) {
  shardspec_sharded_tensor *tensor, *freed;
  shardspec_metadata *freed_metadata;
  CHECK_OK(shardspec_sharded_tensor_new_from_full(metadata, NULL, &full, NULL, &tensor, &err));
  CHECK_OK(shardspec_sharded_tensor_new_from_full(metadata, NULL, &full, NULL, &freed, &err));
  CHECK_OK(shardspec_sharded_tensor_free(freed, &err));
  wrong_handles_for(freed, tensor, metadata, chunk);
  misuse_exports(tensor);
  CHECK_OK(shardspec_sharded_tensor_metadata(tensor, &freed_metadata, &err));
  CHECK_OK(shardspec_metadata_free(freed_metadata, &err));
  wrong_handles_for(freed_metadata, metadata, tensor, chunk);
  misuse_imports();
  CHECK_OK(shardspec_sharded_tensor_free(tensor, &err));
}
