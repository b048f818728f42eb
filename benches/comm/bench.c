/* Collectives against the same programs written by hand with MPI: 256 MiB of float32 over the
 * processes of the run. Both take turns in one run; medians are compared.
 *
 *   mpiexec -n 4 bench FILE.json
 *
 * The programs by hand keep the buffer that they pack into from run to run, so they pay for its pages
 * only once, before anything is measured. */
#include "bench.h"

enum { ROWS = 8192, COLUMNS = 8192 };

static float *full, *packed, *rows, *columns;
static int counts[MAX_RANKS], starts[MAX_RANKS];
static int64_t full_shape[] = {ROWS, COLUMNS}, rows_shape[2], columns_shape[2];
static shardspec_metadata *by_rows, *by_columns;

static shardspec_tensor_view view_of(float *data, int64_t *shape) {
  shardspec_tensor_view view;
  memset(&view, 0, sizeof view);
  view.data = data;
  view.device.device_type = SHARDSPEC_DLPACK_DEVICE_CPU;
  view.ndim = 2;
  view.dtype.code = SHARDSPEC_DTYPE_FLOAT;
  view.dtype.bits = 32;
  view.dtype.lanes = 1;
  view.shape = shape;
  return view;
}

static void shard_by(shardspec_metadata *metadata, float *data, int64_t *shape) {
  shardspec_tensor_view whole = view_of(full, full_shape), part = view_of(data, shape);
  must(shardspec_comm_scatter(comm, metadata, 0, &whole, &part, 1, NULL, &err));
}

static void our_rows(void) { shard_by(by_rows, rows, rows_shape); }
static void our_columns(void) { shard_by(by_columns, columns, columns_shape); }

static void our_reshard(void) {
  shardspec_tensor_view from = view_of(rows, rows_shape), to = view_of(columns, columns_shape);
  must(shardspec_comm_reshard(comm, by_rows, &from, 1, by_columns, &to, 1, NULL, &err));
}

static void rows_by_hand(void) {
  MPI_Scatterv(full, counts, starts, MPI_FLOAT, rows, counts[rank], MPI_FLOAT, 0, MPI_COMM_WORLD);
}

/* The columns of each rank one behind the other; `from` is read once, from front to back. */
static void pack_columns(const float *from, int64_t row_count) {
  size_t width = (size_t)COLUMNS / (size_t)size;
  for (size_t row = 0; row < (size_t)row_count; row++)
    for (size_t peer = 0; peer < (size_t)size; peer++)
      memcpy(packed + peer * (size_t)row_count * width + row * width,
             from + row * COLUMNS + peer * width, width * sizeof *from);
}

static void columns_by_hand(void) {
  if (rank == 0) pack_columns(full, ROWS);
  MPI_Scatterv(packed, counts, starts, MPI_FLOAT, columns, counts[rank], MPI_FLOAT, 0,
               MPI_COMM_WORLD);
}

static void reshard_by_hand(void) {
  int each[MAX_RANKS], at[MAX_RANKS];
  for (int peer = 0; peer < size; peer++) {
    each[peer] = counts[rank] / size;
    at[peer] = peer * each[peer];
  }
  pack_columns(rows, ROWS / size);
  /* What comes from a rank are rows of my columns, which lie one behind the other. */
  MPI_Alltoallv(packed, each, at, MPI_FLOAT, columns, each, at, MPI_FLOAT, MPI_COMM_WORLD);
}

/* A line of /proc/self/status in bytes, such as VmRSS. */
static double resident(const char *name) {
  char line[256];
  double kilobytes = 0;
  FILE *file = fopen("/proc/self/status", "r");
  while (file != NULL && fgets(line, sizeof line, file))
    if (strncmp(line, name, strlen(name)) == 0) kilobytes = atof(line + strlen(name) + 1);
  if (file != NULL) fclose(file);
  return kilobytes * 1024;
}

