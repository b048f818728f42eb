// As program.c, in C++.
#include <shardspec.h>

#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

static void check(shardspec_status status, const shardspec_error &error) {
  if (status != SHARDSPEC_OK) throw std::string(error.message);
}

int main() try {
  const char *ranks[] = {"rank:0", "rank:1"};
  std::vector<std::int64_t> sizes{3, 2}, shard_sizes{1, 2};
  std::vector<std::int16_t> full{1, 2, 3, 4, 5, 6}, shard(2);
  shardspec_error err = SHARDSPEC_ERROR_INIT;

  shardspec_spec *made = nullptr;
  check(shardspec_spec_new_chunk(0, ranks, 2, &made, &err), err);
  const auto free_spec = [](shardspec_spec *spec) { shardspec_spec_free(spec, nullptr); };
  std::unique_ptr<shardspec_spec, decltype(free_spec)> spec(made, free_spec);

  shardspec_metadata *built = nullptr;
  check(shardspec_spec_build_metadata(spec.get(), sizes.data(), 2, nullptr, &built, &err), err);
  const auto free_metadata = [](shardspec_metadata *it) { shardspec_metadata_free(it, nullptr); };
  std::unique_ptr<shardspec_metadata, decltype(free_metadata)> metadata(built, free_metadata);

  const shardspec_dtype int16{SHARDSPEC_DTYPE_INT, 16, 1};
  const shardspec_device cpu{SHARDSPEC_DL_CPU, 0};
  shardspec_tensor_view from{full.data(), cpu, 2, int16, sizes.data(), nullptr, 0};
  shardspec_tensor_view to{shard.data(), cpu, 2, int16, shard_sizes.data(), nullptr, 0};
  check(shardspec_metadata_extract_shard(metadata.get(), 1, &from, &to, nullptr, &err), err);

  std::string version(16, '\0');
  check(shardspec_version_text(&version[0], version.size(), nullptr, &err), err);
  std::cout << "shardspec " << version.c_str() << " with ABI " << shardspec_abi_version() << ": "
            << shard[0] << " " << shard[1] << "\n";
  return version.c_str() != std::string(SHARDSPEC_VERSION);
} catch (const std::string &message) {
  std::cerr << message << "\n";
  return 1;
}
