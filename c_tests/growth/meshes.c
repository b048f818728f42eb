/* Layouts over meshes of n devices: pieces, blocks in turn, and periods that have no common divisor. */
#include "growth.h"

static char **names_of(size_t count) {
  char **names = calloc(count, sizeof *names);
  for (size_t i = 0; i < count; i++) {
    names[i] = calloc(1, 32);
    snprintf(names[i], 32, "rank:%zu/cpu", i);
  }
  return names;
}

static void free_names(char **names, size_t count) {
  for (size_t i = 0; i < count; i++) free(names[i]);
  free(names);
}

/* A mesh of two axes, of which the second has 4 coordinates. */
static shardspec_mesh *mesh_of(size_t devices) {
  const char *const axes[] = {"data", "model"};
  const int64_t sizes[] = {(int64_t)devices / 4, 4};
  shardspec_mesh *mesh = NULL;
  CHECK_OK(shardspec_mesh_new(axes, sizes, 2, NULL, 0, &mesh, &err));
  return mesh;
}

static void count_mesh(size_t n) {
  const char *family = "n / 4 x 4";
  const char *const axes[] = {"data", "model"};
  const int64_t sizes[] = {(int64_t)n / 4, 4};
  char **names = names_of(n);
  shardspec_mesh *mesh = NULL, *other = NULL;
  COUNTED(family, n, 0, shardspec_mesh_new, axes, sizes, 2, (const char *const *)names, n, &mesh);
  COUNTED(family, n, 0, shardspec_mesh_new_submesh, mesh, "model", 2, &other);
  CHECK_OK(shardspec_mesh_free(other, &err));
  CHECK_OK(shardspec_mesh_new(axes, sizes, 2, (const char *const *)names, n, &other, &err));
  int32_t equal = 0;
  uint64_t hash = 0;
  size_t coordinates[2], needed = 0;
  COUNTED(family, n, 0, shardspec_mesh_equal, mesh, other, &equal);
  COUNTED(family, n, 0, shardspec_mesh_hash, mesh, &hash);
  COUNTED_EACH(family, n, 0, shardspec_mesh_get_coordinates, mesh, i, coordinates, 2, &needed);
  CHECK_OK(shardspec_mesh_text(mesh, NULL, 0, &needed, &err));
  char *text = malloc(needed + 1);
  COUNTED(family, n, 0, shardspec_mesh_text, mesh, text, needed + 1, &needed);
  free(text);
  CHECK_OK(shardspec_mesh_free(mesh, &err));
  CHECK_OK(shardspec_mesh_free(other, &err));
  free_names(names, n);
}

static shardspec_cut cut_of(int64_t dim, const char *axis, int64_t block) {
  shardspec_cut cut = SHARDSPEC_CUT_INIT;
  cut.dim = dim, cut.axis = axis;
  if (block > 0) cut.rule = SHARDSPEC_RULE_CYCLIC, cut.block = block;
  return cut;
}

/* What a spec over the mesh and its metadata answer. */
static void count_spec(shardspec_mesh *mesh, size_t n, const shardspec_cut *cuts, size_t cut_count,
                       const int64_t *tensor, const char *family) {
  shardspec_mesh_layout layout = SHARDSPEC_MESH_LAYOUT_INIT;
  layout.cuts = cuts, layout.cut_count = cut_count;
  shardspec_spec *spec = NULL;
  shardspec_metadata *metadata = NULL, *other = NULL;
  COUNTED(family, n, 0, shardspec_spec_new_mesh, mesh, &layout, &spec);
  COUNTED(family, n, 0, shardspec_spec_build_metadata, spec, tensor, NDIM, NULL, &metadata);
  size_t coordinates[2], needed = 0, shard = 0;
  shardspec_stretch stretches[8];
  COUNTED_EACH(family, n, 0, shardspec_metadata_get_coordinates, metadata, i, coordinates, 2, &needed);
  COUNTED_EACH(family, n, 0, shardspec_metadata_get_stretches, metadata, i, 0, stretches, COUNT(stretches), &needed);
  const int64_t corner[NDIM] = {tensor[0] - 1, tensor[1] - 1};
  COUNTED(family, n, 0, shardspec_metadata_shard_at, metadata, corner, NDIM, &shard);
  COUNTED(family, n, 0, shardspec_metadata_new_on_mesh, metadata, mesh, NULL, 0, &other);
  CHECK_OK(shardspec_metadata_free(other, &err));
  uint64_t number = 0;
  COUNTED(family, n, 0, shardspec_metadata_fingerprint, metadata, &number);
  CHECK_OK(shardspec_metadata_to_json(metadata, NULL, 0, &needed, &err));
  char *text = malloc(needed + 1);
  COUNTED(family, n, 0, shardspec_metadata_to_json, metadata, text, needed + 1, &needed);
  COUNTED(family, n, 0, shardspec_metadata_new_from_json, text, strlen(text), &other);
  free(text);
  CHECK_OK(shardspec_metadata_free(other, &err));
  shardspec_shards *list = NULL;
  size_t count = 0;
  int32_t more = 0;
  CHECK_OK(shardspec_shards_new_from_metadata(metadata, &list, &err));
  COUNTED(family, n, 0, shardspec_metadata_new_from_shards, list, tensor, NDIM, NULL, 1, &other);
  CHECK_OK(shardspec_metadata_free(other, &err));
  COUNTED(family, n, 0, shardspec_shards_gaps, list, tensor, NDIM, NULL, NULL, 0, &count, &more);
  CHECK_OK(shardspec_shards_free(list, &err));
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
}

