/* Batches of tensors that move between ranks, once or again and again. */
#ifndef SHARDSPEC_TRANSFER_HPP
#define SHARDSPEC_TRANSFER_HPP

#include "comm.hpp"
#include "plan.hpp"

#include <deque>

namespace shardspec {
inline namespace SHARDSPEC_INNER_NAMESPACE {

/// The tensors of a batch, as one rank passes them. Everything except the shards is the same on all
/// ranks. The batch keeps copies of tags and views. Metadata, plans and memory must exist during
/// the call that takes the batch.
class tensor_batch {
 public:
  /// Adds a tensor that moves from one layout to another. Pass `type` if this rank has no shard of
  /// the tensor and the layouts state no element type.
  tensor_batch &add(text tag, const metadata &source, const const_views &source_shards,
                    const metadata &destination, const views &destination_shards, dtype type = {}) {
    return push(tag, source.get(), destination.get(), nullptr, source_shards, destination_shards, type);
  }
  /// A tensor whose layouts are those of a plan.
  tensor_batch &add(text tag, const plan &moves, const const_views &source_shards,
                    const views &destination_shards, dtype type = {}) {
    return push(tag, nullptr, nullptr, moves.get(), source_shards, destination_shards, type);
  }
  /// A tensor of which only the shards are needed: for another run of a transfer.
  tensor_batch &add(const const_views &source_shards, const views &destination_shards) {
    push("", nullptr, nullptr, nullptr, source_shards, destination_shards, {});
    items_.back().has_tag = false;
    return *this;
  }

  std::size_t size() const noexcept { return items_.size(); }

  /// The batch as the C interface takes it; valid as long as the batch is not changed.
  class c_batch {
   public:
    explicit c_batch(const tensor_batch &batch) {
      for (const item &each : batch.items_) {
        shardspec_comm_tensor raw = each.raw;
        if (each.has_tag) raw.tag = each.tag.c_str();
        views_.emplace_back(const_views(each.source));
        raw.source_shards = views_.back().data();
        raw.source_shard_count = views_.back().size();
        views_.emplace_back(const_views(each.destination));
        raw.destination_shards = views_.back().data();
        raw.destination_shard_count = views_.back().size();
        tensors_.push_back(raw);
      }
    }
    const shardspec_comm_tensor *data() const noexcept { return tensors_.data(); }
    std::size_t size() const noexcept { return tensors_.size(); }

   private:
    std::deque<const_views> views_;
    std::vector<shardspec_comm_tensor> tensors_;
  };

 private:
  struct item {
    shardspec_comm_tensor raw;
    std::string tag;
    bool has_tag;
    std::vector<const_tensor_view> source, destination;
  };
  template <class Views> static std::vector<const_tensor_view> copied(const Views &all) {
    std::vector<const_tensor_view> copies;
    for (std::size_t i = 0; i < all.size(); ++i) copies.emplace_back(all.data()[i]);
    return copies;
  }
  tensor_batch &push(text tag, const shardspec_metadata *source, const shardspec_metadata *destination,
                     const shardspec_plan *moves, const const_views &source_shards,
                     const views &destination_shards, dtype type) {
    shardspec_comm_tensor raw = {};
    raw.struct_size = sizeof raw;
    raw.source = source;
    raw.destination = destination;
    raw.plan = moves;
    raw.dtype = type;
    items_.push_back({raw, tag.c(), true, copied(source_shards), copied(destination_shards)});
    return *this;
  }
  std::vector<item> items_;
};

/// Moves a batch of tensors between all ranks, once.
template <class P = default_policy>
answer<void, P> transfer_once(const comm &ranks, const tensor_batch &batch,
                              const comm_options &options = {}, P = P()) {
  const tensor_batch::c_batch tensors(batch);
  return detail::perform<P>(shardspec_comm_transfer, ranks.get(), tensors.data(), tensors.size(),
                            &options);
}

/// Starts that. The batch is needed during the call only, and the memory of the shards until the request
/// has ended. What is wrong with the batch is the result of the request.
template <class P = default_policy>
answer<request, P> start_transfer(const comm &ranks, const tensor_batch &batch,
                                  const comm_options &options = {}, P = P()) {
  const tensor_batch::c_batch tensors(batch);
  return detail::handle<request, P>(shardspec_comm_transfer_start, ranks.get(), tensors.data(),
                                    tensors.size(), &options);
}

/// A batch of tensors that all ranks have agreed to move, any number of times.
class transfer : public detail::unique<shardspec_transfer, shardspec_transfer_free> {
 public:
  using unique::unique;

  /// All ranks prepare a transfer together. Nothing is moved.
  template <class P = default_policy>
  static answer<transfer, P> prepare(const comm &ranks, const tensor_batch &batch,
                                     const comm_options &options = {}, P = P()) {
    const tensor_batch::c_batch tensors(batch);
    return detail::handle<transfer, P>(shardspec_transfer_prepare, ranks.get(), tensors.data(),
                                       tensors.size(), &options);
  }
  /// Moves the tensors, with the buffers of the last run that succeeded.
  template <class P = default_policy> answer<void, P> run(const comm &ranks, P = P()) const {
    return detail::perform<P>(shardspec_transfer_run, get(), ranks.get(),
                              static_cast<const shardspec_comm_tensor *>(nullptr), std::size_t{0});
  }
  /// Moves the tensors with other buffers of the same shapes and strides.
  template <class P = default_policy>
  answer<void, P> run(const comm &ranks, const tensor_batch &batch, P = P()) const {
    const tensor_batch::c_batch tensors(batch);
    return detail::perform<P>(shardspec_transfer_run, get(), ranks.get(), tensors.data(),
                              tensors.size());
  }
  /// Starts a run with the buffers of the last run that succeeded. The request uses the memory of
  /// the shards until it has ended.
  template <class P = default_policy> answer<request, P> start(const comm &ranks, P = P()) const {
    return detail::handle<request, P>(shardspec_transfer_start, get(), ranks.get(),
                                      static_cast<const shardspec_comm_tensor *>(nullptr), std::size_t{0});
  }
  /// Starts a run with other buffers. An invalid buffer is an error of the request.
  template <class P = default_policy>
  answer<request, P> start(const comm &ranks, const tensor_batch &batch, P = P()) const {
    const tensor_batch::c_batch tensors(batch);
    return detail::handle<request, P>(shardspec_transfer_start, get(), ranks.get(), tensors.data(),
                                      tensors.size());
  }
  /// A hash of the transfer, which is the same on all ranks. Transfers of other tensors have other
  /// hashes.
  template <class P = default_policy> answer<std::uint64_t, P> fingerprint(P = P()) const {
    return detail::value<std::uint64_t, P>(shardspec_transfer_fingerprint, get());
  }
};

/// A transfer whose preparation was started. `made` can run when `agreement` has ended successfully.
struct started_transfer {
  transfer made;
  request agreement;
};

/// Starts to prepare a transfer. Other ranks may call `transfer::prepare`. The batch is needed during
/// the call only. An invalid argument is an error of the request, and there is no transfer then.
template <class P = default_policy>
answer<started_transfer, P> start_preparation(const comm &ranks, const tensor_batch &batch,
                                              const comm_options &options = {}, P = P()) {
  const tensor_batch::c_batch tensors(batch);
  return detail::run<started_transfer, P>([&](started_transfer &out, shardspec_error *err) {
    shardspec_transfer *made = nullptr;
    shardspec_request *agreement = nullptr;
    const auto status = shardspec_transfer_prepare_start(ranks.get(), tensors.data(), tensors.size(),
                                                         &options, &made, &agreement, err);
    out.made.reset(made);
    out.agreement.reset(agreement);
    return status;
  });
}

}  // namespace SHARDSPEC_INNER_NAMESPACE
}  // namespace shardspec

#endif
