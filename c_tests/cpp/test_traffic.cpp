/* What a plan moves: how much, which bytes, and who should be who. */
#include "check.hpp"

#include <cstring>
#include <numeric>

static constexpr std::int64_t ROWS = 6, COLUMNS = 8, RANKS = 4;
static const std::vector<std::string> NAMES = {"rank:0", "rank:1", "rank:2", "rank:3"};

static ss::metadata layout(std::int64_t dim, const std::vector<std::string> &placements,
                           ss::dtype type = {}) {
  return ss::spec::chunk(dim, placements)
      .build_metadata({ROWS, COLUMNS}, ss::tensor_properties(type));
}

static ss::plan rows_to_columns(ss::dtype type = {}) {
  return ss::plan::between(layout(0, NAMES, type), layout(1, NAMES));
}

static void traffic_adds_up_to_the_tensor() {
  const auto plan = rows_to_columns();
  const auto shards = plan.shard_traffic(2);
  const auto ranks = plan.rank_traffic(2);
  CHECK(shards.size() == 12 && ranks.size() == 12); /* of 6 rows the last rank has none */
  std::int64_t total = 0;
  for (std::size_t i = 0; i < 12; ++i) {
    const auto number = static_cast<std::int64_t>(i);
    CHECK(shards[i].destination == i / 3 && shards[i].source == i % 3 && shards[i].bytes == 8);
    CHECK(ranks[i].source == number / 4 && ranks[i].destination == number % 4);
    total += ranks[i].bytes;
  }
  CHECK(total == 2 * ROWS * COLUMNS);
  CHECK(rows_to_columns(ss::dtype::of<float>()).shard_traffic()[0].bytes == 16);
}

static void bytes_of_unknown_elements_are_refused() {
  CHECK_REFUSED(INVALID_ARGUMENT, rows_to_columns().shard_traffic());
  CHECK_REFUSED(INVALID_ARGUMENT, rows_to_columns().rank_traffic(-1));
  const auto floats = rows_to_columns(ss::dtype::of<float>());
  CHECK_REFUSED(INVALID_ARGUMENT, floats.rank_runs(0, 0, 8));
  CHECK(status_of(floats.shard_runs(0, 0, 8, std::nothrow)) == SHARDSPEC_INVALID_ARGUMENT);
}

static void runs_are_as_few_as_it_takes() {
  const auto plan = rows_to_columns(ss::dtype::of<float>());
  const auto runs = plan.shard_runs(1, 2);
  CHECK(runs.size() == 1 && runs[0].source == 1 && runs[0].destination == 2);
  CHECK(runs[0].source_offset == 16 && runs[0].source_stride == 32);
  CHECK(runs[0].destination_offset == 16 && runs[0].destination_stride == 8);
  CHECK(runs[0].block_length == 8 && runs[0].block_count == 2);
  CHECK(plan.shard_runs(3, 2).empty() && plan.rank_runs(9, 2).empty());
  CHECK_REFUSED(INDEX_OUT_OF_RANGE, plan.shard_runs(4, 0));
  CHECK_REFUSED(INVALID_ARGUMENT, plan.rank_runs(-2, 0));
}

static void more_runs_than_are_expected_are_all_told() {
  std::vector<ss::shard> lines;
  for (std::int64_t row = 0; row < 100; ++row) lines.push_back({{row, 0}, {1, 3}, "rank:0"});
  const auto from = ss::spec::enumerable(lines).build_metadata({100, 3});
  const auto to = ss::spec::chunk(0, {"rank:1"}).build_metadata({100, 3});
  const auto runs = ss::plan::between(from, to).rank_runs(0, 1, 4);
  CHECK(runs.size() == 100 && runs[99].source == 99 && runs[99].destination_offset == 99 * 12);
}

