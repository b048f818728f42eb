/* An array on rank 0 becomes local shards on all ranks, by rows:  mpiexec -n 3 ./mpi_shard */
#include <shardspec_mpi.h>

enum { ROWS = 5, COLUMNS = 4, MAX_RANKS = 64 };

/* Every call's status is looked at here. */
static shardspec_error err = SHARDSPEC_ERROR_INIT;
static void must(shardspec_status status) {
  if (status == SHARDSPEC_OK) return;
  fprintf(stderr, "mpi_shard: %s\n", err.message);
  MPI_Abort(MPI_COMM_WORLD, 1);
}

int main(int argc, char **argv) {
  const shardspec_device cpu = {SHARDSPEC_DLPACK_DEVICE_CPU, 0};
  const shardspec_dtype f32 = {SHARDSPEC_DTYPE_FLOAT, 32, 1};
  float array[ROWS][COLUMNS], mine[ROWS][COLUMNS] = {{0}};
  int64_t sizes[] = {ROWS, COLUMNS}, shape[2], rank, size;
  size_t index;
  char texts[MAX_RANKS][32];
  const char *placements[MAX_RANKS];
  shardspec_comm *comm;
  shardspec_spec *spec;
  shardspec_metadata *metadata;

  MPI_Init(&argc, &argv);
  must(shardspec_mpi_comm_new(MPI_COMM_WORLD, &comm, &err));
  must(shardspec_comm_rank(comm, &rank, &err));
  must(shardspec_comm_size(comm, &size, &err));
  if (size > MAX_RANKS)
    return fprintf(stderr, "mpi_shard: too many ranks\n"), MPI_Abort(MPI_COMM_WORLD, 1);

  /* The same on all ranks: how the tensor is cut, a chunk of rows for each rank. */
  for (int i = 0; i < size; i++) {
    snprintf(texts[i], sizeof texts[i], "rank:%d", i);
    placements[i] = texts[i];
  }
  must(shardspec_spec_new_chunk(0, placements, (size_t)size, &spec, &err));
  must(shardspec_spec_build_metadata(spec, sizes, 2, NULL, &metadata, &err));

  /* Different on each: rank 0 has the array, and every rank a place for its own shard. */
  for (int i = 0; rank == 0 && i < ROWS * COLUMNS; i++) array[i / COLUMNS][i % COLUMNS] = (float)i;
  must(shardspec_metadata_shards_of_rank(metadata, rank, &index, 1, NULL, &err));
  must(shardspec_metadata_get_shard(metadata, index, NULL, shape, 2, &err));
  shardspec_tensor_view full = {array, cpu, 2, f32, sizes, NULL, 0};
  shardspec_tensor_view shard = {mine, cpu, 2, f32, shape, NULL, 0};
  must(shardspec_comm_scatter(comm, metadata, 0, &full, &shard, 1, NULL, &err));

  /* Rank 0 says what each has got: how many rows, and the first element of them. */
  float got[2] = {(float)shape[0], mine[0][0]}, all[MAX_RANKS][2];
  MPI_Gather(got, 2, MPI_FLOAT, all, 2, MPI_FLOAT, 0, MPI_COMM_WORLD);
  for (int i = 0; rank == 0 && i < size; i++)
    printf("rank %d has %g rows, from element %g on\n", i, all[i][0], all[i][1]);

  must(shardspec_metadata_free(metadata, &err));
  must(shardspec_spec_free(spec, &err));
  must(shardspec_comm_free(comm, &err));
  return MPI_Finalize();
}
