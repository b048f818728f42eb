/* Sharded tensors. */
#include "check.hpp"

#include <memory>
#include <numeric>

static const std::vector<std::string> RANKS = {"rank:0/cpu", "rank:1/cuda:0", "rank:1/cuda:1",
                                               "trainer0/cpu"};
static std::vector<float> full(15);

static ss::const_tensor_view whole() { return ss::view(full, {5, 3}); }

/* 5x3 floats cut by rows: two, two, one, none. */
static ss::metadata rows(ss::dtype type = ss::dtype::of<float>()) {
  return ss::spec::chunk(0, RANKS).build_metadata({5, 3}, ss::tensor_properties(type));
}

static void a_full_tensor_is_sharded_for_each_owner_that_can_be_named() {
  const auto metadata = rows();
  const auto tensor = ss::sharded_tensor::from_full(metadata, "rank:1", whole());
  CHECK(tensor.local_count() == 2 && tensor.local_index(1) == 2);
  CHECK(tensor.metadata() == metadata);
  const auto view = tensor.local_view(0);
  CHECK(view.shape()[0] == 2 && view.as<float>()[0] == 7 && view.as<float>()[5] == 12);
  CHECK(reinterpret_cast<std::uintptr_t>(view.data()) % 64 == 0);
  const auto views = tensor.local_views();
  CHECK(views.size() == 2 && views[0].data() == view.data() && views[1].shape()[0] == 1);
  CHECK_REFUSED(DTYPE_MISMATCH, view.as<double>());
  CHECK(status_of(view.as<int>(std::nothrow)) == SHARDSPEC_DTYPE_MISMATCH);
  const ss::const_tensor_view &read = view;
  static_assert(std::is_same_v<decltype(read.as<float>()), const float *>);
  CHECK(ss::sharded_tensor::from_full(metadata, std::string("rank:7"), whole()).local_count() == 0);
  CHECK(ss::sharded_tensor::from_full(metadata, ss::all_shards, whole()).local_count() == 4);
  CHECK(ss::sharded_tensor::from_full(metadata, {0}, whole()).local_index(0) == 0);
  const std::vector<std::size_t> indices = {2, 0};
  CHECK(ss::sharded_tensor::from_full(metadata, indices, whole()).local_index(1) == 2);
  CHECK_REFUSED(INVALID_PLACEMENT, ss::sharded_tensor::from_full(metadata, "rank:x", whole()));
  CHECK_REFUSED(INVALID_ARGUMENT, ss::sharded_tensor::from_full(metadata, {1, 1}, whole()));
  CHECK_REFUSED(INDEX_OUT_OF_RANGE, tensor.local_view(2));
  CHECK(metadata.shards_of_owner("rank:1") == (std::vector<std::size_t>{1, 2}));
  CHECK(metadata.shards_of_owner("trainer0") == std::vector<std::size_t>{3});
  CHECK_REFUSED(INVALID_PLACEMENT, metadata.shards_of_owner("rank:x"));
}

static void what_is_not_local_is_named_and_all_shards_give_the_tensor_back() {
  std::vector<float> back(15, -1);
  const auto again = ss::view(back, {5, 3});
  const auto some = ss::sharded_tensor::from_full(rows(), {3, 2, 0}, whole());
  const auto error = CHECK_REFUSED(NOT_LOCAL, some.gather(again));
  CHECK(error.first_shard == 1 && back == std::vector<float>(15, -1));
  const auto enough = ss::sharded_tensor::from_full(rows(), {2, 0, 1}, whole());
  enough.local_view(1).as<float>()[4] = 0;
  enough.gather(again);
  CHECK(back[10] == 0 && back[9] == full[9] && back[14] == full[14]);
}

static void new_shards_are_zero_where_that_is_wanted() {
  const auto zeros = ss::sharded_tensor::zeros(rows(), "rank:1");
  CHECK(zeros.local_count() == 2 && zeros.local_view(1).as<float>()[2] == 0);
  const auto empty = ss::sharded_tensor::empty(rows(), {2, 0});
  CHECK(empty.local_index(0) == 0 && empty.local_index(1) == 2);
  CHECK(ss::sharded_tensor::zeros(rows(), {1}, std::nothrow)->local_count() == 1);
  CHECK_REFUSED(INVALID_ARGUMENT, ss::sharded_tensor::empty(rows(ss::dtype()), ss::all_shards));
}

