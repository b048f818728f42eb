/* Where elements are, and who owns what of a box. */
#include "check.hpp"

#include <array>

/* Two rows of three blocks, of 2 x 3 elements each: block (i, j) is shard 3 * i + j. */
static ss::metadata blocks() {
  std::vector<ss::shard> shards;
  for (std::int64_t i = 0; i < 2; ++i)
    for (std::int64_t j = 0; j < 3; ++j)
      shards.push_back({{2 * i, 3 * j}, {2, 3}, "rank:" + std::to_string(3 * i + j)});
  return ss::spec::enumerable(shards).build_metadata({4, 9});
}

static ss::metadata scalar() {
  return ss::spec::enumerable({{{}, {}, "rank:0"}}).build_metadata({});
}

static void a_box_finds_the_shards_that_it_meets() {
  const auto metadata = blocks();
  CHECK(metadata.shards_in_box({1, 2}, {1, 2}) == (std::vector<std::size_t>{0, 1}));
  const std::vector<std::int64_t> start = {0, 5};
  CHECK(metadata.shards_in_box(start, std::array<std::int64_t, 2>{INT64_MAX, 1}) ==
        (std::vector<std::size_t>{1, 4}));
  CHECK(metadata.shards_in_box({1, 2}, {0, 2}).empty());
  CHECK(metadata.shards_in_box({4, 0}, {1, 9}).empty());
  CHECK(metadata.shards_in_box({0, 0}, {4, 9}).size() == 6);
  const auto error = CHECK_REFUSED(NDIM_MISMATCH, metadata.shards_in_box({1, 2}, {1}));
  CHECK(error.got == 1 && error.limit == 2);
  CHECK_REFUSED(NDIM_MISMATCH, metadata.shards_in_box({1}, {1}));
  CHECK_REFUSED(INVALID_ARGUMENT, metadata.shards_in_box({1, 2}, {1, -1}));
}

static void more_shards_than_are_expected_are_all_found() {
  const auto lines = ss::spec::chunk(0, std::vector<std::string>(100, "rank:0"));
  const auto found = lines.build_metadata({100}).shards_in_box({0}, {99});
  CHECK(found.size() == 99 && found[98] == 98);
}

static void elements_are_located_and_found_again() {
  const auto metadata = blocks();
  std::vector<std::int64_t> elements;
  for (std::int64_t row = 0; row < 4; ++row)
    for (std::int64_t column = 0; column < 9; ++column)
      elements.insert(elements.end(), {row, column});
  const ss::located where = metadata.locate(elements);
  CHECK(where.shards.size() == 36 && where.local_indices.size() == 72);
  for (std::size_t i = 0; i < 36; ++i) {
    const std::int64_t row = elements[2 * i], column = elements[2 * i + 1];
    CHECK(where.shards[i] == static_cast<std::size_t>(row / 2 * 3 + column / 3));
    CHECK(where.local_indices[2 * i] == row % 2 && where.local_indices[2 * i + 1] == column % 3);
    CHECK(metadata.shard_at({row, column}) == where.shards[i]);
  }
  CHECK(metadata.globalize(where.shards, where.local_indices) == elements);
  CHECK(metadata.globalize({5, 0}, {1, 2, 0, 0}) == (std::vector<std::int64_t>{3, 8, 0, 0}));
  CHECK(metadata.locate({}).shards.empty() && metadata.globalize({}, {}).empty());
}

static void what_the_tensor_does_not_have_is_told_with_its_number() {
  const auto metadata = blocks();
  const auto outside = CHECK_REFUSED(INDEX_OUT_OF_RANGE, metadata.locate({3, 8, 3, 9}));
  CHECK(outside.dim == 1 && outside.got == 9 && outside.limit == 9);
  CHECK(outside.index == 1 && holds(outside.what(), "elements[1]"));
  const auto other = CHECK_REFUSED(INDEX_OUT_OF_RANGE, metadata.globalize({0, 4}, {0, 0, 2, 0}));
  CHECK(other.dim == 0 && other.got == 2 && other.limit == 2);
  CHECK_REFUSED(INDEX_OUT_OF_RANGE, metadata.globalize({6}, {0, 0}));
  CHECK_REFUSED(INDEX_OUT_OF_RANGE, metadata.shard_at({-1, 0}));
  CHECK_REFUSED(NDIM_MISMATCH, metadata.shard_at({1}));
  CHECK(metadata.locate({3, 9}, std::nothrow).error().limit == 9);
}

static void rows_that_are_not_whole_are_refused() {
  const auto metadata = blocks();
  CHECK(CHECK_REFUSED(NDIM_MISMATCH, metadata.locate({1, 2, 3})).got == 3);
  const auto error = CHECK_REFUSED(NDIM_MISMATCH, metadata.globalize({0, 1}, {1, 2}));
  CHECK(error.got == 2 && error.limit == 4);
}

static void the_element_of_a_scalar_is_found_without_numbers() {
  const auto metadata = scalar();
  CHECK(metadata.shard_at({}) == 0 && metadata.locate({}).shards.empty());
  CHECK(metadata.globalize({0, 0}, {}).empty());
  CHECK_REFUSED(NDIM_MISMATCH, metadata.locate({1}));
  CHECK_REFUSED(INDEX_OUT_OF_RANGE, metadata.globalize({1}, {}));
}

static void placements_are_exchanged_and_boxes_stay() {
  const auto metadata = ss::spec::chunk(0, {"rank:0", "rank:1"}).build_metadata({4});
  const std::vector<std::uint32_t> turned = {1, 0};
  const auto relabeled = metadata.relabel(turned);
  CHECK(relabeled.shard(0) == (ss::shard{{0}, {2}, "rank:1/cpu"}));
  CHECK(relabeled.shard(1) == (ss::shard{{2}, {2}, "rank:0/cpu"}));
  CHECK(relabeled.relabel({1, 0}).shards() == metadata.shards());
  CHECK_REFUSED(INVALID_ARGUMENT, metadata.relabel({0}));
  CHECK(status_of(metadata.relabel({0, 2}, std::nothrow)) == SHARDSPEC_INDEX_OUT_OF_RANGE);
}

static void every_call_on_an_empty_handle_is_refused() {
  const ss::metadata metadata;
  const shardspec_status missing = SHARDSPEC_NULL_ARGUMENT;
  const auto &quiet = std::nothrow;
  CHECK(status_of(metadata.shards_in_box({0}, {1}, quiet)) == missing);
  CHECK(status_of(metadata.shard_at({0}, quiet)) == missing);
  CHECK(status_of(metadata.locate({0}, quiet)) == missing);
  CHECK(status_of(metadata.globalize({0}, {0}, quiet)) == missing);
  CHECK(status_of(metadata.relabel({0}, quiet)) == missing);
}

int main() {
  a_box_finds_the_shards_that_it_meets();
  more_shards_than_are_expected_are_all_found();
  elements_are_located_and_found_again();
  what_the_tensor_does_not_have_is_told_with_its_number();
  rows_that_are_not_whole_are_refused();
  the_element_of_a_scalar_is_found_without_numbers();
  placements_are_exchanged_and_boxes_stay();
  every_call_on_an_empty_handle_is_refused();
}
