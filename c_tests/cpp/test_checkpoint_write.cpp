/* Checkpoints that are written and converted. */
#include "check.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>

namespace fs = std::filesystem;

/* A directory that is removed with its owner. */
struct folder {
  fs::path path;
  folder() {
    std::string name = (fs::temp_directory_path() / "shardspec-cpp-XXXXXX").string();
    CHECK(mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~folder() { fs::remove_all(path); }
};

static std::string contents(const fs::path &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

static const std::vector<std::string> NAMES = {"rank:0", "rank:1", "rank:2"};

static void what_three_ranks_write_becomes_one_file() {
  const folder temporary;
  const std::string path = (temporary.path / "three").string(), whole = (temporary.path / "one").string();
  std::vector<float> full(35);
  std::iota(full.begin(), full.end(), 1.0f);
  const auto layout =
      ss::spec::chunk(1, NAMES).build_metadata({5, 7}, ss::tensor_properties(ss::dtype::of<float>()));
  for (std::size_t rank = 0; rank < 3; ++rank) {
    std::vector<float> part(layout.shard(rank).numel());
    const ss::tensor_view view = ss::view(part, layout.shard(rank).sizes);
    layout.extract_shard(rank, ss::view(full, {5, 7}), view);
    CHECK(status_of(ss::checkpoint_commit(path, {{"w", layout}}, {}, std::nothrow)) == SHARDSPEC_NOT_FOUND);
    ss::checkpoint_write(path, {{"w", layout, {rank}, {view}}});
  }
  CHECK(!fs::exists(path));
  ss::checkpoint_commit(path, {{"w", layout}});
  CHECK(std::distance(fs::directory_iterator(path), {}) == 3);
  CHECK_REFUSED(INVALID_ARGUMENT, ss::checkpoint_commit(path, {{"w", layout}}));

  ss::checkpoint_write_options options;
  options.files = SHARDSPEC_CHECKPOINT_FILES_ONE;
  options.max_bytes = 16;
  const auto rows = ss::spec::chunk(0, NAMES);
  ss::checkpoint_convert(path, whole, {{"x*", rows}, {"w*", rows}}, options);
  const std::string bytes = contents(fs::path(whole) / "model.safetensors");
  CHECK(bytes.size() > 140 && std::memcmp(bytes.data() + bytes.size() - 140, full.data(), 140) == 0);
  CHECK_REFUSED(INVALID_ARGUMENT, ss::checkpoint_write(path, {{"w", layout, {0, 1}, {}}}));
}

int main() { what_three_ranks_write_becomes_one_file(); }
