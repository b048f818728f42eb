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

/* Ten indices dealt in blocks of two to two ranks: 0 1 4 5 8 9 and 2 3 6 7. The second has two holes. */
static ss::shard_list dealt() {
  const auto boxes = ss::shard_list::of({{{0}, {6}, "rank:0"}, {{2}, {6}, "rank:1"}});
  CHECK(boxes.are_boxes() && boxes.dim_maps().map_ends.empty());
  return boxes.with_dim_maps({{{0, 0, 2, 3, 4, 2}, {2, 0, 2, 2, 4, 2}}, {1, 2}, {0, 1}});
}

static void dim_maps_are_told_as_they_were_given() {
  const auto list = dealt();
  CHECK(!list.are_boxes());
  const auto maps = list.dim_maps();
  CHECK(maps.stretches.size() == 2 && maps.map_ends == (std::vector<std::size_t>{1, 2}));
  CHECK(maps.map_numbers == (std::vector<std::uint32_t>{0, 1}));
  const auto second = list.stretches(1, 0);
  CHECK(second.size() == 1 && second[0].global_start == 2 && second[0].count == 2);
  const auto whole = list.build_metadata({10});
  CHECK(!whole.is_box(0) && !whole.has_replicas() && whole.buffer_ndim() == 1);
  CHECK(whole.stretches(0, 0).size() == 1 && whole.stretches(0, 0)[0].count == 3);
  CHECK(ss::shard_list::of(whole).with_dim_maps(maps).dim_maps().map_ends == maps.map_ends);
  auto fewer = maps;
  fewer.map_numbers.pop_back();
  const auto uneven = CHECK_REFUSED(NDIM_MISMATCH, list.with_dim_maps(fewer));
  CHECK(uneven.got == 1 && uneven.limit == 2);
  CHECK_REFUSED(INDEX_OUT_OF_RANGE, list.stretches(2, 0));
}

/* Pieces have other numbers of dimensions than buffers, and these than the tensor. */
static void rows_are_as_long_as_buffers_and_pieces_need() {
  const auto lines = ss::shard_list::of({{{0}, {5}, "rank:0"}, {{5}, {7}, "rank:1"}});
  const auto flat = lines.flattened({3, 4}, 0, 2).build_metadata({3, 4});
  CHECK(flat.ndim() == 2 && flat.buffer_ndim() == 1 && !flat.is_box(0));
  CHECK(flat.shard(1).offsets == (std::vector<std::int64_t>{5}) && flat.table().ndim == 1);
  CHECK(flat.shards()[1].sizes == (std::vector<std::int64_t>{7}));
  const ss::located where = flat.locate({1, 2, 0, 3});
  CHECK(where.shards == (std::vector<std::size_t>{1, 0}));
  CHECK(where.local_indices == (std::vector<std::int64_t>{1, 3}));
  CHECK(flat.globalize(where.shards, where.local_indices) ==
        (std::vector<std::int64_t>{1, 2, 0, 3}));
  CHECK_REFUSED(NDIM_MISMATCH, flat.globalize({1}, {1, 2}));
  const auto kept = ss::shard_list::of(flat).with_dim_maps(
      {{}, {}, {SHARDSPEC_INTERVAL, SHARDSPEC_INTERVAL}});
  CHECK(kept.build_metadata({3, 4}).buffer_ndim() == 1);
  const std::vector<ss::shard> twice(2, {{3}, {4}, "rank:0"});
  const auto shared = ss::shard_list::of(twice).flattened({3, 4}, 0, 2).overlaps();
  CHECK(!shared.found.empty() && shared.found[0].shared.offsets.size() == 2);

  const auto columns = ss::spec::chunk(1, {"rank:0", "rank:1"}).build_metadata({3, 4});
  const auto plan = ss::plan::between(flat, columns);
  const auto back = ss::plan::between(columns, flat);
  CHECK(back.ndim() == 2 && back.ndims().destination == 1);
  CHECK(back.pieces()[0].source_offsets.size() == 2);
  const auto dims = plan.ndims();
  CHECK(plan.ndim() == 2 && dims.source == 1 && dims.destination == 2 && dims.piece >= 2);
  const auto pieces = plan.pieces();
  const auto steps = plan.piece_steps({0, pieces.size()});
  CHECK(steps.source_dims.size() == dims.piece && steps.destination_dims.size() == dims.piece);
  /* Each element that moves is the same one in both layouts. */
  std::size_t moved = 0;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const ss::piece &piece = pieces[i];
    std::vector<std::int64_t> at(dims.piece, 0);
    for (std::size_t left = 1, dim = 0; left != 0; ++moved) {
      auto from = piece.source_offsets, to = piece.destination_offsets;
      for (dim = 0; dim < dims.piece; ++dim) {
        from[steps.source_dims[dim]] += at[dim] * steps.source_steps[i * dims.piece + dim];
        to[steps.destination_dims[dim]] += at[dim] * steps.destination_steps[i * dims.piece + dim];
      }
      CHECK(flat.globalize({piece.source}, from) == columns.globalize({piece.destination}, to));
      for (left = 0, dim = dims.piece; dim-- > 0 && left == 0;)
        if (++at[dim] < piece.sizes[dim])
          left = 1;
        else
          at[dim] = 0;
    }
  }
  CHECK(moved == 12);
  CHECK_REFUSED(INDEX_OUT_OF_RANGE, plan.piece_steps({pieces.size(), 1}));
  CHECK_REFUSED(INDEX_OUT_OF_RANGE, plan.piece_steps({0, SIZE_MAX}));
}

