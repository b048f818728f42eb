/* A worked op: looking up rows of a table that is cut by rows, as torch's sharded `embedding` does.
 *
 * Each rank has some rows. It fills in those that are asked for and leaves zeros for the others, so the
 * sum over all ranks is the answer. Here the ranks are in one program and the sum is a loop; with a
 * communicator it is a reduction. */
#include "ops.h"

#include <string.h>

enum { ROWS = 10, WIDTH = 4, RANKS = 4, IDS = 6 };

/* embedding(table, ids) -> out: args are the sharded table, a list of ids, and a view of [ids, width]
 * that is added to. The result is the number of ids that were found here. */
static shardspec_status embedding(void *ctx, const shardspec_spec *spec,
                                  const shardspec_op_arguments *arguments, shardspec_value *results,
                                  size_t result_count, shardspec_error *err) {
  (void)ctx, (void)spec;
  float *rows = arguments->arg_count == 3 ? floats_of(&arguments->args[2], 2) : NULL;
  if (rows == NULL || arguments->args[0].kind != SHARDSPEC_VALUE_SHARDED_TENSOR ||
      arguments->args[1].kind != SHARDSPEC_VALUE_I64_LIST) {
    strcpy(err->message, "embedding: pass a sharded table, a list of ids and a row-major view for the rows");
    return SHARDSPEC_USER_STATUS;
  }
  const shardspec_sharded_tensor *table = (const shardspec_sharded_tensor *)arguments->args[0].pointer;
  const int64_t *ids = (const int64_t *)arguments->args[1].pointer, count = arguments->args[1].integer;
  const shardspec_tensor_view *out = (const shardspec_tensor_view *)arguments->args[2].pointer;
  shardspec_metadata *metadata;
  size_t locals;
  int64_t found = 0;
  TRY(shardspec_sharded_tensor_local_count(table, &locals, err));
  TRY(shardspec_sharded_tensor_metadata(table, &metadata, err));
  shardspec_status status = SHARDSPEC_OK;
  for (size_t local = 0; local < locals && status == SHARDSPEC_OK; local++) {
    local_shard shard;
    status = get_local_shard(table, metadata, local, &shard, err);
    if (status == SHARDSPEC_OK && (out->shape[0] != count || out->shape[1] != shard.shape[1])) {
      strcpy(err->message, "embedding: the view has a row for each id, as wide as the table");
      status = SHARDSPEC_USER_STATUS;
    }
    for (int64_t at = 0; at < count && status == SHARDSPEC_OK; at++) {
      /* An id may be any number: it is compared before anything is computed with it. */
      if (ids[at] < shard.offsets[0] || ids[at] - shard.offsets[0] >= shard.shape[0]) continue;
      for (int64_t column = 0; column < shard.shape[1]; column++)
        rows[at * shard.shape[1] + column] += *element(&shard.view, ids[at] - shard.offsets[0], column);
      found++;
    }
  }
  shardspec_metadata_free(metadata, NULL);
  if (status == SHARDSPEC_OK && result_count > 0) {
    results[0].kind = SHARDSPEC_VALUE_I64;
    results[0].integer = found;
  }
  return status;
}

int main(void) {
  static const char *const placements[RANKS] = {"rank:0", "rank:1", "rank:2", "rank:3"};
  static const int64_t sizes[] = {ROWS, WIDTH}, out_sizes[] = {IDS, WIDTH}, ids[IDS] = {7, 0, 9, 3, 3, 5};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  float table[ROWS][WIDTH], wanted[IDS][WIDTH], got[IDS][WIDTH];
  shardspec_tensor_view full = view_of(table, SHARDSPEC_DTYPE_FLOAT, 32, sizes, 2);
  shardspec_tensor_view out = view_of(got, SHARDSPEC_DTYPE_FLOAT, 32, out_sizes, 2);
  shardspec_spec *spec;
  shardspec_op *op;
  int64_t found = 0;
  for (int row = 0; row < ROWS; row++)
    for (int column = 0; column < WIDTH; column++) table[row][column] = (float)(row * 10 + column);
  for (int at = 0; at < IDS; at++) memcpy(wanted[at], table[ids[at]], sizeof wanted[at]);
  memset(got, 0, sizeof got);

  must(shardspec_op_register("chunk", "example.embedding", embedding, NULL, NULL, NULL, &op, &err), &err);
  must(shardspec_spec_new_chunk(0, placements, RANKS, &spec, &err), &err);
  for (int rank = 0; rank < RANKS; rank++) {
    shardspec_sharded_tensor *mine;
    must(shardspec_sharded_tensor_new_from_spec(spec, NULL, placements[rank], &full, NULL, &mine, &err), &err);
    shardspec_value args[] = {
        {SHARDSPEC_VALUE_SHARDED_TENSOR, 0, 0, 0, mine},
        {SHARDSPEC_VALUE_I64_LIST, 0, IDS, 0, (void *)(uintptr_t)ids},
        {SHARDSPEC_VALUE_TENSOR_VIEW, 0, 0, 0, &out},
    };
    shardspec_op_arguments arguments = {sizeof arguments, args, 3, NULL, NULL, 0, NULL};
    shardspec_value result;
    must(shardspec_op_dispatch(spec, "example.embedding", &arguments, &result, 1, &err), &err);
    printf("%s has %d of %d rows\n", placements[rank], (int)result.integer, IDS);
    found += result.integer;
    must(shardspec_sharded_tensor_free(mine, &err), &err);
  }
  must(shardspec_op_unregister(op, &err), &err);
  must(shardspec_spec_free(spec, &err), &err);
  int same = found == IDS && memcmp(got, wanted, sizeof got) == 0;
  puts(same ? "the sum is what one table gives" : "the sum is not what one table gives");
  return same ? 0 : 1;
}
