/* What the files of the program share that calls every function wrongly: places for results that are
 * compared before and after, wrong handles, and right arguments to put one wrong one among. */
#ifndef SHARDSPEC_TESTS_MISUSE_H
#define SHARDSPEC_TESTS_MISUSE_H

#include "../check.h"

/* A place for every result. Filled with a pattern before a call and compared after it. */
typedef struct outputs {
  char text[64];
  size_t needed, size, indices[8];
  int64_t i64, second_i64, numbers[16], more_numbers[16];
  int32_t i32;
  uint64_t u64;
  uint32_t u32s[8];
  shardspec_dtype dtype;
  shardspec_tensor_properties properties, sized_wrongly;
  shardspec_placement *placement;
  shardspec_spec *spec;
  shardspec_metadata *metadata;
  shardspec_sharded_tensor *sharded_tensor;
  shardspec_managed_tensor *managed_tensor;
  shardspec_legacy_managed_tensor *legacy_managed_tensor;
  shardspec_op *op;
  shardspec_value values[2];
  shardspec_comm *comm;
  shardspec_transfer *transfer;
  shardspec_request *request;
  shardspec_shards *shards;
  shardspec_mesh *mesh;
  shardspec_plan *plan;
  shardspec_run runs[4];
  shardspec_read reads[4];
  shardspec_stretch stretches[4];
  shardspec_tensor_view view;
  float data[16];
  void *pointer;
} outputs;

extern outputs out;
extern shardspec_error err;

/* Fills the places for results with a pattern. */
void prepare(void);
/* Prints what a call answered, and counts it as a failure when it is not what was wanted or a place
 * was written. */
void judge(const char *function, const char *misuse, shardspec_status status,
           shardspec_status wanted, const shardspec_error *error);

/* One wrong call, whose last argument is `&err`. */
#define MISUSE(wanted, misuse, function, ...)                                                      \
  (prepare(), judge(#function, misuse, function(__VA_ARGS__, &err), SHARDSPEC_##wanted, &err))

/* A right call but for an error of a struct that never was: nothing is done. */
#define WRONG_ERROR(function, ...)                                                                 \
  do {                                                                                             \
    shardspec_error wrong = SHARDSPEC_ERROR_INIT;                                                  \
    wrong.struct_size = 16;                                                                        \
    prepare();                                                                                     \
    judge(#function, "err of 16 bytes", function(__VA_ARGS__, &wrong),                             \
          SHARDSPEC_INVALID_ARGUMENT, NULL);                                                       \
    prepare();                                                                                     \
    judge(#function, "err not aligned",                                                            \
          function(__VA_ARGS__, (shardspec_error *)(void *)((char *)&wrong + 4)),                  \
          SHARDSPEC_INVALID_ARGUMENT, NULL);                                                       \
  } while (0)

/* Handles that name nothing, or something of another kind. */
enum { WRONG_HANDLES = 8 };
extern void *wrong_handles[WRONG_HANDLES];
extern const char *const handle_misuses[WRONG_HANDLES];
/* Sets them: a freed handle of the kind, a right one of it, and right ones of two other kinds. */
void wrong_handles_for(void *freed, void *right, void *other, void *third);

/* Each of them in the place of `H`. */
#define WRONG_HANDLE(type, null_status, function, ...)                                             \
  for (int h = 0; h < WRONG_HANDLES; h++) {                                                        \
    type *H = (type *)wrong_handles[h];                                                            \
    prepare();                                                                                     \
    judge(#function, handle_misuses[h], function(__VA_ARGS__, &err),                               \
          h == 0 ? SHARDSPEC_##null_status : SHARDSPEC_INVALID_HANDLE, &err);                      \
  }

/* Each out argument that is NULL where it may not be, or not aligned. `P` stands for it. */
#define WRONG_OUT(type, function, ...)                                                             \
  for (int i = 0; i < 2; i++) {                                                                    \
    type *P = i == 0 ? NULL : (type *)(void *)((char *)out.numbers + 1);                           \
    prepare();                                                                                     \
    judge(#function, i == 0 ? "NULL output" : "output not aligned", function(__VA_ARGS__, &err),   \
          i == 0 ? SHARDSPEC_NULL_ARGUMENT : SHARDSPEC_INVALID_ARGUMENT, &err);                    \
  }

/* Text answers: their buffer missing, too small, and too large for memory. `BUFFER` and `CAPACITY`
 * stand for it. */
#define WRONG_TEXT(function, ...)                                                                  \
  for (int i = 0; i < 3; i++) {                                                                    \
    static const char *const misuses[] = {"NULL buffer", "capacity 1", "capacity SIZE_MAX"};       \
    char *BUFFER = i == 0 ? NULL : out.text;                                                       \
    size_t CAPACITY = i == 2 ? SIZE_MAX : 1;                                                       \
    prepare();                                                                                     \
    judge(#function, misuses[i], function(__VA_ARGS__, &err),                                      \
          i == 0   ? SHARDSPEC_NULL_ARGUMENT                                                       \
          : i == 1 ? SHARDSPEC_BUFFER_TOO_SMALL                                                    \
                   : SHARDSPEC_INVALID_ARGUMENT,                                                   \
          &err);                                                                                   \
  }

/* Right arguments. */
extern const char *const RANKS[2], *const NOT_UTF8;
extern const int64_t TENSOR[2], OFFSETS[4], SIZES[4];
extern shardspec_placement *placement;
extern shardspec_spec *chunk, *named, *boxes;
extern shardspec_metadata *metadata;
extern float full_data[12], shard_data[2][6];
extern shardspec_tensor_view full, shards[2];

/* One for each section of the header that takes arguments. */
void misuse_values(void);
void misuse_placements(void);
void misuse_meshes(void);
void misuse_mesh_specs(void);
void misuse_constructors(void);
void misuse_specs(void);
void misuse_metadata(void);
void misuse_locate(void);
void misuse_copies(void);
void misuse_dlpack(void);
void misuse_custom_placements(void);
void misuse_custom_specs(void);
void misuse_sharded_tensors(void);
void misuse_digests(void);
void misuse_checkpoint_writes(void);
void misuse_dlpack_shards(void);
void misuse_ops(void);
void misuse_comm(void);
void misuse_shards(void);
void misuse_extents(void);
void misuse_plans(void);
void misuse_interchange(void);
void misuse_traffic(void);
void misuse_flat(void);
void misuse_structs(void);
void misuse_checkpoints(void);

#endif
