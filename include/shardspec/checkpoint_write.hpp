/* Checkpoints: writing shards to files, and converting files to other layouts. */
#ifndef SHARDSPEC_CHECKPOINT_WRITE_HPP
#define SHARDSPEC_CHECKPOINT_WRITE_HPP

#include "spec.hpp"

namespace shardspec {
inline namespace SHARDSPEC_INNER_NAMESPACE {

/// A tensor to write, and its shards in this process. `shards[i]` is shard `indices[i]` of the
/// layout, or shard i if there are no indices. The caller keeps the layout, which must state an
/// element type.
struct checkpoint_tensor {
  std::string name;
  const metadata &layout;
  std::vector<std::size_t> indices = {};
  std::vector<const_tensor_view> shards = {};
};

/// The layout that tensors of certain names get in a conversion. Each `*` of the pattern stands for
/// any characters. The caller keeps the spec.
struct checkpoint_rule {
  std::string pattern;
  const spec &how;
};

/// Options for writing a checkpoint.
struct checkpoint_write_options : shardspec_checkpoint_write_options {
  checkpoint_write_options() noexcept
      : shardspec_checkpoint_write_options{sizeof(shardspec_checkpoint_write_options), 0, 0, 0} {}
};

namespace detail {

/// The tensors as C has them, for one call.
class checkpoint_tensors {
 public:
  explicit checkpoint_tensors(const std::vector<checkpoint_tensor> &tensors) {
    views_.reserve(tensors.size());
    for (const checkpoint_tensor &tensor : tensors) {
      auto &views = views_.emplace_back();
      for (const const_tensor_view &shard : tensor.shards) views.push_back(shard.c());
      tensors_.push_back({sizeof(shardspec_checkpoint_tensor), tensor.name.c_str(), tensor.layout.get(),
                          tensor.indices.empty() ? nullptr : tensor.indices.data(), views.data(),
                          views.size()});
    }
  }
  const shardspec_checkpoint_tensor *data() const noexcept { return tensors_.data(); }
  std::size_t size() const noexcept { return tensors_.size(); }

 private:
  std::vector<std::vector<shardspec_tensor_view>> views_;
  std::vector<shardspec_checkpoint_tensor> tensors_;
};

}  // namespace detail

/// Writes the shards in this process. Every rank calls this, then one of them `checkpoint_commit`.
template <class P = default_policy>
answer<void, P> checkpoint_write(text path, const std::vector<checkpoint_tensor> &tensors,
                                 const checkpoint_write_options &options = {}, P = P()) {
  for (const checkpoint_tensor &tensor : tensors)
    if (!tensor.indices.empty() && tensor.indices.size() != tensor.shards.size())
      return detail::refuse<void, P>(
          {SHARDSPEC_INVALID_ARGUMENT, "tensors: '" + tensor.name + "' has " +
                                           std::to_string(tensor.indices.size()) + " indices for " +
                                           std::to_string(tensor.shards.size()) + " shards"});
  const detail::checkpoint_tensors raw(tensors);
  return detail::perform<P>(shardspec_checkpoint_write, path.c(), raw.data(), raw.size(), &options);
}

/// Moves the checkpoint to its path in one step, after all ranks have written their shards.
template <class P = default_policy>
answer<void, P> checkpoint_commit(text path, const std::vector<checkpoint_tensor> &tensors,
                                  const checkpoint_write_options &options = {}, P = P()) {
  const detail::checkpoint_tensors raw(tensors);
  return detail::perform<P>(shardspec_checkpoint_commit, path.c(), raw.data(), raw.size(), &options);
}

/// Writes all tensors of a checkpoint to another checkpoint. The first rule that matches a name
/// decides the layout.
template <class P = default_policy>
answer<void, P> checkpoint_convert(text source_path, text path,
                                   const std::vector<checkpoint_rule> &rules,
                                   const checkpoint_write_options &options = {}, P = P()) {
  std::vector<shardspec_checkpoint_rule> raw;
  for (const checkpoint_rule &rule : rules)
    raw.push_back({sizeof(shardspec_checkpoint_rule), rule.pattern.c_str(), rule.how.get()});
  return detail::perform<P>(shardspec_checkpoint_convert, source_path.c(), path.c(), raw.data(),
                            raw.size(), &options);
}

}  // namespace SHARDSPEC_INNER_NAMESPACE
}  // namespace shardspec

#endif
