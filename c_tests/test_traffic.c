/* What a plan moves: how much, which bytes, and who should be who. */
#include "check.h"

enum { ROWS = 6, COLUMNS = 8, RANKS = 4 };
static const char *const NAMES[] = {"rank:0", "rank:1", "rank:2", "rank:3"};

static shardspec_metadata *layout(int64_t dim, const char *const *placements, const shardspec_tensor_properties *properties) {
  static const int64_t tensor[] = {ROWS, COLUMNS};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_spec *spec;
  shardspec_metadata *metadata;
  CHECK_OK(shardspec_spec_new_chunk(dim, placements, RANKS, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, tensor, 2, properties, &metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
  return metadata;
}

static shardspec_plan *rows_to_columns(const shardspec_tensor_properties *properties) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_metadata *rows = layout(0, NAMES, properties), *columns = layout(1, NAMES, NULL);
  shardspec_plan *plan;
  CHECK_OK(shardspec_plan_new(rows, columns, &plan, &err));
  CHECK_OK(shardspec_metadata_free(rows, &err));
  CHECK_OK(shardspec_metadata_free(columns, &err));
  return plan;
}

static void traffic_adds_up_to_the_tensor(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_plan *plan = rows_to_columns(NULL);
  size_t needed;
  size_t sources[16], destinations[16];
  int64_t from[16], to[16], bytes[16], rank_bytes[16], total = 0;
  CHECK_OK(shardspec_plan_shard_traffic(plan, 2, NULL, NULL, NULL, 0, &needed, &err));
  CHECK_EQUAL(needed, 12); /* 6 rows over 4 ranks: the last has none */
  CHECK_OK(shardspec_plan_shard_traffic(plan, 2, sources, destinations, bytes, 16, &needed, &err));
  CHECK_OK(shardspec_plan_rank_traffic(plan, 2, from, to, rank_bytes, 16, &needed, &err));
  CHECK_EQUAL(needed, 12);
  for (size_t i = 0; i < needed; i++) {
    CHECK(destinations[i] == i / 3 && sources[i] == i % 3 && bytes[i] == 8);
    CHECK(from[i] == (int64_t)(i / 4) && to[i] == (int64_t)(i % 4));
    total += rank_bytes[i];
  }
  CHECK_EQUAL(total, 2 * ROWS * COLUMNS);
  bytes[0] = 77;
  CHECK_STATUS(shardspec_plan_shard_traffic(plan, 2, NULL, NULL, bytes, 11, &needed, &err),
               SHARDSPEC_BUFFER_TOO_SMALL);
  CHECK(bytes[0] == 77 && err.limit == 12);
  CHECK_OK(shardspec_plan_free(plan, &err));
}

/* Packs the runs of a route on one side and unpacks them on the other, as a transport would. */
static void transport(shardspec_plan *plan, int64_t from_rank, int64_t to_rank, unsigned char *const *from,
                      unsigned char *const *to) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  unsigned char wire[4 * ROWS * COLUMNS];
  size_t needed, at = 0, sent;
  CHECK_OK(shardspec_plan_rank_runs(plan, from_rank, to_rank, 4, NULL, 0, &needed, &err));
  shardspec_run *runs = calloc(needed + 1, sizeof *runs);
  CHECK(runs != NULL);
  CHECK_OK(shardspec_plan_rank_runs(plan, from_rank, to_rank, 4, runs, needed, NULL, &err));
  for (size_t i = 0; i < needed; i++)
    for (int64_t b = 0; b < runs[i].block_count; b++, at += (size_t)runs[i].block_length)
      memcpy(wire + at, from[runs[i].source] + runs[i].source_offset + b * runs[i].source_stride,
             (size_t)runs[i].block_length);
  sent = at, at = 0;
  for (size_t i = 0; i < needed; i++)
    for (int64_t b = 0; b < runs[i].block_count; b++, at += (size_t)runs[i].block_length)
      memcpy(to[runs[i].destination] + runs[i].destination_offset + b * runs[i].destination_stride,
             wire + at, (size_t)runs[i].block_length);
  CHECK_EQUAL(at, sent);
  free(runs);
}

static void a_transport_needs_nothing_but_the_runs(void) {
  static float rows[RANKS][2 * COLUMNS], columns[RANKS][ROWS * 2];
  unsigned char *from[RANKS], *to[RANKS];
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_plan *plan = rows_to_columns(NULL);
  for (int i = 0; i < ROWS * COLUMNS; i++) rows[i / (2 * COLUMNS)][i % (2 * COLUMNS)] = (float)(i + 1);
  for (int i = 0; i < RANKS; i++) {
    from[i] = (unsigned char *)rows[i];
    to[i] = (unsigned char *)columns[i];
  }
  for (int64_t i = 0; i < RANKS; i++)
    for (int64_t j = 0; j < RANKS; j++) transport(plan, i, j, from, to);
  for (int i = 0; i < ROWS; i++)
    for (int j = 0; j < COLUMNS; j++)
      CHECK(columns[j / 2][i * 2 + j % 2] == (float)(i * COLUMNS + j + 1));
  CHECK_OK(shardspec_plan_free(plan, &err));
}

