/* Digests: the parts of all shards add up to the CRC of the tensor, however it is cut. */
#include "check.h"

enum { MAX_SHARDS = 24, MAX_BYTES = 1 << 16 };

static uint64_t state = 88172645463325252u;
static uint64_t below(uint64_t limit) {
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  return state % limit;
}

/* CRC-64/NVME, bit by bit. */
static uint64_t crc(const void *data, size_t bytes) {
  const unsigned char *at = data;
  uint64_t sum = UINT64_MAX;
  for (size_t i = 0; i < bytes; i++) {
    sum ^= at[i];
    for (int bit = 0; bit < 8; bit++) sum = sum >> 1 ^ (sum & 1 ? UINT64_C(0x9a6c9329ac4bc9b5) : 0);
  }
  return ~sum;
}

static shardspec_shards *dealt(int64_t rows, int64_t columns, int64_t ranks, int64_t block, size_t copies) {
  static int64_t offsets[2 * MAX_SHARDS], sizes[2 * MAX_SHARDS];
  static const char *placements[MAX_SHARDS];
  static shardspec_stretch stretches[2 * MAX_SHARDS];
  static size_t ends[MAX_SHARDS];
  static uint32_t numbers[2 * MAX_SHARDS];
  size_t count = (size_t)ranks * copies, stretch_count = 0;
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_shards *boxes, *shards;
  for (size_t i = 0; i < count; i++) {
    int64_t rank = (int64_t)(i % (size_t)ranks), cycle = block * ranks, local = 0, whole = 0;
    while (whole * cycle + rank * block + block <= rows) whole++;
    if (whole) stretches[stretch_count++] = (shardspec_stretch){rank * block, 0, block, whole, cycle, block};
    local = whole * block;
    int64_t tail = rows - (whole * cycle + rank * block);
    if (tail > 0) stretches[stretch_count++] = (shardspec_stretch){whole * cycle + rank * block, local, tail, 1, tail, tail}, local += tail;
    /* Places behind the elements that hold nothing. */
    if (local) local += 2;
    offsets[2 * i] = offsets[2 * i + 1] = 0;
    sizes[2 * i] = local, sizes[2 * i + 1] = columns;
    ends[i] = stretch_count;
    numbers[2 * i] = (uint32_t)i, numbers[2 * i + 1] = SHARDSPEC_INTERVAL;
    placements[i] = "rank:0";
  }
  CHECK_OK(shardspec_shards_new_from_arrays(offsets, sizes, NULL, 2, count, placements, count, &boxes, &err));
  CHECK_OK(shardspec_shards_new_with_dim_maps(boxes, stretches, stretch_count, ends, count, numbers, &shards, &err));
  CHECK_OK(shardspec_shards_free(boxes, &err));
  return shards;
}

/* A random cut of a rows x columns tensor: into rows, into columns, dealt in blocks with holes, or copies of
 * these on several ranks. */
static shardspec_metadata *random_cut(int64_t rows, int64_t columns) {
  static const char *const names[] = {"rank:0", "rank:1", "rank:2", "rank:3"};
  const int64_t sizes[] = {rows, columns};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_metadata *metadata;
  size_t ranks = 1 + below(4), copies = 1 + below(2);
  if (below(2)) {
    shardspec_spec *spec;
    CHECK_OK(shardspec_spec_new_chunk((int64_t)below(2), names, ranks, &spec, &err));
    CHECK_OK(shardspec_spec_build_metadata(spec, sizes, 2, NULL, &metadata, &err));
    CHECK_OK(shardspec_spec_free(spec, &err));
    return metadata;
  }
  shardspec_shards *shards = dealt(rows, columns, (int64_t)ranks, 1 + (int64_t)below(5), copies);
  CHECK_OK(shardspec_metadata_new_from_shards(shards, sizes, 2, NULL, copies > 1, &metadata, &err));
  CHECK_OK(shardspec_shards_free(shards, &err));
  return metadata;
}

typedef struct sharded {
  size_t count;
  int64_t shapes[MAX_SHARDS][2], strides[MAX_SHARDS][2];
  shardspec_tensor_view views[MAX_SHARDS];
  unsigned char *memory;
} sharded;

/* Memory for all shards, some of them column-major, and scatters the tensor. */
static void scatter(sharded *s, shardspec_metadata *metadata, const shardspec_tensor_view *full, size_t itemsize) {
  int64_t sizes[2 * MAX_SHARDS];
  size_t at = 0;
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  CHECK_OK(shardspec_metadata_shard_count(metadata, &s->count, &err));
  CHECK_OK(shardspec_metadata_get_shards(metadata, 0, s->count, NULL, sizes, NULL, &err));
  s->memory = malloc(MAX_BYTES);
  CHECK(s->memory != NULL);
  for (size_t i = 0; i < s->count; i++) {
    int64_t rows = s->shapes[i][0] = sizes[2 * i], columns = s->shapes[i][1] = sizes[2 * i + 1];
    int by_columns = below(3) == 0;
    s->strides[i][0] = by_columns ? 1 : columns, s->strides[i][1] = by_columns ? rows : 1;
    s->views[i] = view_of(s->memory + at, full->dtype, s->shapes[i], 2);
    s->views[i].strides = s->strides[i];
    at += (size_t)(rows * columns) * itemsize;
    CHECK(at <= MAX_BYTES);
  }
  CHECK_OK(shardspec_metadata_scatter(metadata, full, s->views, s->count, NULL, &err));
}

