/* Ops of the user's own. */
#include "check.hpp"

#include <memory>
#include <stdexcept>

static std::vector<float> full = {1, 2, 3, 4};

static ss::spec chunk() { return ss::spec::chunk(0, {"rank:0", "rank:1"}); }

static ss::sharded_tensor tensor() {
  return ss::sharded_tensor::from_spec(chunk(), ss::all_shards, ss::view(full));
}

static void nothing(const ss::spec &, const ss::op_arguments &, ss::op_output &) {}

static void a_lambda_is_an_op_as_long_as_its_registration() {
  const auto alive = std::make_shared<int>(0);
  const auto spec = chunk();
  const auto sharded = tensor();
  {
    const auto op = ss::register_op(
        "chunk", "test.scale",
        [alive](const ss::spec &how, const ss::op_arguments &args, ss::op_output &out) {
          CHECK(how.type_name() == "chunk" && args.size() == 2 && out.size() == 1);
          const auto given = args.get<ss::sharded_tensor>(0);
          float sum = 0;
          for (std::size_t i = 0; i < given->local_count(); ++i) {
            const auto view = given->local_view(i);
            for (std::int64_t j = 0; j < view.shape()[0]; ++j) sum += view.as<float>()[j];
          }
          out.set(0, sum * args.get<float>(1));
        });
    CHECK(alive.use_count() == 2 && ss::has_op("chunk", "test.scale"));
    CHECK(ss::dispatch(spec, "test.scale", {sharded, 0.5}, 1).get<double>(0) == 5);
    const auto found = ss::look_up_op("chunk", "test.scale");
    CHECK(found.call(spec, {sharded, 2.0}, 1).get<float>(0) == 20);
    CHECK_REFUSED(ALREADY_EXISTS, ss::register_op("chunk", "test.scale", nothing));
    CHECK_REFUSED(WRONG_SPEC_TYPE,
                  found.call(ss::spec::enumerable({{{0}, {4}, "rank:0"}}), {sharded}));
  }
  CHECK(alive.use_count() == 1 && !ss::has_op("chunk", "test.scale"));
  CHECK_REFUSED(NOT_FOUND, ss::dispatch(spec, "test.scale", {sharded}));
  CHECK_REFUSED(NOT_FOUND, ss::look_up_op("chunk", "test.scale"));
}

static void every_kind_of_value_passes_both_ways() {
  const auto sharded = tensor();
  const std::vector<std::int64_t> list = {3, 1, 2};
  int anything = 0;
  const auto op = ss::register_op(
      "chunk", "test.values",
      [&](const ss::spec &, const ss::op_arguments &args, ss::op_output &out) {
        CHECK(args.get<bool>(0) && args.get<std::int64_t>(1) == INT64_MIN);
        CHECK(args.get<double>(2) == 0.25 && std::string(args.get<const char *>(3)) == "text");
        CHECK(args.get<ss::const_tensor_view>(4).data() == full.data());
        const auto numbers = args.get<ss::numbers>(5);
        CHECK(std::vector<std::int64_t>(numbers.begin(), numbers.end()) == list);
        CHECK(args.get<void *>(6) == &anything && args.c().args[7].kind == SHARDSPEC_VALUE_NONE);
        CHECK(args.get<ss::sharded_tensor>("given")->local_count() == 2 && args.has("scale"));
        CHECK(args.get<int>("scale") == 7 && !args.has("absent") && !args.communicator());
        CHECK_REFUSED(INVALID_ARGUMENT, args.get<int>(0));
        CHECK_REFUSED(INVALID_ARGUMENT, args.get<int>(8));
        CHECK(status_of(args.get<bool>("absent", std::nothrow)) == SHARDSPEC_INVALID_ARGUMENT);
        out.set(0, true);
        out.set(1, -1);
        out.set(2, 1.5f);
        out.set(3, static_cast<void *>(&anything));
        out.set(4, tensor());
        out.set(5, tensor());
        out.set(6, tensor()); /* nobody asked for it */
      });
  auto results = ss::dispatch(chunk(), "test.values",
                              {true, INT64_MIN, 0.25, "text", ss::view(full), list,
                               ss::value::pointer(&anything), ss::value()},
                              6, {{"given", sharded}, {"scale", 7}});
  CHECK(results.size() == 6 && results.get<bool>(0) && results.get<int>(1) == -1);
  CHECK(results.get<double>(2) == 1.5 && results.get<void *>(3) == &anything);
  CHECK(results.get<ss::sharded_tensor>(4)->local_count() == 2);
  const ss::sharded_tensor taken = results.take(4);
  CHECK(taken.local_count() == 2);
  CHECK_REFUSED(INVALID_ARGUMENT, results.take(4));
  CHECK_REFUSED(INVALID_ARGUMENT, results.get<int>(9));
}

