/* The small values that calls take and give: numbers and texts in a row, element types, properties
 * of tensors, and shards. */
#ifndef SHARDSPEC_VALUES_HPP
#define SHARDSPEC_VALUES_HPP

#include "answer.hpp"

#include <complex>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <vector>
#if __cplusplus > 202002L && defined(__has_include)
#if __has_include(<stdfloat>)
#include <stdfloat>
#endif
#endif

namespace shardspec {
inline namespace SHARDSPEC_INNER_NAMESPACE {

/// Elements of the caller's array, for the time of a call: a list in braces, a std::vector,
/// std::array, std::span, an array. Arguments are one; don't keep one.
template <class T> class slice {
 public:
  slice() noexcept = default;
  slice(const T *data, std::size_t size) noexcept : data_(data), size_(size) {}
  slice(std::initializer_list<T> list) noexcept {
    data_ = list.begin();
    size_ = list.size();
  }
  template <class Range, class = std::enable_if_t<std::is_convertible_v<
                             decltype(std::data(std::declval<const Range &>())), const T *>>>
  slice(const Range &range) noexcept : data_(std::data(range)), size_(std::size(range)) {}

  const T *data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  const T *begin() const noexcept { return data_; }
  const T *end() const noexcept { return data_ + size_; }
  const T &operator[](std::size_t index) const noexcept { return data_[index]; }

 private:
  const T *data_ = nullptr;
  std::size_t size_ = 0;
};

/// A number for each dimension: sizes, offsets, strides.
using numbers = slice<std::int64_t>;

/// Things that calls take many of, for the time of a call: a list in braces, or any range of them.
/// Arguments are one; don't keep one.
template <class Item> class list {
 public:
  /// As the C interface takes one of them.
  using c_item = decltype(std::declval<const Item &>().c());

  list() = default;
  list(std::initializer_list<Item> items) { append(items); }
  template <class Range, class Reference = decltype(*std::begin(std::declval<const Range &>())),
            class = std::enable_if_t<std::is_lvalue_reference_v<Reference> &&
                                     std::is_convertible_v<Reference, const Item &>>>
  list(const Range &range) {
    append(range);
  }
  const c_item *data() const noexcept { return items_.data(); }
  std::size_t size() const noexcept { return items_.size(); }

 private:
  template <class Range> void append(const Range &range) {
    items_.reserve(std::size(range));
    for (const auto &each : range) {
      const Item &item = each;
      items_.push_back(item.c());
    }
  }
  std::vector<c_item> items_;
};

/// A text that ends in NUL, for the time of a call.
class text {
 public:
  text(const char *c) noexcept : c_(c) {}
  text(const std::string &string) noexcept : c_(string.c_str()) {}
  const char *c() const noexcept { return c_; }

 private:
  const char *c_;
};

/// Placements, names.
using texts = list<text>;

/// An element type: DLPack's `DLDataType`.
class dtype : public shardspec_dtype {
 public:
  /// None: properties with it state no type.
  constexpr dtype() noexcept : shardspec_dtype{0, 0, 0} {}
  constexpr dtype(shardspec_dtype raw) noexcept : shardspec_dtype(raw) {}
  /// `code_` is a `SHARDSPEC_DTYPE_...` constant.
  constexpr dtype(int code_, std::size_t bits_, std::size_t lanes_ = 1) noexcept
      : shardspec_dtype{static_cast<std::uint8_t>(code_), static_cast<std::uint8_t>(bits_),
                        static_cast<std::uint16_t>(lanes_)} {}
  /// The element type that holds a T; `element<T>` knows it.
  template <class T> static constexpr dtype of() noexcept;

  /// Reads a name such as "float32".
  template <class P = default_policy> static answer<dtype, P> parse(text name, P = P()) {
    return detail::value<dtype, P>(shardspec_dtype_parse, name.c());
  }
  /// The name that `parse` reads.
  template <class P = default_policy> answer<std::string, P> name(P = P()) const {
    return detail::text<P>(shardspec_dtype_text, this);
  }
  /// Bytes of one element.
  template <class P = default_policy> answer<std::size_t, P> itemsize(P = P()) const {
    return detail::value<std::size_t, P>(shardspec_dtype_itemsize, this);
  }
  /// Bytes of `count` elements that follow each other.
  template <class P = default_policy> answer<std::size_t, P> bytes(std::int64_t count, P = P()) const {
    return detail::value<std::size_t, P>(shardspec_dtype_bytes, this, count);
  }

  friend constexpr bool operator==(dtype a, dtype b) noexcept {
    return a.code == b.code && a.bits == b.bits && a.lanes == b.lanes;
  }
  friend constexpr bool operator!=(dtype a, dtype b) noexcept { return !(a == b); }
};

/// The element type that holds a T. Known for integers, float, double, bool, std::complex and
/// std::byte, and in C++23 for the types of <stdfloat>. For others, such as half of a GPU's
/// toolkit:
///
///   template <> struct shardspec::element<half> {
///     static constexpr dtype type{SHARDSPEC_DTYPE_FLOAT, 16};
///   };
template <class T, class = void> struct element;

template <class T> struct element<T, std::enable_if_t<std::is_integral_v<T>>> {
  static constexpr dtype type{std::is_signed_v<T> ? SHARDSPEC_DTYPE_INT : SHARDSPEC_DTYPE_UINT,
                              8 * sizeof(T)};
};
template <> struct element<bool> {
  static constexpr dtype type{SHARDSPEC_DTYPE_BOOL, 8 * sizeof(bool)};
};
template <> struct element<std::byte> {
  static constexpr dtype type{SHARDSPEC_DTYPE_UINT, 8};
};
template <> struct element<float> {
  static constexpr dtype type{SHARDSPEC_DTYPE_FLOAT, 32};
};
template <> struct element<double> {
  static constexpr dtype type{SHARDSPEC_DTYPE_FLOAT, 64};
};
template <class T> struct element<std::complex<T>> {
  static constexpr dtype type{SHARDSPEC_DTYPE_COMPLEX, 8 * sizeof(std::complex<T>)};
};
#ifdef __STDCPP_FLOAT16_T__
template <> struct element<std::float16_t> {
  static constexpr dtype type{SHARDSPEC_DTYPE_FLOAT, 16};
};
#endif
#ifdef __STDCPP_BFLOAT16_T__
template <> struct element<std::bfloat16_t> {
  static constexpr dtype type{SHARDSPEC_DTYPE_BFLOAT, 16};
};
#endif
#ifdef __STDCPP_FLOAT32_T__
template <> struct element<std::float32_t> : element<float> {};
#endif
#ifdef __STDCPP_FLOAT64_T__
template <> struct element<std::float64_t> : element<double> {};
#endif

template <class T> constexpr dtype dtype::of() noexcept {
  return element<std::remove_cv_t<T>>::type;
}

/// Properties of a tensor. With the defaults, no element type is stated, and data of any type may
/// be moved.
class tensor_properties : public shardspec_tensor_properties {
 public:
  tensor_properties() noexcept : tensor_properties(shardspec::dtype()) {}
  explicit tensor_properties(shardspec::dtype type) noexcept
      : shardspec_tensor_properties{sizeof(shardspec_tensor_properties),
                                    type,
                                    SHARDSPEC_LAYOUT_STRIDED,
                                    SHARDSPEC_MEMORY_FORMAT_CONTIGUOUS,
                                    0,
                                    0,
                                    0} {}
  /// torch's defaults: float32, strided, contiguous, no gradient, not pinned.
  template <class P = default_policy> static answer<tensor_properties, P> defaults(P = P()) {
    return detail::value<tensor_properties, P>(shardspec_tensor_properties_init);
  }
};

/// One shard, as torch's `ShardMetadata`. The shard owns the box of `sizes` elements that starts at
/// `offsets`. In lists, a shard with an empty placement has no owner.
struct shard {
  std::vector<std::int64_t> offsets, sizes;
  std::string placement;

  /// Elements in the box.
  std::size_t numel() const noexcept {
    std::size_t product = 1;
    for (const std::int64_t size : sizes) product *= static_cast<std::size_t>(size);
    return product;
  }
  /// The number of dimensions of a shard with another number of offsets than of sizes. It is
  /// refused everywhere.
  static constexpr std::size_t ragged = SIZE_MAX;
  /// For calls of the C interface, while this exists and does not change.
  shardspec_shard_metadata c() const noexcept {
    return {offsets.size() == sizes.size() ? sizes.size() : ragged, offsets.data(), sizes.data(),
            placement.empty() ? nullptr : placement.c_str()};
  }
  /// Why one is refused; `index` is -1 where it is not one of many.
  static error ragged_error(std::int64_t index = -1) {
    error refusal(SHARDSPEC_NDIM_MISMATCH, "shard" +
                                               (index < 0 ? "" : " " + std::to_string(index)) +
                                               ": its offsets and sizes are not equally many; "
                                               "pass both for each dimension");
    refusal.first_shard = refusal.index = index;
    return refusal;
  }
  friend bool operator==(const shard &a, const shard &b) {
    return a.offsets == b.offsets && a.sizes == b.sizes && a.placement == b.placement;
  }
  friend bool operator!=(const shard &a, const shard &b) { return !(a == b); }
};

namespace detail {

/// `call()`, which is passed these shards, or a refusal where one of them is ragged.
template <class T, class P, class Call>
answer<T, P> unless_ragged(const list<shard> &shards, const Call &call) {
  for (std::size_t i = 0; i < shards.size(); ++i)
    if (shards.data()[i].ndim == shard::ragged)
      return refuse<T, P>(shard::ragged_error(static_cast<std::int64_t>(i)));
  return call();
}

}  // namespace detail

/// Very many shards, in flat arrays: rows of `ndim` numbers, and for each shard the index of its
/// placement. Without `placement_indices`, shard i has placement i.
struct shard_table {
  std::size_t ndim = 0;
  std::vector<std::int64_t> offsets, sizes;
  std::vector<std::uint32_t> placement_indices;
  std::vector<std::string> placements;

  /// `call` with the arguments that the C interface takes for them, where the shards have the
  /// placements `where`, or a refusal where the arrays are not as long as they should be.
  template <class T, class P, class Where, class Call>
  answer<T, P> pass(const Where &where, const Call &call) const {
    const std::size_t count = placement_indices.empty() ? where.size() : placement_indices.size();
    for (const std::size_t size : {offsets.size(), sizes.size()})
      if (size != count * ndim)
        return detail::refuse<T, P>(
            {SHARDSPEC_NDIM_MISMATCH, "shards: " + std::to_string(size) +
                                          " offsets or sizes; pass ndim, " + std::to_string(ndim) +
                                          ", for each of " + std::to_string(count) + " shards"});
    return call(offsets.data(), sizes.data(),
                placement_indices.empty() ? nullptr : placement_indices.data(), ndim, count,
                where.data(), where.size());
  }
};

}  // namespace SHARDSPEC_INNER_NAMESPACE
}  // namespace shardspec

#endif
