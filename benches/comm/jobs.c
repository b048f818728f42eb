/* Transfers as real jobs do them, against the same bytes packed by hand for one MPI_Alltoallv. Both take
 * turns in one run; medians are compared.
 *
 *   mpiexec -n 2 bench FILE.json
 *   mpiexec -n 4 bench FILE.json
 *
 * The program by hand knows every offset before it starts, and keeps its memory from run to run. The last
 * cases have no program by hand: they compare a started transfer, with work between its tests, to the
 * transfer and the work one after the other. */
#include "bench.h"

enum { MAX_TENSORS = 5000 };

/* The batch of a case: shards of float32, one for each rank and side. */
static size_t count;
static shardspec_comm_tensor tensors[MAX_TENSORS];
static shardspec_tensor_view from[MAX_TENSORS], to[MAX_TENSORS];
static int64_t shapes[MAX_TENSORS][2][2];
static char tags[MAX_TENSORS][32];
static shardspec_transfer *transfer;

/* One axis of all ranks that cuts dimension `cut->dim`; where `ways` is less than the ranks, each piece
 * is on several of them. */
static shardspec_metadata *over_mesh(shardspec_cut cut, int64_t ways, const int64_t *sizes) {
  const char *const axes[] = {"dp", "tp"};
  const int64_t axis_sizes[] = {size / ways, ways};
  shardspec_mesh_layout layout = SHARDSPEC_MESH_LAYOUT_INIT;
  shardspec_mesh *mesh;
  shardspec_spec *spec;
  cut.axis = "tp";
  layout.cuts = &cut;
  layout.cut_count = 1;
  must(shardspec_mesh_new(axes, axis_sizes, 2, rank_names(), (size_t)size, &mesh, &err));
  must(shardspec_spec_new_mesh(mesh, &layout, &spec, &err));
  must(shardspec_mesh_free(mesh, &err));
  return built(spec, sizes);
}

static float *own_shard(shardspec_metadata *metadata, shardspec_tensor_view *view, int64_t *shape) {
  size_t index, needed;
  must(shardspec_metadata_shards_of_rank(metadata, rank, &index, 1, &needed, &err));
  must(shardspec_metadata_get_shard(metadata, index, NULL, shape, 2, &err));
  memset(view, 0, sizeof *view);
  view->data = allocate((size_t)(shape[0] * shape[1]) * sizeof(float));
  view->device.device_type = SHARDSPEC_DLPACK_DEVICE_CPU;
  view->ndim = 2;
  view->dtype = (shardspec_dtype){SHARDSPEC_DTYPE_FLOAT, 32, 1};
  view->shape = shape;
  return view->data;
}

/* Bytes by hand: a run of `length` bytes in a shard, `times` times, `step` bytes apart. */
typedef struct runs {
  char *start;
  size_t length, step, times;
} runs;

/* What goes to each rank and comes from it, tensor by tensor: the runs of the plan's pieces. */
static runs *packs[MAX_RANKS], *unpacks[MAX_RANKS];
static size_t pack_counts[MAX_RANKS], unpack_counts[MAX_RANKS];
static char *sent, *received;
static int sent_bytes[MAX_RANKS], sent_at[MAX_RANKS], received_bytes[MAX_RANKS], received_at[MAX_RANKS];

static void push(runs **list, size_t *length, runs item) {
  if ((*length & (*length - 1)) == 0) *list = realloc(*list, (*length < 1 ? 1 : 2 * *length) * sizeof **list);
  if (*list == NULL) MPI_Abort(MPI_COMM_WORLD, 1);
  (*list)[(*length)++] = item;
}

/* The runs of a plan from one rank to another. */
static size_t runs_between(const shardspec_plan *plan, int64_t giver, int64_t taker, shardspec_run **all) {
  size_t needed;
  must(shardspec_plan_rank_runs(plan, giver, taker, sizeof(float), NULL, 0, &needed, &err));
  *all = allocate(needed * sizeof **all);
  must(shardspec_plan_rank_runs(plan, giver, taker, sizeof(float), *all, needed, &needed, &err));
  return needed;
}

