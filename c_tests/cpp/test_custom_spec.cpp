/* Sharding specs of the user's own, and what becomes of exceptions in callbacks. */
#include "check.hpp"

#include <memory>
#include <stdexcept>
#include <thread>

/* Cuts two dimensions into a grid: box (r, c) lives on rank r * columns + c. */
struct grid {
  std::int64_t rows, columns;

  void build_metadata(const ss::tensor_description &tensor, ss::metadata_builder &shards) const {
    const auto start = [](std::int64_t size, std::int64_t parts, std::int64_t index) {
      return size * index / parts;
    };
    const std::int64_t height = tensor.sizes[0], width = tensor.sizes[1];
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t c = 0; c < columns; ++c) {
        const std::int64_t top = start(height, rows, r), left = start(width, columns, c);
        shards.add({top, left},
                   {start(height, rows, r + 1) - top, start(width, columns, c + 1) - left},
                   "rank:" + std::to_string(r * columns + c));
      }
  }
  bool operator==(const grid &other) const {
    return rows == other.rows && columns == other.columns;
  }
  std::uint64_t hash() const { return static_cast<std::uint64_t>(rows * 31 + columns); }
};

static void a_custom_spec_works_wherever_a_built_in_one_does() {
  const auto spec = ss::spec::custom("acme.grid", grid{2, 2});
  const auto metadata = spec.build_metadata({5, 7});
  CHECK(spec.type_name() == "acme.grid" && metadata.shard_count() == 4);
  CHECK(metadata.shard(3) == (ss::shard{{2, 3}, {3, 4}, "rank:3/cpu"}));
  CHECK(ss::spec::enumerable(metadata.shards()).build_metadata({5, 7}) == metadata);
  float full[5][7] = {}, corner[3][4] = {};
  full[2][3] = 7;
  spec.fill_shard(metadata, 3, ss::view(full), ss::view(corner));
  CHECK(corner[0][0] == 7);
  CHECK(spec.custom_object<grid>("acme.grid")->columns == 2);
  CHECK_REFUSED(WRONG_SPEC_TYPE, spec.custom_object<grid>("acme.other"));
  CHECK_REFUSED(WRONG_SPEC_TYPE, spec.shard_count());
  CHECK_REFUSED(INVALID_ARGUMENT, ss::spec::custom("chunk", grid{1, 1}));
}

static void specs_are_equal_when_their_objects_are() {
  const auto a = ss::spec::custom("acme.grid", grid{2, 3});
  const auto b = ss::spec::custom("acme.grid", grid{2, 3});
  const auto c = ss::spec::custom("acme.grid", grid{3, 2});
  CHECK(a == b && a != c && a.hash() == b.hash());
  /* What can't be compared equals only itself. */
  const auto lambda = [&a](const ss::tensor_description &, ss::metadata_builder &) { CHECK(a); };
  const auto d = ss::spec::custom("acme.grid", lambda);
  CHECK(d == d && d != ss::spec::custom("acme.grid", lambda) && d != a);
}

static void a_lambda_is_a_spec() {
  const auto whole = ss::placement::parse("rank:0");
  const auto spec = ss::spec::custom(
      "acme.named", [&whole](const ss::tensor_description &tensor, ss::metadata_builder &shards) {
        CHECK(tensor.dim_names.size() == 2 && std::string(tensor.dim_names[1]) == "feature");
        CHECK(ss::dtype(tensor.properties.dtype) == FLOAT32);
        shards.add({0, 0}, tensor.sizes, whole);
      });
  const auto metadata =
      spec.build_metadata_with_dim_names({5, 3}, {"batch", "feature"}, ss::tensor_properties::defaults());
  CHECK(metadata.shard(0) == (ss::shard{{0, 0}, {5, 3}, "rank:0/cpu"}));
}

static void shards_are_added_in_every_form_and_checked() {
  const ss::shard half{{0}, {2}, "rank:0"};
  const ss::shard_table rest{1, {2, 3}, {1, 1}, {}, {"rank:1", "rank:2"}};
  const auto spec = ss::spec::custom("acme.list", [&](const ss::tensor_description &tensor,
                                                      ss::metadata_builder &shards) {
    CHECK(tensor.dim_names.empty());
    shards.add(half);
    shards.add(rest);
    CHECK(status_of(shards.add({0}, {1, 1}, "rank:0", std::nothrow)) == SHARDSPEC_NDIM_MISMATCH);
    CHECK(status_of(shards.add({0, 0}, {1, 1}, "rank:0", std::nothrow)) == SHARDSPEC_NDIM_MISMATCH);
    CHECK(status_of(shards.add({1, {0}, {1}, {9}, {"rank:0"}}, std::nothrow)) ==
          SHARDSPEC_INDEX_OUT_OF_RANGE);
    CHECK(status_of(shards.add({0}, {1}, ss::placement(), std::nothrow)) ==
          SHARDSPEC_NULL_ARGUMENT);
  });
  CHECK(spec.build_metadata({4}).shard_count() == 3);
  const auto gap = CHECK_REFUSED(GAP, spec.build_metadata({5}));
  CHECK(holds(gap.what(), "acme.list"));
}