static void parts_in_any_order_are_the_crc_of_the_tensor(void) {
  static const shardspec_dtype types[] = {{SHARDSPEC_DTYPE_UINT, 8, 1}, {SHARDSPEC_DTYPE_FLOAT, 16, 1},
                                          {SHARDSPEC_DTYPE_FLOAT, 32, 1}, {SHARDSPEC_DTYPE_COMPLEX, 128, 1}};
  static unsigned char data[MAX_BYTES / 4];
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  for (int round = 0; round < 300; round++) {
    shardspec_dtype type = types[below(COUNT(types))];
    size_t itemsize = type.bits / 8u;
    int64_t shape[] = {1 + (int64_t)below(24), 1 + (int64_t)below(20)};
    size_t bytes = (size_t)(shape[0] * shape[1]) * itemsize;
    for (size_t i = 0; i < bytes; i++) data[i] = (unsigned char)below(256);
    shardspec_tensor_view full = view_of(data, type, shape, 2);
    shardspec_metadata *metadata = random_cut(shape[0], shape[1]);
    static sharded s;
    scatter(&s, metadata, &full, itemsize);
    uint64_t sum = 0, part = 0, all = 1;
    size_t first = below(s.count);
    for (size_t i = 0; i < s.count; i++) {
      size_t index = (first + i) % s.count;
      CHECK_OK(shardspec_metadata_digest(metadata, &index, &s.views[index], 1, NULL, &part, &err));
      sum ^= part;
    }
    CHECK(sum == crc(data, bytes));
    CHECK_OK(shardspec_metadata_digest(metadata, NULL, s.views, s.count, NULL, &all, &err));
    CHECK(all == sum);
    CHECK_OK(shardspec_metadata_digest(metadata, NULL, NULL, 0, NULL, &part, &err));
    CHECK(part == 0);
    free(s.memory);
    CHECK_OK(shardspec_metadata_free(metadata, &err));
  }
}

static void a_wrong_byte_changes_the_digest_of_the_tensor_and_of_its_shard(void) {
  static const char *const ranks[] = {"rank:0", "rank:1"};
  static const int64_t sizes[] = {5, 3};
  int64_t shapes[2][2] = {{3, 3}, {2, 3}};
  float data[15], shards[2][9];
  shardspec_tensor_view views[2];
  shardspec_spec *spec;
  shardspec_metadata *metadata;
  uint64_t before, after, of_shards[2], again[2];
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  CHECK_OK(shardspec_spec_new_chunk(0, ranks, 2, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, sizes, 2, NULL, &metadata, &err));
  for (int i = 0; i < 15; i++) data[i] = (float)i;
  for (int i = 0; i < 2; i++) {
    memcpy(shards[i], data + 9 * i, i ? 24 : 36);
    views[i] = view_of(shards[i], FLOAT32, shapes[i], 2);
  }
  CHECK_OK(shardspec_metadata_digest(metadata, NULL, views, 2, NULL, &before, &err));
  CHECK_OK(shardspec_metadata_shard_digests(metadata, NULL, views, 2, NULL, of_shards, &err));
  CHECK(of_shards[0] == crc(shards[0], 36) && of_shards[1] == crc(shards[1], 24));
  shards[1][5] = 14.5f;
  CHECK_OK(shardspec_metadata_digest(metadata, NULL, views, 2, NULL, &after, &err));
  CHECK(before == crc(data, sizeof data) && after != before);
  CHECK_OK(shardspec_metadata_shard_digests(metadata, NULL, views, 2, NULL, again, &err));
  CHECK(again[0] == of_shards[0] && again[1] != of_shards[1]);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
}

static void replicas_are_counted_once_and_compared_by_their_digests(void) {
  enum { ROWS = 6, COLUMNS = 4, RANKS = 2, COPIES = 2 };
  static float data[ROWS * COLUMNS];
  static const int64_t sizes[] = {ROWS, COLUMNS};
  int64_t shape[] = {ROWS, COLUMNS};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_shards *shards = dealt(ROWS, COLUMNS, RANKS, 1, COPIES);
  shardspec_metadata *metadata;
  static sharded s;
  uint64_t part, of_shards[RANKS * COPIES];
  CHECK_OK(shardspec_metadata_new_from_shards(shards, sizes, 2, NULL, 1, &metadata, &err));
  for (int i = 0; i < ROWS * COLUMNS; i++) data[i] = (float)i;
  shardspec_tensor_view full = view_of(data, FLOAT32, shape, 2);
  scatter(&s, metadata, &full, 4);
  CHECK_OK(shardspec_metadata_digest(metadata, NULL, s.views, s.count, NULL, &part, &err));
  CHECK(part == crc(data, sizeof data));
  /* The last place of a shard is a hole. */
  for (size_t i = 0; i < s.count; i++) memset((float *)s.views[i].data + s.shapes[i][0] * COLUMNS - 1, 0x55, 4);
  CHECK_OK(shardspec_metadata_shard_digests(metadata, NULL, s.views, s.count, NULL, of_shards, &err));
  CHECK(of_shards[0] == of_shards[2] && of_shards[1] == of_shards[3] && of_shards[0] != of_shards[1]);
  *(float *)s.views[2].data = -1;
  CHECK_OK(shardspec_metadata_shard_digests(metadata, NULL, s.views, s.count, NULL, of_shards, &err));
  CHECK(of_shards[0] != of_shards[2] && of_shards[1] == of_shards[3]);
  free(s.memory);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  CHECK_OK(shardspec_shards_free(shards, &err));
}

