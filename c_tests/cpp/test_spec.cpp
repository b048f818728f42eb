/* Sharding specs, and the metadata that they make. */
#include "check.hpp"

#include <array>
#include <list>

static const std::vector<std::string> RANKS = {"rank:0/cpu", "rank:1/cpu", "rank:2/cpu",
                                               "rank:3/cpu"};

static void a_chunk_spec_tells_what_it_was_made_of() {
  const auto spec = ss::spec::chunk(-1, RANKS), named = ss::spec::chunk("batch", RANKS);
  CHECK(spec.type_name() == "chunk" && spec.chunk_dim() == -1 && spec.shard_count() == 4);
  CHECK(named.chunk_dim_name() == "batch");
  CHECK_REFUSED(WRONG_SPEC_TYPE, named.chunk_dim());
  CHECK_REFUSED(WRONG_SPEC_TYPE, spec.chunk_dim_name());
  CHECK(spec.placement(2).str() == "rank:2/cpu");
  CHECK_REFUSED(INVALID_ARGUMENT, ss::spec::chunk(0, ss::texts()));
  CHECK_REFUSED(INVALID_PLACEMENT, ss::spec::chunk(0, {"rank:0", "rank:x"}));
}

static void texts_come_from_whatever_holds_them() {
  const char *const array[] = {"rank:0", "rank:1"};
  const std::list<std::string> list = {"rank:0", "rank:1"};
  const std::string second = "rank:1";
  const auto wanted = ss::spec::chunk(0, {"rank:0", "rank:1"});
  CHECK(wanted == ss::spec::chunk(0, array));
  CHECK(wanted == ss::spec::chunk(0, list));
  CHECK(wanted == ss::spec::chunk(0, {"rank:0", second}));
  CHECK(wanted == ss::spec::chunk(0, std::array<const char *, 2>{"rank:0", "rank:1"}));
  CHECK(wanted != ss::spec::chunk(1, array));
  CHECK(wanted.hash() == ss::spec::chunk(0, list).hash());
}

static void boxes_as_structs_and_as_tables_make_equal_specs() {
  const std::vector<ss::shard> shards = {{{0, 0}, {5, 3}, RANKS[0]}, {{0, 3}, {5, 1}, RANKS[1]}};
  ss::shard_table table{2, {0, 0, 0, 3}, {5, 3, 5, 1}, {0, 1}, RANKS};
  const auto spec = ss::spec::enumerable(shards);
  CHECK(spec.type_name() == "enumerable");
  CHECK(spec == ss::spec::enumerable(table));
  CHECK(spec == ss::spec::enumerable({{{0, 0}, {5, 3}, "rank:0"}, {{0, 3}, {5, 1}, "rank:1"}}));
  table.placement_indices = {1, 0};
  CHECK(spec != ss::spec::enumerable(table));
  table.placement_indices.clear();
  CHECK_REFUSED(NDIM_MISMATCH, ss::spec::enumerable(table));
  table.placements.resize(2);
  CHECK(spec == ss::spec::enumerable(table));
}

static void wrong_shards_are_refused_and_told_apart() {
  CHECK_REFUSED(INVALID_ARGUMENT, ss::spec::enumerable(std::vector<ss::shard>()));
  CHECK_REFUSED(NDIM_MISMATCH,
                ss::spec::enumerable({{{0}, {1}, "rank:0"}, {{1, 0}, {1, 1}, "rank:1"}}));
  const auto ragged = CHECK_REFUSED(
      NDIM_MISMATCH, ss::spec::infer({{{0}, {1}, "rank:0"}, {{1, 0}, {1}, "rank:1"}}));
  CHECK_EQUAL(ragged.first_shard, 1);
  const auto negative = CHECK_REFUSED(
      INVALID_ARGUMENT, ss::spec::enumerable({{{0}, {1}, "rank:0"}, {{-1}, {1}, "rank:1"}}));
  CHECK(negative.first_shard == 1 && negative.got == -1);
  CHECK_REFUSED(OVERFLOW, ss::spec::enumerable({{{INT64_MAX}, {1}, "rank:0"}}));
  CHECK_REFUSED(INVALID_PLACEMENT, ss::spec::enumerable({{{0}, {1}, "rank:x/cpu"}}));
  const ss::shard_table wrong[] = {{1, {0, 1}, {1}, {}, {"rank:0"}},
                                   {1, {0}, {1, 1}, {}, {"rank:0"}},
                                   {2, {0}, {1}, {0}, {"rank:0"}}};
  for (const auto &table : wrong) {
    CHECK_REFUSED(NDIM_MISMATCH, ss::spec::enumerable(table));
    CHECK(status_of(ss::spec::infer(table, std::nothrow)) == SHARDSPEC_NDIM_MISMATCH);
  }
  CHECK_REFUSED(INDEX_OUT_OF_RANGE, ss::spec::enumerable({1, {0}, {1}, {7}, {"rank:0"}}));
}

