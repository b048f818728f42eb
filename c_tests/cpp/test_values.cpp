/* Element types, properties of tensors, the arithmetic of chunks. */
#include "check.hpp"

#include <array>
#include <cstdint>

struct half {
  std::uint16_t bits;
};
template <> struct shardspec::element<half> {
  static constexpr dtype type{SHARDSPEC_DTYPE_FLOAT, 16};
};
struct pixel {
  std::uint8_t red, green, blue;
};
template <> struct shardspec::element<pixel> {
  static constexpr dtype type{SHARDSPEC_DTYPE_UINT, 8, 3};
};

static_assert(sizeof(ss::dtype) == sizeof(shardspec_dtype));
static_assert(sizeof(ss::tensor_properties) == sizeof(shardspec_tensor_properties));
static_assert(ss::dtype::of<const float>() == ss::dtype(SHARDSPEC_DTYPE_FLOAT, 32));
static_assert(ss::dtype::of<half>() != ss::dtype(SHARDSPEC_DTYPE_BFLOAT, 16));

template <class T> static void is_called(const char *name) {
  const auto type = ss::dtype::of<T>();
  CHECK_TEXT(type.name().c_str(), name);
  CHECK(type == ss::dtype::parse(name));
  CHECK_EQUAL(type.itemsize(), sizeof(T));
}

static void the_types_of_cpp_have_the_names_of_the_field() {
  is_called<float>("float32");
  is_called<double>("float64");
  is_called<bool>("bool");
  is_called<std::byte>("uint8");
  is_called<std::int8_t>("int8");
  is_called<std::uint16_t>("uint16");
  is_called<std::int32_t>("int32");
  is_called<std::uint64_t>("uint64");
  is_called<long long>("int64");
  is_called<std::complex<float>>("complex64");
  is_called<std::complex<double>>("complex128");
  is_called<half>("float16");
  is_called<pixel>("uint8x3");
#ifdef __STDCPP_FLOAT16_T__
  is_called<std::float16_t>("float16");
#endif
#ifdef __STDCPP_BFLOAT16_T__
  is_called<std::bfloat16_t>("bfloat16");
#endif
}

static void packed_and_unknown_types_are_refused() {
  CHECK_REFUSED(UNSUPPORTED, ss::dtype(SHARDSPEC_DTYPE_FLOAT4_E2M1FN, 4).itemsize());
  CHECK_EQUAL(ss::dtype(SHARDSPEC_DTYPE_FLOAT4_E2M1FN, 4).bytes(5), std::size_t{3});
  CHECK_REFUSED(INVALID_ARGUMENT, ss::dtype().itemsize());
  CHECK_REFUSED(INVALID_ARGUMENT, ss::dtype().name());
  CHECK_REFUSED(INVALID_ARGUMENT, ss::dtype::parse("Float32"));
  CHECK_REFUSED(NULL_ARGUMENT, ss::dtype::parse(nullptr));
  CHECK(status_of(ss::dtype::parse("x4", std::nothrow)) == SHARDSPEC_INVALID_ARGUMENT);
  CHECK(status_of(ss::dtype().name(std::nothrow)) == SHARDSPEC_INVALID_ARGUMENT);
  CHECK(status_of(ss::dtype().itemsize(std::nothrow)) == SHARDSPEC_INVALID_ARGUMENT);
}

static void properties_are_carried_and_wrong_ones_refused() {
  const auto spec = ss::spec::chunk(0, {"rank:0"});
  CHECK(ss::dtype(ss::tensor_properties::defaults().dtype) == FLOAT32);
  CHECK(ss::dtype(ss::tensor_properties::defaults(std::nothrow)->dtype) == FLOAT32);
  ss::tensor_properties properties(ss::dtype::parse("bfloat16"));
  properties.memory_format = SHARDSPEC_MEMORY_FORMAT_CHANNELS_LAST;
  properties.requires_grad = properties.pin_memory = 1;
  const auto back = spec.build_metadata({4}, properties).properties();
  CHECK(memcmp(&back, &properties, sizeof back) == 0);
  const auto unstated = spec.build_metadata({4}).properties();
  CHECK(ss::dtype(unstated.dtype) == ss::dtype());
  CHECK(spec.build_metadata({4}) == spec.build_metadata({4}, ss::tensor_properties()));
  properties.layout = 99;
  CHECK_REFUSED(INVALID_ARGUMENT, spec.build_metadata({4}, properties));
}

static void chunks_are_those_of_torch() {
  CHECK(ss::chunk_split_size(5, 4) == 2);
  CHECK(ss::chunk_split_size(INT64_MAX, 2) == INT64_MAX / 2 + 1);
  const std::array<std::int64_t, 4> wanted{2, 2, 1, 0};
  for (std::size_t i = 0; i < wanted.size(); ++i)
    CHECK(ss::chunk_dim_size(5, 2, static_cast<std::int64_t>(i)) == wanted[i]);
  CHECK_REFUSED(INVALID_ARGUMENT, ss::chunk_split_size(5, 0));
  CHECK_REFUSED(INVALID_ARGUMENT, ss::chunk_dim_size(-1, 2, 0));
  CHECK(status_of(ss::chunk_split_size(5, 0, std::nothrow)) == SHARDSPEC_INVALID_ARGUMENT);
  CHECK(status_of(ss::chunk_dim_size(5, -1, 0, std::nothrow)) == SHARDSPEC_INVALID_ARGUMENT);
  const auto spec = ss::spec::chunk(0, {"rank:2", "rank:0", "rank:3", "rank:1"});
  const ss::chunk_params params = spec.chunk_sharding_params(5, 4, 3);
  CHECK(params.offset == 4 && params.size == 1);
  CHECK_REFUSED(NOT_FOUND, spec.chunk_sharding_params(5, 4, 9));
}

int main() {
  the_types_of_cpp_have_the_names_of_the_field();
  packed_and_unknown_types_are_refused();
  properties_are_carried_and_wrong_ones_refused();
  chunks_are_those_of_torch();
}
