/* Views, and tensors in host memory: extract, view, scatter, gather. */
#include "check.hpp"

#include <array>
#include <numeric>
#if __cplusplus >= 202002L
#include <span>
#endif

/* What is used of std::mdspan, for standard libraries that lack it. */
template <class T> struct transposed_matrix {
  T *start;
  std::size_t rows, columns;
  static constexpr std::size_t rank() { return 2; }
  std::size_t extent(std::size_t dim) const { return dim == 0 ? rows : columns; }
  std::size_t stride(std::size_t dim) const { return dim == 0 ? 1 : rows; }
  T *data_handle() const { return start; }
};

static bool is(const ss::const_tensor_view &view, std::vector<std::int64_t> shape,
               std::vector<std::int64_t> strides) {
  const auto equal = [](ss::numbers a, const std::vector<std::int64_t> &b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  };
  return equal(view.shape(), shape) && equal(view.strides(), strides);
}

static void views_come_from_whatever_holds_the_elements() {
  std::vector<double> vector(15);
  const std::vector<double> constant(15);
  std::array<std::complex<float>, 4> array{};
  std::int16_t matrix[5][3] = {};
  const auto written = ss::view(vector, {5, 3});
  static_assert(std::is_same_v<decltype(written), const ss::tensor_view>);
  CHECK(is(written, {5, 3}, {}) && written.data() == vector.data());
  CHECK(written.type() == ss::dtype::parse("float64"));
  const auto read = ss::view(constant, {3, 5});
  static_assert(std::is_same_v<decltype(read), const ss::const_tensor_view>);
  CHECK(is(read, {3, 5}, {}) && read.data() == constant.data());
  CHECK(is(ss::view(array), {4}, {}) && ss::view(array).type().name() == "complex64");
  CHECK(is(ss::view(matrix), {5, 3}, {}) && ss::view(matrix).type().name() == "int16");
  CHECK(is(ss::view(&matrix[0][0], {3, 5}, {1, 3}), {3, 5}, {1, 3}));
  const transposed_matrix<const double> transposed{constant.data(), 3, 5};
  const auto strided = ss::view(transposed);
  static_assert(std::is_same_v<decltype(strided), const ss::const_tensor_view>);
  CHECK(is(strided, {3, 5}, {1, 3}));
#if __cplusplus >= 202002L
  CHECK(is(ss::view(std::span(vector), {15}), {15}, {}));
  static_assert(
      std::is_same_v<decltype(ss::view(std::span<const double>(vector))), ss::const_tensor_view>);
#endif
  CHECK(is(ss::view(strided.c()), {3, 5}, {1, 3}));
  const shardspec_tensor_view nowhere{nullptr, {SHARDSPEC_DLPACK_DEVICE_CPU, 0}, 2, FLOAT32, nullptr, nullptr,
                                      0};
  CHECK(ss::view(nowhere).shape().empty() && ss::view(nowhere).c().shape == nullptr);
  const float scalar = 7;
  CHECK(ss::view(&scalar, {}).ndim() == 0);
}

static void a_range_of_another_size_than_the_shape_is_refused() {
  std::vector<float> range(15);
  const auto error = CHECK_REFUSED(SHAPE_MISMATCH, ss::view(range, {5, 4}));
  CHECK(error.got == 15 && error.limit == 20);
  CHECK(status_of(ss::view(range, {5}, std::nothrow)) == SHARDSPEC_SHAPE_MISMATCH);
  CHECK_REFUSED(SHAPE_MISMATCH, ss::view(range, {-5, -3}));
  CHECK_REFUSED(SHAPE_MISMATCH, ss::view(range, {INT64_MAX, INT64_MAX}));
  CHECK(is(ss::view(std::vector<float>(), {0, INT64_MAX, 2}, std::nothrow).value(),
           {0, INT64_MAX, 2}, {}));
}

/* A 5x3 tensor of floats cut by rows over four ranks; the last shard is empty. */
struct fixture {
  ss::metadata metadata = ss::spec::chunk(0, {"rank:0", "rank:1", "rank:2", "rank:3"})
                              .build_metadata({5, 3}, ss::tensor_properties::defaults());
  std::vector<float> full = std::vector<float>(15), back = std::vector<float>(15);
  std::vector<std::vector<float>> data;
  std::vector<ss::tensor_view> shards;

  fixture() {
    std::iota(full.begin(), full.end(), 1.0f);
    for (const auto &shard : metadata.shards())
      data.emplace_back(static_cast<std::size_t>(shard.sizes[0] * shard.sizes[1]));
    for (std::size_t i = 0; i < 4; ++i)
      shards.push_back(ss::view(data[i], metadata.shard(i).sizes));
  }
};

