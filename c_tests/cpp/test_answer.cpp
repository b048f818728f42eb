/* How calls answer: thrown errors and results; handles. */
#include "check.hpp"

template <class T> constexpr bool moves_only =
    !std::is_copy_constructible_v<T> && !std::is_copy_assignable_v<T> &&
    std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T>;
static_assert(moves_only<ss::placement> && moves_only<ss::spec> && moves_only<ss::metadata> &&
              moves_only<ss::sharded_tensor> && moves_only<ss::op> && moves_only<ss::comm>);
static_assert(sizeof(ss::spec) == sizeof(void *), "a handle costs what the C handle costs");
static_assert(std::is_base_of_v<std::runtime_error, ss::error>);
static_assert(std::is_nothrow_copy_constructible_v<ss::error>);

static void a_call_throws_or_returns_as_its_last_argument_says() {
  const auto thrown = CHECK_REFUSED(INVALID_PLACEMENT, ss::placement::parse("rank:x/cpu"));
  ss::result<ss::placement> result = ss::placement::parse("rank:x/cpu", std::nothrow);
  CHECK(!result && !result.has_value());
  CHECK(result.error().status == SHARDSPEC_INVALID_PLACEMENT);
  CHECK_TEXT(result.error().what(), thrown.what());
  CHECK_REFUSED(INVALID_PLACEMENT, result.value());
  result = ss::placement::parse("rank:1", std::nothrow);
  CHECK(result && result->str() == "rank:1/cpu" && (*result).rank() == 1);
  CHECK(result.value().rank(std::nothrow).value() == 1);
  const ss::placement taken = std::move(result).value();
  CHECK(taken.rank() == 1);
}

static void an_error_has_the_numbers_of_the_c_interface() {
  const auto error = CHECK_REFUSED(OVERLAP, ss::spec::enumerable({{{0, 0}, {4, 4}, "rank:0"},
                                                                  {{4, 0}, {4, 4}, "rank:1"},
                                                                  {{3, 2}, {2, 1}, "rank:2"}}));
  CHECK(error.first_shard < 2 && error.second_shard == 2);
  CHECK_EQUAL(error.dim, -1);
  CHECK(!error.cause);
  CHECK(holds(error.what(), "2"));
  const auto range =
      CHECK_REFUSED(INDEX_OUT_OF_RANGE, ss::spec::chunk(0, {"rank:0", "rank:1"}).placement(7));
  CHECK_EQUAL(range.got, 7);
  CHECK_EQUAL(range.limit, 2);
}

static void every_status_has_a_name() {
  for (shardspec_status status = SHARDSPEC_OK; status <= SHARDSPEC_INTERNAL; ++status)
    CHECK(ss::status_name(status).size() >= 2);
  CHECK(ss::status_name(SHARDSPEC_OVERLAP) == "OVERLAP");
  CHECK_REFUSED(NOT_FOUND, ss::status_name(-1));
  CHECK(status_of(ss::status_name(-1, std::nothrow)) == SHARDSPEC_NOT_FOUND);
}

static void the_library_is_the_headers() {
  CHECK(ss::version() == SHARDSPEC_VERSION);
  CHECK(ss::abi_version() == SHARDSPEC_ABI_VERSION);
}

static void a_handle_moves_and_frees_what_it_owns_once() {
  auto spec = ss::spec::chunk(0, {"rank:0"});
  shardspec_spec *const raw = spec.get();
  size_t count = 0;
  ss::spec moved = std::move(spec);
  CHECK(moved.get() == raw && moved);
  CHECK_REFUSED(NULL_ARGUMENT, spec.shard_count());
  moved = ss::spec::chunk(0, {"rank:0", "rank:1"});
  CHECK_EQUAL(shardspec_spec_shard_count(raw, &count, nullptr), SHARDSPEC_INVALID_HANDLE);
  CHECK(moved.shard_count() == 2);
  shardspec_spec *const released = moved.release();
  CHECK(!moved);
  {
    const ss::spec owner(released);
    CHECK(owner.shard_count() == 2);
  }
  CHECK_EQUAL(shardspec_spec_free(released, nullptr), SHARDSPEC_INVALID_HANDLE);
  ss::spec freed_by_c = ss::spec::chunk(0, {"rank:0"});
  CHECK_EQUAL(shardspec_spec_free(freed_by_c.get(), nullptr), SHARDSPEC_OK);
  CHECK_REFUSED(INVALID_HANDLE, freed_by_c.type_name());
}

