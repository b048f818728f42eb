/* What a program has to do to show that it was built and linked rightly: call the library, through
 * its header, and move some memory. */
#include <shardspec.h>
#include <stdio.h>
#include <string.h>

int main(void) {
  const char *ranks[] = {"rank:0", "rank:1"};
  int16_t full[3][2] = {{1, 2}, {3, 4}, {5, 6}}, shard[1][2];
  int64_t sizes[] = {3, 2}, shard_sizes[] = {1, 2};
  shardspec_dtype int16 = {SHARDSPEC_DTYPE_INT, 16, 1};
  shardspec_device cpu = {SHARDSPEC_DLPACK_DEVICE_CPU, 0};
  shardspec_tensor_view from = {full, cpu, 2, int16, sizes, NULL, 0};
  shardspec_tensor_view to = {shard, cpu, 2, int16, shard_sizes, NULL, 0};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_spec *spec = NULL;
  shardspec_metadata *metadata = NULL;
  char version[16];
  if (shardspec_version_text(version, sizeof version, NULL, &err) ||
      shardspec_spec_new_chunk(0, ranks, 2, &spec, &err) ||
      shardspec_spec_build_metadata(spec, sizes, 2, NULL, &metadata, &err) ||
      shardspec_metadata_extract_shard(metadata, 1, &from, &to, NULL, &err)) {
    fprintf(stderr, "%s\n", err.message);
    return 1;
  }
  printf("shardspec %s with ABI %d: %d %d\n", version, (int)shardspec_abi_version(), shard[0][0],
         shard[0][1]);
  shardspec_metadata_free(metadata, NULL);
  shardspec_spec_free(spec, NULL);
  return strcmp(version, SHARDSPEC_VERSION) != 0;
}