static void runs_are_as_few_as_it_takes(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_tensor_properties float32 = {sizeof float32, {0, 0, 0}, 0, 0, 0, 0, 0};
  CHECK_OK(shardspec_tensor_properties_init(&float32, &err));
  shardspec_plan *plan = rows_to_columns(&float32);
  shardspec_run runs[2];
  size_t needed;
  /* Two rows, two columns of each; the element type is the layout's. */
  CHECK_OK(shardspec_plan_shard_runs(plan, 1, 2, 0, runs, 2, &needed, &err));
  CHECK_EQUAL(needed, 1);
  CHECK(runs[0].source == 1 && runs[0].destination == 2);
  CHECK(runs[0].source_offset == 16 && runs[0].source_stride == 32);
  CHECK(runs[0].destination_offset == 16 && runs[0].destination_stride == 8);
  CHECK(runs[0].block_length == 8 && runs[0].block_count == 2);
  CHECK_OK(shardspec_plan_shard_runs(plan, 3, 2, 0, runs, 2, &needed, &err));
  CHECK_EQUAL(needed, 0);
  CHECK_OK(shardspec_plan_rank_runs(plan, 9, 2, 0, runs, 2, &needed, &err));
  CHECK_EQUAL(needed, 0);
  CHECK_STATUS(shardspec_plan_shard_runs(plan, 1, 2, 8, runs, 2, &needed, &err), SHARDSPEC_INVALID_ARGUMENT);
  CHECK_OK(shardspec_plan_free(plan, &err));
}

/* Packed elements have runs where these start and end with whole bytes. */
static void packed_elements_have_runs_of_whole_bytes(void) {
  static const int64_t sizes[] = {64, 256}, odd[] = {64, 250};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_tensor_properties uint4 = {sizeof uint4, {SHARDSPEC_DTYPE_UINT, 4, 1}, 0, 0, 0, 0, 0};
  shardspec_spec *whole, *halves;
  shardspec_metadata *source, *destination;
  shardspec_plan *plan;
  shardspec_run run;
  size_t from[2], to[2];
  int64_t bytes[2];
  size_t needed = 77;
  CHECK_OK(shardspec_spec_new_chunk(0, NAMES, 1, &whole, &err));
  CHECK_OK(shardspec_spec_new_chunk(1, NAMES, 2, &halves, &err));
  CHECK_OK(shardspec_spec_build_metadata(whole, sizes, 2, &uint4, &source, &err));
  CHECK_OK(shardspec_spec_build_metadata(halves, sizes, 2, &uint4, &destination, &err));
  CHECK_OK(shardspec_plan_new(source, destination, &plan, &err));
  CHECK_OK(shardspec_plan_shard_runs(plan, 0, 1, 0, &run, 1, &needed, &err));
  CHECK_EQUAL(needed, 1);
  CHECK(run.source_offset == 64 && run.source_stride == 128 && run.block_length == 64 && run.block_count == 64);
  CHECK(run.destination_offset == 0 && run.destination_stride == 64);
  CHECK_OK(shardspec_plan_shard_traffic(plan, 0, from, to, bytes, 2, &needed, &err));
  CHECK(needed == 2 && bytes[0] == 64 * 64 && bytes[1] == 64 * 64);
  CHECK_STATUS(shardspec_plan_shard_runs(plan, 0, 1, 1, &run, 1, &needed, &err), SHARDSPEC_INVALID_ARGUMENT);
  CHECK_OK(shardspec_plan_free(plan, &err));
  CHECK_OK(shardspec_metadata_free(source, &err));
  CHECK_OK(shardspec_metadata_free(destination, &err));

  /* 125 elements of a row end in the middle of a byte. */
  CHECK_OK(shardspec_spec_build_metadata(whole, odd, 2, &uint4, &source, &err));
  CHECK_OK(shardspec_spec_build_metadata(halves, odd, 2, &uint4, &destination, &err));
  CHECK_OK(shardspec_plan_new(source, destination, &plan, &err));
  needed = 77;
  CHECK_STATUS(shardspec_plan_shard_runs(plan, 0, 1, 0, &run, 1, &needed, &err), SHARDSPEC_UNSUPPORTED);
  CHECK_STATUS(shardspec_plan_shard_runs(plan, 0, 1, 0, NULL, 0, &needed, &err), SHARDSPEC_UNSUPPORTED);
  CHECK_EQUAL(needed, 77);
  CHECK_OK(shardspec_plan_free(plan, &err));
  CHECK_OK(shardspec_metadata_free(source, &err));
  CHECK_OK(shardspec_metadata_free(destination, &err));
  CHECK_OK(shardspec_spec_free(whole, &err));
  CHECK_OK(shardspec_spec_free(halves, &err));
}

