/* Replicas on several nodes: what moves between the nodes is counted. */
#include "ranks.h"

/* A tensor that each of the `replicas` groups of neighbouring ranks has whole, cut in one dimension
 * (HSDP). */
static void cut_with_replicas(cut *c, const shardspec_comm *comm, int64_t replicas, int64_t dim) {
  static const char *const names[] = {"replicate", "shard"};
  shardspec_error error = SHARDSPEC_ERROR_INIT, *rank_err = &error;
  shardspec_mesh_layout layout = SHARDSPEC_MESH_LAYOUT_INIT;
  shardspec_cut one = SHARDSPEC_CUT_INIT;
  int64_t size = size_of(comm), axis_sizes[] = {replicas, size / replicas};
  const char *placements[64];
  char texts[64][32];
  shardspec_mesh *mesh;
  shardspec_spec *spec;
  for (int64_t rank = 0; rank < size; rank++) {
    snprintf(texts[rank], sizeof texts[rank], "rank:%d/cpu", (int)rank);
    placements[rank] = texts[rank];
  }
  one.dim = dim;
  one.axis = "shard";
  layout.cuts = &one;
  layout.cut_count = 1;
  CHECK_OK(shardspec_mesh_new(names, axis_sizes, 2, placements, (size_t)size, &mesh, &err));
  CHECK_OK(shardspec_spec_new_mesh(mesh, &layout, &spec, &err));
  CHECK_OK(shardspec_mesh_free(mesh, &err));
  cut_by(c, comm, spec, 24, 36);
}

/* Bytes that all ranks sent to other nodes. */
static size_t bytes_of_all(shardspec_comm *comm, size_t own, shardspec_error *rank_err) {
  int64_t size = size_of(comm);
  shardspec_message sends[64], receives[64];
  size_t got[64], all = 0;
  for (int64_t peer = 0; peer < size; peer++) {
    sends[peer] = (shardspec_message){peer, &own, sizeof own};
    receives[peer] = (shardspec_message){peer, &got[peer], sizeof own};
  }
  CHECK_OK(shardspec_comm_exchange(comm, sends, (size_t)size, receives, (size_t)size, &err));
  for (int64_t peer = 0; peer < size; peer++) all += got[peer];
  return all;
}

void replicas_are_read_on_the_same_node(shardspec_comm *comm, shardspec_error *rank_err) {
  int64_t size = size_of(comm);
  if (size % 2 != 0) return;
  for (int known = 0; known < 2; known++) {
    wire *w;
    shardspec_comm *cable = on_nodes(comm, 2, &w);
    shardspec_comm *unknowing = NULL;
    wire *quiet;
    int32_t *back = calloc(24 * 36, sizeof *back);
    CHECK(back != NULL);
    /* The same ranks, of which nothing is known. Bytes are counted as before. */
    if (!known) {
      unknowing = failing(cable, &quiet);
    }
    shardspec_comm *used = known ? cable : unknowing;
    cut rows, columns;
    cut_with_replicas(&rows, comm, 2, 0);
    cut_with_replicas(&columns, comm, 2, 1);
    move_shards(used, &rows, &columns, rank_err);
    /* A rank that gathers has all of it on its node. */
    for (int64_t root = 0; root < size; root++) {
      cut_with_replicas(&rows, comm, 2, 0);
      fill_shards(&rows);
      shardspec_tensor_view view = rows.full_view;
      view.data = back;
      CHECK_OK(shardspec_comm_gather(used, rows.metadata, root, rows.shards, rows.count, &view, NULL, &err));
      if (root == rank_of(comm)) check_full(&rows, back);
      free_cut(&rows);
    }
    size_t bytes = bytes_of_all(comm, w->bytes_between_nodes, rank_err);
    if (known) CHECK_EQUAL(bytes, 0);
    else CHECK(bytes > 0 || size == 2);
    if (unknowing != NULL) CHECK_OK(shardspec_comm_free(unknowing, &err));
    CHECK_OK(shardspec_comm_free(cable, &err));
    free(back);
  }
}