/* Adds the runs of a tensor, as the plan has them. */
static void add_by_hand(shardspec_metadata *source, shardspec_metadata *destination, char *own, char *other) {
  shardspec_plan *plan;
  shardspec_run *all;
  must(shardspec_plan_new(source, destination, &plan, &err));
  for (int peer = 0; peer < size; peer++) {
    size_t found = runs_between(plan, rank, peer, &all);
    for (size_t i = 0; i < found; i++)
      push(&packs[peer], &pack_counts[peer],
           (runs){own + all[i].source_offset, (size_t)all[i].block_length, (size_t)all[i].source_stride, (size_t)all[i].block_count});
    free(all);
    found = runs_between(plan, peer, rank, &all);
    for (size_t i = 0; i < found; i++)
      push(&unpacks[peer], &unpack_counts[peer],
           (runs){other + all[i].destination_offset, (size_t)all[i].block_length, (size_t)all[i].destination_stride, (size_t)all[i].block_count});
    free(all);
  }
  must(shardspec_plan_free(plan, &err));
}

static size_t lay_out(runs **lists, const size_t *counts, int *bytes, int *at) {
  size_t total = 0;
  for (int peer = 0; peer < size; peer++) {
    size_t own = 0;
    for (size_t i = 0; i < counts[peer]; i++) own += lists[peer][i].length * lists[peer][i].times;
    at[peer] = (int)total, bytes[peer] = (int)own;
    total += own;
  }
  return total;
}

static void by_hand(void) {
  char *place = sent;
  for (int peer = 0; peer < size; peer++)
    for (size_t i = 0; i < pack_counts[peer]; i++) {
      runs r = packs[peer][i];
      for (size_t time = 0; time < r.times; time++, place += r.length) memcpy(place, r.start + time * r.step, r.length);
    }
  MPI_Alltoallv(sent, sent_bytes, sent_at, MPI_BYTE, received, received_bytes, received_at, MPI_BYTE, MPI_COMM_WORLD);
  place = received;
  for (int peer = 0; peer < size; peer++)
    for (size_t i = 0; i < unpack_counts[peer]; i++) {
      runs r = unpacks[peer][i];
      for (size_t time = 0; time < r.times; time++, place += r.length) memcpy(r.start + time * r.step, place, r.length);
    }
}

static void once(void) { must(shardspec_comm_transfer(comm, tensors, count, NULL, &err)); }
static void prepared(void) { must(shardspec_transfer_run(transfer, comm, NULL, 0, &err)); }
static void one_by_one(void) {
  for (size_t i = 0; i < count; i++)
    must(shardspec_comm_reshard(comm, tensors[i].source, &from[i], 1, tensors[i].destination, &to[i], 1, NULL, &err));
}

static void add_tensor(shardspec_metadata *source, shardspec_metadata *destination) {
  size_t i = count++;
  float *own = own_shard(source, &from[i], shapes[i][0]), *other = own_shard(destination, &to[i], shapes[i][1]);
  for (int64_t at = 0; at < shapes[i][0][0] * shapes[i][0][1]; at++) own[at] = (float)((at + rank * 7 + (int64_t)i) % 65521);
  snprintf(tags[i], sizeof tags[i], "tensor.%d", (int)i);
  memset(&tensors[i], 0, sizeof tensors[i]);
  tensors[i].struct_size = sizeof tensors[i];
  tensors[i].tag = tags[i];
  tensors[i].source = source, tensors[i].destination = destination;
  tensors[i].source_shards = &from[i], tensors[i].source_shard_count = 1;
  tensors[i].destination_shards = &to[i], tensors[i].destination_shard_count = 1;
  add_by_hand(source, destination, (char *)own, (char *)other);
}

static size_t bytes_of(size_t i) { return (size_t)(shapes[i][1][0] * shapes[i][1][1]) * sizeof(float); }

/* `run` writes what the program by hand writes. */
static void check(const char *name, void (*run)(void)) {
  static char *expected[MAX_TENSORS];
  by_hand();
  for (size_t i = 0; i < count; i++) {
    expected[i] = allocate(bytes_of(i));
    memcpy(expected[i], to[i].data, bytes_of(i));
    memset(to[i].data, 0, bytes_of(i));
  }
  run();
  for (size_t i = 0; i < count; i++) {
    if (memcmp(to[i].data, expected[i], bytes_of(i)) != 0) {
      fprintf(stderr, "rank %d: %s moved the wrong elements of tensor %d\n", rank, name, (int)i);
      MPI_Abort(MPI_COMM_WORLD, 1);
    }
    free(expected[i]);
  }
}

static FILE *json;

/* Writes a row of the results, of which the first rank has the medians. */
static void report(const char *name, const char *kind, double median, const char *base, const char *key, double base_median) {
  if (rank > 0) return;
  printf("%-34s %-15s %8.2f ms   %.2f of %s\n", name, kind, 1e3 * median, median / base_median, base);
  fprintf(json, "%s  {\"case\": \"%s\", \"kind\": \"%s\", \"processes\": %d, \"tensors\": %zu, \"seconds\": %.6f, \"%s\": %.6f}",
          ftell(json) > 2 ? ",\n" : "", name, kind, size, count, median, key, base_median);
}