static void local_shards_have_their_part(void) {
  static const char *const ranks[] = {"rank:0", "rank:1", "rank:2"};
  static float data[35];
  static const int64_t sizes[] = {5, 7};
  int64_t shape[] = {5, 7};
  shardspec_tensor_properties float32 = {sizeof float32, {0, 0, 0}, 0, 0, 0, 0, 0};
  shardspec_tensor_view full = view_of(data, FLOAT32, shape, 2);
  shardspec_copy_options portable = {sizeof portable, 1, SHARDSPEC_COPY_HINT_PORTABLE};
  shardspec_spec *spec;
  shardspec_metadata *metadata;
  uint64_t sum = 0, part;
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  for (int i = 0; i < 35; i++) data[i] = (float)(i * i);
  CHECK_OK(shardspec_tensor_properties_init(&float32, &err));
  CHECK_OK(shardspec_spec_new_chunk(1, ranks, 3, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, sizes, 2, &float32, &metadata, &err));
  for (int i = 0; i < 3; i++) {
    shardspec_sharded_tensor *tensor;
    CHECK_OK(shardspec_sharded_tensor_new_from_full(metadata, ranks[i], &full, NULL, &tensor, &err));
    CHECK_OK(shardspec_sharded_tensor_digest(tensor, i ? &portable : NULL, &part, &err));
    sum ^= part;
    CHECK_OK(shardspec_sharded_tensor_free(tensor, &err));
  }
  CHECK(sum == crc(data, sizeof data));
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
}

static void refusals_name_the_shard_and_leave_the_outputs(void) {
  static const char *const ranks[] = {"rank:0", "rank:1"};
  static const int64_t sizes[] = {3, 3}, two_rows[] = {2, 3};
  int64_t rows[] = {2, 3}, last[] = {1, 3};
  unsigned char data[8] = {0};
  const shardspec_dtype int4 = {SHARDSPEC_DTYPE_INT, 4, 1};
  static const size_t twice[] = {1, 1};
  uint64_t part = 77, of_shards[2] = {77, 77};
  shardspec_tensor_view views[2] = {view_of(data, int4, rows, 2), view_of(data + 4, int4, last, 2)};
  shardspec_spec *spec;
  shardspec_metadata *metadata, *whole;
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  CHECK_OK(shardspec_spec_new_chunk(0, ranks, 2, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, sizes, 2, NULL, &metadata, &err));
  CHECK_STATUS(shardspec_metadata_digest(metadata, NULL, views, 2, NULL, &part, &err), SHARDSPEC_UNSUPPORTED);
  CHECK_MESSAGE("inside a byte");
  CHECK_STATUS(shardspec_metadata_shard_digests(metadata, NULL, views, 2, NULL, of_shards, &err), SHARDSPEC_UNSUPPORTED);
  CHECK_MESSAGE("inside a byte");
  /* Two rows of three half bytes each: whole bytes, but not each of the rows. */
  CHECK_OK(shardspec_spec_build_metadata(spec, two_rows, 2, NULL, &whole, &err));
  views[0] = view_of(data, int4, last, 2);
  CHECK_STATUS(shardspec_metadata_digest(whole, NULL, views, 2, NULL, &part, &err), SHARDSPEC_UNSUPPORTED);
  CHECK_MESSAGE("inside a byte");
  CHECK_STATUS(shardspec_metadata_digest(whole, twice, views, 2, NULL, &part, &err), SHARDSPEC_INVALID_ARGUMENT);
  CHECK_MESSAGE("twice");
  views[1].shape = rows;
  CHECK_STATUS(shardspec_metadata_digest(whole, NULL, views, 2, NULL, &part, &err), SHARDSPEC_SHAPE_MISMATCH);
  CHECK(err.first_shard == 1 && err.index == 1);
  CHECK(part == 77 && of_shards[0] == 77 && of_shards[1] == 77);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  CHECK_OK(shardspec_metadata_free(whole, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
}

int main(void) {
  CHECK(crc("123456789", 9) == UINT64_C(0xae8b14860a799888));
  parts_in_any_order_are_the_crc_of_the_tensor();
  a_wrong_byte_changes_the_digest_of_the_tensor_and_of_its_shard();
  replicas_are_counted_once_and_compared_by_their_digests();
  local_shards_have_their_part();
  refusals_name_the_shard_and_leave_the_outputs();
  return 0;
}