void ranks_that_know_other_nodes_are_told(shardspec_comm *comm, shardspec_error *rank_err) {
  int64_t size = size_of(comm);
  if (size != 4) return;
  wire *w;
  shardspec_comm *cable = on_nodes(comm, 2, &w);
  /* Ranks 0 and 3 share a node, and ranks 1 and 2. */
  if (rank_of(comm) == 1) w->shift = 1;
  cut rows, columns;
  cut_with_replicas(&rows, comm, 2, 0);
  cut_with_replicas(&columns, comm, 2, 1);
  CHECK_STATUS(shardspec_comm_reshard(cable, rows.metadata, rows.shards, rows.count, columns.metadata,
                                      columns.shards, columns.count, NULL, &err),
               SHARDSPEC_DISAGREEMENT);
  check_shards_untouched(&columns);
  free_cut(&rows);
  free_cut(&columns);
  CHECK_OK(shardspec_comm_free(cable, &err));
}

/* The plan from one layout to another for the nodes of a communicator, where each rank is on the node of
 * the rank that is so many further. */
static shardspec_plan *plan_on_nodes(const shardspec_comm *comm, const cut *from, const cut *to,
                                     int64_t shift, shardspec_error *rank_err) {
  int64_t nodes[64], size = size_of(comm);
  shardspec_plan *plan, *near;
  for (int64_t rank = 0; rank < size; rank++)
    CHECK_OK(shardspec_comm_node(comm, (rank + shift) % size, &nodes[rank], &err));
  CHECK_OK(shardspec_plan_new(from->metadata, to->metadata, &plan, &err));
  CHECK_OK(shardspec_plan_new_on_nodes(plan, nodes, (size_t)size, &near, &err));
  CHECK_OK(shardspec_plan_free(plan, &err));
  return near;
}

void a_plan_on_nodes_moves_nothing_between_them(shardspec_comm *comm, shardspec_error *rank_err) {
  if (size_of(comm) % 2 != 0) return;
  wire *w, *quiet;
  shardspec_comm *cable = on_nodes(comm, 2, &w), *unknowing = failing(cable, &quiet);
  shardspec_comm_tensor tensor = SHARDSPEC_COMM_TENSOR_INIT;
  shardspec_plan *near, *other;
  cut rows, columns;
  cut_with_replicas(&rows, comm, 2, 0);
  cut_with_replicas(&columns, comm, 2, 1);
  near = plan_on_nodes(cable, &rows, &columns, 0, rank_err);
  other = plan_on_nodes(cable, &rows, &columns, 1, rank_err);
  tensor.source_shards = rows.shards, tensor.source_shard_count = rows.count;
  tensor.destination_shards = columns.shards, tensor.destination_shard_count = columns.count;
  tensor.plan = near;
  fill_shards(&rows);
  clear_shards(&columns);
  CHECK_OK(shardspec_comm_transfer(unknowing, &tensor, 1, NULL, &err));
  check_shards(&columns);
  CHECK_EQUAL(bytes_of_all(comm, w->bytes_between_nodes, rank_err), 0);
  /* One rank passes a plan for other nodes. Of two ranks, each has all of it, and reads itself. */
  if (rank_of(comm) == 1) tensor.plan = other;
  clear_shards(&columns);
  if (size_of(comm) == 2) {
    CHECK_OK(shardspec_comm_transfer(unknowing, &tensor, 1, NULL, &err));
    check_shards(&columns);
  } else {
    CHECK_STATUS(shardspec_comm_transfer(unknowing, &tensor, 1, NULL, &err), SHARDSPEC_DISAGREEMENT);
    check_shards_untouched(&columns);
  }
  CHECK_OK(shardspec_plan_free(other, &err));
  CHECK_OK(shardspec_plan_free(near, &err));
  free_cut(&rows);
  free_cut(&columns);
  CHECK_OK(shardspec_comm_free(unknowing, &err));
  CHECK_OK(shardspec_comm_free(cable, &err));
}
