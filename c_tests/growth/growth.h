/* Calls that are counted for n and for 4 n shards, and layouts that they are made with. */
#ifndef SHARDSPEC_TESTS_GROWTH_H
#define SHARDSPEC_TESTS_GROWTH_H

#include "../check.h"

#include <valgrind/callgrind.h>

enum { NDIM = 2 };

extern shardspec_error err;

/* Counts the steps and the memory of one call, whose last argument is `&err`. `n` is the number of shards, tensors,
 * devices or ranks, and `answer` the number of items that the call returns. */
#define COUNTED(family, n, answer, function, ...)                                                  \
  do {                                                                                             \
    memory_begins();                                                                               \
    CALLGRIND_ZERO_STATS;                                                                          \
    CHECK_OK(function(__VA_ARGS__, &err));                                                         \
    count_ends(#function, family, n, answer);                                                      \
  } while (0)

/* Counts `n` calls together. Their arguments may use `i`, the number of the call. */
#define COUNTED_EACH(family, n, answer, function, ...)                                             \
  do {                                                                                             \
    memory_begins();                                                                               \
    CALLGRIND_ZERO_STATS;                                                                          \
    for (size_t i = 0; i < (n); i++) CHECK_OK(function(__VA_ARGS__, &err));                        \
    count_ends(#function, family, n, answer);                                                      \
  } while (0)

void memory_begins(void);
/* Steps and memory from here on are not counted; after the next call they are counted again. */
void count_turns(void);
size_t memory_ends(void);
void count_ends(const char *function, const char *family, size_t n, size_t answer);

/* Boxes of a tensor with two dimensions, on a rank each. */
typedef struct layout {
  int64_t *offsets, *sizes, tensor[NDIM];
  uint32_t *numbers;
  char **placements;
  size_t count;
} layout;

/* Rows of 3, the first of which has `first`. */
layout rows(size_t count, int64_t first);
/* A column, a row of what is left, a column of what is left, and so on. */
layout peeled(size_t count);
/* The tensor, which stays as large, cut into `down` times `across` boxes. */
layout grid(size_t down, size_t across, int64_t height, int64_t width);
void put_all_on_one_rank(layout *all);
void free_layout(layout *all);
shardspec_shards *shards_of(const layout *all);
shardspec_metadata *metadata_of(const layout *all);

/* Views of shards of bytes: beside each other in one buffer, or as parts of a whole tensor. */
typedef struct views {
  unsigned char *bytes;
  int64_t *shapes, *strides;
  uint64_t *offsets;
  shardspec_tensor_view *views;
} views;
static const shardspec_dtype BYTE = {SHARDSPEC_DTYPE_UINT, 8, 1};
views views_of(const layout *all);
views views_into_tensor(const layout *all);
void free_views(views *all);
/* What views_of puts at position `i` of its bytes. */
unsigned char byte_at(size_t i);

/* A path in the folder of this run. The path stays until the next but one call. */
const char *path_of(const char *name);
/* A checkpoint in the format of torch: tensors "t0" to "t<n - 1>" of bytes, which are those of byte_at, each cut into
 * rows of chunks, in turn in so many files. */
void write_torch(const char *name, size_t tensors, size_t chunks, const int64_t sizes[NDIM], size_t files);

void count_lists(const layout *all, const char *family);
void count_metadata(const layout *all, const char *family);
void count_plans(size_t n);
void count_pictures(size_t n);
void count_copies(size_t n);
void count_executed_plans(size_t n);
void count_sharded_tensors(size_t n);
void count_collectives(size_t n);
void count_meshes(size_t n);
void count_notations(size_t n);
void count_checkpoints(size_t n);
/* Collectives of several ranks, with n shards, n tensors or n ranks; and of one rank of n. */
void count_shards_of_ranks(size_t n);
void count_batches(size_t n);
void count_many_ranks(size_t n);
void count_one_rank(size_t n);

#endif
