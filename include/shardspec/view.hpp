/* Views: where a tensor is in memory, and how it is laid out. `shardspec::view` makes a view from a
 * container or a pointer. */
#ifndef SHARDSPEC_VIEW_HPP
#define SHARDSPEC_VIEW_HPP

#include "values.hpp"

namespace shardspec {
inline namespace SHARDSPEC_INNER_NAMESPACE {

/// A view of a tensor in the caller's memory, which is only read. The view owns its shape and
/// strides, but not the data.
class const_tensor_view {
 public:
  const_tensor_view() = default;
  /// `strides` count elements; none for row-major. Nothing is checked here.
  const_tensor_view(const void *data, dtype type, numbers shape, numbers strides = {},
                    std::uint64_t byte_offset = 0, shardspec_device device = {SHARDSPEC_DLPACK_DEVICE_CPU, 0})
      : const_tensor_view(shardspec_tensor_view{
            const_cast<void *>(data), device, static_cast<std::int32_t>(shape.size()), type,
            const_cast<std::int64_t *>(shape.data()),
            const_cast<std::int64_t *>(strides.empty() ? nullptr : strides.data()), byte_offset}) {}
  explicit const_tensor_view(const shardspec_tensor_view &raw) : raw_(raw) {
    if (raw.shape == nullptr) return;
    numbers_.assign(raw.shape, raw.shape + ndim());
    if (raw.strides != nullptr) numbers_.insert(numbers_.end(), raw.strides, raw.strides + ndim());
  }

  std::size_t ndim() const noexcept {
    return raw_.ndim > 0 ? static_cast<std::size_t>(raw_.ndim) : 0;
  }
  /// Number of elements.
  std::size_t numel() const noexcept {
    std::size_t product = 1;
    for (const std::int64_t size : shape()) product *= static_cast<std::size_t>(size);
    return product;
  }
  dtype type() const noexcept { return raw_.dtype; }
  shardspec_device device() const noexcept { return raw_.device; }
  numbers shape() const noexcept { return {numbers_.data(), numbers_.empty() ? 0 : ndim()}; }
  /// None for row-major.
  numbers strides() const noexcept {
    const std::size_t count = shape().size();
    return {numbers_.data() + count, numbers_.size() - count};
  }
  /// The element at index 0; NULL where there are no elements.
  const void *data() const noexcept { return start(); }
  /// As `data`, for elements of type T; DTYPE_MISMATCH where they are of another.
  template <class T, class P = default_policy> answer<const T *, P> as(P = P()) const {
    return typed<const T, P>();
  }

  /// For calls of the C interface, while this exists.
  shardspec_tensor_view c() const noexcept {
    shardspec_tensor_view view = raw_;
    view.shape = const_cast<std::int64_t *>(shape().empty() ? nullptr : shape().data());
    view.strides = const_cast<std::int64_t *>(strides().empty() ? nullptr : strides().data());
    return view;
  }

 protected:
  void *start() const noexcept {
    return raw_.data == nullptr ? nullptr : static_cast<char *>(raw_.data) + raw_.byte_offset;
  }
  template <class T, class P> answer<T *, P> typed() const {
    if (dtype::of<T>() == type()) return static_cast<T *>(start());
    const auto name = [](dtype known) {
      return known.name(std::nothrow) ? *known.name(std::nothrow) : "an unknown type";
    };
    return detail::refuse<T *, P>(
        {SHARDSPEC_DTYPE_MISMATCH,
         "view: its elements are " + name(type()) + ", not " + name(dtype::of<T>())});
  }

 private:
  shardspec_tensor_view raw_ = {};
  std::vector<std::int64_t> numbers_;
};

/// A view of a tensor in the caller's memory, which may be written.
class tensor_view : public const_tensor_view {
 public:
  tensor_view() = default;
  tensor_view(void *data, dtype type, numbers shape, numbers strides = {},
              std::uint64_t byte_offset = 0, shardspec_device device = {SHARDSPEC_DLPACK_DEVICE_CPU, 0})
      : const_tensor_view(data, type, shape, strides, byte_offset, device) {}
  explicit tensor_view(const shardspec_tensor_view &raw) : const_tensor_view(raw) {}

  void *data() const noexcept { return start(); }
  template <class T, class P = default_policy> answer<T *, P> as(P = P()) const {
    return typed<T, P>();
  }
};

/// Destinations, and sources.
using views = list<tensor_view>;
using const_views = list<const_tensor_view>;

namespace detail {

/// Calls `function(arguments..., shape, strides, capacity, raw, err)`, which describes a view.
template <class View, class Function, class... Arguments>
shardspec_status describe(View &view, shardspec_error *err, Function function,
                          Arguments... arguments) {
  std::int64_t shape[SHARDSPEC_MAX_NDIM], strides[SHARDSPEC_MAX_NDIM];
  shardspec_tensor_view raw;
  const shardspec_status status =
      function(arguments..., shape, strides, SHARDSPEC_MAX_NDIM, &raw, err);
  if (status == SHARDSPEC_OK) view = View(raw);
  return status;
}
template <class View, class P, class Function, class... Arguments>
answer<View, P> view(Function function, Arguments... arguments) {
  return run<View, P>(
      [&](View &out, shardspec_error *err) { return describe(out, err, function, arguments...); });
}

/// The view for elements of type E: one that is only read where they are const.
template <class E> using view_of =
    std::conditional_t<std::is_const_v<E>, const_tensor_view, tensor_view>;

/// What std::data points to.
template <class Range> using element_of =
    std::remove_pointer_t<decltype(std::data(std::declval<Range &>()))>;

/// Detects an mdspan and a DLTensor.
template <class T> using handle_of = decltype(std::declval<const T &>().data_handle());
template <class T> using device_of = decltype(std::declval<const T &>().device.device_type);

/// How many elements a shape has, or -1 where it is no shape.
inline std::int64_t count(numbers shape) noexcept {
  std::int64_t product = 1;
  for (const std::int64_t size : shape) {
    if (size < 0 || (size > 0 && product > INT64_MAX / size)) return -1;
    product *= size;
  }
  return product;
}

template <class Array> void append_extents(std::vector<std::int64_t> &shape) {
  if constexpr (std::is_array_v<Array>) {
    shape.push_back(static_cast<std::int64_t>(std::extent_v<Array>));
    append_extents<std::remove_extent_t<Array>>(shape);
  }
}

}  // namespace detail

/// Strided elements at `data`. The caller guarantees that they exist.
template <class Pointer, class = std::enable_if_t<std::is_pointer_v<Pointer>>>
auto view(const Pointer &data, numbers shape, numbers strides = {}) {
  using item = std::remove_pointer_t<Pointer>;
  return detail::view_of<item>(data, dtype::of<item>(), shape, strides);
}

/// A row-major tensor that is all of a contiguous range: a std::vector, std::array, std::span.
/// SHAPE_MISMATCH where the range has another number of elements than the shape.
template <class Range, class P = default_policy, class Item = detail::element_of<Range>>
answer<detail::view_of<Item>, P> view(Range &&range, numbers shape, P = P()) {
  const auto got = static_cast<std::int64_t>(std::size(range));
  const std::int64_t wanted = detail::count(shape);
  if (got == wanted) return view(std::data(range), shape);
  error refusal(SHARDSPEC_SHAPE_MISMATCH,
                "range: has " + std::to_string(got) + " elements; pass a shape of as many" +
                    (wanted < 0 ? "" : ", not of " + std::to_string(wanted)));
  refusal.got = got;
  refusal.limit = wanted;
  return detail::refuse<detail::view_of<Item>, P>(std::move(refusal));
}

/// A contiguous range as a tensor of one dimension, an array as one of its own shape:
/// `float full[5][3]`.
template <class Range, class Item = detail::element_of<Range>> auto view(Range &&range) {
  using array = std::remove_reference_t<Range>;
  using item = std::remove_all_extents_t<Item>;
  std::vector<std::int64_t> shape;
  if constexpr (std::is_array_v<array>)
    detail::append_extents<array>(shape);
  else
    shape.push_back(static_cast<std::int64_t>(std::size(range)));
  return detail::view_of<item>(std::data(range), dtype::of<item>(), shape);
}

/// A std::mdspan, or a type with the same members.
template <class Mdspan, class Pointer = detail::handle_of<Mdspan>> auto view(const Mdspan &span) {
  std::vector<std::int64_t> shape, strides;
  for (std::size_t dim = 0; dim < Mdspan::rank(); ++dim) {
    shape.push_back(static_cast<std::int64_t>(span.extent(dim)));
    strides.push_back(static_cast<std::int64_t>(span.stride(dim)));
  }
  return view(span.data_handle(), shape, strides);
}

/// A `DLTensor`, or a type with the same members. The data is shared.
template <class Tensor, class = detail::device_of<Tensor>> tensor_view view(const Tensor &tensor) {
  const auto count = static_cast<std::size_t>(tensor.ndim);
  return tensor_view(
      tensor.data, shardspec_dtype{tensor.dtype.code, tensor.dtype.bits, tensor.dtype.lanes},
      {tensor.shape, count}, {tensor.strides, tensor.strides ? count : 0}, tensor.byte_offset,
      {static_cast<std::int32_t>(tensor.device.device_type),
       static_cast<std::int32_t>(tensor.device.device_id)});
}

}  // namespace SHARDSPEC_INNER_NAMESPACE
}  // namespace shardspec

#endif