static void replicas_are_declared() {
  const auto list = ss::shard_list::of({{{0}, {4}, "rank:0"}, {{0}, {4}, "rank:1"}});
  CHECK_REFUSED(OVERLAP, list.build_metadata({4}));
  const auto both = list.build_metadata({4}, {}, true);
  CHECK(both.has_replicas() && both.is_box(1) && both.shard_at({3}) == 0);
}

static void every_call_on_an_empty_handle_is_refused() {
  const ss::shard_list list;
  const shardspec_status missing = SHARDSPEC_NULL_ARGUMENT;
  const auto &quiet = std::nothrow;
  CHECK(status_of(ss::shard_list::of(ss::metadata(), quiet)) == missing);
  CHECK(status_of(list.count(quiet)) == missing);
  CHECK(status_of(list.overlaps({}, quiet)) == missing);
  CHECK(status_of(list.gaps({1}, {}, quiet)) == missing);
  CHECK(status_of(list.with_dim_maps({}, quiet)) == missing);
  CHECK(status_of(list.flattened({2, 2}, 0, 2, quiet)) == missing);
  CHECK(status_of(list.build_metadata({1}, {}, false, quiet)) == missing);
  CHECK(status_of(list.stretches(0, 0, quiet)) == missing);
  CHECK(status_of(list.dim_maps(quiet)) == missing);
  CHECK(status_of(list.are_boxes(quiet)) == missing);
  CHECK(status_of(ss::metadata().stretches(0, 0, quiet)) == missing);
  CHECK(status_of(ss::metadata().is_box(0, quiet)) == missing);
  CHECK(status_of(ss::metadata().has_replicas(quiet)) == missing);
  CHECK(status_of(ss::metadata().buffer_ndim(quiet)) == missing);
  CHECK(status_of(ss::plan().ndims(quiet)) == missing);
  CHECK(status_of(ss::plan().piece_steps({0, 0}, quiet)) == missing);
}

int main() {
  overlaps_are_told_with_both_shards_and_the_box();
  of_many_overlaps_as_many_are_told_as_are_wanted();
  gaps_are_told_as_boxes_that_share_nothing();
  a_list_outlives_its_metadata_whose_shards_have_neither();
  a_list_may_be_empty_or_of_scalars();
  a_shard_of_a_list_may_belong_to_nobody();
  what_is_no_list_of_shards_is_refused();
  dim_maps_are_told_as_they_were_given();
  rows_are_as_long_as_buffers_and_pieces_need();
  replicas_are_declared();
  every_call_on_an_empty_handle_is_refused();
}