static void scatter_then_gather_gives_the_tensor_back() {
  fixture f;
  f.metadata.scatter(ss::view(f.full, {5, 3}), f.shards);
  CHECK(f.data[0] == (std::vector<float>{1, 2, 3, 4, 5, 6}));
  CHECK(f.data[2] == (std::vector<float>{13, 14, 15}) && f.data[3].empty());
  f.metadata.gather(f.shards, ss::view(f.back, {5, 3}), ss::copy_options(2));
  CHECK(f.back == f.full);
  const auto &constant = f.data;
  std::vector<ss::const_tensor_view> sources;
  for (std::size_t i = 0; i < 4; ++i)
    sources.push_back(ss::view(constant[i], f.metadata.shard(i).sizes));
  f.back.assign(15, 0);
  CHECK(f.metadata.gather(sources, ss::view(f.back, {5, 3}), {}, std::nothrow));
  CHECK(f.back == f.full);
}

static void extract_and_view_give_what_scatter_gives() {
  fixture f;
  const auto full = ss::view(f.full, {5, 3});
  f.metadata.extract_shard(1, full, f.shards[1]);
  CHECK(f.data[1] == (std::vector<float>{7, 8, 9, 10, 11, 12}));
  const auto view = f.metadata.view_shard(1, full);
  static_assert(std::is_same_v<decltype(view), const ss::tensor_view>);
  CHECK(is(view, {2, 3}, {3, 1}) && view.data() == &f.full[6]);
  const ss::const_tensor_view &constant = full;
  static_assert(
      std::is_same_v<decltype(f.metadata.view_shard(1, constant)), ss::const_tensor_view>);
  CHECK(f.metadata.view_shard(3, constant).data() == nullptr);
  CHECK_REFUSED(INDEX_OUT_OF_RANGE, f.metadata.view_shard(4, full));
}

static void a_view_is_copied_into_another_of_the_same_shape() {
  std::vector<float> full{1, 2, 3, 4, 5, 6}, turned(6);
  const auto columns = ss::view(turned.data(), {2, 3}, {1, 2});
  ss::copy(ss::view(full, {2, 3}), columns);
  CHECK(turned == (std::vector<float>{1, 4, 2, 5, 3, 6}));
  CHECK(ss::copy(columns, ss::view(full, {2, 3}), ss::copy_options(1), std::nothrow));
  CHECK_REFUSED(SHAPE_MISMATCH, ss::copy(columns, ss::view(full, {3, 2})));
  CHECK_REFUSED(ALIASED, ss::copy(columns, columns));
}

static void what_does_not_fit_is_refused_before_the_first_byte() {
  fixture f;
  const auto full = ss::view(f.full, {5, 3});
  std::vector<double> doubles(15);
  const auto before = f.data;
  CHECK_REFUSED(INVALID_ARGUMENT, f.metadata.scatter(full, {f.shards[0]}));
  CHECK_REFUSED(DTYPE_MISMATCH, f.metadata.scatter(ss::view(doubles, {5, 3}), f.shards));
  CHECK_REFUSED(SHAPE_MISMATCH, f.metadata.scatter(ss::view(f.full, {3, 5}), f.shards));
  f.shards[2] = ss::view(doubles.data(), {1, 3});
  const auto error = CHECK_REFUSED(DTYPE_MISMATCH, f.metadata.scatter(full, f.shards));
  CHECK_EQUAL(error.first_shard, 2);
  f.shards[2] = ss::view(&f.full[12], {1, 3});
  CHECK_REFUSED(ALIASED, f.metadata.scatter(full, f.shards));
  f.shards[2] = ss::tensor_view(nullptr, ss::dtype::of<float>(), {1, 3});
  CHECK_REFUSED(NULL_ARGUMENT, f.metadata.scatter(full, f.shards));
  f.shards[2] = ss::tensor_view();
  CHECK_REFUSED(UNSUPPORTED_DEVICE, f.metadata.scatter(full, f.shards));
  CHECK(f.data == before);
  CHECK_REFUSED(INVALID_ARGUMENT, f.metadata.gather(f.shards, full, ss::copy_options(0, 1u << 31)));
}

static void interleaved_views_outlive_what_they_were_made_from() {
  fixture f;
  float both[12] = {};
  {
    const std::vector<std::int64_t> shape = {2, 3}, strides = {6, 2};
    f.shards[0] = ss::view(&both[0], shape, strides);
    f.shards[1] = ss::view(&both[1], shape, strides);
  }
  const auto moved = std::move(f.shards);
  f.metadata.scatter(ss::view(f.full, {5, 3}), moved);
  CHECK(both[0] == 1 && both[1] == 7 && both[10] == 6 && both[11] == 12);
}

static void a_tensor_without_dimensions_is_one_element() {
  const auto metadata = ss::spec::enumerable({ss::shard{{}, {}, "rank:0"}}).build_metadata({});
  const float from = 7;
  float to = 0;
  metadata.scatter(ss::view(&from, {}), {ss::view(&to, {})});
  CHECK(to == 7 && metadata.shard(0).sizes.empty() && metadata.shards().size() == 1);
}

int main() {
  views_come_from_whatever_holds_the_elements();
  a_range_of_another_size_than_the_shape_is_refused();
  scatter_then_gather_gives_the_tensor_back();
  extract_and_view_give_what_scatter_gives();
  a_view_is_copied_into_another_of_the_same_shape();
  what_does_not_fit_is_refused_before_the_first_byte();
  interleaved_views_outlive_what_they_were_made_from();
  a_tensor_without_dimensions_is_one_element();
}
