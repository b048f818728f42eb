/* Sharding specs: how a tensor is cut. And the arithmetic of chunks. */
#ifndef SHARDSPEC_SPEC_HPP
#define SHARDSPEC_SPEC_HPP

#include "custom_spec.hpp"
#include "shards.hpp"

namespace shardspec {
inline namespace SHARDSPEC_INNER_NAMESPACE {

/// Offset and size of a chunk.
struct chunk_params {
  std::int64_t offset, size;
};

/// A notation of another program.
enum class notation : std::int32_t {
  /// The placements of torch's DTensor: "S(0)R".
  dtensor = SHARDSPEC_NOTATION_DTENSOR,
  /// The axes of each dimension, as JAX writes them: "P('x', None)".
  jax = SHARDSPEC_NOTATION_JAX,
  /// The tiles of each dimension, as XLA writes them: "{devices=[2,1]<=[2]}".
  xla = SHARDSPEC_NOTATION_XLA,
  /// The axes of each dimension, as Shardy writes them.
  shardy = SHARDSPEC_NOTATION_SHARDY,
};

/// How many of `n` rows or columns the process at coordinate `iproc` has: ScaLAPACK's NUMROC.
template <class P = default_policy>
answer<std::int64_t, P> numroc(std::int64_t n, std::int64_t nb, std::int64_t iproc, std::int64_t isrcproc,
                               std::int64_t nprocs, P = P()) {
  return detail::value<std::int64_t, P>(shardspec_numroc, n, nb, iproc, isrcproc, nprocs);
}

/// A description of how to cut a tensor. One spec cuts any number of tensors.
class spec : public detail::unique<shardspec_spec, shardspec_spec_free> {
 public:
  using unique::unique;

  /// Cuts a dimension into chunks, one for each placement. -1 is the last dimension.
  template <class P = default_policy>
  static answer<spec, P> chunk(std::int64_t dim, const texts &where, P = P()) {
    return detail::handle<spec, P>(shardspec_spec_new_chunk, dim, where.data(), where.size());
  }
  /// As above, for a dimension that `build_metadata_with_dim_names` finds by its name.
  template <class P = default_policy>
  static answer<spec, P> chunk(text dim_name, const texts &where, P = P()) {
    return detail::handle<spec, P>(shardspec_spec_new_chunk_by_dim_name, dim_name.c(), where.data(),
                                   where.size());
  }
  /// As both above, with placements by their handles.
  template <class P = default_policy>
  static answer<spec, P> chunk(std::int64_t dim, const places &where, P = P()) {
    return detail::handle<spec, P>(shardspec_spec_new_chunk_with_placement_handles, dim, nullptr, where.data(),
                                   where.size());
  }
  template <class P = default_policy>
  static answer<spec, P> chunk(text dim_name, const places &where, P = P()) {
    return detail::handle<spec, P>(shardspec_spec_new_chunk_with_placement_handles, 0, dim_name.c(), where.data(),
                                   where.size());
  }
  /// Cuts one dimension over these placements, with one piece for each placement.
  template <class P = default_policy>
  static answer<spec, P> cut(const shardspec::cut &how, const texts &where, P = P()) {
    std::vector<shardspec_segment> segments;
    const shardspec_cut raw = how.c(segments);
    return detail::handle<spec, P>(shardspec_spec_new_cut, &raw, where.data(), where.size());
  }
  /// Cuts tensors over a mesh, with a shard for each device. The tensor is replicated over axes
  /// that no cut uses.
  ///
  ///   spec::mesh(mesh).cut(cut(0, "tp")).pad(0, multiple(128)).build()
  static mesh_spec mesh(const shardspec::mesh &over) { return mesh_spec(over); }
  /// Lists shards that do not overlap.
  template <class P = default_policy>
  static answer<spec, P> enumerable(const shard_list &shards, P = P()) {
    return detail::handle<spec, P>(shardspec_spec_new_enumerable, shards.get());
  }
  template <class P = default_policy>
  static answer<spec, P> enumerable(const list<shardspec::shard> &shards, P = P()) {
    return from_list<P>(shardspec_spec_new_enumerable, shard_list::of(shards, std::nothrow));
  }
  template <class P = default_policy>
  static answer<spec, P> enumerable(const shard_table &shards, P = P()) {
    return from_list<P>(shardspec_spec_new_enumerable, shard_list::of(shards, std::nothrow));
  }
  /// As above, with placements by their handles; the table's own are not looked at.
  template <class P = default_policy>
  static answer<spec, P> enumerable(const shard_table &shards, const places &where, P = P()) {
    return from_list<P>(shardspec_spec_new_enumerable,
                        shard_list::of(shards, where, std::nothrow));
  }
  /// The spec that cuts a tensor into exactly these shards. It is a chunk spec if the shards are
  /// chunks, and a mesh spec if they are a grid. Otherwise it is an enumerable spec.
  template <class P = default_policy>
  static answer<spec, P> infer(const shard_list &shards, P = P()) {
    return detail::handle<spec, P>(shardspec_spec_infer, shards.get());
  }
  template <class P = default_policy>
  static answer<spec, P> infer(const list<shardspec::shard> &shards, P = P()) {
    return from_list<P>(shardspec_spec_infer, shard_list::of(shards, std::nothrow));
  }
  template <class P = default_policy>
  static answer<spec, P> infer(const shard_table &shards, P = P()) {
    return from_list<P>(shardspec_spec_infer, shard_list::of(shards, std::nothrow));
  }
  template <class P = default_policy>
  static answer<spec, P> infer(const shard_table &shards, const places &where, P = P()) {
    return from_list<P>(shardspec_spec_infer, shard_list::of(shards, where, std::nothrow));
  }
  /// The spec that torch infers: a chunk spec if the shards are chunks, otherwise an enumerable spec.
  template <class P = default_policy>
  static answer<spec, P> infer_compat(const shard_list &shards, P = P()) {
    return detail::handle<spec, P>(shardspec_spec_infer_compat, shards.get());
  }
  template <class P = default_policy>
  static answer<spec, P> infer_compat(const list<shardspec::shard> &shards, P = P()) {
    return from_list<P>(shardspec_spec_infer_compat, shard_list::of(shards, std::nothrow));
  }
  template <class P = default_policy>
  static answer<spec, P> infer_compat(const shard_table &shards, P = P()) {
    return from_list<P>(shardspec_spec_infer_compat, shard_list::of(shards, std::nothrow));
  }
  template <class P = default_policy>
  static answer<spec, P> infer_compat(const shard_table &shards, const places &where, P = P()) {
    return from_list<P>(shardspec_spec_infer_compat, shard_list::of(shards, where, std::nothrow));
  }
  /// A spec of your own type, which any object can be that has
  ///
  ///   void build_metadata(const tensor_description &, metadata_builder &) const;
  ///
  /// or can be called so, as a lambda can. It may also have
  ///
  ///   void fill_shard(const metadata &, std::size_t index, const const_tensor_view &full,
  ///              const tensor_view &shard, const copy_options &) const;
  ///
  /// which fills a shard, and `operator==` and `std::uint64_t hash() const`, which may not throw.
  /// They may run on several threads at once. The spec keeps the object.
  /// Specs with the same type name are compared, so use a type name for one class only.
  template <class T, class P = default_policy>
  static answer<spec, P> custom(text type_name, T object, P = P()) {
    const shardspec_spec_vtable table = detail::custom_spec<T>::table();
    return detail::handle<spec, P>(shardspec_spec_new_custom, type_name.c(), &table,
                                   new T(std::move(object)));
  }
  /// The object of a custom spec. The caller guarantees that it is a T.
  template <class T, class P = default_policy>
  answer<const T *, P> custom_object(text type_name, P = P()) const {
    return detail::object_of<T, P>(shardspec_spec_custom_ctx, get(), type_name.c());
  }

  /// The spec over a mesh that a text of another program describes. `error::index` is the byte of the
  /// text at which a failure was found.
  ///
  ///   spec::parse(notation::dtensor, "S(0)R", mesh)
  template <class P = default_policy>
  static answer<spec, P> parse(notation by, text written, const shardspec::mesh &over, P = P()) {
    return detail::handle<spec, P>(shardspec_spec_parse, static_cast<std::int32_t>(by), written.c(), over.get());
  }
  /// The spec of a matrix that a descriptor of ScaLAPACK describes: its nine entries, over a grid of
  /// processes. The descriptor is that of the process `device`.
  template <class P = default_policy>
  static answer<spec, P> from_scalapack(numbers descriptor, const shardspec::mesh &grid, std::size_t device,
                                        P = P()) {
    return detail::handle<spec, P>(shardspec_spec_new_scalapack, descriptor.data(), descriptor.size(),
                                   grid.get(), device);
  }
  /// The descriptor of ScaLAPACK of a matrix of these sizes, for the process `device`.
  template <class P = default_policy>
  answer<std::vector<std::int64_t>, P> scalapack(std::int64_t rows, std::int64_t columns, std::size_t device,
                                                 std::int64_t context = 0, P = P()) const {
    return detail::run<std::vector<std::int64_t>, P>([&](std::vector<std::int64_t> &out, shardspec_error *err) {
      out.resize(SHARDSPEC_SCALAPACK_ENTRY_COUNT);
      return shardspec_spec_get_scalapack(get(), rows, columns, context, device, out.data(), out.size(), nullptr,
                                          err);
    });
  }
  /// The text of a mesh spec in a notation, for a tensor of `ndim` dimensions. With 0, the text has as
  /// many dimensions as it needs.
  template <class P = default_policy>
  answer<std::string, P> format(notation by, std::size_t ndim = 0, P = P()) const {
    return detail::text<P>(shardspec_spec_format, get(), static_cast<std::int32_t>(by), ndim);
  }

  /// A JSON text without spaces. Equal specs have equal texts. A custom spec is UNSUPPORTED.
  template <class P = default_policy> answer<std::string, P> to_json(P = P()) const {
    return detail::text<P>(shardspec_spec_to_json, get());
  }
  /// The spec of a JSON text. `error::index` is the byte of the text that is wrong.
  template <class P = default_policy>
  static answer<spec, P> from_json(std::string_view written, P = P()) {
    return detail::handle<spec, P>(shardspec_spec_new_from_json, written.data(), written.size());
  }
  /// Bytes with a checksum. Equal specs have equal bytes.
  template <class P = default_policy> answer<std::vector<std::uint8_t>, P> to_bytes(P = P()) const {
    return detail::array<std::uint8_t, P>(shardspec_spec_to_bytes, get());
  }
  /// The spec of bytes that `to_bytes` returned.
  template <class P = default_policy>
  static answer<spec, P> from_bytes(const std::uint8_t *bytes, std::size_t count, P = P()) {
    return detail::handle<spec, P>(shardspec_spec_new_from_bytes, bytes, count);
  }
  template <class P = default_policy>
  static answer<spec, P> from_bytes(const std::vector<std::uint8_t> &bytes, P how = P()) {
    return from_bytes(bytes.data(), bytes.size(), how);
  }

  /// The mesh of a mesh spec; WRONG_SPEC_TYPE for other specs.
  template <class P = default_policy> answer<shardspec::mesh, P> mesh(P = P()) const {
    return detail::handle<shardspec::mesh, P>(shardspec_spec_mesh, get());
  }
  /// A text for people: "dp=2, tp=4: dimension 0 over tp by chunk".
  template <class P = default_policy> answer<std::string, P> str(P = P()) const {
    return detail::text<P>(shardspec_spec_text, get());
  }
  /// "chunk", "enumerable", "mesh" or the name of a type of your own.
  template <class P = default_policy> answer<std::string, P> type_name(P = P()) const {
    return detail::text<P>(shardspec_spec_type_name, get());
  }
  /// The dimension that a chunk spec cuts, as it was given; WRONG_SPEC_TYPE for other specs.
  template <class P = default_policy> answer<std::int64_t, P> chunk_dim(P = P()) const {
    return detail::value<std::int64_t, P>(shardspec_spec_chunk_dim, get());
  }
  template <class P = default_policy> answer<std::string, P> chunk_dim_name(P = P()) const {
    return detail::text<P>(shardspec_spec_chunk_dim_name, get());
  }
  template <class P = default_policy> answer<std::size_t, P> shard_count(P = P()) const {
    return detail::value<std::size_t, P>(shardspec_spec_shard_count, get());
  }
  /// The placement of shard `index`.
  template <class P = default_policy>
  answer<shardspec::placement, P> placement(std::size_t index, P = P()) const {
    return detail::handle<shardspec::placement, P>(shardspec_spec_placement, get(), index);
  }
  template <class P = default_policy> answer<bool, P> equal(const spec &other, P = P()) const {
    return detail::flag<P>(shardspec_spec_equal, get(), other.get());
  }
  template <class P = default_policy> answer<std::uint64_t, P> hash(P = P()) const {
    return detail::value<std::uint64_t, P>(shardspec_spec_hash, get());
  }
  /// The chunk of a rank, when `dim_size` elements are cut for `world_size` workers in the order of
  /// a chunk spec's placements.
  template <class P = default_policy>
  answer<chunk_params, P> chunk_sharding_params(std::int64_t dim_size, std::int64_t world_size,
                                                std::int64_t rank, P = P()) const {
    return detail::run<chunk_params, P>([&](chunk_params &out, shardspec_error *err) {
      return shardspec_chunk_sharding_params(get(), dim_size, world_size, rank, &out.offset,
                                             &out.size, err);
    });
  }

  /// The metadata of a tensor of these sizes.
  template <class P = default_policy>
  answer<metadata, P> build_metadata(numbers sizes, const tensor_properties &properties = {},
                                     P = P()) const {
    return detail::handle<metadata, P>(shardspec_spec_build_metadata, get(), sizes.data(),
                                       sizes.size(), &properties);
  }
  /// As above, for a tensor whose dimensions have names: one for each size.
  template <class P = default_policy>
  answer<metadata, P> build_metadata_with_dim_names(numbers sizes, const texts &dim_names,
                                           const tensor_properties &properties = {},
                                           P = P()) const {
    if (sizes.size() != dim_names.size())
      return detail::refuse<metadata, P>(
          {SHARDSPEC_NDIM_MISMATCH, "dim_names: " + std::to_string(dim_names.size()) +
                                        " names; pass as many as sizes, " +
                                        std::to_string(sizes.size())});
    return detail::handle<metadata, P>(shardspec_spec_build_metadata_with_dim_names, get(), sizes.data(),
                                       dim_names.data(), sizes.size(), &properties);
  }
  /// Fills one shard by this spec. `whole` is the metadata that it built for the tensor.
  template <class P = default_policy>
  answer<void, P> fill_shard(const metadata &whole, std::size_t index, const const_tensor_view &full,
                        const tensor_view &to, const copy_options &options = {}, P = P()) const {
    const shardspec_tensor_view from = full.c(), destination = to.c();
    return detail::perform<P>(shardspec_spec_fill_shard, get(), whole.get(), index, &from, &destination,
                              &options);
  }

 private:
  template <class P, class Function>
  static answer<spec, P> from_list(Function function, const result<shard_list> &shards) {
    return detail::with_list<spec, P>(shards, [&](const shardspec_shards *raw) {
      return detail::handle<spec, P>(function, raw);
    });
  }
};

/// Elements of every full chunk: ceil(dim_size / chunks).
template <class P = default_policy>
answer<std::int64_t, P> chunk_split_size(std::int64_t dim_size, std::int64_t chunks, P = P()) {
  return detail::value<std::int64_t, P>(shardspec_chunk_split_size, dim_size, chunks);
}
/// Elements of chunk `index`: a full piece, the rest, or 0 past the end.
template <class P = default_policy>
answer<std::int64_t, P> chunk_dim_size(std::int64_t dim_size, std::int64_t split_size,
                                       std::int64_t index, P = P()) {
  return detail::value<std::int64_t, P>(shardspec_chunk_dim_size, dim_size, split_size, index);
}

}  // namespace SHARDSPEC_INNER_NAMESPACE
}  // namespace shardspec

#endif
