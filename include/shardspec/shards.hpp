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

/// The first results of a search, and whether there are more.
template <class T> struct some {
  std::vector<T> found;
  bool more;
};

/// The dim maps of a list of shards that are no intervals: map i has the stretches from `map_ends[i - 1]`
/// (0 for the first) to `map_ends[i] - 1`. `map_numbers` has for each shard a row of a number for each
/// dimension of its buffer: that of its dim map, or `SHARDSPEC_INTERVAL`.
struct dim_map_table {
  std::vector<shardspec_stretch> stretches;
  std::vector<std::size_t> map_ends;
  std::vector<std::uint32_t> map_numbers;
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

/// A list of shards. They may overlap and leave gaps, and the list may be empty: the replicas of a
/// checkpoint, or the shards of one worker.
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

  /// A picture of who owns what of a tensor of these sizes, with gaps and overlaps.
  template <class P = default_policy>
  answer<std::string, P> draw(slice<std::int64_t> sizes, const draw_options &options = {}, P = P()) const {
    return detail::drawn<P>(options, shardspec_shards_draw, get(), sizes.data(), sizes.size());
  }

  /// A copy of the list in which some shards have dim maps in place of intervals.
  template <class P = default_policy>
  answer<shard_list, P> with_dim_maps(const dim_map_table &maps, P = P()) const {
    const auto wanted = number_count();
    if (!wanted) return detail::refuse<shard_list, P>(wanted.error());
    if (maps.map_numbers.size() != *wanted)
      return detail::refuse<shard_list, P>(
          detail::uneven("map_numbers", maps.map_numbers.size(), *wanted,
                         "as many for each shard as dimensions"));
    return detail::handle<shard_list, P>(
        shardspec_shards_new_with_dim_maps, get(), maps.stretches.data(), maps.stretches.size(),
        maps.map_ends.data(), maps.map_ends.size(), maps.map_numbers.data());
  }
  /// A list like this one, of a tensor of these sizes, whose dimensions `first_dim` to
  /// `first_dim + dim_count - 1` are one here, in row-major order.
  template <class P = default_policy>
  answer<shard_list, P> flattened(numbers tensor_sizes, std::size_t first_dim,
                                  std::size_t dim_count, P = P()) const {
    return detail::handle<shard_list, P>(shardspec_shards_new_flattened, get(), tensor_sizes.data(),
                                         tensor_sizes.size(), first_dim, dim_count);
  }
  /// Metadata of a tensor of these sizes. Shards may share elements if they are declared `replicas`.
  template <class P = default_policy>
  answer<metadata, P> build_metadata(numbers tensor_sizes, const tensor_properties &properties = {},
                                     bool replicas = false, P = P()) const {
    return detail::handle<metadata, P>(shardspec_metadata_new_from_shards, get(),
                                       tensor_sizes.data(), tensor_sizes.size(), &properties,
                                       std::int32_t{replicas});
  }

  template <class P = default_policy> answer<std::size_t, P> count(P = P()) const {
    return detail::value<std::size_t, P>(shardspec_shards_count, get());
  }
  /// The indices that a shard has of one dimension of its buffer, as stretches in buffer order.
  template <class P = default_policy>
  answer<std::vector<shardspec_stretch>, P> stretches(std::size_t index, std::size_t dim,
                                                      P = P()) const {
    return detail::array<shardspec_stretch, P>(shardspec_shards_get_stretches, get(), index, dim);
  }
  /// All dim maps that are not intervals, in the form that `with_dim_maps` accepts.
  template <class P = default_policy> answer<dim_map_table, P> dim_maps(P = P()) const {
    const auto wanted = number_count();
    if (!wanted) return detail::refuse<dim_map_table, P>(wanted.error());
    return detail::run<dim_map_table, P>([&](dim_map_table &out, shardspec_error *err) {
      std::size_t stretch_count = 0, map_count = 0;
      if (auto status = shardspec_shards_get_dim_maps(get(), nullptr, 0, nullptr, 0, nullptr, 0,
                                                      &stretch_count, &map_count, err))
        return status;
      out.stretches.resize(stretch_count);
      out.map_ends.resize(map_count);
      out.map_numbers.resize(*wanted);
      return shardspec_shards_get_dim_maps(get(), out.stretches.data(), stretch_count,
                                           out.map_ends.data(), map_count, out.map_numbers.data(),
                                           *wanted, nullptr, nullptr, err);
    });
  }
  /// Whether every shard is a box of the tensor.
  template <class P = default_policy> answer<bool, P> are_boxes(P = P()) const {
    return detail::flag<P>(shardspec_shards_are_boxes, get());
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
  /// Boxes of a tensor of these sizes that no shard owns, ordered by position, at most `limit`. They
  /// do not overlap.
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
  /// How many dimensions the buffers of all shards have together. The C interface reports it only
  /// where there is no room for as many numbers.
  result<std::size_t> number_count() const {
    return detail::run<std::size_t, std::nothrow_t>([&](std::size_t &out, shardspec_error *err) {
      std::uint32_t nothing = 0;
      const auto status = shardspec_shards_get_dim_maps(get(), nullptr, 0, nullptr, 0, &nothing, 0,
                                                        nullptr, nullptr, err);
      if (status != SHARDSPEC_BUFFER_TOO_SMALL) return status;
      out = static_cast<std::size_t>(err->limit);
      return shardspec_status{SHARDSPEC_OK};
    });
  }
  /// Of the tensor. The C interface reports it only where it refuses another number.
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
