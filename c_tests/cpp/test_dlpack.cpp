/* Tensors of DLPack, taken in and handed out. */
#include "check.hpp"
#include "shardspec_dlpack.h"

#include <memory>

static void a_dltensor_is_taken_as_it_is() {
  float data[6] = {1, 2, 3, 4, 5, 6};
  std::int64_t shape[] = {2, 2}, strides[] = {-2, 1};
  DLTensor tensor{data, {kDLCPU, 0}, 2, {kDLFloat, 32, 1}, shape, strides, 16};
  const auto view = ss::view(tensor);
  CHECK(view.ndim() == 2 && view.strides()[0] == -2 && view.as<float>()[0] == 5);
  float rows[2][2] = {};
  const auto metadata = ss::spec::chunk(0, {"rank:0"}).build_metadata({2, 2});
  metadata.extract_shard(0, view, ss::view(rows));
  CHECK(rows[0][0] == 5 && rows[0][1] == 6 && rows[1][0] == 3 && rows[1][1] == 4);
  tensor.strides = nullptr;
  CHECK(ss::view(tensor).strides().empty());
  tensor.device.device_type = kDLCUDA;
  CHECK_REFUSED(UNSUPPORTED_DEVICE, metadata.extract_shard(0, ss::view(tensor), ss::view(rows)));
}

/* Memory, and who still has it. */
struct owned {
  std::vector<float> data;
  std::shared_ptr<int> alive;
};

static void lent_memory_comes_back_once() {
  const auto alive = std::make_shared<int>(0);
  std::vector<float> data(12);
  const auto view = ss::view(data, {4, 3});
  {
    ss::managed_tensor managed = ss::manage(view, owned{std::move(data), alive});
    CHECK(alive.use_count() == 2 && managed->flags == 0);
    DLManagedTensorVersioned *theirs = shardspec_managed_tensor_to_dlpack(managed.release());
    CHECK(theirs->dl_tensor.data == view.data() && theirs->dl_tensor.strides[0] == 3);
    theirs->deleter(theirs);
    CHECK(alive.use_count() == 1);
  }
  float other[4] = {};
  {
    const ss::managed_tensor dropped = ss::manage(ss::view(other), owned{{}, alive});
    const ss::legacy_managed_tensor legacy = ss::manage_legacy(ss::view(other), owned{{}, alive});
    CHECK(alive.use_count() == 3 && legacy->tensor.data == other);
  }
  CHECK(alive.use_count() == 1);
  CHECK_REFUSED(INVALID_ARGUMENT, ss::manage(ss::view(other), owned{{}, alive}, 1u << 20));
  const ss::tensor_view elsewhere(other, ss::dtype::of<float>(), {4}, {}, 0, {kDLCUDA, 0});
  CHECK(status_of(ss::manage_legacy(elsewhere, owned{{}, alive}, std::nothrow)) ==
        SHARDSPEC_UNSUPPORTED_DEVICE);
  CHECK(alive.use_count() == 1);
}

static void what_is_only_read_says_so() {
  const std::vector<float> data(3);
  CHECK(ss::manage(ss::view(data), nullptr, SHARDSPEC_DLPACK_FLAG_IS_COPIED)->flags ==
        (SHARDSPEC_DLPACK_FLAG_READ_ONLY | SHARDSPEC_DLPACK_FLAG_IS_COPIED));
}

static void what_others_lend_is_kept_by_a_sharded_tensor() {
  const auto alive = std::make_shared<int>(0);
  std::vector<float> data = {1, 2, 3};
  const auto view = ss::view(data);
  ss::managed_tensor theirs = ss::manage(view, owned{std::move(data), alive});
  const auto metadata = ss::spec::chunk(0, {"rank:0"}).build_metadata({3});
  const auto shard = ss::view(theirs->tensor);
  {
    const auto tensor = ss::sharded_tensor::from_local(metadata, {0}, {shard}, std::move(theirs));
    CHECK(alive.use_count() == 2 && tensor.local_view(0).as<float>()[2] == 3);
  }
  CHECK(alive.use_count() == 1);
}

static void local_shards_go_to_others_and_come_from_them() {
  const auto alive = std::make_shared<int>(0);
  std::vector<float> data = {1, 2, 3};
  const auto view = ss::view(data);
  const auto metadata = ss::spec::chunk(0, {"rank:0"}).build_metadata({3});
  std::vector<ss::managed_tensor> theirs;
  theirs.push_back(ss::manage(view, owned{std::move(data), alive}));
  ss::managed_tensor exported;
  {
    const auto tensor = ss::sharded_tensor::from_managed(metadata, {0}, std::move(theirs));
    exported = tensor.export_local(0);
    CHECK(tensor.export_local_legacy(0)->tensor.data == view.data());
    CHECK_REFUSED(INDEX_OUT_OF_RANGE, tensor.export_local(1));
    CHECK(status_of(tensor.export_local_legacy(1, std::nothrow)) == SHARDSPEC_INDEX_OUT_OF_RANGE);
  }
  CHECK(alive.use_count() == 2 && static_cast<float *>(exported->tensor.data)[2] == 3);
  exported.reset();
  CHECK(alive.use_count() == 1);

  const auto read_only = [&alive] {
    static const float constant[3] = {};
    std::vector<ss::managed_tensor> shards;
    shards.push_back(ss::manage(ss::view(constant), owned{{}, alive}));
    return shards;
  };
  CHECK_REFUSED(READ_ONLY, ss::sharded_tensor::from_managed(metadata, {0}, read_only()));
  CHECK_REFUSED(INVALID_ARGUMENT, ss::sharded_tensor::from_managed(metadata, {0, 1}, read_only()));
  CHECK(alive.use_count() == 1);
}

int main() {
  a_dltensor_is_taken_as_it_is();
  lent_memory_comes_back_once();
  what_is_only_read_says_so();
  what_others_lend_is_kept_by_a_sharded_tensor();
  local_shards_go_to_others_and_come_from_them();
}
