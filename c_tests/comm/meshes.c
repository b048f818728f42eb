/* From one layout over a mesh to another, on every rank: block-cyclic, in segments, padded, with
 * replicas. */
#include "ranks.h"

enum { ROUNDS = 20, MAX_AXES = 3 };

/* The same numbers on every rank. */
int64_t random_below(uint64_t *state, int64_t limit) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return (int64_t)((*state >> 33) % (uint64_t)limit);
}

/* A cut that is legal whatever the length. */
static shardspec_cut random_cut(uint64_t *state, const char *axis, int64_t axis_size) {
  static const int32_t rules[] = {SHARDSPEC_RULE_CHUNK, SHARDSPEC_RULE_BALANCED, SHARDSPEC_RULE_CYCLIC};
  shardspec_cut cut = SHARDSPEC_CUT_INIT;
  cut.dim = random_below(state, 2);
  cut.axis = axis;
  cut.rule = rules[random_below(state, 3)];
  if (cut.rule == SHARDSPEC_RULE_CYCLIC) cut.block = 1 + random_below(state, 3);
  else cut.granule = 1 + random_below(state, 3);
  if (axis_size % 2 == 0 && random_below(state, 3) == 0) cut.repeat = 2;
  if (random_below(state, 3) == 0) cut.segment_count = (size_t)(1 + random_below(state, 3));
  return cut;
}

/* A tensor of these sizes over a random mesh, whose devices are on random ranks. */
void cut_over_mesh(cut *c, const shardspec_comm *comm, uint64_t *state, int64_t rows,
                   int64_t columns) {
  static const char *const names[MAX_AXES] = {"a", "b", "c"};
  shardspec_error error = SHARDSPEC_ERROR_INIT, *rank_err = &error;
  shardspec_mesh_layout layout = SHARDSPEC_MESH_LAYOUT_INIT;
  shardspec_pad pad = SHARDSPEC_PAD_INIT;
  shardspec_cut cuts[MAX_AXES];
  shardspec_mesh *mesh;
  shardspec_spec *spec;
  int64_t axis_sizes[MAX_AXES];
  char texts[64][32];
  const char *placements[64];
  size_t ndim = (size_t)(1 + random_below(state, MAX_AXES)), devices = 1;
  for (size_t axis = 0; axis < ndim; axis++) {
    axis_sizes[axis] = 1 + random_below(state, 4);
    devices *= (size_t)axis_sizes[axis];
    /* An axis that no cut uses replicates. */
    if (random_below(state, 4) > 0)
      cuts[layout.cut_count++] = random_cut(state, names[axis], axis_sizes[axis]);
  }
  for (size_t device = 0; device < devices; device++) {
    snprintf(texts[device], sizeof texts[device], "rank:%d/cpu",
             (int)random_below(state, size_of(comm)));
    placements[device] = texts[device];
  }
  layout.cuts = cuts;
  pad.dim = random_below(state, 2);
  pad.multiple = 1 + random_below(state, 6);
  layout.pads = &pad;
  layout.pad_count = (size_t)random_below(state, 2);
  CHECK_OK(shardspec_mesh_new(names, axis_sizes, ndim, placements, devices, &mesh, &err));
  CHECK_OK(shardspec_spec_new_mesh(mesh, &layout, &spec, &err));
  CHECK_OK(shardspec_mesh_free(mesh, &err));
  cut_by(c, comm, spec, rows, columns);
}

void layouts_over_meshes_become_each_other(shardspec_comm *comm, shardspec_error *rank_err) {
  uint64_t state = 17;
  for (int round = 0; round < ROUNDS; round++) {
    int64_t rows = 1 + random_below(&state, 14), columns = 1 + random_below(&state, 9);
    cut from, to;
    cut_over_mesh(&from, comm, &state, rows, columns);
    cut_over_mesh(&to, comm, &state, rows, columns);
    /* The tensor of the last rank becomes shards, and shards the tensor of all. */
    int64_t last = size_of(comm) - 1;
    clear_shards(&from);
    CHECK_OK(shardspec_comm_scatter(comm, from.metadata, last,
                                    rank_of(comm) == last ? &from.full_view : NULL, from.shards,
                                    from.count, NULL, &err));
    check_shards(&from);
    memset(to.full, 0x5a, (size_t)(rows * columns) * sizeof *to.full);
    CHECK_OK(shardspec_comm_gather(comm, from.metadata, SHARDSPEC_ALL_RANKS, from.shards, from.count,
                                   &to.full_view, NULL, &err));
    check_full(&from, to.full);
    move_shards(comm, &from, &to, rank_err);
  }
}
