/* Plans: the elements that move from one layout of a tensor to another. */
#ifndef SHARDSPEC_PLAN_HPP
#define SHARDSPEC_PLAN_HPP

#include "sharded_tensor.hpp"
#include "shards.hpp"

#include <array>

namespace shardspec {
inline namespace SHARDSPEC_INNER_NAMESPACE {

/// A box of elements that one destination shard takes from one source shard: the shards' indices, the
/// start of the box in each of them, and its sizes, one number for each dimension. Where shards are
/// not boxes, numbers of dimensions differ (`plan::ndims`), and `plan::piece_steps` returns the steps
/// through the buffers.
struct piece {
  std::size_t source, destination;
  std::vector<std::int64_t> source_offsets, destination_offsets, sizes;
};

/// Pieces that follow each other in a plan.
struct piece_range {
  std::size_t first, count;
};

/// Very many pieces, in flat arrays. They have one number for each piece, or one row for each piece:
/// `sizes` have `ndim` numbers in a row, and offsets have one for each dimension of the buffers.
struct piece_table {
  std::size_t ndim = 0, source_ndim = 0, destination_ndim = 0;
  std::vector<std::size_t> sources, destinations;
  std::vector<std::int64_t> source_offsets, destination_offsets, sizes;
};

/// Dimensions of source shards' buffers, of destination shards' buffers, and of pieces. They are equal
/// where all shards are boxes.
struct plan_ndims {
  std::size_t source, destination, piece;
};

/// How reads are merged. Zeros are the defaults of `shardspec_merge_options`.
struct merge_options {
  std::int64_t max_gap = 0;
  double over_read = 0;
  std::int64_t max_read = 0;
};

/// Reads, and the runs of all of them: `reads[i].first_run` is an index in `runs`. The source offset of a
/// run counts from the first byte of its read.
struct read_table {
  std::vector<shardspec_read> reads;
  std::vector<shardspec_run> runs;
};

/// The steps of pieces through buffers. For each dimension of pieces: the buffer's dimension. For
/// each piece: a row of step lengths in the buffer.
struct step_table {
  std::vector<std::size_t> source_dims, destination_dims;
  std::vector<std::int64_t> source_steps, destination_steps;
};

/// The bytes that move from one shard to another.
struct shard_traffic {
  std::size_t source, destination;
  std::int64_t bytes;
};

/// The bytes that move from one rank to another. For bytes that stay on a rank, `source` and
/// `destination` are equal. -1 stands for all owners that are not ranks.
struct rank_traffic {
  std::int64_t source, destination, bytes;
};

/// A permutation of the destination's placements: the placement that the shards of each placement
/// should get, and the numbers of elements that change owners without and with it.
struct placement_suggestion {
  std::vector<std::uint32_t> placement_indices;
  std::int64_t moved_before, moved_after;
};

/// The pieces that move from a source layout to a destination layout, ordered by destination shard,
/// then by source shard, then by position. The layouts may be destroyed before the plan.
///
/// An `itemsize` is the number of bytes of an element, or 0 for that of the element type that the
/// layouts state.
class plan : public detail::unique<shardspec_plan, shardspec_plan_free> {
 public:
  using unique::unique;

  /// Makes the plan from one layout of a tensor to another.
  template <class P = default_policy>
  static answer<plan, P> between(const metadata &source, const metadata &destination, P = P()) {
    return detail::handle<plan, P>(shardspec_plan_new, source.get(), destination.get());
  }
  /// Makes the plan from any shards to any other shards. If several sources hold an element, the
  /// plan reads it from the destination's owner if possible. Other such elements are divided among
  /// the sources.
  template <class P = default_policy>
  static answer<plan, P> between(const shard_list &source, const shard_list &destination,
                                 P = P()) {
    return detail::handle<plan, P>(shardspec_plan_new_from_shards, source.get(),
                                   destination.get());
  }
  /// A summary as a JSON text: pieces, elements, bytes, and how much moves between each pair of owners.
  template <class P = default_policy> answer<std::string, P> to_json(P = P()) const {
    return detail::text<P>(shardspec_plan_to_json, get());
  }
  /// Makes the plan for some destination shards only, by their indices.
  template <class P = default_policy>
  static answer<plan, P> for_destinations(const metadata &source, const metadata &destination,
                                          slice<std::size_t> wanted, P = P()) {
    return detail::handle<plan, P>(shardspec_plan_new_for_destinations, source.get(),
                                   destination.get(), wanted.data(), wanted.size());
  }
  /// Makes the plan for the same shards and for ranks on several nodes. Rank r is on node `nodes[r]`.
  /// If several sources hold an element, the new plan reads it from the destination's owner if
  /// possible, else from an owner on the same node, else from any. A negative number stands for a
  /// node that is not known.
  template <class P = default_policy>
  answer<plan, P> on_nodes(slice<std::int64_t> nodes, P = P()) const {
    return detail::handle<plan, P>(shardspec_plan_new_on_nodes, get(), nodes.data(), nodes.size());
  }

  /// A picture of how much moves between each pair of owners.
  template <class P = default_policy>
  answer<std::string, P> draw(const draw_options &options = {}, P = P()) const {
    return detail::drawn<P>(options, shardspec_plan_draw, get());
  }

  template <class P = default_policy> answer<std::size_t, P> piece_count(P = P()) const {
    return detail::value<std::size_t, P>(shardspec_plan_piece_count, get());
  }
  /// Dimensions of the tensor.
  template <class P = default_policy> answer<std::size_t, P> ndim(P = P()) const {
    return detail::value<std::size_t, P>(shardspec_plan_ndim, get());
  }
  /// Dimensions of buffers and of pieces.
  template <class P = default_policy> answer<plan_ndims, P> ndims(P = P()) const {
    return detail::run<plan_ndims, P>([&](plan_ndims &out, shardspec_error *err) {
      return shardspec_plan_ndims(get(), &out.source, &out.destination, &out.piece, err);
    });
  }
  /// All pieces. For very many pieces, `table` needs less memory.
  template <class P = default_policy>
  answer<std::vector<shardspec::piece>, P> pieces(P = P()) const {
    const auto count = piece_count(std::nothrow);
    if (!count) return detail::refuse<std::vector<shardspec::piece>, P>(count.error());
    return pieces({0, *count}, P());
  }
  /// Some pieces, such as those of `pieces_of_destination`.
  template <class P = default_policy>
  answer<std::vector<shardspec::piece>, P> pieces(piece_range part, P = P()) const {
    using rows = std::vector<shardspec::piece>;
    const auto flat = table(part, std::nothrow);
    if (!flat) return detail::refuse<rows, P>(flat.error());
    rows all;
    all.reserve(part.count);
    for (std::size_t i = 0; i < part.count; ++i)
      all.push_back({flat->sources[i], flat->destinations[i],
                     detail::row(flat->source_offsets, i, flat->source_ndim),
                     detail::row(flat->destination_offsets, i, flat->destination_ndim),
                     detail::row(flat->sizes, i, flat->ndim)});
    return all;
  }
  /// Some pieces, in flat arrays.
  template <class P = default_policy> answer<piece_table, P> table(P = P()) const {
    const auto count = piece_count(std::nothrow);
    if (!count) return detail::refuse<piece_table, P>(count.error());
    return table({0, *count}, P());
  }
  template <class P = default_policy>
  answer<piece_table, P> table(piece_range part, P = P()) const {
    return detail::run<piece_table, P>([&](piece_table &out, shardspec_error *err) {
      std::size_t count = 0;
      if (auto status = shardspec_plan_piece_count(get(), &count, err)) return status;
      if (auto status = shardspec_plan_ndims(get(), &out.source_ndim, &out.destination_ndim,
                                             &out.ndim, err))
        return status;
      // A part that is refused needs no room.
      if (part.count <= count) make_room(out, part.count);
      return shardspec_plan_pieces(get(), part.first, part.count, out.sources.data(),
                                   out.destinations.data(), out.source_offsets.data(),
                                   out.destination_offsets.data(), out.sizes.data(), err);
    });
  }
  /// The steps of some pieces through buffers. Where all shards are boxes, dimension k of a piece is
  /// dimension k of the buffer, and all steps are 1.
  template <class P = default_policy>
  answer<step_table, P> piece_steps(piece_range part, P = P()) const {
    return detail::run<step_table, P>([&](step_table &out, shardspec_error *err) {
      std::size_t count = 0, dims = 0;
      if (auto status = shardspec_plan_piece_count(get(), &count, err)) return status;
      if (auto status = shardspec_plan_ndims(get(), nullptr, nullptr, &dims, err)) return status;
      for (auto *each : {&out.source_dims, &out.destination_dims}) each->resize(dims);
      // A part that is refused needs no room.
      if (part.count <= count)
        for (auto *rows : {&out.source_steps, &out.destination_steps})
          rows->resize(part.count * dims);
      return shardspec_plan_piece_steps(get(), part.first, part.count, out.source_dims.data(),
                                        out.destination_dims.data(), out.source_steps.data(),
                                        out.destination_steps.data(), err);
    });
  }
  /// The pieces that a destination shard takes.
  template <class P = default_policy>
  answer<piece_range, P> pieces_of_destination(std::size_t destination, P = P()) const {
    return detail::run<piece_range, P>([&](piece_range &out, shardspec_error *err) {
      return shardspec_plan_pieces_of_destination(get(), destination, &out.first, &out.count, err);
    });
  }
  /// Whether no piece changes its owner.
  template <class P = default_policy> answer<bool, P> is_local(P = P()) const {
    return detail::flag<P>(shardspec_plan_is_local, get());
  }
  /// Whether every destination shard of the plan equals the source shard of the same index, so that
  /// nothing moves.
  template <class P = default_policy> answer<bool, P> is_identity(P = P()) const {
    return detail::flag<P>(shardspec_plan_is_identity, get());
  }

  /// Copies the pieces from source shards to destination shards, all in this process. `sources[i]`
  /// is source shard i, and `destinations[i]` is destination shard i. No other thread may use the
  /// destinations during the call.
  template <class P = default_policy>
  answer<void, P> execute(const const_views &sources, const views &destinations,
                          const copy_options &options = {}, P = P()) const {
    return execute({}, sources, {}, destinations, options, P());
  }
  /// Copies the pieces between some shards. `sources[i]` is source shard `source_indices[i]`, or
  /// source shard i without indices. The same holds for destinations.
  template <class P = default_policy>
  answer<void, P> execute(slice<std::size_t> source_indices, const const_views &sources,
                          slice<std::size_t> destination_indices, const views &destinations,
                          const copy_options &options = {}, P = P()) const {
    if (!source_indices.empty() && source_indices.size() != sources.size())
      return unequal<P>("sources", source_indices.size(), sources.size());
    if (!destination_indices.empty() && destination_indices.size() != destinations.size())
      return unequal<P>("destinations", destination_indices.size(), destinations.size());
    return detail::perform<P>(shardspec_plan_execute, get(), source_indices.data(), sources.data(),
                              sources.size(), destination_indices.data(), destinations.data(),
                              destinations.size(), &options);
  }

  /// Copies the pieces between the local shards of sharded tensors. Tensors with other layouts than
  /// the plan's are refused, even if the sizes of their shards are equal.
  template <class P = default_policy>
  answer<void, P> execute_sharded_tensors(const sharded_tensor &source, const sharded_tensor &destination,
                                          const copy_options &options = {}, P = P()) const {
    return detail::perform<P>(shardspec_plan_execute_sharded_tensors, get(), source.get(), destination.get(),
                              &options);
  }
  /// The fingerprints of the layouts that the plan was made for: of the source, and of the destination.
  template <class P = default_policy> answer<std::array<std::uint64_t, 2>, P> fingerprints(P = P()) const {
    return detail::run<std::array<std::uint64_t, 2>, P>(
        [&](std::array<std::uint64_t, 2> &out, shardspec_error *err) {
          return shardspec_plan_fingerprints(get(), &out[0], &out[1], err);
        });
  }

  /// The bytes for each pair of a source shard and a destination shard, ordered by destination.
  template <class P = default_policy>
  answer<std::vector<shardspec::shard_traffic>, P> shard_traffic(std::int64_t itemsize = 0,
                                                                 P = P()) const {
    return traffic<shardspec::shard_traffic, std::size_t, P>(shardspec_plan_shard_traffic,
                                                               itemsize);
  }
  /// The bytes for each pair of ranks, ordered by source.
  template <class P = default_policy>
  answer<std::vector<shardspec::rank_traffic>, P> rank_traffic(std::int64_t itemsize = 0,
                                                               P = P()) const {
    return traffic<shardspec::rank_traffic, std::int64_t, P>(shardspec_plan_rank_traffic,
                                                             itemsize);
  }
  /// The runs of bytes that move from one source shard to one destination shard, both row-major:
  /// for `preadv`, or a transport of your own.
  template <class P = default_policy>
  answer<std::vector<shardspec_run>, P> shard_runs(std::size_t source, std::size_t destination,
                                                   std::int64_t itemsize = 0, P = P()) const {
    return detail::array<shardspec_run, P>(shardspec_plan_shard_runs, get(), source, destination,
                                           itemsize);
  }
  /// The runs of bytes that move from one rank to another, or stay on one rank.
  template <class P = default_policy>
  answer<std::vector<shardspec_run>, P> rank_runs(std::int64_t source_rank,
                                                  std::int64_t destination_rank,
                                                  std::int64_t itemsize = 0, P = P()) const {
    return detail::array<shardspec_run, P>(shardspec_plan_rank_runs, get(), source_rank,
                                           destination_rank, itemsize);
  }
  /// The reads that get the bytes of `shard_runs`, for a source shard in a file or far away. One read gets
  /// bytes that are near each other.
  template <class P = default_policy>
  answer<read_table, P> shard_reads(std::size_t source, std::size_t destination, std::int64_t itemsize = 0,
                                    const merge_options &options = {}, P = P()) const {
    return reads<P>(shardspec_plan_shard_reads, source, destination, itemsize, options);
  }
  /// The reads that get the bytes of `rank_runs`, by source shard.
  template <class P = default_policy>
  answer<read_table, P> rank_reads(std::int64_t source_rank, std::int64_t destination_rank,
                                   std::int64_t itemsize = 0, const merge_options &options = {},
                                   P = P()) const {
    return reads<P>(shardspec_plan_rank_reads, source_rank, destination_rank, itemsize, options);
  }
  /// Suggests a permutation of the destination's placements with which the fewest elements move.
  /// `metadata::relabel` of the destination accepts it.
  template <class P = default_policy>
  answer<placement_suggestion, P> suggest_placements(P = P()) const {
    return detail::run<placement_suggestion, P>(
        [&](placement_suggestion &out, shardspec_error *err) {
          return detail::fill(out.placement_indices, err, [&](auto... arguments) {
            return suggest(out, arguments...);
          });
        });
  }

 private:
  template <class P, class F, class Number>
  answer<read_table, P> reads(F &&function, Number source, Number destination, std::int64_t itemsize,
                              const merge_options &options) const {
    return detail::run<read_table, P>([&](read_table &out, shardspec_error *err) {
      const shardspec_merge_options how = {sizeof how, options.max_gap, options.over_read,
                                           options.max_read};
      std::size_t read_count = 0, run_count = 0;
      const auto call = [&](shardspec_read *reads, shardspec_run *runs) {
        return function(get(), source, destination, itemsize, &how, reads, read_count, runs, run_count,
                        &read_count, &run_count, err);
      };
      if (const auto status = call(nullptr, nullptr)) return status;
      out.reads.resize(read_count);
      out.runs.resize(run_count);
      return call(out.reads.data(), out.runs.data());
    });
  }
  static void make_room(piece_table &out, std::size_t count) {
    out.sources.resize(count);
    out.destinations.resize(count);
    out.source_offsets.resize(count * out.source_ndim);
    out.destination_offsets.resize(count * out.destination_ndim);
    out.sizes.resize(count * out.ndim);
  }
  template <class P>
  static answer<void, P> unequal(const char *what, std::size_t named, std::size_t given) {
    return detail::refuse<void, P>({SHARDSPEC_INVALID_ARGUMENT,
                                    std::string(what) + ": " + std::to_string(given) +
                                        " views; pass " + std::to_string(named) +
                                        ", one for each index"});
  }
  shardspec_status suggest(placement_suggestion &out, std::uint32_t *indices, std::size_t capacity,
                           std::size_t *needed, shardspec_error *err) const {
    return shardspec_plan_suggest_placements(get(), indices, capacity, needed, &out.moved_before,
                                             &out.moved_after, err);
  }
  template <class Item, class End, class P, class Function>
  answer<std::vector<Item>, P> traffic(Function function, std::int64_t itemsize) const {
    return detail::run<std::vector<Item>, P>([&](std::vector<Item> &out, shardspec_error *err) {
      std::size_t needed = 0;
      if (auto status = function(get(), itemsize, nullptr, nullptr, nullptr, 0, &needed, err))
        return status;
      std::vector<End> sources(needed), destinations(needed);
      std::vector<std::int64_t> bytes(needed);
      const auto status = function(get(), itemsize, sources.data(), destinations.data(),
                                   bytes.data(), needed, nullptr, err);
      out.reserve(needed);
      for (std::size_t i = 0; i < needed; ++i)
        out.push_back({sources[i], destinations[i], bytes[i]});
      return status;
    });
  }
};

}  // namespace SHARDSPEC_INNER_NAMESPACE
}  // namespace shardspec

#endif