static void a_builder_ends_with_the_call_that_it_was_given_to() {
  shardspec_metadata_builder *kept = nullptr;
  const auto spec = ss::spec::custom(
      "acme.keeps", [&kept](const ss::tensor_description &tensor, ss::metadata_builder &shards) {
        kept = shards.get();
        shards.add({0}, tensor.sizes, "rank:0");
      });
  CHECK(spec.build_metadata({4}).numel() == 4);
  CHECK_REFUSED(INVALID_HANDLE, ss::metadata_builder(kept).add({0}, {1}, "rank:0"));
}

/* Fills every shard with its index instead of copying. */
struct numbering {
  void build_metadata(const ss::tensor_description &tensor, ss::metadata_builder &shards) const {
    for (std::int64_t i = 0; i < tensor.sizes[0]; ++i) shards.add({i}, {1}, "rank:0");
  }
  void fill_shard(const ss::metadata &metadata, std::size_t index, const ss::const_tensor_view &full,
             const ss::tensor_view &to, const ss::copy_options &options) const {
    CHECK(metadata.shard_count() == 3 && full.shape()[0] == 3 && options.max_threads == 1);
    *static_cast<std::int64_t *>(to.data()) = static_cast<std::int64_t>(index) * 100;
  }
};

static void a_type_may_fill_its_shards_itself() {
  const auto spec = ss::spec::custom("acme.numbering", numbering());
  const auto metadata = spec.build_metadata({3});
  const std::int64_t full[3] = {1, 2, 3};
  std::int64_t shard[1] = {};
  spec.fill_shard(metadata, 2, ss::view(full), ss::view(shard), ss::copy_options(1));
  CHECK(shard[0] == 200);
  CHECK(metadata.shard_count() == 3);
}

static void an_object_ends_once_also_when_it_makes_no_spec() {
  const auto alive = std::make_shared<int>(0);
  const auto lambda = [alive](const ss::tensor_description &, ss::metadata_builder &) {};
  CHECK(alive.use_count() == 2);
  {
    const auto spec = ss::spec::custom("acme.counted", lambda);
    CHECK(alive.use_count() == 3);
    CHECK_REFUSED(INVALID_ARGUMENT, ss::spec::custom("chunk", lambda));
    CHECK(status_of(ss::spec::custom("", lambda, std::nothrow)) == SHARDSPEC_INVALID_ARGUMENT);
    CHECK(alive.use_count() == 3);
  }
  CHECK(alive.use_count() == 2);
}

/* No standard exception, and not copied on its way. */
struct unusual {
  std::shared_ptr<int> value;
};

template <class Thrown> static auto throws(Thrown thrown) {
  return ss::spec::custom("acme.throws", [thrown](const ss::tensor_description &,
                                                  ss::metadata_builder &) { throw thrown; });
}

static void what_a_callback_throws_comes_out_of_the_call() {
  const auto spec = throws(std::out_of_range("the original"));
  try {
    static_cast<void>(spec.build_metadata({3}));
    FAIL("nothing was thrown");
  } catch (const std::out_of_range &original) {
    CHECK_TEXT(original.what(), "the original");
  }
  const auto value = std::make_shared<int>(7);
  try {
    static_cast<void>(throws(unusual{value}).build_metadata({3}));
    FAIL("nothing was thrown");
  } catch (const unusual &original) {
    CHECK(original.value == value);
  }
  try {
    static_cast<void>(throws(std::bad_alloc()).build_metadata({3}));
    FAIL("nothing was thrown");
  } catch (const std::bad_alloc &) {
  }
}

