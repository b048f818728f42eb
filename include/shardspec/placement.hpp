/* Placements: the owner and the device of a shard. */
#ifndef SHARDSPEC_PLACEMENT_HPP
#define SHARDSPEC_PLACEMENT_HPP

#include "callback.hpp"
#include "values.hpp"

namespace shardspec {
inline namespace SHARDSPEC_INNER_NAMESPACE {

/// An owner and a device, such as "rank:1/cuda:0", parsed.
class placement : public detail::unique<shardspec_placement, shardspec_placement_free> {
 public:
  using unique::unique;

  template <class P = default_policy> static answer<placement, P> parse(text text, P = P()) {
    return detail::handle<placement, P>(shardspec_placement_parse, text.c());
  }
  /// Creates a custom placement from its text, its rank or -1, and any object. Metadata returns
  /// this object. The object may have `operator==` and `std::uint64_t hash() const`, which must not
  /// throw. Without `operator==`, placements with equal texts are equal. Placements with the same
  /// type name are compared, so use a type name for one class only.
  template <class T = std::nullptr_t, class P = default_policy>
  static answer<placement, P> custom(text type_name, text shown, std::int64_t rank, T object = T(),
                                     P = P()) {
    if constexpr (std::is_same_v<T, std::nullptr_t>)
      return detail::handle<placement, P>(shardspec_placement_new_custom, type_name.c(), shown.c(),
                                          rank, nullptr, nullptr);
    else {
      const auto table = detail::identity<shardspec_placement_vtable, T>();
      return detail::handle<placement, P>(shardspec_placement_new_custom, type_name.c(), shown.c(),
                                          rank, &table, new T(std::move(object)));
    }
  }
  /// The object of a custom placement. The caller guarantees that it is a T.
  template <class T, class P = default_policy>
  answer<const T *, P> custom_object(text type_name, P = P()) const {
    return detail::object_of<T, P>(shardspec_placement_custom_ctx, get(), type_name.c());
  }
  /// "device", or the name of a type of your own.
  template <class P = default_policy> answer<std::string, P> type_name(P = P()) const {
    return detail::text<P>(shardspec_placement_type_name, get());
  }
  /// The canonical text, with the device.
  template <class P = default_policy> answer<std::string, P> str(P = P()) const {
    return detail::text<P>(shardspec_placement_text, get());
  }
  /// The rank of the placement, or -1.
  template <class P = default_policy> answer<std::int64_t, P> rank(P = P()) const {
    return detail::value<std::int64_t, P>(shardspec_placement_rank, get());
  }
  /// The worker that the placement names. Fails with NOT_FOUND if it names no worker.
  template <class P = default_policy> answer<std::string, P> worker_name(P = P()) const {
    return detail::text<P>(shardspec_placement_worker_name, get());
  }
  /// A `SHARDSPEC_DEVICE_...` constant.
  template <class P = default_policy> answer<std::int32_t, P> device_type(P = P()) const {
    return detail::value<std::int32_t, P>(shardspec_placement_device_type, get());
  }
  /// The device's index, or -1.
  template <class P = default_policy> answer<std::int32_t, P> device_index(P = P()) const {
    return detail::value<std::int32_t, P>(shardspec_placement_device_index, get());
  }
  template <class P = default_policy> answer<bool, P> equal(const placement &other, P = P()) const {
    return detail::flag<P>(shardspec_placement_equal, get(), other.get());
  }
  template <class P = default_policy> answer<std::uint64_t, P> hash(P = P()) const {
    return detail::value<std::uint64_t, P>(shardspec_placement_hash, get());
  }
};

/// A placement among several, for the time of a call.
class placement_ref {
 public:
  placement_ref(const placement &one) noexcept : c_(one.get()) {}
  const shardspec_placement *c() const noexcept { return c_; }

 private:
  const shardspec_placement *c_;
};

/// Placements by their handles.
using places = list<placement_ref>;

}  // namespace SHARDSPEC_INNER_NAMESPACE
}  // namespace shardspec

#endif
