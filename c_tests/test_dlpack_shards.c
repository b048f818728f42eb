/* Local shards as managed tensors of DLPack, and the other way round. */
#include "check.h"
#include "shardspec_dlpack.h"

enum { ROWS = 4, COLUMNS = 3, SHARDS = 3 };

static const char *const RANKS[SHARDS] = {"rank:0", "rank:1", "rank:1"};
static const size_t ALL[SHARDS] = {0, 1, 2};
static shardspec_error err = SHARDSPEC_ERROR_INIT;
static float full[ROWS][COLUMNS];
static int64_t full_shape[2] = {ROWS, COLUMNS};
static shardspec_tensor_view full_view;
static shardspec_metadata *metadata;

/* Cut by rows: two, two, none. */
static void make_metadata(void) {
  shardspec_spec *spec;
  for (int i = 0; i < ROWS * COLUMNS; i++) full[i / COLUMNS][i % COLUMNS] = (float)i;
  full_view = view_of(full, FLOAT32, full_shape, 2);
  CHECK_OK(shardspec_spec_new_chunk(0, RANKS, SHARDS, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, full_shape, 2, NULL, &metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
}

static void check_gathers_to_full(shardspec_sharded_tensor *tensor) {
  float back[ROWS][COLUMNS] = {{0}};
  shardspec_tensor_view back_view = view_of(back, FLOAT32, full_shape, 2);
  CHECK_OK(shardspec_sharded_tensor_gather(tensor, &back_view, NULL, &err));
  CHECK(memcmp(back, full, sizeof full) == 0);
}

static void an_exported_shard_outlives_its_tensor(void) {
  shardspec_sharded_tensor *tensor;
  shardspec_managed_tensor *managed;
  shardspec_legacy_managed_tensor *legacy;
  CHECK_OK(shardspec_sharded_tensor_new_from_full(metadata, "rank:1", &full_view, NULL, &tensor, &err));
  CHECK_OK(shardspec_sharded_tensor_export_local(tensor, 0, &managed, &err));
  CHECK_OK(shardspec_sharded_tensor_export_local_legacy(tensor, 0, &legacy, &err));
  CHECK_OK(shardspec_sharded_tensor_free(tensor, &err));

  DLManagedTensorVersioned *theirs = shardspec_managed_tensor_to_dlpack(managed);
  CHECK(theirs->version.major == 1 && theirs->flags == 0);
  CHECK(theirs->dl_tensor.ndim == 2 && theirs->dl_tensor.byte_offset == 0);
  CHECK(theirs->dl_tensor.shape[0] == 2 && theirs->dl_tensor.shape[1] == COLUMNS);
  CHECK(theirs->dl_tensor.strides[0] == COLUMNS && theirs->dl_tensor.strides[1] == 1);
  CHECK(theirs->dl_tensor.device.device_type == kDLCPU);
  float *data = (float *)theirs->dl_tensor.data;
  CHECK(memcmp(data, full[2], 2 * sizeof full[0]) == 0);

  /* Both are the same memory, and the last of them keeps it. */
  DLManagedTensor *older = shardspec_legacy_managed_tensor_to_dlpack(legacy);
  CHECK(older->dl_tensor.data == data);
  data[0] = 100;
  theirs->deleter(theirs);
  CHECK(data[0] == 100 && data[1] == full[2][1]);
  older->deleter(older);
}

static void an_empty_shard_is_exported_without_data(void) {
  shardspec_sharded_tensor *tensor;
  shardspec_managed_tensor *managed;
  CHECK_OK(shardspec_sharded_tensor_new_from_full(metadata, NULL, &full_view, NULL, &tensor, &err));
  CHECK_OK(shardspec_sharded_tensor_export_local(tensor, 2, &managed, &err));
  CHECK(managed->tensor.data == NULL && managed->tensor.shape[0] == 0);
  CHECK(managed->tensor.shape[1] == COLUMNS && managed->tensor.strides != NULL);
  managed->deleter(managed);
  CHECK_STATUS(shardspec_sharded_tensor_export_local(tensor, 3, &managed, &err),
               SHARDSPEC_INDEX_OUT_OF_RANGE);
  CHECK_OK(shardspec_sharded_tensor_free(tensor, &err));
}

/* What another library hands over: rows of the full tensor, and how often they were let go. */
typedef struct other {
  DLManagedTensorVersioned managed;
  int64_t shape[2], strides[2];
  int let_go;
} other;

static void let_go(DLManagedTensorVersioned *managed) { ((other *)managed->manager_ctx)->let_go++; }

static shardspec_managed_tensor *hand_over(other *o, int64_t first_row, int64_t rows) {
  DLManagedTensorVersioned *managed = &o->managed;
  memset(o, 0, sizeof *o);
  o->shape[0] = rows;
  o->shape[1] = COLUMNS;
  o->strides[0] = COLUMNS;
  o->strides[1] = 1;
  managed->version.major = DLPACK_MAJOR_VERSION;
  managed->version.minor = DLPACK_MINOR_VERSION;
  managed->manager_ctx = o;
  managed->deleter = let_go;
  managed->dl_tensor.data = rows ? full : NULL;
  managed->dl_tensor.byte_offset = (uint64_t)first_row * sizeof full[0];
  managed->dl_tensor.device.device_type = kDLCPU;
  managed->dl_tensor.ndim = 2;
  managed->dl_tensor.dtype.code = kDLFloat;
  managed->dl_tensor.dtype.bits = 32;
  managed->dl_tensor.dtype.lanes = 1;
  managed->dl_tensor.shape = o->shape;
  managed->dl_tensor.strides = o->strides;
  return shardspec_managed_tensor_from_dlpack(managed);
}

static void hand_over_all(other *others, shardspec_managed_tensor **shards) {
  for (int i = 0; i < SHARDS; i++) shards[i] = hand_over(&others[i], 2 * i, i < 2 ? 2 : 0);
}

static void check_let_go(const other *others, int times) {
  for (int i = 0; i < SHARDS; i++) CHECK_EQUAL(others[i].let_go, times);
}

static void tensors_of_others_become_local_shards_and_are_let_go_once(void) {
  other others[SHARDS];
  shardspec_managed_tensor *shards[SHARDS], *kept;
  shardspec_sharded_tensor *tensor;
  hand_over_all(others, shards);
  CHECK_OK(shardspec_sharded_tensor_new_from_managed(metadata, NULL, ALL, shards, SHARDS, &tensor, &err));
  check_gathers_to_full(tensor);
  CHECK_OK(shardspec_sharded_tensor_export_local(tensor, 1, &kept, &err));
  CHECK(kept->tensor.data == full[2]);
  check_let_go(others, 0);
  CHECK_OK(shardspec_sharded_tensor_free(tensor, &err));
  CHECK(others[0].let_go == 1 && others[1].let_go == 0 && others[2].let_go == 1);
  kept->deleter(kept);
  check_let_go(others, 1);

  /* Only those of an owner, in another order, and without a deleter. */
  const size_t of_rank_1[] = {2, 1};
  shardspec_managed_tensor *two[] = {hand_over(&others[2], 4, 0), hand_over(&others[1], 2, 2)};
  others[1].managed.deleter = NULL;
  CHECK_OK(shardspec_sharded_tensor_new_from_managed(metadata, "rank:1", of_rank_1, two, 2, &tensor, &err));
  CHECK_OK(shardspec_sharded_tensor_free(tensor, &err));
  CHECK(others[2].let_go == 1 && others[1].let_go == 0);
}

static void exported_shards_can_be_taken_back(void) {
  shardspec_managed_tensor *shards[SHARDS];
  shardspec_sharded_tensor *first, *second;
  CHECK_OK(shardspec_sharded_tensor_new_from_full(metadata, NULL, &full_view, NULL, &first, &err));
  for (size_t i = 0; i < SHARDS; i++)
    CHECK_OK(shardspec_sharded_tensor_export_local(first, i, &shards[i], &err));
  CHECK_OK(shardspec_sharded_tensor_new_from_managed(metadata, NULL, ALL, shards, SHARDS, &second, &err));
  CHECK_OK(shardspec_sharded_tensor_free(first, &err));
  check_gathers_to_full(second);
  CHECK_OK(shardspec_sharded_tensor_free(second, &err));
}

/* The call is refused, says which shard is wrong, and all three were let go. */
static void refused(other *others, shardspec_managed_tensor **shards, int64_t shard,
                    shardspec_status wanted, const char *message) {
  shardspec_sharded_tensor *tensor = NULL;
  CHECK_STATUS(shardspec_sharded_tensor_new_from_managed(metadata, NULL, ALL, shards, SHARDS, &tensor, &err),
               wanted);
  CHECK_EQUAL(err.first_shard, shard);
  CHECK_MESSAGE(message);
  CHECK(tensor == NULL);
  check_let_go(others, 1);
}

static void what_can_not_be_a_local_shard_is_refused_and_let_go(void) {
  other others[SHARDS];
  shardspec_managed_tensor *shards[SHARDS];
  DLManagedTensorVersioned *one = &others[1].managed;

  hand_over_all(others, shards);
  one->version.major = 2;
  one->version.minor = 5;
  memset(&one->flags, 0xff, sizeof *one - offsetof(DLManagedTensorVersioned, flags));
  refused(others, shards, 1, SHARDSPEC_UNSUPPORTED, "DLPack 2.5");

  hand_over_all(others, shards);
  one->flags = DLPACK_FLAG_BITMASK_READ_ONLY | DLPACK_FLAG_BITMASK_IS_COPIED;
  refused(others, shards, 1, SHARDSPEC_READ_ONLY, "read-only");

  hand_over_all(others, shards);
  one->flags = DLPACK_FLAG_BITMASK_IS_SUBBYTE_TYPE_PADDED;
  refused(others, shards, 1, SHARDSPEC_UNSUPPORTED, "flags 4");

  hand_over_all(others, shards);
  one->dl_tensor.device.device_type = kDLCUDA;
  refused(others, shards, 1, SHARDSPEC_UNSUPPORTED_DEVICE, "device type 2");

  hand_over_all(others, shards);
  one->dl_tensor.dtype.bits = 64;
  refused(others, shards, 1, SHARDSPEC_DTYPE_MISMATCH, "float64");

  hand_over_all(others, shards);
  one->dl_tensor.byte_offset = sizeof full[0];
  refused(others, shards, 0, SHARDSPEC_ALIASED, "overlap");

  hand_over_all(others, shards);
  others[1].shape[0] = 1;
  refused(others, shards, 1, SHARDSPEC_SHAPE_MISMATCH, "shard 1");
}

static void whatever_else_is_wrong_all_are_let_go_once(void) {
  other others[SHARDS];
  shardspec_managed_tensor *shards[SHARDS], *twice[] = {NULL, NULL, NULL, NULL};
  static const size_t four[] = {0, 1, 2, 1};
  shardspec_sharded_tensor *tensor = NULL;
  shardspec_error short_error = SHARDSPEC_ERROR_INIT;
#define NEW(metadata, owner, indices, shards, count, out, err)                                     \
  (hand_over_all(others, shards),                                                                  \
   shardspec_sharded_tensor_new_from_managed(metadata, owner, indices, shards, count, out, err))
  CHECK_STATUS(NEW(NULL, NULL, ALL, shards, SHARDS, &tensor, &err), SHARDSPEC_NULL_ARGUMENT);
  check_let_go(others, 1);
  CHECK_STATUS(NEW(metadata, "rank:1", ALL, shards, SHARDS, &tensor, &err), SHARDSPEC_INVALID_ARGUMENT);
  check_let_go(others, 1);
  CHECK_STATUS(NEW(metadata, NULL, NULL, shards, SHARDS, &tensor, &err), SHARDSPEC_NULL_ARGUMENT);
  check_let_go(others, 1);
  CHECK_STATUS(NEW(metadata, NULL, ALL, shards, SHARDS, NULL, &err), SHARDSPEC_NULL_ARGUMENT);
  check_let_go(others, 1);
  short_error.struct_size = 4;
  CHECK(NEW(metadata, NULL, ALL, shards, SHARDS, &tensor, &short_error) == SHARDSPEC_INVALID_ARGUMENT);
  check_let_go(others, 1);

  memcpy(twice, shards, sizeof shards);
  hand_over_all(others, twice);
  twice[3] = twice[1];
  CHECK_STATUS(shardspec_sharded_tensor_new_from_managed(metadata, NULL, four, twice, 4, &tensor, &err),
               SHARDSPEC_INVALID_ARGUMENT);
  CHECK_MESSAGE("given twice");
  CHECK_EQUAL(err.index, 3);
  check_let_go(others, 1);

  hand_over_all(others, twice);
  twice[3] = NULL;
  CHECK_STATUS(shardspec_sharded_tensor_new_from_managed(metadata, NULL, four, twice, 4, &tensor, &err),
               SHARDSPEC_NULL_ARGUMENT);
  CHECK_EQUAL(err.index, 3);
  check_let_go(others, 1);
  CHECK(tensor == NULL);
}

/* What can't be an array of managed tensors is not followed anywhere, and no deleter is called. */
static void an_array_that_is_none_is_refused_and_nothing_of_it_let_go(void) {
  other others[SHARDS];
  shardspec_managed_tensor *shards[SHARDS];
  shardspec_sharded_tensor *tensor = NULL;
#define REFUSED_UNTOUCHED(array, count, wanted)                                                    \
  do {                                                                                             \
    CHECK_STATUS(shardspec_sharded_tensor_new_from_managed(metadata, NULL, ALL, array, count,      \
                                                           &tensor, &err), wanted);                \
    check_let_go(others, 0);                                                                       \
  } while (0)
  hand_over_all(others, shards);
  for (int bad = 0; bad < SHARDS; bad++) {
    shardspec_managed_tensor *right = shards[bad];
    shards[bad] = (shardspec_managed_tensor *)(void *)((char *)right + 4);
    REFUSED_UNTOUCHED(shards, SHARDS, SHARDSPEC_INVALID_ARGUMENT);
    CHECK_EQUAL(err.index, bad);
    CHECK_MESSAGE("not aligned");
    shards[bad] = right;
  }
  REFUSED_UNTOUCHED(shards, SIZE_MAX / 8 + 1, SHARDSPEC_INVALID_ARGUMENT);
  REFUSED_UNTOUCHED((shardspec_managed_tensor *const *)NULL, SHARDS, SHARDSPEC_NULL_ARGUMENT);
  REFUSED_UNTOUCHED((shardspec_managed_tensor *const *)(const void *)((const char *)shards + 4),
                    SHARDS - 1, SHARDSPEC_INVALID_ARGUMENT);
  /* A NULL among others is not followed either, but the others are let go. */
  shards[1] = NULL;
  CHECK_STATUS(shardspec_sharded_tensor_new_from_managed(metadata, NULL, ALL, shards, SHARDS, &tensor, &err),
               SHARDSPEC_NULL_ARGUMENT);
  CHECK_EQUAL(err.index, 1);
  CHECK(others[0].let_go == 1 && others[1].let_go == 0 && others[2].let_go == 1);
  CHECK(tensor == NULL);
}

/* Each is let go once, however many they are and however often each is given. */
static void many_that_are_refused_are_let_go_once(void) {
  enum { MANY = 100000 };
  other *others = malloc(MANY * sizeof *others);
  shardspec_managed_tensor **shards = malloc(2 * MANY * sizeof *shards);
  shardspec_sharded_tensor *tensor = NULL;
  CHECK(others != NULL && shards != NULL);
  for (size_t i = 0; i < MANY; i++) shards[i] = shards[2 * MANY - 1 - i] = hand_over(&others[i], 0, 0);
  CHECK_STATUS(shardspec_sharded_tensor_new_from_managed(metadata, NULL, NULL, shards, 2 * MANY, &tensor, &err),
               SHARDSPEC_INVALID_ARGUMENT);
  CHECK_MESSAGE("given twice");
  for (size_t i = 0; i < MANY; i++) CHECK_EQUAL(others[i].let_go, 1);
  free(others);
  free(shards);
}

int main(void) {
  make_metadata();
  an_exported_shard_outlives_its_tensor();
  an_empty_shard_is_exported_without_data();
  tensors_of_others_become_local_shards_and_are_let_go_once();
  exported_shards_can_be_taken_back();
  what_can_not_be_a_local_shard_is_refused_and_let_go();
  whatever_else_is_wrong_all_are_let_go_once();
  an_array_that_is_none_is_refused_and_nothing_of_it_let_go();
  many_that_are_refused_are_let_go_once();
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  return 0;
}
