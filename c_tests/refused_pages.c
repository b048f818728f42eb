/* The system gives no huge pages and finds no pages in advance: everything works as before. Kernels before Linux
 * 5.14 refuse the second, and many are set up to refuse the first.
 *
 * This program has its own madvise, which the library then calls. */
#define _GNU_SOURCE
#include "check.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static shardspec_error err = SHARDSPEC_ERROR_INIT;
static const shardspec_dtype BYTE = {SHARDSPEC_DTYPE_UINT, 8, 1};

/* ------------------------------------------------------------------------- the call of the system */

/* Which advice is refused, counted from 0: from the one on to before the other. */
static atomic_long first_refused, end_of_refused;
static atomic_long asked, refused_huge, refused_populate;
static int refusal;

int madvise(void *start, size_t length, int advice) {
  if (advice == MADV_HUGEPAGE || advice == MADV_POPULATE_WRITE) {
    const long number = atomic_fetch_add(&asked, 1);
    if (number >= atomic_load(&first_refused) && number < atomic_load(&end_of_refused)) {
      atomic_fetch_add(advice == MADV_HUGEPAGE ? &refused_huge : &refused_populate, 1);
      errno = refusal;
      return -1;
    }
  }
  return (int)syscall(SYS_madvise, start, length, advice);
}

static void refuse(long first, long end) {
  atomic_store(&asked, 0);
  atomic_store(&first_refused, first);
  atomic_store(&end_of_refused, end);
}

/* -------------------------------------------------------------------------------- what works */

/* A tensor in new memory, which two threads fill. */
static void a_tensor_is_filled(unsigned char *full, unsigned char *back) {
  enum { SIDE = 3 << 10 };
  const int64_t sizes[] = {SIDE, SIDE};
  int64_t shape[] = {SIDE, SIDE};
  static const char *const ranks[] = {"rank:0", "rank:0"};
  const shardspec_tensor_view from = view_of(full, BYTE, shape, 2), to = view_of(back, BYTE, shape, 2);
  const shardspec_copy_options two_threads = {sizeof two_threads, 2, 0};
  shardspec_tensor_properties properties = SHARDSPEC_TENSOR_PROPERTIES_INIT;
  shardspec_spec *spec;
  shardspec_metadata *metadata;
  shardspec_sharded_tensor *tensor;
  properties.dtype = BYTE;
  CHECK_OK(shardspec_spec_new_chunk(1, ranks, 2, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, sizes, 2, &properties, &metadata, &err));
  for (size_t i = 0; i < SIDE * SIDE; i++) full[i] = (unsigned char)(i * 31 + (i >> 11)), back[i] = 0xa5;
  CHECK_OK(shardspec_sharded_tensor_new_from_full(metadata, "rank:0", &from, &two_threads, &tensor, &err));
  CHECK_OK(shardspec_sharded_tensor_gather(tensor, &to, &two_threads, &err));
  CHECK(memcmp(full, back, SIDE * SIDE) == 0);
  CHECK_OK(shardspec_sharded_tensor_free(tensor, &err));
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
}

/* A list of boxes, which takes some megabytes. */
static void a_long_list_is_checked(void) {
  enum { BOXES = 300000 };
  int64_t *offsets = calloc(2 * BOXES, sizeof *offsets), *sizes = calloc(2 * BOXES, sizeof *sizes);
  uint32_t *numbers = calloc(BOXES, sizeof *numbers);
  static const char *const rank[] = {"rank:0"};
  const int64_t tensor[] = {BOXES, 1};
  shardspec_shards *shards;
  shardspec_metadata *metadata;
  for (int64_t i = 0; i < BOXES; i++) offsets[2 * i] = i, sizes[2 * i] = sizes[2 * i + 1] = 1;
  CHECK_OK(shardspec_shards_new_from_arrays(offsets, sizes, numbers, 2, BOXES, rank, 1, &shards, &err));
  CHECK_OK(shardspec_metadata_new_from_shards(shards, tensor, 2, NULL, 0, &metadata, &err));
  size_t count = 0;
  CHECK_OK(shardspec_metadata_shard_count(metadata, &count, &err));
  CHECK_EQUAL(count, BOXES);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  CHECK_OK(shardspec_shards_free(shards, &err));
  free(offsets), free(sizes), free(numbers);
}

int main(void) {
  enum { BYTES = 9 << 20 };
  static const int refusals[] = {EINVAL, ENOMEM, EAGAIN, EFAULT};
  unsigned char *full = malloc(BYTES), *back = malloc(BYTES);
  long places = 0;
  for (size_t i = 0; i < COUNT(refusals); i++) {
    refusal = refusals[i];
    refuse(0, 1000000);
    a_tensor_is_filled(full, back);
    a_long_list_is_checked();
    places = atomic_load(&asked);
  }
  CHECK(refused_huge > 0 && refused_populate > 0);
  refusal = EAGAIN;
  for (long k = 0; k < places; k++) {
    refuse(k, k + 1);
    a_tensor_is_filled(full, back);
    a_long_list_is_checked();
  }
  printf("%ld times no huge pages, %ld times no pages in advance\n", (long)refused_huge, (long)refused_populate);
  free(full), free(back);
  return 0;
}