static void a_transport_needs_nothing_but_the_runs() {
  std::vector<std::int16_t> full(ROWS * COLUMNS);
  std::iota(full.begin(), full.end(), std::int16_t(1));
  const auto whole = ss::view(full, {ROWS, COLUMNS});
  const auto of = [](const ss::metadata &metadata, std::vector<std::vector<std::int16_t>> &data) {
    std::vector<ss::tensor_view> views;
    for (const ss::shard &shard : metadata.shards())
      views.push_back(ss::view(data.emplace_back(shard.numel()), shard.sizes));
    return views;
  };
  std::vector<std::vector<std::int16_t>> from, to, wanted;
  from.reserve(RANKS), to.reserve(RANKS), wanted.reserve(RANKS);
  layout(0, NAMES).scatter(whole, of(layout(0, NAMES), from));
  layout(1, NAMES).scatter(whole, of(layout(1, NAMES), wanted));
  of(layout(1, NAMES), to);
  const auto plan = rows_to_columns();
  for (std::int64_t source = 0; source < RANKS; ++source)
    for (std::int64_t destination = 0; destination < RANKS; ++destination)
      for (const shardspec_run &run : plan.rank_runs(source, destination, 2))
        for (std::int64_t block = 0; block < run.block_count; ++block)
          std::memcpy(reinterpret_cast<char *>(to[run.destination].data()) +
                          run.destination_offset + block * run.destination_stride,
                      reinterpret_cast<char *>(from[run.source].data()) + run.source_offset +
                          block * run.source_stride,
                      static_cast<std::size_t>(run.block_length));
  CHECK(to == wanted);
}

static void near_bytes_are_read_at_once() {
  const auto floats = rows_to_columns(ss::dtype::of<float>());
  const auto table = floats.shard_reads(1, 2);
  CHECK(table.reads.size() == 1 && table.runs.size() == 1 && table.runs[0].block_count == 2);
  CHECK(table.reads[0].offset == 16 && table.reads[0].length == 40 && table.runs[0].source_offset == 0);
  ss::merge_options exact;
  exact.max_gap = -1;
  exact.over_read = 1;
  const auto apart = floats.rank_reads(1, 2, 4, exact);
  CHECK(apart.reads.size() == 2 && apart.reads[1].offset == 48 && apart.reads[1].length == 8);
  CHECK(apart.reads[1].first_run == 1 && apart.runs[1].block_count == 1);
  CHECK(floats.shard_reads(3, 2).reads.empty() && floats.rank_reads(9, 2).runs.empty());
  exact.over_read = 0.5;
  CHECK_REFUSED(INVALID_ARGUMENT, floats.shard_reads(1, 2, 0, exact));
  CHECK_REFUSED(INDEX_OUT_OF_RANGE, floats.shard_reads(4, 0));
}

static void a_layout_that_differs_by_its_labels_moves_nothing() {
  const auto source = layout(1, NAMES);
  const auto destination = layout(1, {"rank:1", "rank:2", "rank:3", "rank:0"});
  const auto better = ss::plan::between(source, destination).suggest_placements();
  CHECK(better.placement_indices.size() == RANKS);
  CHECK(better.moved_before == ROWS * COLUMNS && better.moved_after == 0);
  const auto relabeled = destination.relabel(better.placement_indices);
  CHECK(ss::plan::between(source, relabeled).is_local() && relabeled.shards() == source.shards());
}

static void owners_that_are_no_ranks_are_minus_one() {
  const auto plan = ss::plan::between(layout(1, {"a", "b", "c", "d"}), layout(0, NAMES));
  const auto traffic = plan.rank_traffic(1);
  CHECK(traffic.size() == 3);
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(traffic[i].source == -1 && traffic[i].destination == static_cast<std::int64_t>(i) &&
          traffic[i].bytes == 2 * COLUMNS);
  CHECK(plan.rank_runs(-1, 2, 1).size() == 4);
}

int main() {
  traffic_adds_up_to_the_tensor();
  bytes_of_unknown_elements_are_refused();
  runs_are_as_few_as_it_takes();
  more_runs_than_are_expected_are_all_told();
  a_transport_needs_nothing_but_the_runs();
  near_bytes_are_read_at_once();
  a_layout_that_differs_by_its_labels_moves_nothing();
  owners_that_are_no_ranks_are_minus_one();
}
