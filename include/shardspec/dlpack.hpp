/* DLPack: tensors handed to other libraries, without a copy. */
#ifndef SHARDSPEC_DLPACK_HPP
#define SHARDSPEC_DLPACK_HPP

#include "callback.hpp"
#include "view.hpp"

#include <memory>

namespace shardspec {
inline namespace SHARDSPEC_INNER_NAMESPACE {
namespace detail {

struct managed_deleter {
  template <class Managed> void operator()(Managed *tensor) const noexcept {
    if (tensor->deleter != nullptr) tensor->deleter(tensor);
  }
};

/// Calls `function(arguments..., out, err)`, which makes a managed tensor.
template <class Managed, class P, class Function, class... Arguments>
answer<std::unique_ptr<Managed, managed_deleter>, P> managed(Function function,
                                                             Arguments... arguments) {
  using owner = std::unique_ptr<Managed, managed_deleter>;
  return run<owner, P>([&](owner &out, shardspec_error *err) {
    Managed *raw = nullptr;
    const shardspec_status status = function(arguments..., &raw, err);
    out.reset(raw);
    return status;
  });
}

}  // namespace detail

/// A tensor for another library. `release()` returns it as DLPack's `DLManagedTensorVersioned`.
/// Without a call of `release()`, the destructor releases the memory.
using managed_tensor = std::unique_ptr<shardspec_managed_tensor, detail::managed_deleter>;
/// A tensor for a library that supports only DLPack before 1.0. `release()` returns it as a
/// `DLManagedTensor`.
using legacy_managed_tensor =
    std::unique_ptr<shardspec_legacy_managed_tensor, detail::managed_deleter>;

/// Creates a managed tensor of the memory that a view describes. It is read-only if the view is
/// read-only. `keep` may be the owner of that memory. This owner is moved, and is destroyed when
/// the memory is released or the call fails. `flags` are `SHARDSPEC_DLPACK_FLAG_...` constants.
template <class View, class Keep = std::nullptr_t, class P = default_policy>
answer<managed_tensor, P> manage(const View &view, Keep keep = Keep(), std::uint64_t flags = 0,
                                 P = P()) {
  if (!std::is_convertible_v<View, tensor_view>) flags |= SHARDSPEC_DLPACK_FLAG_READ_ONLY;
  const shardspec_tensor_view raw = view.c();
  return detail::lend(std::move(keep), [&](void *ctx, shardspec_destroy_fn release) {
    return detail::managed<shardspec_managed_tensor, P>(shardspec_managed_tensor_new, &raw, flags,
                                                        ctx, release);
  });
}
/// As `manage`, in the form before DLPack 1.0, which has no read-only flag.
template <class Keep = std::nullptr_t, class P = default_policy>
answer<legacy_managed_tensor, P> manage_legacy(const tensor_view &view, Keep keep = Keep(),
                                               P = P()) {
  const shardspec_tensor_view raw = view.c();
  return detail::lend(std::move(keep), [&](void *ctx, shardspec_destroy_fn release) {
    return detail::managed<shardspec_legacy_managed_tensor, P>(shardspec_legacy_managed_tensor_new,
                                                               &raw, ctx, release);
  });
}

}  // namespace SHARDSPEC_INNER_NAMESPACE
}  // namespace shardspec

#endif
