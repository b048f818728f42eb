/* Lists of shards, unchecked: all of their overlaps and gaps, and what specs and plans are made of. */
#ifndef SHARDSPEC_SHARDS_HPP
#define SHARDSPEC_SHARDS_HPP

#include "metadata.hpp"

#include <algorithm>

namespace shardspec {
inline namespace SHARDSPEC_INNER_NAMESPACE {

/// The box of `sizes` elements at `offsets`, a number for each dimension.
struct box {
  std::vector<std::int64_t> offsets, sizes;
};

/// Two shards, by their indices, and the box that both own.
struct overlap {
  std::size_t first, second;
  box shared;
};

/// What was found of something that there may be much of, and whether there is more.
template <class T> struct some {
  std::vector<T> found;
  bool more;
};

namespace detail {

/// Row `index` of rows of `ndim` numbers.
inline std::vector<std::int64_t> row(const std::vector<std::int64_t> &rows, std::size_t index,
                                     std::size_t ndim) {
  const std::int64_t *start = rows.data() + index * ndim;
  return {start, start + ndim};
}

/// Boxes, as the C interface writes them, at most `capacity`.
struct flat_boxes {
  std::size_t ndim, capacity;
  std::vector<std::int64_t> offsets{}, sizes{};
  std::size_t count = 0;
  std::int32_t more = 0;

  void grow(std::size_t capacity_) {
    capacity = capacity_;
    offsets.resize(capacity * ndim);
    sizes.resize(capacity * ndim);
  }
  box at(std::size_t index) const { return {row(offsets, index, ndim), row(sizes, index, ndim)}; }
};

/// Calls `find(boxes)` with more and more room, until all is found or `limit` are.
template <class Find>
shardspec_status find_boxes(flat_boxes &boxes, std::size_t limit, const Find &find) {
  boxes.grow(std::min<std::size_t>(limit, 32));
  shardspec_status status = find(boxes);
  while (status == SHARDSPEC_OK && boxes.more != 0 && boxes.capacity < limit) {
    boxes.grow(boxes.capacity > limit / 4 ? limit : 4 * boxes.capacity);
    status = find(boxes);
  }
  return status;
}

}  // namespace detail

/// A list of shards, which may overlap, leave gaps and be none: the replicas of a checkpoint, or
/// what one worker wants.
class shard_list : public detail::unique<shardspec_shards, shardspec_shards_free> {
 public:
  using unique::unique;

  /// These shards, all with the same number of dimensions.
  template <class P = default_policy>
  static answer<shard_list, P> of(const list<shard> &shards, P = P()) {
    return detail::unless_ragged<shard_list, P>(shards, [&] {
      return detail::handle<shard_list, P>(shardspec_shards_new, shards.data(), shards.size());
    });
  }
  template <class P = default_policy>
  static answer<shard_list, P> of(const shard_table &shards, P = P()) {
    return shards.pass<shard_list, P>(texts(shards.placements), [](auto... arguments) {
      return detail::handle<shard_list, P>(shardspec_shards_new_from_arrays, arguments...);
    });
  }
  /// As above, with placements by their handles; the table's own are not looked at.
  template <class P = default_policy>
  static answer<shard_list, P> of(const shard_table &shards, const places &where, P = P()) {
    return shards.pass<shard_list, P>(where, [](auto... arguments) {
      return detail::handle<shard_list, P>(
          shardspec_shards_new_from_arrays_with_placement_handles, arguments...);
    });
  }
  /// The shards of a metadata object. Nothing is copied.
  template <class P = default_policy>
  static answer<shard_list, P> of(const metadata &whole, P = P()) {
    return detail::handle<shard_list, P>(shardspec_shards_new_from_metadata, whole.get());
  }

  template <class P = default_policy> answer<std::size_t, P> count(P = P()) const {
    return detail::value<std::size_t, P>(shardspec_shards_count, get());
  }
  /// Pairs of shards that own the same element, by their first index, then by their second, at most
  /// `limit`.
  template <class P = default_policy>
  answer<some<overlap>, P> overlaps(std::size_t limit = 1000, P = P()) const {
    return detail::run<some<overlap>, P>([&](some<overlap> &out, shardspec_error *err) {
      std::size_t ndim = 0;
      if (auto status = read_ndim(ndim, err)) return status;
      std::vector<std::size_t> first, second;
      detail::flat_boxes boxes{ndim, 0};
      const auto status = detail::find_boxes(boxes, limit, [&](detail::flat_boxes &to) {
        first.resize(to.capacity);
        second.resize(to.capacity);
        return shardspec_shards_overlaps(get(), first.data(), second.data(), to.offsets.data(),
                                         to.sizes.data(), to.capacity, &to.count, &to.more, err);
      });
      for (std::size_t i = 0; i < boxes.count; ++i)
        out.found.push_back({first[i], second[i], boxes.at(i)});
      out.more = boxes.more != 0;
      return status;
    });
  }
  /// Boxes of a tensor of these sizes that no shard owns, by where they lie, at most `limit`. They
  /// share nothing.
  template <class P = default_policy>
  answer<some<box>, P> gaps(numbers tensor_sizes, std::size_t limit = 1000, P = P()) const {
    return detail::run<some<box>, P>([&](some<box> &out, shardspec_error *err) {
      detail::flat_boxes boxes{tensor_sizes.size(), 0};
      const auto status = detail::find_boxes(boxes, limit, [&](detail::flat_boxes &to) {
        return shardspec_shards_gaps(get(), tensor_sizes.data(), to.ndim, to.offsets.data(),
                                     to.sizes.data(), to.capacity, &to.count, &to.more, err);
      });
      for (std::size_t i = 0; i < boxes.count; ++i) out.found.push_back(boxes.at(i));
      out.more = boxes.more != 0;
      return status;
    });
  }

 private:
  /// The C interface tells it only where it refuses another number.
  shardspec_status read_ndim(std::size_t &ndim, shardspec_error *err) const {
    const std::int64_t nothing[] = {0};
    std::size_t count = 0;
    const auto status =
        shardspec_shards_gaps(get(), nothing, 1, nullptr, nullptr, 0, &count, nullptr, err);
    ndim = status == SHARDSPEC_NDIM_MISMATCH ? static_cast<std::size_t>(err->got) : 1;
    return status == SHARDSPEC_NDIM_MISMATCH ? SHARDSPEC_OK : status;
  }
};

namespace detail {

/// What `use` makes of a list, or why there is no list. The list ends with the call.
template <class T, class P, class Use>
answer<T, P> with_list(const result<shard_list> &list, const Use &use) {
  if (!list) return refuse<T, P>(list.error());
  return use(list->get());
}

}  // namespace detail
}  // namespace SHARDSPEC_INNER_NAMESPACE
}  // namespace shardspec

#endif
