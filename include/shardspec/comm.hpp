/* Communicators, over any transport that can be called, and the collectives on them. */
#ifndef SHARDSPEC_COMM_HPP
#define SHARDSPEC_COMM_HPP

#include "callback.hpp"
#include "metadata.hpp"

#include <memory>

namespace shardspec {
inline namespace SHARDSPEC_INNER_NAMESPACE {

/// The messages of one direction of an exchange.
using messages = slice<shardspec_message>;

/// Options of a collective. With the defaults, the library chooses.
class comm_options : public shardspec_comm_options {
 public:
  comm_options() noexcept : comm_options(0) {}
  /// `how` is kept as a pointer.
  explicit comm_options(std::uint64_t memory_limit_, const copy_options *how = nullptr) noexcept
      : shardspec_comm_options{sizeof(shardspec_comm_options), memory_limit_, how} {}
};

namespace detail {

template <class T> using exchange_of =
    decltype(std::declval<const T &>().exchange(messages(), messages()));

template <class T> shardspec_status exchange(void *ctx, const shardspec_message *sends,
                                             std::size_t send_count, const shardspec_message *receives,
                                             std::size_t recv_count,
                                             shardspec_error *err) {
  return call_back(err, [&] {
    const messages out(sends, send_count), in(receives, recv_count);
    if constexpr (has<exchange_of, T>)
      return object<T>(ctx).exchange(out, in);
    else
      return object<T>(ctx)(out, in);
  });
}

template <class T> using abort_of = decltype(std::declval<const T &>().abort(""));

template <class T> void abort(void *ctx, const char *reason) noexcept {
  object<T>(ctx).abort(reason);
}

template <class T> using node_of = decltype(std::declval<const T &>().node(std::int64_t()));

template <class T> std::int64_t node(void *ctx, std::int64_t rank) noexcept {
  return object<T>(ctx).node(rank);
}

template <class T> using start_of = decltype(std::declval<const T &>().start(messages(), messages()));

/// What a transport returns that starts an exchange, or tests it: the value, or the refusal in its place.
template <class V> struct is_result : std::false_type {};
template <class V> struct is_result<result<V>> : std::true_type {};
template <class V, class Use> shardspec_status use_value(shardspec_error *err, V &&made, const Use &use) {
  if constexpr (is_result<std::decay_t<V>>::value) {
    if (!made) return say(err, made.error());
    use(*std::forward<V>(made));
  } else {
    use(std::forward<V>(made));
  }
  return SHARDSPEC_OK;
}
template <class V> struct value_in { using type = V; };
template <class V> struct value_in<result<V>> { using type = V; };
/// The exchange that a transport starts.
template <class T> using started_of = typename value_in<std::decay_t<start_of<T>>>::type;

template <class T> shardspec_status start_exchange(void *ctx, const shardspec_message *sends,
                                                   std::size_t send_count, const shardspec_message *receives,
                                                   std::size_t recv_count, void **exchange,
                                                   shardspec_error *err) {
  return call_back(err, [&] {
    return use_value(err, object<T>(ctx).start(messages(sends, send_count), messages(receives, recv_count)),
                     [&](started_of<T> &&made) { *exchange = new started_of<T>(std::move(made)); });
  });
}

/// The exchange is destroyed when it has ended.
template <class T> shardspec_status test_exchange(void *, void *exchange, std::int32_t *done,
                                                  shardspec_error *err) {
  std::unique_ptr<started_of<T>> started(static_cast<started_of<T> *>(exchange));
  const shardspec_status status = call_back(err, [&] {
    return use_value(err, started->test(), [&](bool ended) { *done = ended; });
  });
  if (status == SHARDSPEC_OK && *done == 0) static_cast<void>(started.release());
  return status;
}

template <class T> shardspec_status wait_exchange(void *, void *exchange, shardspec_error *err) {
  const std::unique_ptr<started_of<T>> started(static_cast<started_of<T> *>(exchange));
  return call_back(err, [&] { return started->wait(); });
}

}  // namespace detail

/// An exchange or a transfer that was started. It makes progress inside of `test` and `wait` only.
/// Until the request has ended, its buffers must exist, and its communicator must not be used
/// otherwise. If a request is destroyed before it has ended, it aborts the communicator. With a
/// transport that can't abort, the destructor completes the request instead.
class request : public detail::unique<shardspec_request, shardspec_request_free> {
 public:
  using unique::unique;

  /// Makes progress without waiting. Returns whether the request has ended.
  template <class P = default_policy> answer<bool, P> test(P = P()) const {
    return detail::flag<P>(shardspec_request_test, get());
  }
  /// Waits until the request has ended.
  template <class P = default_policy> answer<void, P> wait(P = P()) const {
    return detail::perform<P>(shardspec_request_wait, get());
  }
};

/// Connects ranks that can send bytes to each other. An object belongs to one rank, which uses the
/// object on one thread at a time.
class comm : public detail::unique<shardspec_comm, shardspec_comm_free> {
 public:
  using unique::unique;

  /// A communicator over a transport of your own: any object that has
  ///
  ///   void exchange(messages sends, messages receives) const;
  ///
  /// or can be called so. It starts all of them and returns when all are complete. It may also have
  ///
  ///   void abort(const char *reason) const noexcept;
  ///
  /// which makes exchanges fail on every rank that it can reach, and
  ///
  ///   std::int64_t node(std::int64_t rank) const noexcept;
  ///
  /// which returns equal numbers for ranks that share a node, and
  ///
  ///   exchange start(messages sends, messages receives) const;
  ///
  /// which starts an exchange without waiting, so that requests go on inside of `test`. It returns any
  /// object with `bool test()` and `void wait()`, such as a `request`. It is destroyed when it has ended.
  /// The communicator keeps the transport.
  template <class T, class P = default_policy>
  static answer<comm, P> custom(std::int64_t rank, std::int64_t size, T transport, P = P()) {
    shardspec_comm_vtable table = {};
    table.struct_size = sizeof table;
    table.destroy = detail::destroy<T>;
    table.exchange = detail::exchange<T>;
    if constexpr (detail::has<detail::abort_of, T>) table.abort = detail::abort<T>;
    if constexpr (detail::has<detail::node_of, T>) table.node = detail::node<T>;
    if constexpr (detail::has<detail::start_of, T>) {
      table.start = detail::start_exchange<T>;
      table.test = detail::test_exchange<T>;
      table.wait = detail::wait_exchange<T>;
    }
    return detail::handle<comm, P>(shardspec_comm_new, &table, new T(std::move(transport)), rank,
                                   size);
  }
  /// Communicators between the threads of this process, one for each rank.
  template <class P = default_policy>
  static answer<std::vector<comm>, P> local(std::size_t size, P = P()) {
    return all<P>(size, [&](shardspec_comm **raw, shardspec_error *err) {
      return shardspec_comm_new_local(size, raw, err);
    });
  }
  /// Communicators between the threads of this process, as if the threads were on several nodes.
  /// Rank r is on node `nodes[r]`.
  template <class P = default_policy>
  static answer<std::vector<comm>, P> local_on_nodes(numbers nodes, P = P()) {
    return all<P>(nodes.size(), [&](shardspec_comm **raw, shardspec_error *err) {
      return shardspec_comm_new_local_on_nodes(nodes.data(), nodes.size(), raw, err);
    });
  }
  /// Creates a communicator of some ranks of this communicator. `members` has each member once,
  /// this rank included. `{}` means all ranks. `placement_ranks[i]` is the rank that placements use
  /// for member i. `{}` means the same ranks as in this communicator.
  template <class P = default_policy>
  answer<comm, P> group(numbers members, numbers placement_ranks = {}, P = P()) const {
    const bool all = members.size() == 0, renamed = placement_ranks.size() > 0;
    if (!all && renamed && members.size() != placement_ranks.size())
      return detail::refuse<comm, P>(error(SHARDSPEC_INVALID_ARGUMENT,
                                           "placement_ranks: pass one for each of members"));
    return detail::handle<comm, P>(shardspec_comm_new_group, get(), all ? nullptr : members.data(),
                                   renamed ? placement_ranks.data() : nullptr,
                                   all ? placement_ranks.size() : members.size());
  }

  template <class P = default_policy> answer<std::int64_t, P> rank(P = P()) const {
    return detail::value<std::int64_t, P>(shardspec_comm_rank, get());
  }
  template <class P = default_policy> answer<std::int64_t, P> size(P = P()) const {
    return detail::value<std::int64_t, P>(shardspec_comm_size, get());
  }
  /// The rank that placements use for a rank of this communicator.
  template <class P = default_policy>
  answer<std::int64_t, P> placement_rank(std::int64_t rank, P = P()) const {
    return detail::value<std::int64_t, P>(shardspec_comm_placement_rank, get(), rank);
  }
  /// The number of the node of a rank. Ranks that share a node have equal numbers. A negative
  /// number means that the node is not known.
  template <class P = default_policy>
  answer<std::int64_t, P> node(std::int64_t rank, P = P()) const {
    return detail::value<std::int64_t, P>(shardspec_comm_node, get(), rank);
  }
  /// Exchanges messages of your own.
  template <class P = default_policy>
  answer<void, P> exchange(messages sends, messages receives, P = P()) const {
    return detail::perform<P>(shardspec_comm_exchange, get(), sends.data(), sends.size(),
                              receives.data(), receives.size());
  }

  /// Starts an exchange of messages. The memory of the messages is used until the request has
  /// ended.
  template <class P = default_policy>
  answer<request, P> exchange_start(messages sends, messages receives, P = P()) const {
    return detail::handle<request, P>(shardspec_comm_exchange_start, get(), sends.data(), sends.size(),
                                      receives.data(), receives.size());
  }

  /// Makes all later exchanges fail, on every rank that the transport can reach.
  template <class P = default_policy> answer<void, P> abort(text reason, P = P()) const {
    return detail::perform<P>(shardspec_comm_abort, get(), reason.c());
  }

  /// Takes part in the collective that the other ranks call, if this rank can't call it, and
  /// reports an error. The calls of the other ranks then fail with this status and message.
  template <class P = default_policy>
  answer<void, P> decline(shardspec_status status, text message, P = P()) const {
    return detail::perform<P>(shardspec_comm_decline, get(), status, message.c());
  }

  /// The same for a collective that the other ranks start: the request ends when they are refused.
  template <class P = default_policy>
  answer<request, P> decline_start(shardspec_status status, text message, P = P()) const {
    return detail::handle<request, P>(shardspec_comm_decline_start, get(), status, message.c());
  }

  /// Cuts a tensor of rank `source_rank` into the shards of all ranks. `shards` are the destinations
  /// of this rank's shards, in the order of their indices. Other ranks pass `{}` as the tensor.
  template <class P = default_policy>
  answer<void, P> scatter(const metadata &whole, std::int64_t source_rank, const const_tensor_view &full,
                        const views &shards, const comm_options &options = {}, P = P()) const {
    const shardspec_tensor_view from = full.c();
    return detail::perform<P>(shardspec_comm_scatter, get(), whole.get(), source_rank, &from,
                              shards.data(), shards.size(), &options);
  }
  /// Copies the shards of all ranks into a tensor on rank `destination_rank`, or on
  /// `SHARDSPEC_ALL_RANKS`. Ranks that do not receive the tensor pass `{}`.
  template <class P = default_policy>
  answer<void, P> gather(const metadata &whole, std::int64_t destination_rank, const const_views &shards,
                         const tensor_view &full, const comm_options &options = {}, P = P()) const {
    const shardspec_tensor_view to = full.c();
    return detail::perform<P>(shardspec_comm_gather, get(), whole.get(), destination_rank, shards.data(),
                              shards.size(), &to, &options);
  }
  /// Moves a tensor from one layout to another. Each rank passes its shards of both layouts.
  template <class P = default_policy>
  answer<void, P> reshard(const metadata &source, const const_views &source_shards,
                          const metadata &destination, const views &destination_shards,
                          const comm_options &options = {}, P = P()) const {
    return detail::perform<P>(shardspec_comm_reshard, get(), source.get(), source_shards.data(),
                              source_shards.size(), destination.get(),
                              destination_shards.data(), destination_shards.size(),
                              &options);
  }

  /// Starts a scatter. Other ranks may call `scatter`. The request uses the memory of the tensor and of
  /// the shards until it has ended. An invalid argument is an error of the request.
  template <class P = default_policy>
  answer<request, P> scatter_start(const metadata &whole, std::int64_t source_rank,
                                   const const_tensor_view &full, const views &shards,
                                   const comm_options &options = {}, P = P()) const {
    const shardspec_tensor_view from = full.c();
    return detail::handle<request, P>(shardspec_comm_scatter_start, get(), whole.get(), source_rank, &from,
                                      shards.data(), shards.size(), &options);
  }
  /// Starts a gather. Other ranks may call `gather`. The request uses the memory of the tensor and of
  /// the shards until it has ended. An invalid argument is an error of the request.
  template <class P = default_policy>
  answer<request, P> gather_start(const metadata &whole, std::int64_t destination_rank,
                                  const const_views &shards, const tensor_view &full,
                                  const comm_options &options = {}, P = P()) const {
    const shardspec_tensor_view to = full.c();
    return detail::handle<request, P>(shardspec_comm_gather_start, get(), whole.get(), destination_rank,
                                      shards.data(), shards.size(), &to, &options);
  }
  /// Starts to move a tensor from one layout to another. Other ranks may call `reshard`. The request
  /// uses the memory of the shards until it has ended. An invalid argument is an error of the request.
  template <class P = default_policy>
  answer<request, P> reshard_start(const metadata &source, const const_views &source_shards,
                                   const metadata &destination, const views &destination_shards,
                                   const comm_options &options = {}, P = P()) const {
    return detail::handle<request, P>(shardspec_comm_reshard_start, get(), source.get(),
                                      source_shards.data(), source_shards.size(), destination.get(),
                                      destination_shards.data(), destination_shards.size(), &options);
  }

 private:
  /// `size` communicators that `make` makes.
  template <class P, class Make>
  static answer<std::vector<comm>, P> all(std::size_t size, const Make &make) {
    return detail::run<std::vector<comm>, P>([&](std::vector<comm> &out, shardspec_error *err) {
      std::vector<shardspec_comm *> raw(size);
      out.resize(size);
      const auto status = make(raw.data(), err);
      for (std::size_t i = 0; i < size; ++i) out[i].reset(raw[i]);
      return status;
    });
  }
};

}  // namespace SHARDSPEC_INNER_NAMESPACE
}  // namespace shardspec

#endif
