/* Sharded tensors: metadata together with the shards that are in this process. */
#ifndef SHARDSPEC_SHARDED_TENSOR_HPP
#define SHARDSPEC_SHARDED_TENSOR_HPP

#include "comm.hpp"
#include "dlpack.hpp"
#include "spec.hpp"

namespace shardspec {
inline namespace SHARDSPEC_INNER_NAMESPACE {

/// The owner argument that selects all shards.
inline constexpr std::nullptr_t all_shards = nullptr;

/// Selects the local shards: those of an owner such as "rank:1" or "trainer0", all, or those with
/// some indices such as {0, 2}.
class selection {
 public:
  selection(std::nullptr_t) noexcept {}
  selection(const char *owner) noexcept : owner_(owner) {}
  selection(const std::string &owner) noexcept : owner_(owner) {}
  selection(std::initializer_list<std::size_t> indices) noexcept
      : indices_(indices), by_index_(true) {}
  template <class Range,
            class = std::enable_if_t<std::is_constructible_v<slice<std::size_t>, const Range &>>>
  selection(const Range &indices) noexcept : indices_(indices), by_index_(true) {}

  bool by_index() const noexcept { return by_index_; }
  const char *owner() const noexcept { return owner_.c(); }
  slice<std::size_t> indices() const noexcept { return indices_; }

 private:
  text owner_ = nullptr;
  slice<std::size_t> indices_;
  bool by_index_ = false;
};

/// Metadata with local shards. It is immutable, except for the elements of its shards.
class sharded_tensor
    : public detail::unique<shardspec_sharded_tensor, shardspec_sharded_tensor_free> {
 public:
  using unique::unique;

  /// Creates a sharded tensor with memory that the library allocates. The elements have any values.
  template <class P = default_policy>
  static answer<sharded_tensor, P> empty(const shardspec::metadata &whole, const selection &local,
                                         P = P()) {
    return allocate<P>(whole, local, SHARDSPEC_FILL_UNINITIALIZED);
  }
  /// Creates a sharded tensor with memory that the library allocates and fills with zeros.
  template <class P = default_policy>
  static answer<sharded_tensor, P> zeros(const shardspec::metadata &whole, const selection &local,
                                         P = P()) {
    return allocate<P>(whole, local, SHARDSPEC_FILL_ZERO);
  }
  /// Cuts a full tensor by a spec. Properties without an element type get that of `full`.
  template <class P = default_policy>
  static answer<sharded_tensor, P> from_spec(const spec &how, text owner,
                                             const const_tensor_view &full,
                                             const tensor_properties &properties = {},
                                             const copy_options &options = {}, P = P()) {
    const shardspec_tensor_view from = full.c();
    return detail::handle<sharded_tensor, P>(shardspec_sharded_tensor_new_from_spec, how.get(),
                                             &properties, owner.c(), &from, &options);
  }
  /// Copies shards out of a full tensor.
  template <class P = default_policy>
  static answer<sharded_tensor, P> from_full(const shardspec::metadata &whole,
                                             const selection &local, const const_tensor_view &full,
                                             const copy_options &options = {}, P = P()) {
    const shardspec_tensor_view from = full.c();
    if (local.by_index())
      return detail::handle<sharded_tensor, P>(shardspec_sharded_tensor_new_from_full_for_indices,
                                               whole.get(), local.indices().data(),
                                               local.indices().size(), &from, &options);
    return detail::handle<sharded_tensor, P>(shardspec_sharded_tensor_new_from_full, whole.get(),
                                             local.owner(), &from, &options);
  }
  /// Cuts a tensor of rank `source_rank`. Each rank of `group` calls this and receives its own
  /// shards. Other ranks pass `{}` as the tensor. The metadata must state the element type. The
  /// sharded tensor stores `group`, which the caller keeps.
  template <class P = default_policy>
  static answer<sharded_tensor, P> from_rank(const shardspec::comm &group,
                                             const shardspec::metadata &whole,
                                             std::int64_t source_rank, const const_tensor_view &full,
                                             const comm_options &options = {}, P = P()) {
    const shardspec_tensor_view from = full.c();
    return detail::handle<sharded_tensor, P>(shardspec_sharded_tensor_new_from_rank, group.get(),
                                             whole.get(), source_rank, &from, &options);
  }
  /// Uses existing shards in place: `shards[i]` is shard `indices[i]` of the metadata. With an
  /// `owner`, the shards must be exactly those of the owner. `keep` may be the owner of the memory.
  /// This object is moved, and is destroyed with the sharded tensor or if the call fails. Without
  /// `keep`, the caller keeps the memory valid until then.
  template <class Keep = std::nullptr_t, class P = default_policy>
  static answer<sharded_tensor, P> from_local(const shardspec::metadata &whole,
                                              slice<std::size_t> indices, const views &shards,
                                              Keep keep = Keep(), text owner = all_shards,
                                              P = P()) {
    if (indices.size() != shards.size()) return unequal<P>(indices.size(), shards.size());
    return lend<P>(std::move(keep), shardspec_sharded_tensor_new_from_local, whole.get(), owner.c(),
                   indices.data(), shards.data(), shards.size());
  }
  /// Uses existing shards in place. The library finds each shard in the metadata by its box and
  /// placement.
  template <class Keep = std::nullptr_t, class P = default_policy>
  static answer<sharded_tensor, P> from_local(const shardspec::metadata &whole,
                                              const list<shard> &boxes, const views &shards,
                                              Keep keep = Keep(), text owner = all_shards,
                                              P = P()) {
    if (boxes.size() != shards.size()) return unequal<P>(boxes.size(), shards.size());
    const auto descriptions = shard_list::of(boxes, std::nothrow);
    return detail::with_list<sharded_tensor, P>(descriptions, [&](const shardspec_shards *raw) {
      return lend<P>(std::move(keep), shardspec_sharded_tensor_new_from_local_shards, whole.get(),
                     owner.c(), raw, shards.data(), shards.size());
    });
  }

  /// Uses managed tensors of other libraries in place. Each tensor is released when nothing uses it
  /// any more, or if the call fails.
  template <class P = default_policy>
  static answer<sharded_tensor, P> from_managed(const shardspec::metadata &whole,
                                                slice<std::size_t> indices,
                                                std::vector<managed_tensor> shards,
                                                text owner = all_shards, P = P()) {
    if (indices.size() != shards.size()) return unequal<P>(indices.size(), shards.size());
    std::vector<shardspec_managed_tensor *> raw;
    raw.reserve(shards.size());
    for (managed_tensor &shard : shards) raw.push_back(shard.release());
    return detail::handle<sharded_tensor, P>(shardspec_sharded_tensor_new_from_managed, whole.get(),
                                             owner.c(), indices.data(), raw.data(), raw.size());
  }

  template <class P = default_policy> answer<shardspec::metadata, P> metadata(P = P()) const {
    return detail::handle<shardspec::metadata, P>(shardspec_sharded_tensor_metadata, get());
  }
  template <class P = default_policy> answer<tensor_properties, P> properties(P = P()) const {
    return detail::value<tensor_properties, P>(shardspec_sharded_tensor_properties, get());
  }
  template <class P = default_policy> answer<std::size_t, P> local_count(P = P()) const {
    return detail::value<std::size_t, P>(shardspec_sharded_tensor_local_count, get());
  }
  /// The communicator of the sharded tensor, as a handle without ownership. It is empty if there is
  /// none.
  template <class P = default_policy>
  answer<detail::borrowed<shardspec::comm>, P> comm(P = P()) const {
    return detail::run<detail::borrowed<shardspec::comm>, P>(
        [&](detail::borrowed<shardspec::comm> &out, shardspec_error *err) {
          shardspec_comm *raw = nullptr;
          const auto status = shardspec_sharded_tensor_comm(get(), &raw, err);
          out = detail::borrowed<shardspec::comm>(raw);
          return status;
        });
  }
  /// Which shard of the metadata a local shard is.
  template <class P = default_policy>
  answer<std::size_t, P> local_index(std::size_t local, P = P()) const {
    return detail::value<std::size_t, P>(shardspec_sharded_tensor_local_index, get(), local);
  }
  /// A view of a local shard. The memory belongs to the sharded tensor.
  template <class P = default_policy>
  answer<tensor_view, P> local_view(std::size_t local, P = P()) const {
    return detail::view<tensor_view, P>(shardspec_sharded_tensor_local_view, get(), local);
  }
  /// The memory of all local shards, in their order.
  template <class P = default_policy>
  answer<std::vector<tensor_view>, P> local_views(P = P()) const {
    return detail::run<std::vector<tensor_view>, P>(
        [&](std::vector<tensor_view> &out, shardspec_error *err) {
          std::size_t count = 0;
          auto status = shardspec_sharded_tensor_local_count(get(), &count, err);
          for (std::size_t i = 0; status == SHARDSPEC_OK && i < count; ++i)
            status = detail::describe(out.emplace_back(), err, shardspec_sharded_tensor_local_view,
                                      get(), i);
          return status;
        });
  }
  /// A local shard for another library. Its memory stays valid until its last user releases it.
  template <class P = default_policy>
  answer<managed_tensor, P> export_local(std::size_t local, P = P()) const {
    return detail::managed<shardspec_managed_tensor, P>(shardspec_sharded_tensor_export_local,
                                                        get(), local);
  }
  template <class P = default_policy>
  answer<legacy_managed_tensor, P> export_local_legacy(std::size_t local, P = P()) const {
    return detail::managed<shardspec_legacy_managed_tensor, P>(
        shardspec_sharded_tensor_export_local_legacy, get(), local);
  }
  /// Copies all shards into `full`. Fails with NOT_LOCAL if a shard is in another process.
  template <class P = default_policy>
  answer<void, P> gather(const tensor_view &full, const copy_options &options = {}, P = P()) const {
    const shardspec_tensor_view to = full.c();
    return detail::perform<P>(shardspec_sharded_tensor_gather, get(), &to, &options);
  }
  /// The contribution of the local shards to the digest of the tensor. The exclusive or of the
  /// contributions of all processes is the CRC-64/NVME of the tensor's bytes in row-major order.
  template <class P = default_policy>
  answer<std::uint64_t, P> digest(const copy_options &options = {}, P = P()) const {
    return detail::value<std::uint64_t, P>(shardspec_sharded_tensor_digest, get(), &options);
  }

 private:
  template <class P> static answer<sharded_tensor, P> allocate(const shardspec::metadata &whole,
                                                               const selection &local,
                                                               std::int32_t fill) {
    if (local.by_index())
      return detail::handle<sharded_tensor, P>(shardspec_sharded_tensor_new_for_indices, whole.get(),
                                               local.indices().data(), local.indices().size(),
                                               fill);
    return detail::handle<sharded_tensor, P>(shardspec_sharded_tensor_new, whole.get(),
                                             local.owner(), fill);
  }
  template <class P, class Keep, class Function, class... Arguments>
  static answer<sharded_tensor, P> lend(Keep keep, Function function, Arguments... arguments) {
    return detail::lend(std::move(keep), [&](void *ctx, shardspec_destroy_fn release) {
      return detail::handle<sharded_tensor, P>(function, arguments..., ctx, release);
    });
  }
  template <class P>
  static answer<sharded_tensor, P> unequal(std::size_t named, std::size_t given) {
    return detail::refuse<sharded_tensor, P>(
        {SHARDSPEC_INVALID_ARGUMENT, "shards: " + std::to_string(given) + " views; pass " +
                                         std::to_string(named) + ", one for each that is named"});
  }
};

}  // namespace SHARDSPEC_INNER_NAMESPACE
}  // namespace shardspec

#endif