static void a_result_has_the_status_and_the_exception() {
  const auto quiet = [](const ss::spec &spec) {
    const auto result = spec.build_metadata({3}, {}, std::nothrow);
    CHECK(!result);
    return result.error();
  };
  const auto error = quiet(throws(std::out_of_range("the original")));
  CHECK(error.status == SHARDSPEC_USER_STATUS && holds(error.what(), "the original"));
  try {
    std::rethrow_exception(error.cause);
  } catch (const std::out_of_range &original) {
    CHECK_TEXT(original.what(), "the original");
  }
  CHECK(quiet(throws(unusual{})).status == SHARDSPEC_USER_STATUS);
  CHECK(quiet(throws(std::bad_alloc())).status == SHARDSPEC_OUT_OF_MEMORY);
  CHECK(quiet(throws(ss::error(SHARDSPEC_OK, "no"))).status == SHARDSPEC_USER_STATUS);
  CHECK(holds(quiet(throws(ss::error(1234, std::string(5000, 'x')))).what(), "xxx"));
}

static void a_refusal_reaches_c_with_its_numbers() {
  ss::error refusal(SHARDSPEC_USER_STATUS + 5, "too wide");
  refusal.dim = 1;
  refusal.got = 7;
  refusal.limit = 6;
  const auto spec = throws(refusal);
  const std::int64_t sizes[] = {3};
  shardspec_metadata *out = nullptr;
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  CHECK_STATUS(shardspec_spec_build_metadata(spec.get(), sizes, 1, nullptr, &out, &err),
               SHARDSPEC_USER_STATUS + 5);
  CHECK_MESSAGE("too wide");
  CHECK(err.dim == 1 && err.got == 7 && err.limit == 6 && out == nullptr);
  /* What no C++ call led to is kept for nobody. */
  const auto range = CHECK_REFUSED(INDEX_OUT_OF_RANGE, ss::spec::chunk(0, {"rank:0"}).placement(1));
  CHECK(!range.cause);
}

static void a_callback_may_return_its_refusal() {
  const auto status =
      ss::spec::custom("acme.status", [](const ss::tensor_description &, ss::metadata_builder &) {
        return shardspec_status{SHARDSPEC_USER_STATUS + 1};
      });
  const auto result = ss::spec::custom(
      "acme.result", [](const ss::tensor_description &, ss::metadata_builder &shards) {
        return shards.add({0}, {9}, "rank:x/cpu", std::nothrow);
      });
  const auto first = refused(SHARDSPEC_USER_STATUS + 1, "build",
                             [&] { static_cast<void>(status.build_metadata({9})); });
  CHECK(!first.cause);
  CHECK_REFUSED(INVALID_PLACEMENT, result.build_metadata({9}));
}

static void calls_inside_of_callbacks_keep_their_exceptions_apart() {
  const auto inner = throws(std::out_of_range("inner"));
  const auto outer = ss::spec::custom(
      "acme.outer", [&inner](const ss::tensor_description &tensor, ss::metadata_builder &shards) {
        try {
          static_cast<void>(inner.build_metadata(tensor.sizes));
          FAIL("nothing was thrown");
        } catch (const std::out_of_range &) {
        }
        if (tensor.sizes[0] == 1) static_cast<void>(inner.build_metadata(tensor.sizes));
        if (tensor.sizes[0] == 2) throw std::length_error("outer");
        shards.add({0}, tensor.sizes, "rank:0");
      });
  const auto outcome = [&outer](std::int64_t size) -> std::string {
    try {
      return std::to_string(outer.build_metadata({size}).numel());
    } catch (const std::exception &thrown) {
      return thrown.what();
    }
  };
  CHECK(outcome(1) == "inner" && outcome(2) == "outer" && outcome(3) == "3");
  std::vector<std::thread> threads;
  for (std::int64_t size = 1; size <= 4; ++size)
    threads.emplace_back([&outcome, size] {
      const std::string wanted = outcome(size);
      for (int i = 0; i < 100; ++i) CHECK(outcome(size) == wanted);
    });
  for (auto &thread : threads) thread.join();
}

int main() {
  a_custom_spec_works_wherever_a_built_in_one_does();
  specs_are_equal_when_their_objects_are();
  a_lambda_is_a_spec();
  shards_are_added_in_every_form_and_checked();
  a_builder_ends_with_the_call_that_it_was_given_to();
  a_type_may_fill_its_shards_itself();
  an_object_ends_once_also_when_it_makes_no_spec();
  what_a_callback_throws_comes_out_of_the_call();
  a_result_has_the_status_and_the_exception();
  a_refusal_reaches_c_with_its_numbers();
  a_callback_may_return_its_refusal();
  calls_inside_of_callbacks_keep_their_exceptions_apart();
}
