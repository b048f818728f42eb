/* Metadata: which shard owns which elements of one tensor. This file also has the copies between a
 * tensor and its shards. */
#ifndef SHARDSPEC_METADATA_HPP
#define SHARDSPEC_METADATA_HPP

#include "draw.hpp"
#include "mesh.hpp"
#include "view.hpp"

namespace shardspec {
inline namespace SHARDSPEC_INNER_NAMESPACE {

namespace detail {

/// Why numbers are refused that should be as many as others.
inline error uneven(const char *what, std::size_t got, std::size_t limit, const char *advice) {
  error refusal(SHARDSPEC_NDIM_MISMATCH, std::string(what) + ": " + std::to_string(got) +
                                             " numbers; pass " + advice);
  refusal.got = static_cast<std::int64_t>(got);
  refusal.limit = static_cast<std::int64_t>(limit);
  return refusal;
}

}  // namespace detail

/// Options of a copy. With the defaults, the library chooses.
class copy_options : public shardspec_copy_options {
 public:
  copy_options() noexcept : copy_options(SHARDSPEC_COPY_THREADS_AUTO) {}
  explicit copy_options(std::uint32_t max_threads_, std::uint32_t hints_ = 0) noexcept
      : shardspec_copy_options{sizeof(shardspec_copy_options), max_threads_, hints_} {}
  explicit copy_options(const shardspec_copy_options &raw) noexcept : shardspec_copy_options(raw) {}
};

/// Copies all elements of a view into another of the same shape and element type.
template <class P = default_policy>
answer<void, P> copy(const const_tensor_view &source, const tensor_view &destination,
                     const copy_options &options = {}, P = P()) {
  const shardspec_tensor_view from = source.c(), to = destination.c();
  return detail::perform<P>(shardspec_tensor_copy, &from, &to, &options);
}

/// The places of elements. For each element: a shard, and its index in that shard's buffer, one
/// number for each dimension of buffers.
struct located {
  std::vector<std::size_t> shards;
  std::vector<std::int64_t> local_indices;
};

/// A shard among replicas: the number of replicas with lower indices, and the lowest of all.
struct replica {
  std::size_t number;
  std::size_t primary;
};

/// Dimensions of a tensor that are one dimension of its shards. With `dim_count` 0, none are
/// flattened.
struct flattening {
  std::size_t first_dim, dim_count;
};

/// The shards of one tensor and their owners. `spec::build_metadata` and
/// `shard_list::build_metadata` create metadata.
class metadata : public detail::unique<shardspec_metadata, shardspec_metadata_free> {
 public:
  using unique::unique;

  template <class P = default_policy> answer<std::size_t, P> shard_count(P = P()) const {
    return detail::value<std::size_t, P>(shardspec_metadata_shard_count, get());
  }
  template <class P = default_policy> answer<std::size_t, P> ndim(P = P()) const {
    return detail::value<std::size_t, P>(shardspec_metadata_ndim, get());
  }
  /// Number of dimensions of the shards' buffers. It is that of the tensor, unless dimensions are
  /// flattened.
  template <class P = default_policy> answer<std::size_t, P> buffer_ndim(P = P()) const {
    return detail::value<std::size_t, P>(shardspec_metadata_buffer_ndim, get());
  }
  template <class P = default_policy> answer<std::vector<std::int64_t>, P> sizes(P = P()) const {
    return detail::array<std::int64_t, P>(shardspec_metadata_sizes, get());
  }
  template <class P = default_policy> answer<std::int64_t, P> numel(P = P()) const {
    return detail::value<std::int64_t, P>(shardspec_metadata_numel, get());
  }
  template <class P = default_policy> answer<tensor_properties, P> properties(P = P()) const {
    return detail::value<tensor_properties, P>(shardspec_metadata_properties, get());
  }

  /// A JSON text without spaces. Offsets, sizes and owners of shards are flat arrays.
  template <class P = default_policy> answer<std::string, P> to_json(P = P()) const {
    return detail::text<P>(shardspec_metadata_to_json, get());
  }
  /// The metadata of a JSON text. `error::index` is the byte of the text that is wrong.
  template <class P = default_policy>
  static answer<metadata, P> from_json(std::string_view written, P = P()) {
    return detail::handle<metadata, P>(shardspec_metadata_new_from_json, written.data(), written.size());
  }
  /// Bytes with a checksum. Equal metadata have equal bytes.
  template <class P = default_policy> answer<std::vector<std::uint8_t>, P> to_bytes(P = P()) const {
    return detail::array<std::uint8_t, P>(shardspec_metadata_to_bytes, get());
  }
  /// The metadata of bytes that `to_bytes` returned.
  template <class P = default_policy>
  static answer<metadata, P> from_bytes(const std::uint8_t *bytes, std::size_t count, P = P()) {
    return detail::handle<metadata, P>(shardspec_metadata_new_from_bytes, bytes, count);
  }
  template <class P = default_policy>
  static answer<metadata, P> from_bytes(const std::vector<std::uint8_t> &bytes, P how = P()) {
    return from_bytes(bytes.data(), bytes.size(), how);
  }

  /// Offsets, sizes and placement of one shard. The sizes are those of the shard's buffer.
  template <class P = default_policy>
  answer<shardspec::shard, P> shard(std::size_t index, P = P()) const {
    return detail::run<shardspec::shard, P>([&](shardspec::shard &out, shardspec_error *err) {
      std::size_t dims = 0;
      if (auto status = shardspec_metadata_buffer_ndim(get(), &dims, err)) return status;
      out.offsets.resize(dims);
      out.sizes.resize(dims);
      if (auto status = shardspec_metadata_get_shard(get(), index, out.offsets.data(), out.sizes.data(),
                                                 dims, err))
        return status;
      return detail::fill_text(out.placement, err, shardspec_metadata_shard_placement_text, get(),
                               index);
    });
  }
  /// All shards. For very many shards, `table` needs less memory.
  template <class P = default_policy>
  answer<std::vector<shardspec::shard>, P> shards(P = P()) const {
    return detail::run<std::vector<shardspec::shard>, P>(
        [&](std::vector<shardspec::shard> &out, shardspec_error *err) {
          shard_table table;
          if (auto status = read(table, err)) return status;
          for (std::size_t i = 0; i < table.placement_indices.size(); ++i) {
            const auto first = static_cast<std::ptrdiff_t>(i * table.ndim);
            const auto last = first + static_cast<std::ptrdiff_t>(table.ndim);
            out.push_back({{table.offsets.begin() + first, table.offsets.begin() + last},
                           {table.sizes.begin() + first, table.sizes.begin() + last},
                           table.placements[table.placement_indices[i]]});
          }
          return SHARDSPEC_OK;
        });
  }
  /// All shards, in flat arrays.
  template <class P = default_policy> answer<shard_table, P> table(P = P()) const {
    return detail::run<shard_table, P>(
        [&](shard_table &out, shardspec_error *err) { return read(out, err); });
  }

  /// The indices that a shard has of one dimension of its buffer, as stretches in buffer order.
  template <class P = default_policy>
  answer<std::vector<shardspec_stretch>, P> stretches(std::size_t index, std::size_t dim,
                                                      P = P()) const {
    return detail::array<shardspec_stretch, P>(shardspec_metadata_get_stretches, get(), index, dim);
  }
  /// Whether a shard is a box of the tensor.
  template <class P = default_policy> answer<bool, P> is_box(std::size_t index, P = P()) const {
    return detail::flag<P>(shardspec_metadata_is_box, get(), index);
  }
  /// Whether the metadata was made with replicas, so that shards may share elements.
  template <class P = default_policy> answer<bool, P> has_replicas(P = P()) const {
    return detail::flag<P>(shardspec_metadata_has_replicas, get());
  }

  /// The mesh over which the tensor was cut: shard i belongs to device i. NOT_FOUND if it was not cut
  /// over a mesh.
  template <class P = default_policy> answer<shardspec::mesh, P> mesh(P = P()) const {
    return detail::handle<shardspec::mesh, P>(shardspec_metadata_mesh, get());
  }
  /// The coordinates of a shard on that mesh, one for each axis.
  template <class P = default_policy>
  answer<std::vector<std::size_t>, P> coordinates(std::size_t index, P = P()) const {
    return detail::array<std::size_t, P>(shardspec_metadata_get_coordinates, get(), index);
  }
  /// The name of a dimension; NOT_FOUND if dimensions have no names.
  template <class P = default_policy> answer<std::string, P> dim_name(std::size_t dim, P = P()) const {
    return detail::text<P>(shardspec_metadata_dim_name, get(), dim);
  }
  /// The axes of the mesh that are pending a reduction.
  template <class P = default_policy> answer<std::vector<partial_axis>, P> partials(P = P()) const {
    return detail::run<std::vector<partial_axis>, P>(
        [&](std::vector<partial_axis> &out, shardspec_error *err) {
          std::size_t count = 0;
          if (auto status = shardspec_metadata_partial_count(get(), &count, err)) return status;
          for (std::size_t i = 0; i < count; ++i) {
            std::int32_t number = 0;
            if (auto status = shardspec_metadata_partial(get(), i, nullptr, 0, nullptr, &number, err))
              return status;
            out.push_back({std::string(), static_cast<reduction>(number)});
            if (auto status = detail::fill_text(out.back().axis, err, partial_name, get(), i)) return status;
          }
          return SHARDSPEC_OK;
        });
  }

  /// Which dimensions of the tensor are one dimension of the shards: `dim_count` from `first_dim` on.
  template <class P = default_policy> answer<flattening, P> flattened(P = P()) const {
    return detail::run<flattening, P>([&](flattening &out, shardspec_error *err) {
      return shardspec_metadata_get_flattening(get(), &out.first_dim, &out.dim_count, err);
    });
  }
  /// Creates the same metadata for a tensor that is cut over a mesh. Shard i belongs to device i.
  template <class P = default_policy>
  answer<metadata, P> on_mesh(const shardspec::mesh &over, const std::vector<partial_axis> &partials = {},
                              P = P()) const {
    std::vector<shardspec_partial> raw;
    for (const partial_axis &each : partials)
      raw.push_back({sizeof(shardspec_partial), each.axis.c_str(), static_cast<std::int32_t>(each.reduction), 0});
    return detail::handle<metadata, P>(shardspec_metadata_new_on_mesh, get(), over.get(), raw.data(), raw.size());
  }
  /// Creates the same metadata with names for the dimensions, one for each dimension of the tensor.
  template <class P = default_policy>
  answer<metadata, P> with_dim_names(const texts &dim_names, P = P()) const {
    return detail::handle<metadata, P>(shardspec_metadata_new_with_dim_names, get(), dim_names.data(),
                                       dim_names.size());
  }

  /// A picture of who owns what.
  template <class P = default_policy>
  answer<std::string, P> draw(const draw_options &options = {}, P = P()) const {
    return detail::drawn<P>(options, shardspec_metadata_draw, get());
  }
  /// A picture of which elements change their owner from this layout to another one.
  template <class P = default_policy>
  answer<std::string, P> draw_diff(const metadata &destination, const draw_options &options = {}, P = P()) const {
    return detail::drawn<P>(options, shardspec_metadata_draw_diff, get(), destination.get());
  }

  /// The placement of one shard, as an object.
  template <class P = default_policy>
  answer<shardspec::placement, P> shard_placement(std::size_t index, P = P()) const {
    return detail::handle<shardspec::placement, P>(shardspec_metadata_shard_placement, get(),
                                                   index);
  }
  /// A placement by its position among the `placements` of `table`.
  template <class P = default_policy>
  answer<shardspec::placement, P> placement(std::size_t placement_index, P = P()) const {
    return detail::handle<shardspec::placement, P>(shardspec_metadata_placement, get(),
                                                   placement_index);
  }
  /// The shards of a rank, ascending.
  template <class P = default_policy>
  answer<std::vector<std::size_t>, P> shards_of_rank(std::int64_t rank, P = P()) const {
    return detail::array<std::size_t, P>(shardspec_metadata_shards_of_rank, get(), rank);
  }
  /// The shards of an owner such as "rank:1", "trainer0" or "rank:1/cuda:0", ascending.
  template <class P = default_policy>
  answer<std::vector<std::size_t>, P> shards_of_owner(text owner, P = P()) const {
    return detail::array<std::size_t, P>(shardspec_metadata_shards_of_owner, get(), owner.c());
  }
  /// Which replica a shard is, and which shard is the primary.
  template <class P = default_policy> answer<shardspec::replica, P> replica(std::size_t index, P = P()) const {
    return detail::run<shardspec::replica, P>([&](shardspec::replica &out, shardspec_error *err) {
      return shardspec_metadata_replica(get(), index, &out.number, &out.primary, err);
    });
  }
  /// The metadata of a linked tensor, with one element for each block: scales of a quantised weight, or
  /// words of packed elements. ILLEGAL_CUT for a cut inside of a block.
  template <class P = default_policy> answer<metadata, P> blocks(numbers block_sizes, P = P()) const {
    return detail::handle<metadata, P>(shardspec_metadata_blocks, get(), block_sizes.data(),
                                       block_sizes.size());
  }
  /// The shards that share an element with a box, ascending. The box may reach past the tensor. For
  /// a box of one element, these are all shards that own the element, with the primary owner first.
  template <class P = default_policy>
  answer<std::vector<std::size_t>, P> shards_in_box(numbers offsets, numbers sizes,
                                                    P = P()) const {
    if (offsets.size() != sizes.size())
      return detail::refuse<std::vector<std::size_t>, P>(
          detail::uneven("sizes", sizes.size(), offsets.size(), "one for each offset"));
    return detail::array<std::size_t, P>(shardspec_metadata_shards_in_box, get(), offsets.data(),
                                         sizes.data(), sizes.size());
  }
  /// The shard that owns the element with this index in the tensor, one number for each dimension.
  /// If there are replicas, the result is the primary owner: the one with the lowest index.
  template <class P = default_policy>
  answer<std::size_t, P> shard_at(numbers element, P = P()) const {
    return detail::value<std::size_t, P>(shardspec_metadata_shard_at, get(), element.data(),
                                         element.size());
  }
  /// The places of elements. `elements` has the index of each in the tensor, one number for each
  /// dimension. Without dimensions, `elements` is empty.
  template <class P = default_policy> answer<located, P> locate(numbers elements, P = P()) const {
    const auto dims = ndim(std::nothrow);
    if (!dims) return detail::refuse<located, P>(dims.error());
    const auto buffer_dims = buffer_ndim(std::nothrow);
    if (!buffer_dims) return detail::refuse<located, P>(buffer_dims.error());
    const std::size_t count = *dims == 0 ? 0 : elements.size() / *dims;
    if (elements.size() != count * *dims)
      return detail::refuse<located, P>(detail::uneven("elements", elements.size(), *dims,
                                                       "as many for each element as dimensions"));
    return detail::run<located, P>([&](located &out, shardspec_error *err) {
      out.shards.resize(count);
      out.local_indices.resize(count * *buffer_dims);
      return shardspec_metadata_locate(get(), elements.data(), count, out.shards.data(),
                                       out.local_indices.data(), err);
    });
  }
  /// The inverse of `locate`: the indices in the tensor. `local_indices` has one number for each
  /// dimension of buffers.
  template <class P = default_policy>
  answer<std::vector<std::int64_t>, P> globalize(slice<std::size_t> shards, numbers local_indices,
                                                 P = P()) const {
    using rows = std::vector<std::int64_t>;
    const auto dims = ndim(std::nothrow);
    if (!dims) return detail::refuse<rows, P>(dims.error());
    const auto buffer_dims = buffer_ndim(std::nothrow);
    if (!buffer_dims) return detail::refuse<rows, P>(buffer_dims.error());
    if (local_indices.size() != shards.size() * *buffer_dims)
      return detail::refuse<rows, P>(
          detail::uneven("local_indices", local_indices.size(), shards.size() * *buffer_dims,
                         "as many for each shard as dimensions"));
    return detail::run<rows, P>([&](rows &out, shardspec_error *err) {
      out.resize(shards.size() * *dims);
      return shardspec_metadata_globalize(get(), shards.data(), local_indices.data(),
                                          shards.size(), out.data(), err);
    });
  }
  /// Creates metadata with the same boxes. Shards with placement i get placement
  /// `placement_indices[i]`. `plan::suggest_placements` finds the best permutation.
  template <class P = default_policy>
  answer<metadata, P> relabel(slice<std::uint32_t> placement_indices, P = P()) const {
    return detail::handle<metadata, P>(shardspec_metadata_relabel, get(), placement_indices.data(),
                                       placement_indices.size());
  }
  template <class P = default_policy> answer<bool, P> equal(const metadata &other, P = P()) const {
    return detail::flag<P>(shardspec_metadata_equal, get(), other.get());
  }
  template <class P = default_policy> answer<std::uint64_t, P> hash(P = P()) const {
    return detail::value<std::uint64_t, P>(shardspec_metadata_hash, get());
  }
  /// A hash of 64 bits of the elements of each shard, their order, and the placements. It is
  /// equal in every process.
  template <class P = default_policy> answer<std::uint64_t, P> fingerprint(P = P()) const {
    return detail::value<std::uint64_t, P>(shardspec_metadata_fingerprint, get());
  }

  /// Copies one shard out of the tensor.
  template <class P = default_policy>
  answer<void, P> extract_shard(std::size_t index, const const_tensor_view &full,
                                const tensor_view &to, const copy_options &options = {},
                                P = P()) const {
    const shardspec_tensor_view from = full.c(), destination = to.c();
    return detail::perform<P>(shardspec_metadata_extract_shard, get(), index, &from, &destination,
                              &options);
  }
  /// A view of one shard inside `full`, without a copy. It may be written if `full` may be.
  template <class View, class P = default_policy>
  answer<View, P> view_shard(std::size_t index, const View &full, P = P()) const {
    const shardspec_tensor_view from = full.c();
    return detail::view<View, P>(shardspec_metadata_view_shard, get(), index, &from);
  }
  /// Copies every shard out of the tensor: `shards[i]` is the destination of shard i.
  template <class P = default_policy>
  answer<void, P> scatter(const const_tensor_view &full, const views &shards,
                          const copy_options &options = {}, P = P()) const {
    const shardspec_tensor_view from = full.c();
    return detail::perform<P>(shardspec_metadata_scatter, get(), &from, shards.data(),
                              shards.size(), &options);
  }
  /// Copies every shard into the tensor. It is the inverse of `scatter`.
  template <class P = default_policy>
  answer<void, P> gather(const const_views &shards, const tensor_view &full,
                         const copy_options &options = {}, P = P()) const {
    const shardspec_tensor_view to = full.c();
    return detail::perform<P>(shardspec_metadata_gather, get(), shards.data(), shards.size(), &to,
                              &options);
  }
  /// The contribution of some shards to the digest of their tensor. `shards[i]` is shard
  /// `indices[i]`, or shard i without indices. The exclusive or of the contributions of all shards
  /// is the CRC-64/NVME of the tensor's bytes in row-major order.
  template <class P = default_policy>
  answer<std::uint64_t, P> digest(slice<std::size_t> indices, const const_views &shards,
                                  const copy_options &options = {}, P = P()) const {
    if (!indices.empty() && indices.size() != shards.size())
      return unequal<std::uint64_t, P>(indices.size(), shards.size());
    return detail::value<std::uint64_t, P>(shardspec_metadata_digest, get(), indices.data(),
                                           shards.data(), shards.size(), &options);
  }
  /// The CRC-64/NVME of each of some shards. Equal replicas have equal digests. `shards[i]` is shard
  /// `indices[i]`, or shard i without indices.
  template <class P = default_policy>
  answer<std::vector<std::uint64_t>, P> shard_digests(slice<std::size_t> indices,
                                                      const const_views &shards,
                                                      const copy_options &options = {},
                                                      P = P()) const {
    using digests = std::vector<std::uint64_t>;
    if (!indices.empty() && indices.size() != shards.size())
      return unequal<digests, P>(indices.size(), shards.size());
    return detail::run<digests, P>([&](digests &out, shardspec_error *err) {
      out.resize(shards.size());
      return shardspec_metadata_shard_digests(get(), indices.data(), shards.data(), shards.size(),
                                              &options, out.data(), err);
    });
  }

 private:
  static shardspec_status partial_name(const shardspec_metadata *whole, std::size_t index, char *buffer,
                                       std::size_t capacity, std::size_t *needed, shardspec_error *err) {
    return shardspec_metadata_partial(whole, index, buffer, capacity, needed, nullptr, err);
  }
  template <class T, class P> static answer<T, P> unequal(std::size_t named, std::size_t given) {
    return detail::refuse<T, P>(
        {SHARDSPEC_INVALID_ARGUMENT, "shards: " + std::to_string(given) + " views; pass " +
                                         std::to_string(named) + ", one for each index"});
  }
  shardspec_status read(shard_table &out, shardspec_error *err) const {
    std::size_t count = 0, placements = 0;
    if (auto status = shardspec_metadata_buffer_ndim(get(), &out.ndim, err)) return status;
    if (auto status = shardspec_metadata_shard_count(get(), &count, err)) return status;
    if (auto status = shardspec_metadata_placement_count(get(), &placements, err)) return status;
    out.offsets.resize(count * out.ndim);
    out.sizes.resize(count * out.ndim);
    out.placement_indices.resize(count);
    out.placements.resize(placements);
    for (std::size_t i = 0; i < placements; ++i)
      if (auto status = detail::fill_text(out.placements[i], err, shardspec_metadata_placement_text,
                                          get(), i))
        return status;
    return shardspec_metadata_get_shards(get(), 0, count, out.offsets.data(), out.sizes.data(),
                                     out.placement_indices.data(), err);
  }
};

}  // namespace SHARDSPEC_INNER_NAMESPACE
}  // namespace shardspec

#endif