static void an_op_gets_the_communicator_of_its_collectives() {
  const auto group = ss::comm::local(1), other = ss::comm::local(1);
  const auto whole = ss::spec::chunk(0, {"rank:0"});
  const auto metadata =
      whole.build_metadata({4}, ss::tensor_properties(ss::dtype::of<float>()));
  const auto op = ss::register_op(
      "chunk", "test.gather",
      [](const ss::spec &, const ss::op_arguments &args, ss::op_output &out) {
        const auto given = args.get<ss::sharded_tensor>(0);
        std::vector<float> back(4);
        args.communicator()->gather(given->metadata(), 0, given->local_views(), ss::view(back));
        out.set(0, back[3]);
      });
  const auto here = ss::sharded_tensor::from_rank(group[0], metadata, 0, ss::view(full));
  const auto there = ss::sharded_tensor::from_rank(other[0], metadata, 0, ss::view(full));
  CHECK(ss::dispatch(whole, "test.gather", {here}, 1, {}, group[0]).get<double>(0) == 4);
  CHECK(op.ref().call(whole, {here}, 1, {}, group[0]).get<double>(0) == 4);
  CHECK(ss::dispatch(whole, "test.gather", {here}, 1, {}, *here.comm()).get<double>(0) == 4);
  CHECK_REFUSED(NULL_ARGUMENT, ss::dispatch(whole, "test.gather", {here}, 1));
  CHECK_REFUSED(COMMUNICATOR_MISMATCH, ss::dispatch(whole, "test.gather", {here, there}, 1));
}

static void what_an_op_throws_comes_out_of_the_dispatch() {
  const auto op = ss::register_op(
      "chunk", "test.throws", [](const ss::spec &, const ss::op_arguments &, ss::op_output &out) {
        out.set(0, tensor()); /* freed: the caller sees no results */
        throw std::domain_error("no such row");
      });
  const auto sharded = tensor();
  try {
    static_cast<void>(ss::dispatch(chunk(), "test.throws", {sharded}, 1));
    FAIL("nothing was thrown");
  } catch (const std::domain_error &original) {
    CHECK_TEXT(original.what(), "no such row");
  }
  const auto quiet = op.ref().call(chunk(), {sharded}, 1, {}, {}, std::nothrow);
  CHECK(status_of(quiet) == SHARDSPEC_USER_STATUS && quiet.error().cause);
}

static void what_is_no_call_of_an_op_is_refused() {
  const auto op = ss::register_op("chunk", "test.nothing", nothing);
  const auto sharded = tensor();
  CHECK_REFUSED(NO_ARGUMENTS, ss::dispatch(chunk(), "test.nothing", {}));
  CHECK_REFUSED(NO_SHARDED_TENSOR, ss::dispatch(chunk(), "test.nothing", {1, "x"}));
  CHECK_REFUSED(INVALID_ARGUMENT,
                ss::dispatch(chunk(), "test.nothing", {sharded}, 0, {{"twice", 1}, {"twice", 2}}));
  CHECK_REFUSED(NULL_ARGUMENT, ss::op_ref().unregister());
}

static void ops_are_listed_replaced_and_ended() {
  auto first = ss::register_op("chunk", "test.b", nothing);
  const auto second = ss::register_op("acme.grid", "test.a", nothing);
  const auto names = ss::list_ops();
  CHECK(names.size() == 2 && names[0].spec_type == "acme.grid" && names[0].op == "test.a");
  CHECK(names[1].spec_type == "chunk" && names[1].op == "test.b");
  auto third = ss::register_op("chunk", "test.b", nothing, SHARDSPEC_OP_FLAG_REPLACE);
  CHECK_REFUSED(INVALID_HANDLE, first.ref().unregister());
  const ss::op_ref kept(third.release());
  CHECK(ss::has_op("chunk", "test.b"));
  kept.unregister();
  CHECK(!ss::has_op("chunk", "test.b") && ss::list_ops().size() == 1);
}

static void an_op_can_not_end_itself() {
  ss::op_ref itself;
  const auto op = ss::register_op(
      "chunk", "test.ends", [&itself](const ss::spec &, const ss::op_arguments &, ss::op_output &) {
        CHECK_REFUSED(BUSY, itself.unregister());
      });
  itself = op.ref();
  const auto sharded = tensor();
  static_cast<void>(ss::dispatch(chunk(), "test.ends", {sharded}));
}

int main() {
  a_lambda_is_an_op_as_long_as_its_registration();
  every_kind_of_value_passes_both_ways();
  an_op_gets_the_communicator_of_its_collectives();
  what_an_op_throws_comes_out_of_the_dispatch();
  what_is_no_call_of_an_op_is_refused();
  ops_are_listed_replaced_and_ended();
  an_op_can_not_end_itself();
}
