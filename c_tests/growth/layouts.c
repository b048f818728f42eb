/* Layouts and buffers, whose making is not counted. */
#include "growth.h"

static layout new_layout(size_t count) {
  layout all = {calloc(count * NDIM, sizeof(int64_t)), calloc(count * NDIM, sizeof(int64_t)), {0, 0},
                calloc(count, sizeof(uint32_t)), calloc(count, sizeof(char *)), count};
  for (size_t i = 0; i < count; i++) {
    all.numbers[i] = (uint32_t)i;
    all.placements[i] = calloc(1, 32);
    snprintf(all.placements[i], 32, "rank:%zu/cpu", i);
  }
  return all;
}

layout rows(size_t count, int64_t first) {
  layout all = new_layout(count);
  const int64_t height = 3 * (int64_t)count;
  for (size_t i = 0; i < count; i++) {
    const int64_t begin = i == 0 ? 0 : first + 3 * ((int64_t)i - 1);
    const int64_t end = i + 1 == count ? height : first + 3 * (int64_t)i;
    all.offsets[NDIM * i] = begin;
    all.sizes[NDIM * i] = end - begin;
    all.sizes[NDIM * i + 1] = 4;
  }
  all.tensor[0] = height;
  all.tensor[1] = 4;
  return all;
}

layout peeled(size_t count) {
  layout all = new_layout(count);
  const int64_t side = (int64_t)count / 2 + 2;
  int64_t left[NDIM] = {side, side}, at[NDIM] = {0, 0};
  for (size_t i = 0; i < count; i++) {
    const size_t dim = i % NDIM;
    for (size_t d = 0; d < NDIM; d++) {
      all.offsets[NDIM * i + d] = at[d];
      all.sizes[NDIM * i + d] = d == dim && i + 1 < count ? 1 : left[d];
    }
    at[dim]++;
    left[dim]--;
  }
  all.tensor[0] = all.tensor[1] = side;
  return all;
}

layout grid(size_t down, size_t across, int64_t height, int64_t width) {
  layout all = new_layout(down * across);
  const int64_t cell[NDIM] = {height / (int64_t)down, width / (int64_t)across};
  for (size_t i = 0; i < all.count; i++) {
    const int64_t at[NDIM] = {(int64_t)(i / across), (int64_t)(i % across)};
    for (size_t d = 0; d < NDIM; d++) {
      all.offsets[NDIM * i + d] = at[d] * cell[d];
      all.sizes[NDIM * i + d] = cell[d];
    }
  }
  all.tensor[0] = height;
  all.tensor[1] = width;
  return all;
}

void put_all_on_one_rank(layout *all) { memset(all->numbers, 0, all->count * sizeof *all->numbers); }

void free_layout(layout *all) {
  for (size_t i = 0; i < all->count; i++) free(all->placements[i]);
  free(all->offsets);
  free(all->sizes);
  free(all->numbers);
  free(all->placements);
}

shardspec_shards *shards_of(const layout *all) {
  shardspec_shards *shards = NULL;
  CHECK_OK(shardspec_shards_new_from_arrays(all->offsets, all->sizes, all->numbers, NDIM, all->count,
                                            (const char *const *)all->placements, all->count, &shards, &err));
  return shards;
}

shardspec_metadata *metadata_of(const layout *all) {
  shardspec_metadata *metadata = NULL;
  shardspec_tensor_properties properties = SHARDSPEC_TENSOR_PROPERTIES_INIT;
  properties.dtype = BYTE;
  shardspec_shards *shards = shards_of(all);
  CHECK_OK(shardspec_metadata_new_from_shards(shards, all->tensor, NDIM, &properties, 0, &metadata, &err));
  CHECK_OK(shardspec_shards_free(shards, &err));
  return metadata;
}

unsigned char byte_at(size_t i) { return (unsigned char)(i * 31 + (i >> 8)); }

static views new_views(const layout *all) {
  const size_t n = all->count, size = (size_t)(all->tensor[0] * all->tensor[1]);
  views made = {malloc(size), calloc(n * NDIM, sizeof(int64_t)), calloc(n * NDIM, sizeof(int64_t)),
                calloc(n, sizeof(uint64_t)), calloc(n, sizeof(shardspec_tensor_view))};
  for (size_t i = 0; i < size; i++) made.bytes[i] = byte_at(i);
  memcpy(made.shapes, all->sizes, n * NDIM * sizeof(int64_t));
  return made;
}

static void set_view(views *all, size_t i, uint64_t offset, int64_t stride) {
  all->offsets[i] = offset;
  all->strides[NDIM * i] = stride;
  all->strides[NDIM * i + 1] = 1;
  all->views[i] = view_of(all->bytes + offset, BYTE, all->shapes + NDIM * i, NDIM);
  all->views[i].strides = all->strides + NDIM * i;
}

views views_of(const layout *all) {
  views made = new_views(all);
  uint64_t used = 0;
  for (size_t i = 0; i < all->count; i++) {
    const int64_t *sizes = all->sizes + NDIM * i;
    set_view(&made, i, used, sizes[1]);
    used += (uint64_t)(sizes[0] * sizes[1]);
  }
  return made;
}

views views_into_tensor(const layout *all) {
  views made = new_views(all);
  for (size_t i = 0; i < all->count; i++) {
    const int64_t *at = all->offsets + NDIM * i;
    set_view(&made, i, (uint64_t)(at[0] * all->tensor[1] + at[1]), all->tensor[1]);
  }
  return made;
}

void free_views(views *all) {
  free(all->bytes);
  free(all->shapes);
  free(all->strides);
  free(all->offsets);
  free(all->views);
}