static void drop_case(void) {
  for (size_t i = 0; i < count; i++) free(from[i].data), free(to[i].data);
  for (int peer = 0; peer < size; peer++) {
    free(packs[peer]), free(unpacks[peer]);
    packs[peer] = unpacks[peer] = NULL;
    pack_counts[peer] = unpack_counts[peer] = 0;
  }
  count = 0;
}

static void measure(const char *name, int each) {
  const char *const kinds[] = {"by hand", "prepared", "once", "one by one"};
  void (*const programs[])(void) = {by_hand, prepared, once, one_by_one};
  double times[4][TURNS];
  int kind_count = each ? 4 : 3;
  sent = allocate(lay_out(packs, pack_counts, sent_bytes, sent_at));
  received = allocate(lay_out(unpacks, unpack_counts, received_bytes, received_at));
  must(shardspec_transfer_prepare(comm, tensors, count, NULL, &transfer, &err));
  for (int kind = 0; kind < kind_count; kind++) check(kinds[kind], programs[kind]);
  for (int turn = 0; turn < TURNS; turn++)
    for (int kind = 0; kind < kind_count; kind++) {
      int first = (turn + kind) % kind_count;
      times[first][turn] = seconds(programs[first]);
    }
  for (int kind = 0; kind < kind_count; kind++) {
    qsort(times[kind], TURNS, sizeof times[kind][0], ascending);
    report(name, kinds[kind], times[kind][TURNS / 2], "by hand", "by_hand_seconds", times[0][TURNS / 2]);
  }
  must(shardspec_transfer_free(transfer, &err));
  free(sent), free(received);
  drop_case();
}

/* The work of a program beside its transfer: so many parts of some 0.1 ms each. Rank 0 does so many of them
 * before the transfer begins. */
static int work_parts, late_parts;

