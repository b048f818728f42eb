/* Sharding specs of the user's own: any object that can say who owns what. */
#ifndef SHARDSPEC_CUSTOM_SPEC_HPP
#define SHARDSPEC_CUSTOM_SPEC_HPP

#include "callback.hpp"
#include "shards.hpp"

namespace shardspec {
inline namespace SHARDSPEC_INNER_NAMESPACE {

/// Receives the shards of a custom spec. The order of the shards defines their indices. The builder
/// is valid until `build_metadata` returns.
class metadata_builder {
 public:
  explicit metadata_builder(shardspec_metadata_builder *raw) noexcept : raw_(raw) {}
  shardspec_metadata_builder *get() const noexcept { return raw_; }

  template <class P = default_policy>
  answer<void, P> add(numbers offsets, numbers sizes, text placement, P = P()) const {
    return add_box<P>(shardspec_metadata_builder_add_shard, offsets, sizes, placement.c());
  }
  template <class P = default_policy>
  answer<void, P> add(numbers offsets, numbers sizes, const placement &where, P = P()) const {
    return add_box<P>(shardspec_metadata_builder_add_shard_with_placement_handle, offsets, sizes, where.get());
  }
  template <class P = default_policy> answer<void, P> add(const shard &one, P = P()) const {
    return add(one.offsets, one.sizes, one.placement, P());
  }
  template <class P = default_policy>
  answer<void, P> add(const shard_list &shards, P = P()) const {
    return detail::perform<P>(shardspec_metadata_builder_add_shards, raw_, shards.get());
  }
  template <class P = default_policy>
  answer<void, P> add(const shard_table &shards, P = P()) const {
    const auto listed = shard_list::of(shards, std::nothrow);
    return detail::with_list<void, P>(listed, [&](const shardspec_shards *raw) {
      return detail::perform<P>(shardspec_metadata_builder_add_shards, raw_, raw);
    });
  }

 private:
  template <class P, class Function, class Placement>
  answer<void, P> add_box(Function function, numbers offsets, numbers sizes,
                          Placement placement) const {
    if (offsets.size() != sizes.size()) return detail::refuse<void, P>(shard::ragged_error());
    return detail::perform<P>(function, raw_, offsets.data(), sizes.data(), sizes.size(),
                              placement);
  }
  shardspec_metadata_builder *raw_;
};

/// The tensor for which a custom spec builds metadata.
struct tensor_description {
  numbers sizes;
  /// A name for each dimension, or none.
  slice<const char *> dim_names;
  const shardspec_tensor_properties &properties;
};

namespace detail {

template <class T> using build_metadata_of = decltype(std::declval<const T &>().build_metadata(
    std::declval<const tensor_description &>(), std::declval<metadata_builder &>()));
template <class T> using fill_shard_of = decltype(std::declval<const T &>().fill_shard(
    std::declval<const metadata &>(), std::size_t(), std::declval<const const_tensor_view &>(),
    std::declval<const tensor_view &>(), std::declval<const copy_options &>()));

/// The functions of specs that are a T.
template <class T> struct custom_spec {
  static shardspec_status build_metadata(void *ctx, const std::int64_t *sizes,
                                         const char *const *dim_names, std::size_t ndim,
                                         const shardspec_tensor_properties *properties,
                                         shardspec_metadata_builder *raw,
                                         shardspec_error *err) {
    return call_back(err, [&] {
      const tensor_description tensor{
          {sizes, ndim}, {dim_names, dim_names == nullptr ? 0 : ndim}, *properties};
      metadata_builder builder(raw);
      if constexpr (has<build_metadata_of, T>)
        return object<T>(ctx).build_metadata(tensor, builder);
      else
        return object<T>(ctx)(tensor, builder);
    });
  }
  static shardspec_status fill_shard(void *ctx, const shardspec_metadata *raw, std::size_t index,
                                const shardspec_tensor_view *full, const shardspec_tensor_view *to,
                                const shardspec_copy_options *options,
                                shardspec_error *err) {
    return call_back(err, [&] {
      const borrowed<metadata> whole(raw);
      return object<T>(ctx).fill_shard(*whole, index, const_tensor_view(*full), tensor_view(*to),
                                  copy_options(*options));
    });
  }
  static constexpr shardspec_spec_vtable table() noexcept {
    shardspec_spec_vtable table = identity<shardspec_spec_vtable, T>();
    table.build_metadata = build_metadata;
    if constexpr (has<fill_shard_of, T>) table.fill_shard = fill_shard;
    return table;
  }
};

}  // namespace detail
}  // namespace SHARDSPEC_INNER_NAMESPACE
}  // namespace shardspec

#endif
