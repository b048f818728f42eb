/* Meshes and specs over them. */
#include "check.hpp"

using shardspec::cut;
using shardspec::mesh;
using shardspec::multiple;
using shardspec::reduction;
using shardspec::segment;
using shardspec::spec;

namespace {

using integers = std::vector<std::int64_t>;
using indices = std::vector<std::size_t>;

void meshes() {
  const mesh two_by_four = mesh::of({{"dp", 2}, {"tp", 4}});
  CHECK(two_by_four.ndim() == 2);
  CHECK(two_by_four.device_count() == 8);
  const std::vector<shardspec::mesh_axis> axes = two_by_four.axes();
  CHECK(axes.size() == 2 && axes[0] == (shardspec::mesh_axis{"dp", 2}) && axes[1].name == "tp");
  CHECK(two_by_four.str() == "dp=2, tp=4");
  CHECK(two_by_four.coordinates(5) == (indices{1, 1}));
  CHECK(two_by_four.placement(5).rank() == 5);

  const mesh row = two_by_four.submesh("dp", 1);
  CHECK(row.str() == "tp=4");
  CHECK(row.placement(0).rank() == 4);
  CHECK(row == mesh::of({{"tp", 4}}, {"rank:4", "rank:5", "rank:6", "rank:7"}));
  CHECK(row != mesh::of({{"tp", 4}}));
  const auto zero = shardspec::placement::parse("rank:0"), one = shardspec::placement::parse("rank:1");
  const mesh swapped = mesh::of({{"x", 2}}, {one, zero}), again = mesh::of({{"x", 2}}, {"rank:1", "rank:0"});
  CHECK(swapped == again);
  CHECK(swapped.hash() == again.hash());

  CHECK_REFUSED(INVALID_ARGUMENT, two_by_four.submesh("pp", 0));
  CHECK_REFUSED(INVALID_ARGUMENT, mesh::of({{"dp", 2}, {"dp", 2}}));
  CHECK(!mesh::of({{"dp", 0}}, std::nothrow));
  CHECK(mesh::of({{"dp", 3}}, std::nothrow)->device_count() == 3);
}

/* 8 heads of queries and 2 of keys and values, of 4 rows each, over 4 devices. */
void fused_weights() {
  const mesh four = mesh::of({{"tp", 4}});
  const auto kv = [] { return segment(8).repeat(2); };
  const spec qkv = spec::mesh(four).cut(cut(0, "tp").granule(4).even().segments({32, kv(), kv()})).build();
  CHECK(qkv.type_name() == "mesh");
  CHECK(qkv.mesh() == four);
  CHECK(qkv.str() == "tp=4: dimension 0 over tp by segments [32 by chunk, granule 4, even, "
                     "8 by chunk, granule 4, repeat 2, even, 8 by chunk, granule 4, repeat 2, even]");
  const auto whole = qkv.build_metadata({48, 3});
  CHECK(whole.mesh() == four);
  CHECK(whole.coordinates(3) == (indices{3}));
  CHECK(whole.has_replicas());
  CHECK(whole.shard(1).sizes == (integers{16, 3}));
  integers rows;
  for (const shardspec_stretch &each : whole.stretches(1, 0))
    for (std::int64_t block = 0; block < each.count; ++block)
      for (std::int64_t index = 0; index < each.length; ++index)
        rows.push_back(each.global_start + block * each.global_step + index);
  CHECK(rows == (integers{8, 9, 10, 11, 12, 13, 14, 15, 32, 33, 34, 35, 40, 41, 42, 43}));
}

void every_part_of_a_layout() {
  const mesh grid = mesh::of({{"dp", 2}, {"tp", 2}, {"pp", 1}});
  const spec all = spec::mesh(grid)
                       .flatten(1, 2)
                       .pad(0, multiple(4))
                       .pad(-1, 8)
                       .cut(cut(0, "dp").cyclic(2, 1))
                       .cut(cut(1, "tp").equal_segments(2))
                       .partial("pp", reduction::max)
                       .build();
  CHECK(all.str() == "dp=2, tp=2, pp=1: flatten dimensions 1 to 2; pad dimension 0 to a multiple of 4; "
                     "pad dimension -1 to 8; dimension 0 over dp by cyclic of 2 from 1; "
                     "dimension 1 over tp by chunk in 2 equal segments; partial pp (max)");
  const auto whole = all.build_metadata({3, 2, 3});
  CHECK(whole.buffer_ndim() == 2);
  CHECK(whole.shard(0).sizes == (integers{2, 4}));
  const auto partials = whole.partials();
  CHECK(partials.size() == 1 && partials[0].axis == "pp" && partials[0].reduction == reduction::max);
  const shardspec::flattening flat = whole.flattened();
  CHECK(flat.first_dim == 1 && flat.dim_count == 2);
  const auto again = whole.on_mesh(grid, partials).with_dim_names({"a", "b", "c"});
  CHECK(again == whole && again.mesh() == grid && again.dim_name(2) == "c");
  CHECK(whole.on_mesh(grid) != whole);
  CHECK_REFUSED(INVALID_ARGUMENT, whole.on_mesh(mesh::of({{"tp", 4}}), partials));
  CHECK_REFUSED(NDIM_MISMATCH, whole.with_dim_names({"a"}));
  CHECK(spec::mesh(grid).build().build_metadata({3}).partials().empty());

  const spec named = spec::mesh(grid).pad("rows", multiple(4)).pad("columns", 6).cut(cut("columns", "tp")).build();
  const auto of_names = named.build_metadata_with_dim_names({3, 5}, {"rows", "columns"});
  CHECK(of_names.dim_name(1) == "columns");
  CHECK(of_names.shard(1).sizes == (integers{4, 3}));
  CHECK_REFUSED(NOT_FOUND, whole.dim_name(0));
  CHECK_REFUSED(INVALID_DIM, named.build_metadata({3, 5}));
}

void one_cut() {
  const auto sizes_of = [](const cut &how, std::int64_t length) {
    integers sizes;
    for (const auto &each : spec::cut(how, {"rank:0", "rank:1", "rank:2"}).build_metadata({length}).shards())
      sizes.push_back(each.sizes[0]);
    return sizes;
  };
  CHECK(sizes_of(cut(0), 10) == (integers{4, 4, 2}));
  CHECK(sizes_of(cut(0).balanced(), 10) == (integers{4, 3, 3}));
  CHECK(sizes_of(cut(-1).sizes({2, 0, 8}), 10) == (integers{2, 0, 8}));
  CHECK(sizes_of(cut(0).weights({1, 2, 1}), 10) == (integers{3, 5, 2}));
  CHECK(sizes_of(cut(0).cyclic(3), 10) == (integers{4, 3, 3}));
  CHECK(sizes_of(cut(0).cyclic(3).chunk().granule(5), 10) == (integers{5, 5, 0}));
  CHECK_REFUSED(ILLEGAL_CUT, sizes_of(cut(0).even(), 10));
  CHECK(sizes_of(cut(0).even().even(false), 10) == (integers{4, 4, 2}));
  cut(0).even().check(12, 3);
  CHECK(!cut(0).even().check(10, 3, std::nothrow));
  CHECK(!spec::cut(cut(0).repeat(2), {"rank:0", "rank:1", "rank:2"}, std::nothrow));
  CHECK_REFUSED(WRONG_SPEC_TYPE, spec::chunk(0, {"rank:0"}).mesh());
  CHECK_REFUSED(NOT_FOUND, spec::chunk(0, {"rank:0"}).build_metadata({3}).mesh());
}

void legal_degrees() {
  const auto kv_heads = cut(0).even().repeat(SHARDSPEC_REPEAT_AS_NEEDED);
  const std::vector<shardspec::length_cut> model = {
      {32, cut(0).even()}, {8, kv_heads}, {4096, cut(0).even().granule(128)}, {60, cut(0).even()}};
  CHECK(shardspec::check_degrees(model, 8) == (integers{-1, -1, 0, -1, 0, 0, 0, 3}));
  CHECK(shardspec::check_degrees({}, 2) == (integers{-1, -1}));
  CHECK_REFUSED(INVALID_ARGUMENT, shardspec::check_degrees(model, 0));
  CHECK_REFUSED(ILLEGAL_CUT, model[3].how.check(60, 8));
}

void linked_tensors_and_replicas() {
  const mesh grid = mesh::of({{"dp", 2}, {"tp", 2}});
  const auto weight = spec::mesh(grid).cut(cut(1, "tp").granule(128)).build().build_metadata({512, 640});
  const auto scales = weight.blocks({1, 128});
  CHECK(scales.sizes() == (integers{512, 5}));
  CHECK(scales.shard(0).sizes == (integers{512, 3}) && scales.shard(3).sizes == (integers{512, 2}));
  CHECK(scales.replica(3).number == 1 && scales.replica(3).primary == 1);
  CHECK_REFUSED(ILLEGAL_CUT, weight.blocks({1, 256}));
  CHECK_REFUSED(INDEX_OUT_OF_RANGE, scales.replica(4));
}

}  // namespace