static void work_some(void) {
  static volatile float sink;
  float sums[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  for (int turn = 0; turn < 12000; turn++)
    for (int i = 0; i < 8; i++) sums[i] = sums[i] * 0.999f + 1.0f;
  for (int i = 0; i < 8; i++) sink = sink + sums[i];
}

static int parts_before(void) { return rank == 0 ? late_parts : 0; }

static void work(int parts) {
  for (int i = 0; i < parts; i++) work_some();
}

static void all_work(void) { work(work_parts); }

static void one_after_the_other(void) {
  work(parts_before());
  prepared();
  work(work_parts - parts_before());
}

static void started_and(int tests) {
  shardspec_request *request;
  int32_t done = 0;
  work(parts_before());
  must(shardspec_transfer_start(transfer, comm, NULL, 0, &request, &err));
  for (int i = parts_before(); i < work_parts; i++) {
    work_some();
    if (tests && !done) must(shardspec_request_test(request, &done, &err));
  }
  must(shardspec_request_wait(request, &err));
  must(shardspec_request_free(request, &err));
}

static void started_and_tested(void) { started_and(1); }
static void started_and_waited_for(void) { started_and(0); }

static double median_of(void (*program)(void)) {
  double times[TURNS];
  for (int turn = 0; turn < TURNS; turn++) times[turn] = seconds(program);
  qsort(times, TURNS, sizeof times[0], ascending);
  return times[TURNS / 2];
}

/* A started transfer with work of about the same time between its tests, against both one after the
 * other. With `late`, rank 0 does half of its work before it begins the transfer, and the others do all of
 * theirs after that. */
static void overlap(const char *name, int late) {
  const char *const kinds[] = {"then work", "tested", "not tested"};
  void (*const programs[])(void) = {one_after_the_other, started_and_tested, started_and_waited_for};
  double times[3][TURNS];
  must(shardspec_transfer_prepare(comm, tensors, count, NULL, &transfer, &err));
  for (int kind = 0; kind < 3; kind++) check(kinds[kind], programs[kind]);
  work_parts = 100;
  work_parts = (int)(100 * median_of(prepared) / median_of(all_work)) + 1;
  MPI_Bcast(&work_parts, 1, MPI_INT, 0, MPI_COMM_WORLD);
  late_parts = late ? work_parts / 2 : 0;
  for (int turn = 0; turn < TURNS; turn++)
    for (int kind = 0; kind < 3; kind++) {
      int first = (turn + kind) % 3;
      times[first][turn] = seconds(programs[first]);
    }
  for (int kind = 0; kind < 3; kind++) {
    qsort(times[kind], TURNS, sizeof times[kind][0], ascending);
    report(name, kinds[kind], times[kind][TURNS / 2], "one after the other", "in_turn_seconds", times[0][TURNS / 2]);
  }
  work_parts = late_parts = 0;
  must(shardspec_transfer_free(transfer, &err));
}

/* Drops metadata that the tensors of a case share. */
static void drop(shardspec_metadata *a, shardspec_metadata *b) {
  must(shardspec_metadata_free(a, &err));
  must(shardspec_metadata_free(b, &err));
}

static void small_tensors(void) {
  const int64_t sizes[] = {64, 64}; /* 16 KiB */
  shardspec_metadata *rows = chunks(0, sizes), *columns = chunks(1, sizes);
  for (int i = 0; i < 5000; i++) add_tensor(rows, columns);
  measure("5,000 tensors of 16 KiB", 1);
  drop(rows, columns);
}

static void rows_to_columns(void) {
  const int64_t sizes[] = {4096, 4096}; /* 64 MiB */
  shardspec_metadata *rows = chunks(0, sizes), *columns = chunks(1, sizes);
  add_tensor(rows, columns);
  measure("rows -> columns, 64 MiB", 0);
  drop(rows, columns);
}

static void fused_qkv(void) {
  const int64_t sizes[] = {3 * 4096, 4096};
  shardspec_cut cut = SHARDSPEC_CUT_INIT;
  cut.segment_count = 3;
  shardspec_metadata *more = over_mesh(cut, size, sizes), *fewer = over_mesh(cut, size / 2, sizes);
  add_tensor(more, fewer);
  char name[64];
  snprintf(name, sizeof name, "fused QKV TP-%d -> TP-%d, 192 MiB", size, size / 2);
  measure(name, 0);
  drop(more, fewer);
}

static void block_cyclic(void) {
  const int64_t sizes[] = {4096, 4096};
  shardspec_cut cut = SHARDSPEC_CUT_INIT;
  cut.rule = SHARDSPEC_RULE_CYCLIC;
  cut.block = 64;
  shardspec_metadata *cyclic = over_mesh(cut, size, sizes), *slabs = chunks(0, sizes);
  add_tensor(cyclic, slabs);
  measure("block-cyclic 64 -> slabs, 64 MiB", 0);
  drop(cyclic, slabs);
}

/* The shapes of a model of a billion parameters: 16 layers of width 2,048, with a quarter of them, to
 * keep the memory of a small machine. */
static void model(void) {
  static const int64_t kinds[][2] = {{3072, 2048}, {2048, 2048}, {8192, 2048}, {8192, 2048}, {2048, 8192}};
  shardspec_metadata *rows[5], *columns[5];
  for (int kind = 0; kind < 5; kind++) rows[kind] = chunks(0, kinds[kind]), columns[kind] = chunks(1, kinds[kind]);
  for (int layer = 0; layer < 4; layer++)
    for (int kind = 0; kind < 5; kind++) add_tensor(rows[kind], columns[kind]);
  measure("FSDP rows -> TP columns, 4 layers", 1);
  for (int kind = 0; kind < 5; kind++) drop(rows[kind], columns[kind]);
}

static void overlaps(void) {
  const int64_t sizes[] = {4096, 4096}; /* 64 MiB */
  shardspec_metadata *rows = chunks(0, sizes), *columns = chunks(1, sizes);
  add_tensor(rows, columns);
  sent = allocate(lay_out(packs, pack_counts, sent_bytes, sent_at));
  received = allocate(lay_out(unpacks, unpack_counts, received_bytes, received_at));
  overlap("work beside a transfer, 64 MiB", 0);
  overlap("the same, rank 0 begins later", 1);
  free(sent), free(received);
  drop_case();
  drop(rows, columns);
}

int main(int argc, char **argv) {
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  if (argc != 2 || size > MAX_RANKS || size % 2) {
    if (rank == 0) fprintf(stderr, "usage: mpiexec -n 2, 4 ... 64 bench FILE.json\n");
    MPI_Abort(MPI_COMM_WORLD, 2);
  }
  if (rank == 0 && (json = fopen(argv[1], "w")) == NULL) MPI_Abort(MPI_COMM_WORLD, 1);
  must(shardspec_mpi_comm_new(MPI_COMM_WORLD, &comm, &err));
  if (rank == 0) fprintf(json, "[\n");
  small_tensors();
  rows_to_columns();
  fused_qkv();
  block_cyclic();
  model();
  overlaps();
  if (rank == 0) fprintf(json, "\n]\n"), fclose(json);
  must(shardspec_comm_free(comm, &err));
  MPI_Finalize();
  return 0;
}
