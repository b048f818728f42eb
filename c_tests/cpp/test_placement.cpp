/* Placements, also of the user's own types. */
#include "check.hpp"

#include <memory>

static void placements_are_taken_apart() {
  const auto cuda = ss::placement::parse("rank:1/cuda:0");
  CHECK(cuda.rank() == 1 && cuda.device_type() == SHARDSPEC_DEVICE_CUDA);
  CHECK(cuda.device_index() == 0 && cuda.str() == "rank:1/cuda:0" && cuda.type_name() == "device");
  CHECK_REFUSED(NOT_FOUND, cuda.worker_name());
  const auto worker = ss::placement::parse(std::string("trainer0"));
  CHECK(worker.worker_name() == "trainer0" && worker.str() == "trainer0/cpu");
  CHECK(worker.rank() == -1 && worker.device_index() == -1);
  const auto cpu = ss::placement::parse("rank:1"), same = ss::placement::parse("rank:1/cpu");
  CHECK(cpu == same && cpu != cuda && cpu.hash() == same.hash());
  const std::string long_name(1000, 'w');
  CHECK(ss::placement::parse(long_name).worker_name() == long_name);
}

/* Racks are the same place when they have the same number, whatever is shown. */
struct rack {
  std::uint64_t number;
  std::shared_ptr<int> alive;

  bool operator==(const rack &other) const { return number == other.number; }
  std::uint64_t hash() const { return number; }
};

static void a_place_of_the_users_own_goes_wherever_a_placement_does() {
  const auto alive = std::make_shared<int>(0);
  {
    const auto left = ss::placement::custom("acme.rack", "rack 7, left", 0, rack{7, alive});
    const auto right = ss::placement::custom("acme.rack", "rack 7, right", 0, rack{7, alive});
    const auto other = ss::placement::custom("acme.rack", "rack 8", 3, rack{8, alive});
    CHECK(left == right && left != other && left.hash() == right.hash());
    CHECK(other.rank() == 3 && other.str() == "rack 8" && other.type_name() == "acme.rack");
    CHECK(other.custom_object<rack>("acme.rack")->number == 8);
    CHECK_REFUSED(NOT_FOUND, other.custom_object<rack>("acme.shelf"));
    CHECK_REFUSED(NOT_FOUND, other.device_type());

    const auto metadata = ss::spec::chunk(0, {left, other}).build_metadata({4});
    CHECK(metadata.placement(1) == other && metadata.shard_placement(0) == right);
    CHECK(metadata.placement(1).custom_object<rack>("acme.rack")->number == 8);
    CHECK(metadata.shards_of_rank(3) == std::vector<std::size_t>{1});
    CHECK(ss::spec::chunk("x", {left, other}).build_metadata_with_dim_names({4}, {"x"}) == metadata);
    const ss::shard_table halves{1, {0, 2}, {2, 2}, {}, {}};
    CHECK(ss::spec::enumerable(halves, {left, other}).build_metadata({4}) == metadata);
    CHECK(ss::spec::infer(halves, {left, other}) == ss::spec::chunk(0, {left, other}));
    std::vector<ss::placement> several;
    several.push_back(ss::placement::parse("rank:0"));
    several.push_back(ss::placement::parse("rank:1"));
    CHECK(ss::spec::chunk(0, several) == ss::spec::chunk(0, {"rank:0", "rank:1"}));
    CHECK_REFUSED(NDIM_MISMATCH, ss::spec::enumerable(halves, {left}));
    CHECK_REFUSED(NULL_ARGUMENT, ss::spec::chunk(0, {left, ss::placement()}));
  }
  CHECK(alive.use_count() == 1);
  CHECK_REFUSED(INVALID_ARGUMENT, ss::placement::custom("device", "x", 0, rack{7, alive}));
  CHECK(alive.use_count() == 1);
}

static void places_without_an_object_are_equal_when_their_texts_are() {
  const auto place = ss::placement::custom("acme.tier", "cold", -1);
  CHECK(place == ss::placement::custom("acme.tier", "cold", -1));
  CHECK(place != ss::placement::custom("acme.tier", "warm", -1, nullptr, std::nothrow).value());
}

int main() {
  placements_are_taken_apart();
  a_place_of_the_users_own_goes_wherever_a_placement_does();
  places_without_an_object_are_equal_when_their_texts_are();
}
