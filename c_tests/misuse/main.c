/* Calls every function wrongly, in every way that a binding or a tired programmer would, and prints
 * what it answered: function | misuse | status. Ends with 0 when each answer was the right refusal
 * and no call that failed wrote anything but its error. */
#include "misuse.h"
#include "../lists.h"

outputs out;
shardspec_error err = SHARDSPEC_ERROR_INIT;
static outputs before;
static size_t calls, failures;

void prepare(void) {
  memset(&out, 0x5a, sizeof out);
  out.properties.struct_size = sizeof out.properties;
  memcpy(&before, &out, sizeof out);
}

void judge(const char *function, const char *misuse, shardspec_status status,
           shardspec_status wanted, const shardspec_error *error) {
  char name[40] = "?", wanted_name[40] = "?";
  int untouched = memcmp(&out, &before, sizeof out) == 0;
  int told = error == NULL || (error->status == status && (status == SHARDSPEC_OK) == !error->message[0]);
  int named = shardspec_status_text(status, name, sizeof name, NULL, NULL) == SHARDSPEC_OK &&
              shardspec_status_text(wanted, wanted_name, sizeof wanted_name, NULL, NULL) == SHARDSPEC_OK;
  printf("%-42s %-34s %s\n", function, misuse, name);
  calls++;
  if (named && status == wanted && (status == SHARDSPEC_OK || untouched) && told) return;
  failures++;
  printf("  WRONG: wanted %s%s%s\n  %s\n", wanted_name, untouched ? "" : ", an output was written",
         told ? "" : ", the error does not say so", error ? error->message : "");
}

void *wrong_handles[WRONG_HANDLES];
const char *const handle_misuses[WRONG_HANDLES] = {
    "NULL handle", "freed handle", "address as handle", "handle 1", "handle -1", "handle + 1",
    "handle of another kind", "handle of a third kind"};

const char *const RANKS[2] = {"rank:0", "rank:1"};
const char *const NOT_UTF8 = "rank:\xff\xfe/cpu";
const int64_t TENSOR[2] = {4, 3}, OFFSETS[4] = {0, 0, 2, 0}, SIZES[4] = {2, 3, 2, 3};
shardspec_placement *placement;
shardspec_spec *chunk, *named, *boxes;
shardspec_metadata *metadata;
float full_data[12], shard_data[2][6];
shardspec_tensor_view full, shards[2];
static int64_t full_shape[] = {4, 3}, shard_shape[] = {2, 3};

static void make_right_ones(void) {
  CHECK_OK(shardspec_placement_parse("trainer0/cuda:1", &placement, &err));
  CHECK_OK(shardspec_spec_new_chunk(0, RANKS, 2, &chunk, &err));
  CHECK_OK(shardspec_spec_new_chunk_by_dim_name("x", RANKS, 2, &named, &err));
  CHECK_OK(enumerable_of_arrays(OFFSETS, SIZES, NULL, 2, 2, RANKS, 2, &boxes, &err));
  CHECK_OK(shardspec_spec_build_metadata(chunk, TENSOR, 2, NULL, &metadata, &err));
  full = view_of(full_data, FLOAT32, full_shape, 2);
  for (int i = 0; i < 2; i++) shards[i] = view_of(shard_data[i], FLOAT32, shard_shape, 2);
}

void wrong_handles_for(void *freed, void *right, void *other, void *third) {
  static char something[64];
  void *handles[WRONG_HANDLES] = {NULL, freed, something, (void *)(uintptr_t)1,
                                  (void *)(uintptr_t)-1, (void *)((uintptr_t)right + 1), other,
                                  third};
  memcpy(wrong_handles, handles, sizeof handles);
}

int main(void) {
  make_right_ones();
  misuse_values();
  misuse_placements();
  misuse_meshes();
  misuse_constructors();
  misuse_specs();
  misuse_metadata();
  misuse_mesh_specs();
  misuse_locate();
  misuse_copies();
  misuse_dlpack();
  misuse_custom_placements();
  misuse_custom_specs();
  misuse_sharded_tensors();
  misuse_digests();
  misuse_checkpoint_writes();
  misuse_dlpack_shards();
  misuse_ops();
  misuse_comm();
  misuse_shards();
  misuse_extents();
  misuse_plans();
  misuse_interchange();
  misuse_traffic();
  misuse_flat();
  misuse_structs();
  misuse_checkpoints();
  /* What was used rightly survived all of it. */
  CHECK_OK(shardspec_placement_free(placement, &err));
  CHECK_OK(shardspec_spec_free(chunk, &err));
  CHECK_OK(shardspec_spec_free(named, &err));
  CHECK_OK(shardspec_spec_free(boxes, &err));
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  printf("%zu wrong calls, %zu answered wrongly\n", calls, failures);
  return failures == 0 ? 0 : 1;
}