/* Equal where both are there. */
static void a_moved_handle_keeps_its_value_through_itself() {
  auto spec = ss::spec::chunk(0, {"rank:0"});
  ss::spec &same = spec;
  spec = std::move(same);
  CHECK(spec && spec.shard_count() == 1);
}

/* The same calls, each answering with a result, on handles that are empty. */
static void every_call_on_an_empty_handle_is_refused() {
  const ss::placement placement;
  const ss::spec spec;
  const ss::metadata metadata;
  const shardspec_status missing = SHARDSPEC_NULL_ARGUMENT;
  const auto &quiet = std::nothrow;
  CHECK(status_of(placement.str(quiet)) == missing);
  CHECK(status_of(placement.rank(quiet)) == missing);
  CHECK(status_of(placement.type_name(quiet)) == missing);
  CHECK(status_of(placement.custom_object<int>("acme.int", quiet)) == missing);
  CHECK(status_of(placement.worker_name(quiet)) == missing);
  CHECK(status_of(placement.device_type(quiet)) == missing);
  CHECK(status_of(placement.device_index(quiet)) == missing);
  CHECK(status_of(placement.equal(placement, quiet)) == missing);
  CHECK(status_of(placement.hash(quiet)) == missing);
  CHECK(status_of(spec.type_name(quiet)) == missing);
  CHECK(status_of(spec.chunk_dim(quiet)) == missing);
  CHECK(status_of(spec.chunk_dim_name(quiet)) == missing);
  CHECK(status_of(spec.shard_count(quiet)) == missing);
  CHECK(status_of(spec.placement(0, quiet)) == missing);
  CHECK(status_of(spec.equal(spec, quiet)) == missing);
  CHECK(status_of(spec.hash(quiet)) == missing);
  CHECK(status_of(spec.chunk_sharding_params(5, 4, 0, quiet)) == missing);
  CHECK(status_of(spec.build_metadata({5, 3}, {}, quiet)) == missing);
  CHECK(status_of(spec.build_metadata_with_dim_names({5}, {"x"}, {}, quiet)) == missing);
  CHECK(status_of(spec.custom_object<int>("acme.int", quiet)) == missing);
  CHECK(status_of(metadata.shard_count(quiet)) == missing);
  CHECK(status_of(metadata.ndim(quiet)) == missing);
  CHECK(status_of(metadata.sizes(quiet)) == missing);
  CHECK(status_of(metadata.numel(quiet)) == missing);
  CHECK(status_of(metadata.properties(quiet)) == missing);
  CHECK(status_of(metadata.shard(0, quiet)) == missing);
  CHECK(status_of(metadata.shards(quiet)) == missing);
  CHECK(status_of(metadata.table(quiet)) == missing);
  CHECK(status_of(metadata.shard_placement(0, quiet)) == missing);
  CHECK(status_of(metadata.placement(0, quiet)) == missing);
  CHECK(status_of(metadata.shards_of_rank(0, quiet)) == missing);
  CHECK(status_of(metadata.equal(metadata, quiet)) == missing);
  CHECK(status_of(metadata.hash(quiet)) == missing);
  float numbers[4] = {};
  const auto view = ss::view(numbers);
  CHECK(status_of(metadata.extract_shard(0, view, view, {}, quiet)) == missing);
  CHECK(status_of(spec.fill_shard(metadata, 0, view, view, {}, quiet)) == missing);
  CHECK(status_of(metadata.view_shard(0, view, quiet)) == missing);
  CHECK(status_of(metadata.scatter(view, {view}, {}, quiet)) == missing);
  CHECK(status_of(metadata.gather({view}, view, {}, quiet)) == missing);
}

int main() {
  a_call_throws_or_returns_as_its_last_argument_says();
  an_error_has_the_numbers_of_the_c_interface();
  every_status_has_a_name();
  the_library_is_the_headers();
  a_handle_moves_and_frees_what_it_owns_once();
  a_moved_handle_keeps_its_value_through_itself();
  every_call_on_an_empty_handle_is_refused();
}
