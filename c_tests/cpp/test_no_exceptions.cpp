/* Compiled without exceptions, every call returns a result. */
#include "../check.h"
#include "shardspec.hpp"

static_assert(!SHARDSPEC_EXCEPTIONS);

int main() {
  const auto refused = shardspec::spec::chunk(0, shardspec::texts());
  CHECK(!refused && refused.error().status == SHARDSPEC_INVALID_ARGUMENT);
  const auto spec = shardspec::spec::chunk(0, {"rank:0", "rank:1"});
  CHECK(spec && spec->type_name().value() == "chunk");
  const auto metadata = spec->build_metadata({3});
  CHECK(metadata && metadata->shards().value()[1].placement == "rank:1/cpu");
  float full[] = {1, 2, 3}, first[2] = {}, second[1] = {};
  CHECK(
      metadata->scatter(shardspec::view(full), {shardspec::view(first), shardspec::view(second)}));
  CHECK(first[1] == 2 && second[0] == 3);
  const auto view = shardspec::view(std::vector<float>(3), {2, 2});
  CHECK(!view && view.error().status == SHARDSPEC_SHAPE_MISMATCH);
  CHECK(spec->equal(*spec).value());
  const auto where = metadata->locate({2, 0});
  CHECK(where && where->shards[0] == 1 && metadata->locate({3}).error().got == 3);
  const auto gaps = shardspec::shard_list::of(*metadata)->gaps({4});
  CHECK(gaps && gaps->found[0].offsets[0] == 3);
  const auto plan = shardspec::plan::between(*metadata, *metadata);
  CHECK(plan->is_identity().value() && plan->pieces().value().size() == 2);
  CHECK(plan->pieces({1, 2}).error().status == SHARDSPEC_INDEX_OUT_OF_RANGE);
  const auto custom = shardspec::spec::custom(
      "acme.whole",
      [](const shardspec::tensor_description &tensor, shardspec::metadata_builder &shards) {
        return shards.add({0}, tensor.sizes, "rank:0");
      });
  CHECK(custom->build_metadata({3}).value().shard_count().value() == 1);
  CHECK(custom->build_metadata({3, 4}).error().status == SHARDSPEC_NDIM_MISMATCH);
  const auto sharded = shardspec::sharded_tensor::from_spec(*spec, "rank:0", shardspec::view(full));
  const auto op =
      shardspec::register_op("chunk", "test.count",
                             [](const shardspec::spec &, const shardspec::op_arguments &args,
                                shardspec::op_output &out) -> shardspec::result<void> {
                               const auto given = args.get<shardspec::sharded_tensor>(0);
                               if (!given) return given.error();
                               out.set(0, (*given)->local_count().value());
                               return std::monostate();
                             });
  CHECK(shardspec::dispatch(*spec, "test.count", {*sharded}, 1)->get<int>(0).value() == 1);
  CHECK(shardspec::dispatch(*spec, "test.count", {1, *sharded}).error().status ==
        SHARDSPEC_INVALID_ARGUMENT);
}
