/* Lists of shards that may be anything. */
#include "check.hpp"

/* Three boxes of a 6 x 6 tensor. The first two overlap, the last touches nothing. */
static const std::vector<ss::shard> THREE = {
    {{0, 0}, {3, 3}, "rank:0"}, {{2, 1}, {2, 2}, "rank:1"}, {{4, 4}, {2, 2}, "rank:2"}};

/* The same shard many times. */
static ss::shard_table replicas(std::size_t count) {
  ss::shard_table table;
  table.ndim = 3;
  table.placements = {"rank:0"};
  table.placement_indices.assign(count, 0);
  table.offsets.assign(3 * count, 1);
  table.sizes.assign(3 * count, 2);
  return table;
}

static void overlaps_are_told_with_both_shards_and_the_box() {
  const auto list = ss::shard_list::of(THREE);
  CHECK(list.count() == 3);
  const auto overlaps = list.overlaps();
  CHECK(overlaps.found.size() == 1 && !overlaps.more);
  const ss::overlap &one = overlaps.found[0];
  CHECK(one.first == 0 && one.second == 1);
  CHECK(one.shared.offsets == (std::vector<std::int64_t>{2, 1}));
  CHECK(one.shared.sizes == (std::vector<std::int64_t>{1, 2}));
}

static void of_many_overlaps_as_many_are_told_as_are_wanted() {
  const auto list = ss::shard_list::of(replicas(20));
  const auto all = list.overlaps();
  CHECK(all.found.size() == 190 && !all.more);
  for (std::size_t first = 0, i = 0; first < 20; ++first)
    for (std::size_t second = first + 1; second < 20; ++second, ++i) {
      CHECK(all.found[i].first == first && all.found[i].second == second);
      CHECK(all.found[i].shared.offsets == (std::vector<std::int64_t>{1, 1, 1}));
    }
  for (const std::size_t limit : {0u, 1u, 32u, 33u, 189u}) {
    const auto some = list.overlaps(limit);
    CHECK(some.found.size() == limit && some.more);
  }
  CHECK(list.overlaps(190).found.size() == 190 && !list.overlaps(190).more);
  CHECK(list.overlaps(SIZE_MAX).found.size() == 190);
}

static void gaps_are_told_as_boxes_that_share_nothing() {
  const auto list = ss::shard_list::of(THREE);
  const auto gaps = list.gaps({6, 6});
  CHECK(!gaps.more);
  int owned[6][6] = {};
  const auto count = [&](const std::vector<std::int64_t> &offsets,
                         const std::vector<std::int64_t> &sizes, int times) {
    for (std::int64_t row = offsets[0]; row < offsets[0] + sizes[0]; ++row)
      for (std::int64_t column = offsets[1]; column < offsets[1] + sizes[1]; ++column)
        owned[row][column] += times;
  };
  for (const ss::box &gap : gaps.found) count(gap.offsets, gap.sizes, 10);
  for (const ss::shard &shard : THREE) count(shard.offsets, shard.sizes, 1);
  for (const auto &row : owned)
    for (const int times : row) CHECK(times == 10 || times == 1 || times == 2);
  const auto first = list.gaps({6, 6}, 1);
  CHECK(first.found.size() == 1 && first.more && first.found[0].sizes == gaps.found[0].sizes);
  CHECK(list.gaps({6, 6}, 0).found.empty() && list.gaps({6, 6}, 0).more);
  CHECK_REFUSED(NDIM_MISMATCH, list.gaps({6}));
  CHECK_REFUSED(INVALID_ARGUMENT, list.gaps({6, -1}));
}

static void a_list_outlives_its_metadata_whose_shards_have_neither() {
  ss::shard_list list;
  {
    const auto metadata = ss::spec::chunk(0, {"rank:0", "rank:1", "rank:2"}).build_metadata({5, 3});
    list = ss::shard_list::of(metadata);
  }
  CHECK(list.count() == 3 && list.overlaps().found.empty() && !list.overlaps().more);
  CHECK(list.gaps({5, 3}).found.empty() && list.gaps({6, 3}).found.size() == 1);
}

static void a_list_may_be_empty_or_of_scalars() {
  const auto none = ss::shard_list::of(std::vector<ss::shard>());
  CHECK(none.count() == 0 && none.overlaps().found.empty());
  const std::vector<ss::shard> twice(2, {{}, {}, "rank:0"});
  const auto overlaps = ss::shard_list::of(twice).overlaps();
  CHECK(overlaps.found.size() == 1 && overlaps.found[0].shared.offsets.empty());
  CHECK(ss::shard_list::of({{{0}, {4}, "rank:0"}}).gaps({5}).found[0].offsets[0] == 4);
  const auto all = none.gaps({8, 3});
  CHECK(all.found.size() == 1 && all.found[0].sizes == std::vector<std::int64_t>({8, 3}));
}

static void a_shard_of_a_list_may_belong_to_nobody() {
  const std::vector<ss::shard> two = {{{0}, {4}, ""}, {{4}, {4}, ""}};
  const auto list = ss::shard_list::of(two);
  CHECK(list.gaps({8}).found.empty());
  CHECK(ss::plan::between(list, list).is_local());
  const auto unplaced = CHECK_REFUSED(NULL_ARGUMENT, ss::spec::enumerable(two));
  CHECK(unplaced.first_shard == 0 && holds(unplaced.what(), "shard 0 has no placement"));
}

static void what_is_no_list_of_shards_is_refused() {
  const auto ragged = CHECK_REFUSED(
      NDIM_MISMATCH, ss::shard_list::of({{{0}, {1}, "rank:0"}, {{0}, {1, 2}, "rank:0"}}));
  CHECK(ragged.first_shard == 1);
  const auto mixed = CHECK_REFUSED(
      NDIM_MISMATCH, ss::shard_list::of({{{0}, {1}, "rank:0"}, {{0, 0}, {1, 2}, "rank:0"}}));
  CHECK(mixed.first_shard == 1 && mixed.got == 2 && mixed.limit == 1 && mixed.index == 1);
  CHECK_REFUSED(INVALID_PLACEMENT, ss::shard_list::of({{{0}, {1}, "rank:x"}}));
  auto table = replicas(2);
  table.placement_indices[1] = 1;
  CHECK_REFUSED(INDEX_OUT_OF_RANGE, ss::shard_list::of(table));
  table.sizes.pop_back();
  CHECK(status_of(ss::shard_list::of(table, std::nothrow)) == SHARDSPEC_NDIM_MISMATCH);
}

static void every_call_on_an_empty_handle_is_refused() {
  const ss::shard_list list;
  const shardspec_status missing = SHARDSPEC_NULL_ARGUMENT;
  const auto &quiet = std::nothrow;
  CHECK(status_of(ss::shard_list::of(ss::metadata(), quiet)) == missing);
  CHECK(status_of(list.count(quiet)) == missing);
  CHECK(status_of(list.overlaps({}, quiet)) == missing);
  CHECK(status_of(list.gaps({1}, {}, quiet)) == missing);
}

int main() {
  overlaps_are_told_with_both_shards_and_the_box();
  of_many_overlaps_as_many_are_told_as_are_wanted();
  gaps_are_told_as_boxes_that_share_nothing();
  a_list_outlives_its_metadata_whose_shards_have_neither();
  a_list_may_be_empty_or_of_scalars();
  a_shard_of_a_list_may_belong_to_nobody();
  what_is_no_list_of_shards_is_refused();
  every_call_on_an_empty_handle_is_refused();
}
