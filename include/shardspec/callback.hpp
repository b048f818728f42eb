/* Functions of the user's, called by the C library: who owns them, and what they throw. */
#ifndef SHARDSPEC_CALLBACK_HPP
#define SHARDSPEC_CALLBACK_HPP

#include "answer.hpp"

#if SHARDSPEC_EXCEPTIONS && defined(__GLIBCXX__)
#include <cxxabi.h>
#endif

namespace shardspec {
inline namespace SHARDSPEC_INNER_NAMESPACE {
namespace detail {

/// Writes a refusal to `err` and returns the callback's status for it, never `SHARDSPEC_OK`.
inline shardspec_status say(shardspec_error *err, const error &refusal) noexcept {
  const shardspec_status status =
      refusal.status == SHARDSPEC_OK ? SHARDSPEC_USER_STATUS : refusal.status;
  static_cast<void>(shardspec_error_set(err, status, refusal.what()));
  err->dim = refusal.dim;
  err->first_shard = refusal.first_shard;
  err->second_shard = refusal.second_shard;
  err->got = refusal.got;
  err->limit = refusal.limit;
  err->index = refusal.index;
  return status;
}
inline shardspec_status say(shardspec_error *, shardspec_status status) noexcept { return status; }
template <class T> shardspec_status say(shardspec_error *err, const result<T> &answer) noexcept {
  return answer ? SHARDSPEC_OK : say(err, answer.error());
}

#if SHARDSPEC_EXCEPTIONS
/// As `say`, for the exception that is being handled: it is kept for the call that led here.
inline shardspec_status say_exception(shardspec_error *err) noexcept {
  shardspec_status status = SHARDSPEC_USER_STATUS;
  try {
    throw;
  } catch (const error &refusal) {
    status = say(err, refusal);
  } catch (const std::bad_alloc &) {
    status = say(err, error(SHARDSPEC_OUT_OF_MEMORY, "no memory left in a callback"));
  } catch (const std::exception &exception) {
    status = say(err, error(SHARDSPEC_USER_STATUS, exception.what()));
  } catch (...) {
    status = say(err, error(SHARDSPEC_USER_STATUS, "a callback threw what is no std::exception"));
  }
  frame::keep(status);
  return status;
}
#endif

/// The body of every callback. The user's function returns nothing, a status or a result, or
/// throws. A thread that ends inside of it unwinds its stack through here.
template <class Body> shardspec_status call_back(shardspec_error *err, const Body &body) {
#if SHARDSPEC_EXCEPTIONS
  try {
#endif
    if constexpr (std::is_void_v<decltype(body())>)
      return body(), SHARDSPEC_OK;
    else
      return say(err, body());
#if SHARDSPEC_EXCEPTIONS
#if defined(__GLIBCXX__)
  } catch (abi::__forced_unwind &) {
    throw;
#endif
  } catch (...) {
    return say_exception(err);
  }
#endif
}

/// An object of the user's that callbacks are given as their `ctx`.
template <class T> const T &object(void *ctx) noexcept { return *static_cast<const T *>(ctx); }
template <class T> void destroy(void *ctx) noexcept { delete static_cast<T *>(ctx); }
template <class T> std::int32_t equal(void *ctx, void *other) noexcept {
  return object<T>(ctx) == object<T>(other);
}
template <class T> std::uint64_t hash(void *ctx) noexcept { return object<T>(ctx).hash(); }

template <class T> using equal_of =
    decltype(std::declval<const T &>() == std::declval<const T &>());
template <class T> using hash_of = decltype(std::declval<const T &>().hash());
/// Whether T has what `Member` asks for.
template <template <class> class Member, class T, class = void> constexpr bool has = false;
template <template <class> class Member, class T>
constexpr bool has<Member, T, std::void_t<Member<T>>> = true;

/// A table of functions for objects that are a T, with those that every such table has.
template <class Table, class T> constexpr Table identity() noexcept {
  Table table = {};
  table.struct_size = sizeof table;
  table.destroy = destroy<T>;
  if constexpr (has<equal_of, T>) table.equal = equal<T>;
  if constexpr (has<hash_of, T>) table.hash = hash<T>;
  return table;
}

/// Passes what owns some memory to `call(ctx, release)`, which ends it; nothing where it is a
/// nullptr.
template <class Keep, class Call> auto lend(Keep &&keep, const Call &call) {
  using owner = std::decay_t<Keep>;
  if constexpr (std::is_same_v<owner, std::nullptr_t>)
    return call(nullptr, shardspec_destroy_fn(nullptr));
  else
    return call(new owner(std::forward<Keep>(keep)), shardspec_destroy_fn(destroy<owner>));
}

/// A handle without ownership: of a callback's arguments, or the communicator of a sharded
/// tensor. Empty where there is none.
template <class H> class borrowed {
 public:
  borrowed() noexcept = default;
  template <class Raw> explicit borrowed(const Raw *raw) noexcept
      : handle_(const_cast<Raw *>(raw)) {}
  ~borrowed() { static_cast<void>(handle_.release()); }
  borrowed(const borrowed &) = delete;
  borrowed &operator=(const borrowed &) = delete;
  borrowed(borrowed &&) noexcept = default;
  borrowed &operator=(borrowed &&other) noexcept {
    static_cast<void>(handle_.release());
    handle_ = std::move(other.handle_);
    return *this;
  }
  explicit operator bool() const noexcept { return static_cast<bool>(handle_); }
  const H &operator*() const noexcept { return handle_; }
  const H *operator->() const noexcept { return &handle_; }

 private:
  H handle_;
};

}  // namespace detail
}  // namespace SHARDSPEC_INNER_NAMESPACE
}  // namespace shardspec

#endif
