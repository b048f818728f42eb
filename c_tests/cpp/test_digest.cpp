/* Digests: the parts of all shards are the CRC of the tensor, however it is cut. */
#include "check.hpp"

#include <numeric>

static const std::vector<std::string> NAMES = {"rank:0", "rank:1", "rank:2"};
static std::vector<float> full(35);

/* CRC-64/NVME, bit by bit. */
template <class T> static std::uint64_t crc(const std::vector<T> &data) {
  const auto *at = reinterpret_cast<const unsigned char *>(data.data());
  std::uint64_t sum = UINT64_MAX;
  for (std::size_t i = 0; i < data.size() * sizeof(T); ++i) {
    sum ^= at[i];
    for (int bit = 0; bit < 8; ++bit) sum = (sum >> 1) ^ (sum & 1 ? 0x9a6c9329ac4bc9b5u : 0u);
  }
  return ~sum;
}

static ss::metadata cut(std::int64_t dim) {
  return ss::spec::chunk(dim, NAMES).build_metadata({5, 7}, ss::tensor_properties(ss::dtype::of<float>()));
}

static void two_cuts_of_one_tensor_have_one_digest() {
  for (std::int64_t dim = 0; dim < 2; ++dim) {
    std::uint64_t sum = 0;
    for (const auto &name : NAMES)
      sum ^= ss::sharded_tensor::from_full(cut(dim), name, ss::view(full, {5, 7})).digest();
    CHECK(sum == crc(full));
  }
}

static void shards_have_their_part_and_a_digest_of_their_own() {
  const auto metadata = cut(0);
  std::vector<std::vector<float>> data;
  std::vector<ss::tensor_view> views;
  data.reserve(3);
  for (const ss::shard &shard : metadata.shards())
    views.push_back(ss::view(data.emplace_back(shard.numel()), shard.sizes));
  metadata.scatter(ss::view(full, {5, 7}), views);
  const auto all = metadata.digest({}, views);
  CHECK(all == crc(full));
  const std::vector<ss::tensor_view> others = {views[2], views[0]};
  CHECK((metadata.digest({2, 0}, others) ^ metadata.digest({1}, {views[1]})) == all);
  const auto digests = metadata.shard_digests({2, 0}, others);
  CHECK(digests.size() == 2 && digests[0] == crc(data[2]) && digests[1] == crc(data[0]));
  CHECK(metadata.digest({}, {}) == 0 && metadata.shard_digests({}, {}).empty());
  ss::copy_options one;
  one.max_threads = 1;
  CHECK(metadata.digest({}, views, one) == all);
  CHECK_REFUSED(INVALID_ARGUMENT, metadata.digest({0, 1}, {views[0]}));
  CHECK_REFUSED(INVALID_ARGUMENT, metadata.shard_digests({0, 1}, {views[0]}));
  CHECK_REFUSED(INVALID_ARGUMENT, metadata.digest({1, 1}, {views[1], views[1]}));
  CHECK(status_of(metadata.digest({3}, {views[0]}, {}, std::nothrow)) == SHARDSPEC_INDEX_OUT_OF_RANGE);
}

int main() {
  std::iota(full.begin(), full.end(), 1.0f);
  two_cuts_of_one_tensor_have_one_digest();
  shards_have_their_part_and_a_digest_of_their_own();
}
