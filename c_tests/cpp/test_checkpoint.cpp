/* Checkpoints: listing, checking and reading. */
#include "../checkpoints.h"
#include "check.hpp"

#define PATH checkpoint_path()
static const std::vector<std::string> NAMES = {"rank:0", "rank:1"};

static ss::checkpoint opened() {
  write_safetensors(PATH, CHECKPOINT_HEADER, CHECKPOINT_DATA, sizeof CHECKPOINT_DATA);
  return ss::checkpoint::open(PATH);
}

static void tensors_have_names_types_and_sizes() {
  const auto checkpoint = opened();
  CHECK(checkpoint.tensor_count() == 2 && checkpoint.find("w") == 1);
  const auto tensors = checkpoint.tensors();
  CHECK(tensors[0].name == "b" && tensors[1].sizes == std::vector<std::int64_t>({4, 3}));
  CHECK(tensors[1].type == ss::dtype::of<float>() && checkpoint.tensor(0).sizes.size() == 1);
  CHECK(checkpoint.metadata(1).shards().at(0).placement == PATH);
  CHECK(checkpoint.chunks(1).count() == 1);
  CHECK_REFUSED(NOT_FOUND, checkpoint.find("x"));
  CHECK_REFUSED(FILE_FAILED, ss::checkpoint::open("no/such/file"));
  CHECK(status_of(ss::checkpoint::open("no/such/file", std::nothrow)) == SHARDSPEC_FILE_FAILED);
}

static void items_are_sharded_tensors_and_views() {
  const auto checkpoint = opened();
  const auto columns = ss::spec::chunk(1, NAMES).build_metadata({4, 3});
  const auto rows =
      ss::spec::chunk(0, NAMES).build_metadata({4, 3}, ss::tensor_properties(ss::dtype::of<float>()));
  const auto half = ss::sharded_tensor::empty(rows, "rank:1");
  std::vector<float> column(4);
  std::vector<std::int32_t> whole;
  std::uint64_t last = 0;
  ss::read_options options;
  options.whole = &whole;
  options.progress = [&](std::uint64_t done, std::uint64_t) {
    last = done;
    return SHARDSPEC_OK;
  };
  const std::vector<ss::read_item> items = {{"w", half}, {"w", columns, {1}, {ss::view(column, {4, 1})}}};
  const auto report = checkpoint.read(items, options);
  CHECK(column == std::vector<float>({2, 5, 8, 11}));
  CHECK(half.local_view(0).as<float>()[5] == 11.0f);
  CHECK(report.bytes_needed == 40 && last == 40 && report.read_count == 1);
  CHECK(whole == std::vector<std::int32_t>({1, 1}));
  options.progress = [](std::uint64_t, std::uint64_t) -> shardspec_status { throw std::runtime_error("stop"); };
  try {
    checkpoint.read(items, options);
    FAIL("nothing was thrown");
  } catch (const std::runtime_error &thrown) {
    CHECK(std::string(thrown.what()) == "stop");
  }
  CHECK_REFUSED(INVALID_ARGUMENT, checkpoint.read({{"w", columns, {1}}}));
}

static void ranks_read_together() {
  const auto ranks = ss::comm::local(1);
  const auto checkpoint = opened();
  const auto rows = ss::spec::chunk(0, {"rank:0", "rank:0"}).build_metadata({4, 3});
  std::vector<float> top(6), bottom(6);
  std::vector<std::int32_t> whole;
  ss::read_options options;
  options.whole = &whole;
  const std::vector<ss::read_item> items = {
      {"w", rows, {0, 1}, {ss::view(top, {2, 3}), ss::view(bottom, {2, 3})}}};
  const auto report = checkpoint.read_collective(ranks[0], items, options);
  CHECK(top[5] == 5 && bottom[5] == 11 && whole == std::vector<std::int32_t>({1}));
  CHECK(report.bytes_read == 48 && report.bytes_needed == 48);
  CHECK_REFUSED(NOT_FOUND, checkpoint.read_collective(ranks[0], {{"x", rows, {0, 1}, {ss::view(top, {2, 3}), ss::view(bottom, {2, 3})}}}));
}

static void problems_are_listed() {
  const auto checkpoint = opened();
  const auto rows = ss::spec::chunk(0, NAMES).build_metadata({5, 3});
  const auto problems = checkpoint.check({{"w", rows, {0, 1}}, {"x", rows, {0}}});
  CHECK(problems.size() == 2 && problems[0].status == SHARDSPEC_SHAPE_MISMATCH && problems[1].index == 1);
  CHECK(checkpoint.check().empty());
  std::vector<ss::read_item> many;
  for (int i = 0; i < 40; ++i) many.emplace_back("x", rows, std::vector<std::size_t>{0});
  CHECK(checkpoint.check(many).size() == 40);
}

static void replicas_have_one_reader() {
  const auto mesh = ss::mesh::of({{"dp", 2}, {"tp", 2}});
  const auto rows = ss::spec::mesh(mesh).cut(ss::cut(0, "tp")).build().build_metadata({4, 3});
  const auto readers = ss::choose_readers({&rows, &rows});
  CHECK(readers.size() == 2 && readers[0].size() == 4);
  std::vector<int> reads(4);
  for (const auto &of_one : readers)
    for (std::size_t shard = 0; shard < 4; ++shard) {
      CHECK(of_one[shard] % 2 == shard % 2);
      if (of_one[shard] == shard) ++reads[shard];
    }
  CHECK(reads == std::vector<int>({1, 1, 1, 1}));
  CHECK_REFUSED(NULL_ARGUMENT, ss::choose_readers({nullptr}));
}

int main() {
  replicas_have_one_reader();
  tensors_have_names_types_and_sizes();
  items_are_sharded_tensors_and_views();
  ranks_read_together();
  problems_are_listed();
  std::remove(PATH);
}