/* A plan between blocks in turn over an axis each. Counts also the whole plan as an answer. */
static void count_cyclic_plan(size_t devices[2], const int64_t blocks[2], int64_t length, const char *family) {
  shardspec_metadata *sides[2];
  for (int side = 0; side < 2; side++) {
    char **names = names_of(devices[side]);
    const shardspec_cut cut = cut_of(0, NULL, blocks[side]);
    shardspec_spec *spec = NULL;
    CHECK_OK(shardspec_spec_new_cut(&cut, (const char *const *)names, devices[side], &spec, &err));
    CHECK_OK(shardspec_spec_build_metadata(spec, (int64_t[]){length, 3}, NDIM, NULL, &sides[side], &err));
    CHECK_OK(shardspec_spec_free(spec, &err));
    free_names(names, devices[side]);
  }
  shardspec_plan *plan = NULL;
  size_t pieces = 0;
  CHECK_OK(shardspec_plan_new(sides[0], sides[1], &plan, &err));
  CHECK_OK(shardspec_plan_piece_count(plan, &pieces, &err));
  CHECK_OK(shardspec_plan_free(plan, &err));
  COUNTED(family, devices[0] + devices[1], pieces, shardspec_plan_new, sides[0], sides[1], &plan);
  CHECK_OK(shardspec_plan_free(plan, &err));
  for (int side = 0; side < 2; side++) CHECK_OK(shardspec_metadata_free(sides[side], &err));
}

void count_meshes(size_t n) {
  const int64_t size = (int64_t)n;
  count_mesh(n);
  shardspec_mesh *mesh = mesh_of(n);
  const shardspec_cut chunks[] = {cut_of(0, "data", 0), cut_of(1, "model", 0)};
  count_spec(mesh, n, chunks, 2, (int64_t[]){size, 12}, "chunks");
  const shardspec_cut blocks[] = {cut_of(0, "data", 3), cut_of(1, "model", 2)};
  count_spec(mesh, n, blocks, 2, (int64_t[]){5 * size, 50}, "block-cyclic");
  const shardspec_cut nested[] = {cut_of(0, "data", 3), cut_of(0, "model", 2)};
  count_spec(mesh, n, nested, 2, (int64_t[]){5 * size, 5}, "one dimension by two axes");
  count_spec(mesh, n, chunks, 1, (int64_t[]){size, 12}, "replicas");
  CHECK_OK(shardspec_mesh_free(mesh, &err));
  /* n devices on each side, and few blocks for each. */
  count_cyclic_plan((size_t[]){n, n}, (int64_t[]){2, 3}, 6 * size, "blocks of 2 to blocks of 3");
  /* Each device of the one side shares elements with each of the other. */
  size_t across = 1;
  while (across * across < n) across++;
  count_cyclic_plan((size_t[]){across, across + 1}, (int64_t[]){1, 1}, 4 * size, "coprime periods");
  count_cyclic_plan((size_t[]){across, across + 1}, (int64_t[]){3, 5}, 64 * size, "coprime periods of blocks");
}

/* The text of a spec in a notation, and the spec of the text. */
static void count_notation(shardspec_spec *spec, shardspec_mesh *mesh, size_t n, int32_t notation, const char *family) {
  size_t needed = 0;
  shardspec_spec *other = NULL;
  CHECK_OK(shardspec_spec_format(spec, notation, NDIM, NULL, 0, &needed, &err));
  char *text = malloc(needed + 1);
  COUNTED(family, n, 0, shardspec_spec_format, spec, notation, NDIM, text, needed + 1, &needed);
  COUNTED(family, n, 0, shardspec_spec_parse, notation, text, mesh, &other);
  CHECK_OK(shardspec_spec_free(other, &err));
  free(text);
}

void count_notations(size_t n) {
  shardspec_mesh *mesh = mesh_of(n);
  const shardspec_cut cuts[] = {cut_of(0, "model", 0), cut_of(1, "data", 0)};
  shardspec_mesh_layout layout = SHARDSPEC_MESH_LAYOUT_INIT;
  layout.cuts = cuts, layout.cut_count = 2;
  shardspec_spec *spec = NULL;
  CHECK_OK(shardspec_spec_new_mesh(mesh, &layout, &spec, &err));
  count_notation(spec, mesh, n, SHARDSPEC_NOTATION_DTENSOR, "DTensor");
  count_notation(spec, mesh, n, SHARDSPEC_NOTATION_JAX, "JAX");
  count_notation(spec, mesh, n, SHARDSPEC_NOTATION_XLA, "XLA");
  count_notation(spec, mesh, n, SHARDSPEC_NOTATION_SHARDY, "Shardy");
  size_t needed = 0;
  CHECK_OK(shardspec_spec_text(spec, NULL, 0, &needed, &err));
  char *text = malloc(needed + 1);
  COUNTED("chunks", n, 0, shardspec_spec_text, spec, text, needed + 1, &needed);
  free(text);
  CHECK_OK(shardspec_spec_free(spec, &err));
  CHECK_OK(shardspec_mesh_free(mesh, &err));
}
