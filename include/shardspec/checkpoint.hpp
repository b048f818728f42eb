/* Checkpoints: tensors in files. A process reads the elements that it needs. */
#ifndef SHARDSPEC_CHECKPOINT_HPP
#define SHARDSPEC_CHECKPOINT_HPP

#include "callback.hpp"
#include "comm.hpp"
#include "sharded_tensor.hpp"
#include "shards.hpp"

#include <functional>

namespace shardspec {
inline namespace SHARDSPEC_INNER_NAMESPACE {

/// A tensor of a checkpoint.
struct stored_tensor {
  std::string name;
  dtype type;
  std::vector<std::int64_t> sizes;
};

/// A tensor to read, and its destination: the local shards of a sharded tensor, or views of some
/// shards of a layout. The arguments of the constructor must exist until the call that takes the
/// item has returned.
class read_item {
 public:
  read_item(std::string name, const sharded_tensor &to) : name_(std::move(name)) { raw_.tensor = to.get(); }
  /// `shards[i]` is shard `indices[i]` of the layout. `checkpoint::check` needs no views.
  read_item(std::string name, const metadata &layout, std::vector<std::size_t> indices,
            std::vector<tensor_view> shards = {})
      : name_(std::move(name)), indices_(std::move(indices)), shards_(std::move(shards)) {
    raw_.metadata = layout.get();
  }

  /// For calls of the C interface, while this and `views_of_c`, which is written, live and are not
  /// changed.
  shardspec_checkpoint_item c(std::vector<shardspec_tensor_view> &views_of_c) const {
    for (const tensor_view &each : shards_) views_of_c.push_back(each.c());
    shardspec_checkpoint_item raw = raw_;
    raw.struct_size = sizeof raw;
    raw.name = name_.c_str();
    raw.indices = indices_.empty() ? nullptr : indices_.data();
    raw.shards = views_of_c.empty() ? nullptr : views_of_c.data();
    raw.shard_count = indices_.size();
    return raw;
  }
  std::size_t index_count() const noexcept { return indices_.size(); }
  std::size_t view_count() const noexcept { return shards_.size(); }
  bool is_tensor() const noexcept { return raw_.tensor != nullptr; }

 private:
  shardspec_checkpoint_item raw_ = {};
  std::string name_;
  std::vector<std::size_t> indices_;
  std::vector<tensor_view> shards_;
};

/// Options of a read. With 0, the library chooses.
struct read_options {
  std::uint32_t max_threads = 0;
  /// The largest gap, in bytes, between two needed parts that one read always includes.
  std::uint64_t max_gap = 0;
  /// The limit for reads that include larger gaps: the bytes of such a read are at most this number
  /// times the needed bytes.
  double over_read = 0;
  /// Maximum number of bytes of a read whose parts go to several places.
  std::uint64_t max_read = 0;
  /// Receives the number of bytes that have been read and the number of all bytes, on the thread
  /// that called `read`. An exception, or another status than SHARDSPEC_OK, cancels the read.
  std::function<shardspec_status(std::uint64_t done, std::uint64_t total)> progress{};
  /// Receives for each item whether it was read completely, also if the read failed.
  std::vector<std::int32_t> *whole = nullptr;
};

/// Describes what a read did.
struct read_report {
  std::uint64_t read_count, bytes_read, bytes_needed;
};

/// A file or a directory with tensors. No file stays open.
class checkpoint : public detail::unique<shardspec_checkpoint, shardspec_checkpoint_free> {
 public:
  using unique::unique;

  /// Opens a safetensors or .npy file, or a directory of safetensors files. No element is read.
  template <class P = default_policy> static answer<checkpoint, P> open(text path, P = P()) {
    return detail::handle<checkpoint, P>(shardspec_checkpoint_open, path.c());
  }

  template <class P = default_policy> answer<std::size_t, P> tensor_count(P = P()) const {
    return detail::value<std::size_t, P>(shardspec_checkpoint_tensor_count, get());
  }
  /// Returns the number of the tensor of that name. The message of NOT_FOUND has the file in which
  /// an index expects the tensor.
  template <class P = default_policy> answer<std::size_t, P> find(text name, P = P()) const {
    return detail::value<std::size_t, P>(shardspec_checkpoint_find_tensor, get(), name.c());
  }
  /// Name, type and sizes of a tensor.
  template <class P = default_policy> answer<stored_tensor, P> tensor(std::size_t index, P = P()) const {
    return detail::run<stored_tensor, P>([&](stored_tensor &out, shardspec_error *err) {
      return describe(out, index, err);
    });
  }
  /// All tensors, by name.
  template <class P = default_policy> answer<std::vector<stored_tensor>, P> tensors(P = P()) const {
    return detail::run<std::vector<stored_tensor>, P>(
        [&](std::vector<stored_tensor> &out, shardspec_error *err) {
          std::size_t count = 0;
          auto status = shardspec_checkpoint_tensor_count(get(), &count, err);
          for (std::size_t i = 0; status == SHARDSPEC_OK && i < count; ++i)
            status = describe(out.emplace_back(), i, err);
          return status;
        });
  }
  /// The stored chunks of a tensor, whose placements are files.
  template <class P = default_policy> answer<shard_list, P> chunks(std::size_t index, P = P()) const {
    return detail::handle<shard_list, P>(shardspec_checkpoint_tensor_chunks, get(), index);
  }
  /// The stored chunks of a tensor as metadata. Fails with GAP if the chunks do not cover the
  /// tensor.
  template <class P = default_policy>
  answer<shardspec::metadata, P> metadata(std::size_t index, P = P()) const {
    return detail::handle<shardspec::metadata, P>(shardspec_checkpoint_tensor_metadata, get(), index);
  }

  /// Returns everything that prevents some items from being read. Without items, returns all
  /// problems of the checkpoint. The `index` of an error is the position of the item.
  template <class P = default_policy>
  answer<std::vector<error>, P> check(const std::vector<read_item> &items = {}, P = P()) const {
    const raw_items raw(items);
    return detail::run<std::vector<error>, P>([&](std::vector<error> &out, shardspec_error *err) {
      std::vector<shardspec_error> problems(32);
      std::size_t count = 0;
      auto status = SHARDSPEC_OK;
      for (;;) {
        for (shardspec_error &each : problems) each.struct_size = sizeof each;
        status = shardspec_checkpoint_check(get(), raw.items.data(), raw.items.size(), problems.data(),
                                            problems.size(), &count, err);
        if (status != SHARDSPEC_OK || count <= problems.size()) break;
        problems.resize(count);
      }
      for (std::size_t i = 0; status == SHARDSPEC_OK && i < count; ++i) out.emplace_back(problems[i]);
      return status;
    });
  }
  /// Reads all items. All checks come before the first read.
  template <class P = default_policy>
  answer<read_report, P> read(const std::vector<read_item> &items, const read_options &options = {},
                              P = P()) const {
    return read_with<P>(items, options, [&](auto &&...rest) { return shardspec_checkpoint_read(get(), rest...); });
  }
  /// Reads all items on all ranks together: of shards with the same elements, one is read from the files, and
  /// the others are received from its rank. Each rank passes all of its own shards.
  template <class P = default_policy>
  answer<read_report, P> read_collective(const comm &ranks, const std::vector<read_item> &items,
                                         const read_options &options = {},
                                         const comm_options &moves = {}, P = P()) const {
    return read_with<P>(items, options,
                        [&](const shardspec_checkpoint_item *all, std::size_t count,
                            const shardspec_checkpoint_read_options *how, auto &&...rest) {
                          return shardspec_checkpoint_read_collective(get(), ranks.get(), all, count, how,
                                                                      &moves, rest...);
                        });
  }

 private:
  /// Items, and the views that they point to.
  struct raw_items {
    explicit raw_items(const std::vector<read_item> &from) : views(from.size()) {
      for (std::size_t i = 0; i < from.size(); ++i) items.push_back(from[i].c(views[i]));
    }
    std::vector<std::vector<shardspec_tensor_view>> views;
    std::vector<shardspec_checkpoint_item> items{};
  };
  template <class P, class F>
  answer<read_report, P> read_with(const std::vector<read_item> &items, const read_options &options,
                                   F &&function) const {
    for (const read_item &item : items)
      if (!item.is_tensor() && item.index_count() != item.view_count())
        return detail::refuse<read_report, P>(
            {SHARDSPEC_INVALID_ARGUMENT, "items: " + std::to_string(item.view_count()) + " views for " +
                                             std::to_string(item.index_count()) + " shards"});
    const raw_items raw(items);
    shardspec_checkpoint_read_options how = {};
    how.struct_size = sizeof how;
    how.max_threads = options.max_threads;
    how.max_gap = options.max_gap;
    how.over_read = options.over_read;
    how.max_read = options.max_read;
    if (options.progress) {
      how.progress = tell;
      how.progress_ctx = const_cast<read_options *>(&options);
    }
    if (options.whole != nullptr) options.whole->assign(items.size(), 0);
    return detail::run<read_report, P>([&](read_report &out, shardspec_error *err) {
      shardspec_checkpoint_read_report report = {};
      report.struct_size = sizeof report;
      std::int32_t *whole = options.whole == nullptr ? nullptr : options.whole->data();
      const auto status = function(raw.items.data(), raw.items.size(), &how, whole, &report, err);
      out = {report.read_count, report.bytes_read, report.bytes_needed};
      return status;
    });
  }
  shardspec_status describe(stored_tensor &out, std::size_t index, shardspec_error *err) const {
    if (auto status = detail::fill_text(out.name, err, shardspec_checkpoint_tensor_name, get(), index))
      return status;
    std::size_t ndim = 0;
    out.sizes.resize(SHARDSPEC_MAX_NDIM);
    const auto status = shardspec_checkpoint_get_tensor(get(), index, &out.type, out.sizes.data(),
                                                        out.sizes.size(), &ndim, err);
    out.sizes.resize(ndim);
    return status;
  }
  static shardspec_status tell(void *ctx, std::uint64_t done, std::uint64_t total, shardspec_error *err) {
    return detail::call_back(err, [&] { return static_cast<read_options *>(ctx)->progress(done, total); });
  }
};

/// Returns, for each shard of each layout, the shard that is read from files in its place. Both
/// have the same elements, so all ranks together read each element once.
template <class P = default_policy>
answer<std::vector<std::vector<std::uint32_t>>, P> choose_readers(
    const std::vector<const metadata *> &layouts, P = P()) {
  using rows = std::vector<std::vector<std::uint32_t>>;
  return detail::run<rows, P>([&](rows &out, shardspec_error *err) {
    std::vector<const shardspec_metadata *> raw;
    for (const metadata *each : layouts) raw.push_back(each == nullptr ? nullptr : each->get());
    std::vector<std::uint32_t> flat;
    if (auto status = detail::fill(flat, err, shardspec_checkpoint_choose_readers, raw.data(), raw.size()))
      return status;
    auto next = flat.begin();
    for (const shardspec_metadata *each : raw) {
      std::size_t count = 0;
      if (auto status = shardspec_metadata_shard_count(each, &count, err)) return status;
      out.emplace_back(next, next + static_cast<std::ptrdiff_t>(count));
      next += static_cast<std::ptrdiff_t>(count);
    }
    return SHARDSPEC_OK;
  });
}

}  // namespace SHARDSPEC_INNER_NAMESPACE
}  // namespace shardspec

#endif