/* Most memory that a run had beyond what was there before, on the rank that had most. */
static double extra_memory(void (*run)(void)) {
  double before, own, most;
  FILE *file = fopen("/proc/self/clear_refs", "w");
  if (file != NULL) fputs("5", file), fclose(file); /* the peak starts anew */
  before = resident("VmRSS:");
  run();
  own = resident("VmHWM:") - before;
  MPI_Allreduce(&own, &most, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
  return most > 0 ? most : 0;
}

static void check(const char *name, const float *data, const int64_t *shape) {
  /* full[r][c] = r * 3 + c; shards by rows start at a row of their own, those by columns at a column. */
  int64_t row = data == rows ? rank * shape[0] : 0, column = data == rows ? 0 : rank * shape[1];
  for (int64_t r = 0; r < shape[0]; r++)
    for (int64_t c = 0; c < shape[1]; c++)
      if (data[r * shape[1] + c] != (float)((row + r) * 3 + column + c)) {
        fprintf(stderr, "rank %d: %s moved the wrong elements\n", rank, name);
        MPI_Abort(MPI_COMM_WORLD, 1);
      }
}

static void measure(const char *name, void (*ours)(void), void (*by_hand)(void), float *data,
                    const int64_t *shape, FILE *json) {
  double times[2][TURNS], extra[2];
  size_t bytes = (size_t)(shape[0] * shape[1]) * sizeof *data;
  void (*const programs[])(void) = {ours, by_hand};
  for (int i = 0; i < 2; i++) {
    memset(data, 0, bytes);
    programs[i]();
    check(name, data, shape);
    extra[i] = extra_memory(programs[i]);
  }
  for (int turn = 0; turn < TURNS; turn++)
    for (int i = 0; i < 2; i++) {
      int first = (turn + i) % 2;
      times[first][turn] = seconds(programs[first]);
    }
  for (int i = 0; i < 2; i++) qsort(times[i], TURNS, sizeof times[i][0], ascending);
  if (rank > 0) return;
  printf("%-22s ours %6.1f ms   by hand %6.1f ms   ratio %.2f   extra memory %4.0f MiB\n", name,
         1e3 * times[0][TURNS / 2], 1e3 * times[1][TURNS / 2],
         times[1][TURNS / 2] / times[0][TURNS / 2], extra[0] / (1 << 20));
  fprintf(json,
          "%s  {\"case\": \"%s\", \"processes\": %d, \"ours_seconds\": %.6f, \"by_hand_seconds\": "
          "%.6f, \"extra_bytes\": %.0f}",
          ftell(json) > 2 ? ",\n" : "", name, size, times[0][TURNS / 2], times[1][TURNS / 2],
          extra[0]);
}

int main(int argc, char **argv) {
  FILE *json = NULL;
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  if (argc != 2 || size > MAX_RANKS || ROWS % size || COLUMNS % size) {
    if (rank == 0) fprintf(stderr, "usage: mpiexec -n 1, 2, 4 ... 64 bench FILE.json\n");
    MPI_Abort(MPI_COMM_WORLD, 2);
  }
  if (rank == 0 && (json = fopen(argv[1], "w")) == NULL) MPI_Abort(MPI_COMM_WORLD, 1);
  for (int i = 0; i < size; i++) {
    counts[i] = ROWS / size * COLUMNS;
    starts[i] = i * counts[i];
  }
  rows_shape[0] = ROWS / size, rows_shape[1] = COLUMNS;
  columns_shape[0] = ROWS, columns_shape[1] = COLUMNS / size;
  rows = allocate((size_t)counts[rank] * sizeof *rows);
  columns = allocate((size_t)counts[rank] * sizeof *columns);
  packed = allocate((size_t)(rank == 0 ? size : 1) * (size_t)counts[rank] * sizeof *packed);
  if (rank == 0) full = allocate((size_t)ROWS * COLUMNS * sizeof *full);
  for (int64_t i = 0; rank == 0 && i < ROWS; i++)
    for (int64_t j = 0; j < COLUMNS; j++) full[i * COLUMNS + j] = (float)(i * 3 + j);
  must(shardspec_mpi_comm_new(MPI_COMM_WORLD, &comm, &err));
  by_rows = chunks(0, full_shape);
  by_columns = chunks(1, full_shape);
  if (rank == 0) fprintf(json, "[\n");
  measure("shard rows", our_rows, rows_by_hand, rows, rows_shape, json);
  measure("shard columns", our_columns, columns_by_hand, columns, columns_shape, json);
  measure("reshard rows->columns", our_reshard, reshard_by_hand, columns, columns_shape, json);
  if (rank == 0) fprintf(json, "\n]\n"), fclose(json);
  must(shardspec_metadata_free(by_rows, &err));
  must(shardspec_metadata_free(by_columns, &err));
  must(shardspec_comm_free(comm, &err));
  MPI_Finalize();
  return 0;
}