static void a_spec_cuts_a_tensor_in_its_own_way() {
  const auto spec = ss::spec::chunk(0, RANKS);
  ss::tensor_properties properties;
  properties.requires_grad = 1;
  const auto tensor = ss::sharded_tensor::from_spec(spec, "rank:0", whole(), properties);
  CHECK(tensor.local_count() == 1 && tensor.local_view(0).as<float>()[5] == 6);
  CHECK(tensor.properties().requires_grad == 1);
  CHECK(ss::dtype(tensor.properties().dtype) == FLOAT32);
  CHECK(ss::sharded_tensor::from_spec(spec, ss::all_shards, whole()).local_count() == 4);
}

/* Counts its end. */
struct counted {
  std::vector<float> data;
  std::shared_ptr<int> alive;
};

static void lent_memory_is_used_where_it_is_and_given_back_once() {
  const auto metadata = rows();
  std::vector<float> second(full.begin() + 6, full.begin() + 12);
  const auto view = ss::view(second, {2, 3});
  const auto borrowed = ss::sharded_tensor::from_local(metadata, {1}, {view});
  CHECK(borrowed.local_index(0) == 1 && borrowed.local_view(0).data() == second.data());

  const auto alive = std::make_shared<int>(0);
  {
    const auto owned =
        ss::sharded_tensor::from_local(metadata, {1}, {view}, counted{std::move(second), alive});
    CHECK(alive.use_count() == 2 && owned.local_view(0).as<float>()[0] == 7);
    CHECK(owned.local_view(0).data() == view.data());
  }
  CHECK(alive.use_count() == 1);

  std::vector<float> third(3);
  const std::vector<ss::shard> boxes = {metadata.shard(2), metadata.shard(1)};
  std::vector<float> fourth(6);
  const std::vector<ss::tensor_view> both = {ss::view(third, {1, 3}), ss::view(fourth, {2, 3})};
  const auto described = ss::sharded_tensor::from_local(metadata, boxes, both, nullptr, "rank:1");
  CHECK(described.local_index(0) == 1 && described.local_view(0).data() == fourth.data());
  CHECK_REFUSED(INVALID_ARGUMENT, ss::sharded_tensor::from_local(metadata, boxes, both,
                                                                 counted{{}, alive}, "rank:0"));
  CHECK_REFUSED(INVALID_ARGUMENT,
                ss::sharded_tensor::from_local(metadata, {1}, both, counted{{}, alive}));
  CHECK_REFUSED(INVALID_ARGUMENT,
                ss::sharded_tensor::from_local(metadata, {boxes[0]}, both, counted{{}, alive}));
  CHECK_REFUSED(NDIM_MISMATCH, ss::sharded_tensor::from_local(
                                   metadata, {boxes[0], ss::shard{{2}, {2, 3}, "rank:1"}}, both));
  CHECK_REFUSED(SHAPE_MISMATCH, ss::sharded_tensor::from_local(metadata, {0, 1}, both));
  CHECK(alive.use_count() == 1);
}

static void every_call_on_an_empty_handle_is_refused() {
  const ss::sharded_tensor tensor;
  const ss::metadata metadata;
  const shardspec_status missing = SHARDSPEC_NULL_ARGUMENT;
  const auto &quiet = std::nothrow;
  float data[1] = {};
  const auto view = ss::view(data);
  using made = ss::sharded_tensor;
  CHECK(status_of(tensor.metadata(quiet)) == missing);
  CHECK(status_of(tensor.properties(quiet)) == missing);
  CHECK(status_of(tensor.local_count(quiet)) == missing);
  CHECK(status_of(tensor.local_index(0, quiet)) == missing);
  CHECK(status_of(tensor.local_view(0, quiet)) == missing);
  CHECK(status_of(tensor.local_views(quiet)) == missing);
  CHECK(status_of(tensor.gather(view, {}, quiet)) == missing);
  CHECK(status_of(made::empty(metadata, {0}, quiet)) == missing);
  CHECK(status_of(made::from_full(metadata, "rank:0", view, {}, quiet)) == missing);
  CHECK(status_of(made::from_spec(ss::spec(), "rank:0", view, {}, {}, quiet)) == missing);
  CHECK(status_of(made::from_local(metadata, {0}, {view}, nullptr, "rank:0", quiet)) == missing);
  CHECK(status_of(metadata.shards_of_owner("rank:0", quiet)) == missing);
}

int main() {
  std::iota(full.begin(), full.end(), 1.0f);
  a_full_tensor_is_sharded_for_each_owner_that_can_be_named();
  what_is_not_local_is_named_and_all_shards_give_the_tensor_back();
  new_shards_are_zero_where_that_is_wanted();
  a_spec_cuts_a_tensor_in_its_own_way();
  lent_memory_is_used_where_it_is_and_given_back_once();
  every_call_on_an_empty_handle_is_refused();
}
