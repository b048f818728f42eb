/* Meshes: placements in a grid with named axes. This file also has the cuts of tensors over meshes. */
#ifndef SHARDSPEC_MESH_HPP
#define SHARDSPEC_MESH_HPP

#include "placement.hpp"

namespace shardspec {
inline namespace SHARDSPEC_INNER_NAMESPACE {

class spec;

/// One axis of a mesh.
struct mesh_axis {
  std::string name;
  std::int64_t size;

  friend bool operator==(const mesh_axis &a, const mesh_axis &b) {
    return a.name == b.name && a.size == b.size;
  }
  friend bool operator!=(const mesh_axis &a, const mesh_axis &b) { return !(a == b); }
};

/// A grid of devices with named axes. Devices are in row-major order: the last axis varies fastest.
class mesh : public detail::unique<shardspec_mesh, shardspec_mesh_free> {
 public:
  using unique::unique;

  /// A mesh of these axes on "rank:0", "rank:1" and so on.
  template <class P = default_policy>
  static answer<mesh, P> of(const std::vector<mesh_axis> &axes, P = P()) {
    return make<P>(shardspec_mesh_new, axes, texts());
  }
  /// A mesh of these axes, with one placement for each device.
  template <class P = default_policy>
  static answer<mesh, P> of(const std::vector<mesh_axis> &axes, const texts &where, P = P()) {
    return make<P>(shardspec_mesh_new, axes, where);
  }
  template <class P = default_policy>
  static answer<mesh, P> of(const std::vector<mesh_axis> &axes, const places &where, P = P()) {
    return make<P>(shardspec_mesh_new_with_placement_handles, axes, where);
  }
  /// Creates a mesh of the devices at one coordinate of an axis. The new mesh does not have that
  /// axis.
  template <class P = default_policy>
  answer<mesh, P> submesh(text axis, std::size_t coordinate, P = P()) const {
    return detail::handle<mesh, P>(shardspec_mesh_new_submesh, get(), axis.c(), coordinate);
  }

  template <class P = default_policy> answer<std::size_t, P> ndim(P = P()) const {
    return detail::value<std::size_t, P>(shardspec_mesh_ndim, get());
  }
  template <class P = default_policy> answer<std::size_t, P> device_count(P = P()) const {
    return detail::value<std::size_t, P>(shardspec_mesh_device_count, get());
  }
  /// All axes, in order.
  template <class P = default_policy> answer<std::vector<mesh_axis>, P> axes(P = P()) const {
    return detail::run<std::vector<mesh_axis>, P>(
        [&](std::vector<mesh_axis> &out, shardspec_error *err) {
          std::vector<std::int64_t> sizes;
          if (auto status = detail::fill(sizes, err, shardspec_mesh_get_axis_sizes, get())) return status;
          for (std::size_t axis = 0; axis < sizes.size(); ++axis) {
            out.push_back({std::string(), sizes[axis]});
            if (auto status = detail::fill_text(out.back().name, err, shardspec_mesh_axis_name, get(), axis))
              return status;
          }
          return SHARDSPEC_OK;
        });
  }
  /// The placement of a device.
  template <class P = default_policy>
  answer<shardspec::placement, P> placement(std::size_t device, P = P()) const {
    return detail::handle<shardspec::placement, P>(shardspec_mesh_placement, get(), device);
  }
  /// The coordinates of a device, one for each axis.
  template <class P = default_policy>
  answer<std::vector<std::size_t>, P> coordinates(std::size_t device, P = P()) const {
    return detail::array<std::size_t, P>(shardspec_mesh_get_coordinates, get(), device);
  }
  /// The axes as a text: "dp=2, tp=4".
  template <class P = default_policy> answer<std::string, P> str(P = P()) const {
    return detail::text<P>(shardspec_mesh_text, get());
  }
  template <class P = default_policy> answer<bool, P> equal(const mesh &other, P = P()) const {
    return detail::flag<P>(shardspec_mesh_equal, get(), other.get());
  }
  template <class P = default_policy> answer<std::uint64_t, P> hash(P = P()) const {
    return detail::value<std::uint64_t, P>(shardspec_mesh_hash, get());
  }

 private:
  template <class P, class Function, class Where>
  static answer<mesh, P> make(Function function, const std::vector<mesh_axis> &axes, const Where &where) {
    std::vector<const char *> names;
    std::vector<std::int64_t> sizes;
    for (const mesh_axis &axis : axes) {
      names.push_back(axis.name.c_str());
      sizes.push_back(axis.size);
    }
    return detail::handle<mesh, P>(function, names.data(), sizes.data(), axes.size(), where.data(), where.size());
  }
};

namespace detail {

/// What cuts and segments have in common: the rule by which positions are dealt, and its numbers.
template <class Self> class dealing {
 public:
  /// Equal pieces, as with torch.chunk. The last pieces may be shorter or empty.
  Self &chunk() { return set(SHARDSPEC_RULE_CHUNK, {}); }
  /// Pieces whose sizes differ by at most one, as with numpy.array_split.
  Self &balanced() { return set(SHARDSPEC_RULE_BALANCED, {}); }
  /// Pieces of these sizes.
  Self &sizes(numbers of_pieces) { return set(SHARDSPEC_RULE_SIZES, of_pieces); }
  /// Pieces in proportion to these weights.
  Self &weights(numbers of_pieces) { return set(SHARDSPEC_RULE_WEIGHTS, of_pieces); }
  /// Blocks of `block` positions. The pieces receive the blocks in turn. Piece `first` receives the
  /// first block.
  Self &cyclic(std::int64_t block, std::int64_t first = 0) {
    set(SHARDSPEC_RULE_CYCLIC, {});
    block_ = block;
    first_ = first;
    return self();
  }
  /// Number of positions that stay together.
  Self &granule(std::int64_t positions) {
    granule_ = positions;
    return self();
  }
  /// Number of neighbouring coordinates that have the same piece.
  Self &repeat(std::int64_t coordinates) {
    repeat_ = coordinates;
    return self();
  }
  /// Whether pieces of different sizes are refused.
  Self &even(bool yes = true) {
    even_ = yes ? 1 : -1;
    return self();
  }

 protected:
  template <class C> void write(C &c) const {
    c.struct_size = sizeof c;
    c.rule = rule_;
    c.even = even_;
    c.granule = granule_;
    c.repeat = repeat_;
    c.block = block_;
    c.first = first_;
    c.values = values_.data();
    c.value_count = values_.size();
  }

 private:
  Self &self() { return static_cast<Self &>(*this); }
  Self &set(std::int32_t rule, numbers values) {
    rule_ = rule;
    block_ = first_ = 0;
    values_.assign(values.begin(), values.end());
    return self();
  }
  std::int32_t rule_ = 0, even_ = 0;
  std::int64_t granule_ = 0, repeat_ = 0, block_ = 0, first_ = 0;
  std::vector<std::int64_t> values_;
};

}  // namespace detail

/// A segment of a cut: a number of positions that are cut separately. The cut decides all settings
/// that the segment does not have.
class segment : public detail::dealing<segment> {
 public:
  segment(std::int64_t positions) : positions_(positions) {}

  /// For calls of the C interface, while this lives and is not changed.
  shardspec_segment c() const noexcept {
    shardspec_segment raw{};
    write(raw);
    raw.size = positions_;
    return raw;
  }

 private:
  std::int64_t positions_;
};

/// A cut of one dimension over one axis of a mesh. The default rule is chunk.
///
///   cut(0, "tp").granule(128).segments({4096, segment(1024).repeat(2), segment(1024).repeat(2)})
class cut : public detail::dealing<cut> {
 public:
  /// -1 is the last dimension. `spec::cut` needs no axis.
  explicit cut(std::int64_t dim, std::string axis = {}) : dim_(dim), axis_(std::move(axis)) {}
  explicit cut(std::string dim_name, std::string axis = {})
      : name_(std::move(dim_name)), axis_(std::move(axis)), is_named_(true) {}

  /// Segments of these sizes, or with their own rules. Each segment is cut separately. A coordinate
  /// has one piece of each segment.
  cut &segments(std::vector<segment> listed) {
    segments_ = std::move(listed);
    equal_ = 0;
    return *this;
  }
  /// `count` segments of equal size. The last segments may be shorter.
  cut &equal_segments(std::size_t count) {
    segments_.clear();
    equal_ = count;
    return *this;
  }
  /// Fails if a cut of `length` positions into the pieces of `count` coordinates is not legal.
  template <class P = default_policy>
  answer<void, P> check(std::int64_t length, std::int64_t count, P = P()) const {
    std::vector<shardspec_segment> segments_of_c;
    const shardspec_cut raw = c(segments_of_c);
    return detail::perform<P>(shardspec_cut_check, &raw, length, count);
  }
  /// For calls of the C interface, while this and `segments_of_c`, which is written, live and are not
  /// changed.
  shardspec_cut c(std::vector<shardspec_segment> &segments_of_c) const {
    shardspec_cut raw{};
    write(raw);
    raw.dim = dim_;
    raw.dim_name = is_named_ ? name_.c_str() : nullptr;
    raw.axis = axis_.empty() ? nullptr : axis_.c_str();
    for (const segment &each : segments_) segments_of_c.push_back(each.c());
    raw.segments = segments_.empty() ? nullptr : segments_of_c.data();
    raw.segment_count = segments_.empty() ? equal_ : segments_.size();
    return raw;
  }

 private:
  std::int64_t dim_ = 0;
  std::string name_, axis_;
  bool is_named_ = false;
  std::vector<segment> segments_;
  std::size_t equal_ = 0;
};

/// A length that is cut together with others: heads, blocks of a quantised weight, experts.
struct length_cut {
  std::int64_t length;
  cut how;
};

/// Returns, for each degree of parallelism from 1 to `max_degree`, the position of the first cut
/// that forbids the degree, or -1. `cut::check` reports the reason.
///
///   check_degrees({{32, cut(0).even()}, {8, cut(0).even().repeat(SHARDSPEC_REPEAT_AS_NEEDED)}}, 32)
template <class P = default_policy>
answer<std::vector<std::int64_t>, P> check_degrees(const std::vector<length_cut> &cuts, std::int64_t max_degree,
                                                   P = P()) {
  return detail::run<std::vector<std::int64_t>, P>([&](std::vector<std::int64_t> &out, shardspec_error *err) {
    std::vector<std::vector<shardspec_segment>> segments(cuts.size());
    std::vector<shardspec_cut> raw;
    std::vector<std::int64_t> lengths;
    for (std::size_t i = 0; i < cuts.size(); ++i) {
      raw.push_back(cuts[i].how.c(segments[i]));
      lengths.push_back(cuts[i].length);
    }
    if (max_degree > 0) out.resize(static_cast<std::size_t>(max_degree));
    return shardspec_cuts_check_degrees(raw.data(), lengths.data(), raw.size(), max_degree, out.data(), err);
  });
}

/// The length of a padded dimension: the next multiple of a number.
struct multiple {
  explicit multiple(std::int64_t of_) noexcept : of(of_) {}
  std::int64_t of;
};

/// The reduction of an axis that is pending one. The library never computes it.
enum class reduction : std::int32_t {
  sum = SHARDSPEC_REDUCTION_SUM,
  avg = SHARDSPEC_REDUCTION_AVG,
  product = SHARDSPEC_REDUCTION_PRODUCT,
  min = SHARDSPEC_REDUCTION_MIN,
  max = SHARDSPEC_REDUCTION_MAX,
  band = SHARDSPEC_REDUCTION_BAND,
  bor = SHARDSPEC_REDUCTION_BOR,
  bxor = SHARDSPEC_REDUCTION_BXOR,
};

/// An axis that is pending a reduction.
struct partial_axis {
  std::string axis;
  shardspec::reduction reduction;
};

/// Builds a spec over a mesh. `spec::mesh` makes it. The mesh must exist until `build`.
class mesh_spec {
 public:
  explicit mesh_spec(const mesh &over) noexcept : mesh_(over.get()) {}

  /// Cuts are applied in their order.
  mesh_spec &cut(shardspec::cut next) {
    cuts_.push_back(std::move(next));
    return *this;
  }
  /// Lengthens a dimension before it is cut: to a size, or to a multiple of a number.
  mesh_spec &pad(std::int64_t dim, std::int64_t size) { return add({dim, {}, false, size, 0}); }
  mesh_spec &pad(std::int64_t dim, multiple to) { return add({dim, {}, false, 0, to.of}); }
  mesh_spec &pad(std::string dim_name, std::int64_t size) {
    return add({0, std::move(dim_name), true, size, 0});
  }
  mesh_spec &pad(std::string dim_name, multiple to) {
    return add({0, std::move(dim_name), true, 0, to.of});
  }
  /// Makes one dimension out of neighbouring dimensions, in row-major order, before pads and cuts.
  mesh_spec &flatten(std::int64_t first_dim, std::size_t dim_count) {
    flatten_first_ = first_dim;
    flatten_count_ = dim_count;
    return *this;
  }
  /// Marks an axis as pending a reduction.
  mesh_spec &partial(std::string axis, reduction how = reduction::sum) {
    partials_.push_back({std::move(axis), how});
    return *this;
  }
  /// The spec.
  template <class P = default_policy> answer<spec, P> build(P = P()) const {
    std::vector<std::vector<shardspec_segment>> segments(cuts_.size());
    std::vector<shardspec_cut> cuts;
    std::vector<shardspec_pad> pads;
    std::vector<shardspec_partial> partials;
    for (std::size_t i = 0; i < cuts_.size(); ++i) cuts.push_back(cuts_[i].c(segments[i]));
    for (const padding &each : pads_)
      pads.push_back({sizeof(shardspec_pad), each.dim, each.is_named ? each.name.c_str() : nullptr, each.size,
                      each.multiple});
    for (const partial_axis &each : partials_)
      partials.push_back({sizeof(shardspec_partial), each.axis.c_str(),
                          static_cast<std::int32_t>(each.reduction), 0});
    const shardspec_mesh_layout layout = {sizeof(shardspec_mesh_layout),
                                          cuts.data(),
                                          cuts.size(),
                                          pads.data(),
                                          pads.size(),
                                          partials.data(),
                                          partials.size(),
                                          flatten_first_,
                                          flatten_count_};
    return detail::handle<spec, P>(shardspec_spec_new_mesh, mesh_, &layout);
  }

 private:
  struct padding {
    std::int64_t dim;
    std::string name;
    bool is_named;
    std::int64_t size, multiple;
  };
  mesh_spec &add(padding next) {
    pads_.push_back(std::move(next));
    return *this;
  }
  const shardspec_mesh *mesh_;
  std::vector<shardspec::cut> cuts_;
  std::vector<padding> pads_;
  std::vector<partial_axis> partials_;
  std::int64_t flatten_first_ = 0;
  std::size_t flatten_count_ = 0;
};

}  // namespace SHARDSPEC_INNER_NAMESPACE
}  // namespace shardspec

#endif
