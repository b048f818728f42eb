// As program.c, in C++.
#include <shardspec.hpp>

#include <cstdint>
#include <iostream>
#include <vector>

int main() try {
  const std::vector<std::int16_t> full{1, 2, 3, 4, 5, 6};
  std::vector<std::int16_t> shard(2);
  const auto metadata = shardspec::spec::chunk(0, {"rank:0", "rank:1"}).build_metadata({3, 2});
  metadata.extract_shard(1, shardspec::view(full, {3, 2}), shardspec::view(shard, {1, 2}));
  std::cout << "shardspec " << shardspec::version() << " with ABI " << shardspec::abi_version()
            << ": " << shard[0] << " " << shard[1] << "\n";
  return shardspec::version() != SHARDSPEC_VERSION;
} catch (const shardspec::error &error) {
  std::cerr << error.what() << "\n";
  return 1;
}