/* Their number is told at once, where making them takes memory: 2^28 of 64 bytes are 16 GiB. */
static void runs_are_counted_without_being_made(void) {
  enum { DIMS = 30 };
  int64_t offsets[2][DIMS], sizes[2][DIMS];
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_shards *source, *destination;
  shardspec_plan *plan;
  shardspec_run run = {77, 77, 77, 77, 77, 77, 77, 77};
  size_t needed = 77;
  /* Every other index of each dimension is wanted: none continues another. */
  for (int dim = 0; dim < DIMS; dim++) {
    offsets[0][dim] = 0, sizes[0][dim] = 4;
    offsets[1][dim] = 1, sizes[1][dim] = 2;
  }
  CHECK_OK(shardspec_shards_new_from_arrays(offsets[0], sizes[0], NULL, DIMS, 1, NAMES, 1, &source, &err));
  CHECK_OK(shardspec_shards_new_from_arrays(offsets[1], sizes[1], NULL, DIMS, 1, NAMES, 1, &destination, &err));
  CHECK_OK(shardspec_plan_new_from_shards(source, destination, &plan, &err));
  CHECK_OK(shardspec_plan_shard_runs(plan, 0, 0, 1, NULL, 0, &needed, &err));
  CHECK_EQUAL(needed, 1 << (DIMS - 2));
  CHECK_STATUS(shardspec_plan_shard_runs(plan, 0, 0, 1, &run, 1, &needed, &err), SHARDSPEC_BUFFER_TOO_SMALL);
  CHECK_EQUAL(err.limit, 1 << (DIMS - 2));
  CHECK_OK(shardspec_plan_rank_runs(plan, 0, 0, 1, NULL, 0, &needed, &err));
  CHECK_EQUAL(needed, 1 << (DIMS - 2));
  CHECK(run.block_count == 77);
  CHECK_OK(shardspec_plan_free(plan, &err));
  CHECK_OK(shardspec_shards_free(source, &err));
  CHECK_OK(shardspec_shards_free(destination, &err));
}

/* What a program does with reads: each gets bytes of its own, and its runs say where they go. */
static void read_and_place(const shardspec_read *reads, size_t read_count, const shardspec_run *runs,
                           unsigned char *const *from, unsigned char *const *to) {
  unsigned char got[4 * ROWS * COLUMNS];
  for (const shardspec_read *read = reads; read < reads + read_count; read++) {
    memcpy(got, from[read->source] + read->offset, (size_t)read->length);
    for (const shardspec_run *run = runs + read->first_run; run < runs + read->first_run + read->run_count; run++)
      for (int64_t b = 0; b < run->block_count; b++)
        memcpy(to[run->destination] + run->destination_offset + b * run->destination_stride,
               got + run->source_offset + b * run->source_stride, (size_t)run->block_length);
  }
}