void notations() {
  using shardspec::notation;
  const mesh over = mesh::of({{"dp", 2}, {"tp", 4}});
  const spec columns = spec::parse(notation::dtensor, "RS(1)", over);
  CHECK(columns == spec::mesh(over).cut(cut(1, "tp")).build());
  CHECK(columns.format(notation::dtensor) == "RS(1)");
  CHECK(columns.format(notation::jax) == "P(None, 'tp')");
  CHECK(columns.format(notation::jax, 3) == "P(None, 'tp', None)");
  CHECK_REFUSED(INVALID_ARGUMENT, spec::parse(notation::jax, "P('pp')", over));
  CHECK_REFUSED(UNSUPPORTED, spec::mesh(over).cut(cut(0, "tp").cyclic(2)).build().format(notation::jax));
  const auto refused = spec::parse(notation::dtensor, "RX", over, std::nothrow);
  CHECK(!refused && refused.error().index == 1);
}

void scalapack() {
  const mesh grid = mesh::of({{"p", 2}, {"q", 3}});
  const integers descriptor = {1, 0, 10, 8, 2, 3, 0, 1, 4};
  const spec matrix = spec::from_scalapack(descriptor, grid, 5);
  CHECK(matrix.scalapack(10, 8, 5) == descriptor);
  CHECK(shardspec::numroc(10, 2, 1, 0, 2) == 4);
  CHECK(matrix.build_metadata({10, 8}).shard(5).sizes[0] == 4);
  CHECK_REFUSED(INVALID_ARGUMENT, spec::from_scalapack({1, 0, 10, 8, 0, 3, 0, 1, 4}, grid, 5));
}

int main() {
  meshes();
  notations();
  scalapack();
  fused_weights();
  every_part_of_a_layout();
  one_cut();
  legal_degrees();
  linked_tensors_and_replicas();
  return 0;
}