static void shards_of_a_chunk_spec_are_recognised() {
  const auto spec = ss::spec::chunk(1, {"rank:0", "rank:1", "rank:2"});
  const auto metadata = spec.build_metadata({3, 5});
  CHECK(ss::spec::infer(metadata.shards()) == spec);
  CHECK(ss::spec::infer(metadata.table()) == spec);
  CHECK(ss::spec::infer_compat(metadata.shards()) == spec);
  CHECK(ss::spec::infer_compat(metadata.table()) == spec);
  auto shards = metadata.shards();
  shards[1].sizes[1] = 1;
  CHECK(ss::spec::infer(shards, std::nothrow)->type_name() == "enumerable");
  shards[2].offsets[1] = 3;
  CHECK(ss::spec::infer(shards).type_name() == "mesh");
  CHECK(ss::spec::infer_compat(shards).type_name() == "enumerable");
}

static void answers_of_metadata_agree() {
  const auto metadata = ss::spec::chunk(0, RANKS).build_metadata({5, 3});
  CHECK(metadata.shard_count() == 4 && metadata.ndim() == 2 && metadata.numel() == 15);
  CHECK(metadata.sizes() == (std::vector<std::int64_t>{5, 3}));
  const auto shards = metadata.shards();
  const auto table = metadata.table();
  const std::int64_t starts[] = {0, 2, 4, 6}, rows[] = {2, 2, 1, 0};
  CHECK(shards.size() == 4 && table.ndim == 2 && table.placements.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(shards[i] == metadata.shard(i));
    CHECK(shards[i] == (ss::shard{{starts[i], 0}, {rows[i], 3}, RANKS[i]}));
    CHECK(table.offsets[2 * i] == starts[i] && table.sizes[2 * i] == rows[i]);
    CHECK(table.placements[table.placement_indices[i]] == RANKS[i]);
    CHECK(metadata.shard_placement(i).str() == RANKS[i]);
  }
  CHECK(metadata.shards_of_rank(2) == std::vector<std::size_t>{2});
  CHECK(metadata.shards_of_rank(17).empty());
  CHECK_REFUSED(INDEX_OUT_OF_RANGE, metadata.shard(4));
  CHECK_REFUSED(INDEX_OUT_OF_RANGE, metadata.shard_placement(4));
}

static void metadata_with_the_same_shards_are_equal_whatever_made_them() {
  const auto a = ss::spec::chunk(0, RANKS).build_metadata({5, 3});
  const auto b = ss::spec::enumerable(a.table()).build_metadata(a.sizes());
  CHECK(a == b && a.hash() == b.hash());
  CHECK(a != ss::spec::chunk(0, RANKS).build_metadata({5, 4}));
}

static void more_shards_than_any_first_guess_come_back() {
  std::vector<std::string> placements(1000, "rank:3");
  const auto metadata = ss::spec::chunk(0, placements).build_metadata({2000});
  CHECK(metadata.shards_of_rank(3).size() == 1000 && metadata.shards_of_rank(3)[999] == 999);
  CHECK(metadata.shards().size() == 1000 && metadata.table().placements.size() == 1);
  CHECK(metadata.shards()[999] == (ss::shard{{1998}, {2}, "rank:3/cpu"}));
}

static void specs_that_do_not_fit_a_tensor_are_refused() {
  const auto boxes = ss::spec::enumerable({{{0, 0}, {2, 3}, "rank:0"}, {{2, 0}, {2, 2}, "rank:1"}});
  CHECK(holds(CHECK_REFUSED(GAP, boxes.build_metadata({4, 3})).what(), "[2:4, 2:3]"));
  const auto outside = CHECK_REFUSED(OUT_OF_BOUNDS, boxes.build_metadata({3, 3}));
  CHECK(outside.first_shard == 1 && outside.dim == 0);
  CHECK_REFUSED(NDIM_MISMATCH, boxes.build_metadata({4}));
  CHECK_REFUSED(INVALID_DIM, ss::spec::chunk(1, RANKS).build_metadata({4}));
  CHECK_REFUSED(INVALID_ARGUMENT, ss::spec::chunk(0, RANKS).build_metadata({4, -3}));
  CHECK_REFUSED(OVERFLOW, ss::spec::chunk(0, RANKS).build_metadata({INT64_MAX, 3}));
}

static void a_named_dimension_is_found() {
  const auto spec = ss::spec::chunk("feature", {"rank:0", "rank:1"});
  const auto metadata = spec.build_metadata_with_dim_names({4, 6}, {"batch", "feature"});
  CHECK(metadata.shard(1) == (ss::shard{{0, 3}, {4, 3}, "rank:1/cpu"}));
  CHECK_REFUSED(INVALID_DIM, spec.build_metadata({4, 6}));
  CHECK_REFUSED(INVALID_DIM, spec.build_metadata_with_dim_names({4, 6}, {"x", "y"}));
  CHECK_REFUSED(INVALID_ARGUMENT, spec.build_metadata_with_dim_names({4, 6}, {"feature", "feature"}));
  CHECK_REFUSED(NDIM_MISMATCH, spec.build_metadata_with_dim_names({4, 6}, {"feature"}));
}

int main() {
  a_chunk_spec_tells_what_it_was_made_of();
  texts_come_from_whatever_holds_them();
  boxes_as_structs_and_as_tables_make_equal_specs();
  wrong_shards_are_refused_and_told_apart();
  shards_of_a_chunk_spec_are_recognised();
  answers_of_metadata_agree();
  metadata_with_the_same_shards_are_equal_whatever_made_them();
  more_shards_than_any_first_guess_come_back();
  specs_that_do_not_fit_a_tensor_are_refused();
  a_named_dimension_is_found();
}