static void near_bytes_are_read_at_once(void) {
  static const struct {
    shardspec_merge_options options;
    size_t reads, runs;
    int64_t bytes;
  } cases[] = {{{.struct_size = sizeof(shardspec_merge_options)}, 1, 1, 40},
               {{sizeof(shardspec_merge_options), -1, 1.0, 0}, 2, 2, 16},
               {{sizeof(shardspec_merge_options), 23, 1.0, 0}, 2, 2, 16},
               {{sizeof(shardspec_merge_options), 24, 1.0, 0}, 1, 1, 40},
               {{sizeof(shardspec_merge_options), -1, 2.5, 0}, 1, 1, 40},
               {{sizeof(shardspec_merge_options), 0, 0, 39}, 2, 2, 16}};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_plan *plan = rows_to_columns(NULL);
  shardspec_read reads[24];
  shardspec_run runs[24];
  unsigned char rows[RANKS][64], columns[RANKS][48] = {{0}}, *from[RANKS], *to[RANKS];
  size_t read_count, run_count;
  for (size_t i = 0; i < RANKS; i++) from[i] = rows[i], to[i] = columns[i];
  for (size_t i = 0; i < sizeof rows; i++) rows[i / 64][i % 64] = (unsigned char)i;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    int64_t bytes = 0;
    CHECK_OK(shardspec_plan_shard_reads(plan, 1, 2, 4, &cases[i].options, NULL, 0, NULL, 0, &read_count,
                                        &run_count, &err));
    CHECK(read_count == cases[i].reads && run_count == cases[i].runs);
    CHECK_OK(shardspec_plan_rank_reads(plan, 1, 2, 4, &cases[i].options, reads, read_count, runs, run_count,
                                       NULL, NULL, &err));
    for (size_t read = 0; read < read_count; read++) bytes += reads[read].length;
    CHECK_EQUAL(bytes, cases[i].bytes);
    memset(columns, 0, sizeof columns);
    read_and_place(reads, read_count, runs, from, to);
    CHECK(memcmp(columns[2] + 16, rows[1] + 16, 8) == 0 && memcmp(columns[2] + 24, rows[1] + 48, 8) == 0);
  }
  CHECK_OK(shardspec_plan_shard_reads(plan, 1, 2, 4, NULL, reads, 1, NULL, 0, &read_count, NULL, &err));
  CHECK(read_count == 1 && reads[0].offset == 16 && reads[0].length == 40 && reads[0].run_count == 1);
  reads[0].length = 77, read_count = 77;
  CHECK_STATUS(shardspec_plan_shard_reads(plan, 1, 2, 4, NULL, reads, 1, runs, 0, &read_count, NULL, &err),
               SHARDSPEC_BUFFER_TOO_SMALL);
  CHECK(reads[0].length == 77 && read_count == 77 && err.limit == 1);
  CHECK_OK(shardspec_plan_rank_reads(plan, 9, 2, 4, NULL, NULL, 0, NULL, 0, &read_count, &run_count, &err));
  CHECK(read_count == 0 && run_count == 0);
  CHECK_OK(shardspec_plan_free(plan, &err));
}

static void a_layout_that_differs_by_its_labels_moves_nothing(void) {
  static const char *const turned[] = {"rank:1", "rank:2", "rank:3", "rank:0"};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_metadata *source = layout(1, NAMES, NULL), *destination = layout(1, turned, NULL), *better;
  shardspec_plan *plan;
  uint32_t placements[RANKS];
  size_t needed;
  int64_t before = 77, after = 77;
  int32_t local;
  CHECK_OK(shardspec_plan_new(source, destination, &plan, &err));
  CHECK_STATUS(shardspec_plan_suggest_placements(plan, placements, 3, &needed, &before, &after, &err),
               SHARDSPEC_BUFFER_TOO_SMALL);
  CHECK(before == 77 && after == 77);
  CHECK_OK(shardspec_plan_suggest_placements(plan, placements, RANKS, &needed, &before, &after, &err));
  CHECK(needed == RANKS && before == ROWS * COLUMNS && after == 0);
  CHECK_OK(shardspec_metadata_relabel(destination, placements, RANKS, &better, &err));
  CHECK_OK(shardspec_plan_free(plan, &err));
  CHECK_OK(shardspec_plan_new(source, better, &plan, &err));
  CHECK_OK(shardspec_plan_is_local(plan, &local, &err));
  CHECK_EQUAL(local, 1);
  CHECK_OK(shardspec_plan_free(plan, &err));
  CHECK_OK(shardspec_metadata_free(source, &err));
  CHECK_OK(shardspec_metadata_free(destination, &err));
  CHECK_OK(shardspec_metadata_free(better, &err));
}

static void owners_that_are_no_ranks_are_minus_one(void) {
  static const char *const workers[] = {"a", "b", "c", "d"};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_metadata *source = layout(1, workers, NULL), *destination = layout(0, NAMES, NULL);
  shardspec_plan *plan;
  int64_t from[4], to[4], bytes[4];
  size_t needed;
  CHECK_OK(shardspec_plan_new(source, destination, &plan, &err));
  CHECK_OK(shardspec_plan_rank_traffic(plan, 1, from, to, bytes, 4, &needed, &err));
  CHECK_EQUAL(needed, 3);
  for (int i = 0; i < 3; i++) CHECK(from[i] == -1 && to[i] == i && bytes[i] == 2 * COLUMNS);
  CHECK_OK(shardspec_plan_rank_runs(plan, -1, 2, 1, NULL, 0, &needed, &err));
  CHECK_EQUAL(needed, 4);
  CHECK_OK(shardspec_plan_free(plan, &err));
  CHECK_OK(shardspec_metadata_free(source, &err));
  CHECK_OK(shardspec_metadata_free(destination, &err));
}

int main(void) {
  traffic_adds_up_to_the_tensor();
  a_transport_needs_nothing_but_the_runs();
  runs_are_as_few_as_it_takes();
  packed_elements_have_runs_of_whole_bytes();
  runs_are_counted_without_being_made();
  near_bytes_are_read_at_once();
  a_layout_that_differs_by_its_labels_moves_nothing();
  owners_that_are_no_ranks_are_minus_one();
  return 0;
}
