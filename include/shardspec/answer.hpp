/* The results of calls: a value, or the reason of a failure. All other files of the C++ interface
 * use this file. `shardspec.hpp` describes its use. */
#ifndef SHARDSPEC_ANSWER_HPP
#define SHARDSPEC_ANSWER_HPP

#include "../shardspec.h"

#include <cstdint>
#include <cstdlib>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

/* Code compiled with exceptions and code compiled without behave differently under one name. The
 * inner namespace keeps the linker from taking one for the other. */
#ifdef __cpp_exceptions
#define SHARDSPEC_EXCEPTIONS 1
#define SHARDSPEC_INNER_NAMESPACE with_exceptions
#else
#define SHARDSPEC_EXCEPTIONS 0
#define SHARDSPEC_INNER_NAMESPACE without_exceptions
#endif

namespace shardspec {
inline namespace SHARDSPEC_INNER_NAMESPACE {

/// The reason why a call failed. It has the fields of `shardspec_error` under their names. `what()`
/// is the message.
class error : public std::runtime_error {
 public:
  error(shardspec_status why, const std::string &message)
      : std::runtime_error(message), status(why) {}
  explicit error(const shardspec_error &said)
      : std::runtime_error(said.message),
        status(said.status),
        dim(said.dim),
        first_shard(said.first_shard),
        second_shard(said.second_shard),
        got(said.got),
        limit(said.limit),
        index(said.index) {}

  shardspec_status status;
  std::int32_t dim = -1;
  std::int64_t first_shard = -1, second_shard = -1, got = 0, limit = 0, index = -1;
  /// The exception that a function of the user threw during the call, or nothing.
  std::exception_ptr cause;
};

/// A value or an error: the result of a call whose last argument is `std::nothrow`. It has the
/// members of `std::expected`.
template <class T> class [[nodiscard]] result {
 public:
  /// Calls that give nothing give this.
  using value_type = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

  result(value_type value) : held_(std::in_place_index<0>, std::move(value)) {}
  result(shardspec::error refusal) : held_(std::in_place_index<1>, std::move(refusal)) {}

  bool has_value() const noexcept { return held_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  /// Call this only if there is a value.
  value_type &operator*() & noexcept { return *std::get_if<0>(&held_); }
  const value_type &operator*() const & noexcept { return *std::get_if<0>(&held_); }
  value_type &&operator*() && noexcept { return std::move(*std::get_if<0>(&held_)); }
  value_type *operator->() noexcept { return std::get_if<0>(&held_); }
  const value_type *operator->() const noexcept { return std::get_if<0>(&held_); }

  /// The value. Without a value, the error is thrown. If exceptions are disabled, the program ends.
  value_type &value() & { return require(), **this; }
  const value_type &value() const & { return require(), **this; }
  value_type &&value() && { return require(), *std::move(*this); }

  /// Call this only if there is no value.
  const shardspec::error &error() const noexcept { return *std::get_if<1>(&held_); }

 private:
  void require() const {
    if (has_value()) return;
#if SHARDSPEC_EXCEPTIONS
    throw error();
#else
    std::abort();
#endif
  }
  std::variant<value_type, shardspec::error> held_;
};

/// The last argument of calls that throw their errors. It need not be written.
struct throwing_t {};

#if SHARDSPEC_EXCEPTIONS
/// How calls answer that don't end in `std::nothrow`.
using default_policy = throwing_t;
#else
using default_policy = std::nothrow_t;
#endif

namespace detail {

template <class P> struct policy;
template <> struct policy<std::nothrow_t> {
  template <class T> using answer = result<T>;
};
#if SHARDSPEC_EXCEPTIONS
template <> struct policy<throwing_t> {
  template <class T> using answer = T;
};
#endif

}  // namespace detail

/// What a call returns that gives a T: a T, or with `std::nothrow` as its last argument a
/// result<T>.
template <class T, class P> using answer = typename detail::policy<P>::template answer<T>;

namespace detail {

#if SHARDSPEC_EXCEPTIONS
/// A call under way on this thread. What a function of the user's throws inside of it waits here
/// until the call has returned through the C library.
class frame {
 public:
  frame() noexcept : outer_(innermost()) { innermost() = this; }
  ~frame() { innermost() = outer_; }
  frame(const frame &) = delete;
  frame &operator=(const frame &) = delete;

  /// Keeps the exception that is being handled, which became `status`.
  static void keep(shardspec_status status) noexcept {
    if (innermost() == nullptr) return;
    innermost()->thrown_ = std::current_exception();
    innermost()->status_ = status;
  }
  /// What was thrown, and whether a call that returned `status` returned because of it.
  const std::exception_ptr &thrown() const noexcept { return thrown_; }
  bool explains(shardspec_status status) const noexcept { return thrown_ && status == status_; }

 private:
  static frame *&innermost() noexcept {
    static thread_local frame *frame = nullptr;
    return frame;
  }
  frame *outer_;
  std::exception_ptr thrown_;
  shardspec_status status_ = SHARDSPEC_OK;
};
#endif

/// Returns or throws a refusal, as the policy P says.
template <class T, class P> answer<T, P> refuse(error refusal) {
#if SHARDSPEC_EXCEPTIONS
  if constexpr (std::is_same_v<P, throwing_t>)
    throw refusal;
  else
#endif
    return refusal;
}

/// Runs `call(out, err)`, a call of the C library that writes `out`, and answers as the policy P
/// says.
template <class T, class P, class Call> answer<T, P> run(Call &&call) {
  typename result<T>::value_type out{};
  shardspec_error err;
  err.struct_size = sizeof err;
#if SHARDSPEC_EXCEPTIONS
  const frame here;
#endif
  const shardspec_status status = call(out, &err);
  if (status != SHARDSPEC_OK) {
    error refusal(err);
#if SHARDSPEC_EXCEPTIONS
    refusal.cause = here.thrown();
    if constexpr (std::is_same_v<P, throwing_t>)
      if (here.explains(status)) std::rethrow_exception(here.thrown());
#endif
    return refuse<T, P>(std::move(refusal));
  }
  if constexpr (!std::is_void_v<answer<T, P>>) return answer<T, P>(std::move(out));
}

/// Calls `function(arguments..., err)`.
template <class P, class Function, class... Arguments>
answer<void, P> perform(Function function, Arguments... arguments) {
  return run<void, P>([&](auto &, shardspec_error *err) { return function(arguments..., err); });
}

/// Calls `function(arguments..., out, err)`, which writes one value.
template <class T, class P, class Function, class... Arguments>
answer<T, P> value(Function function, Arguments... arguments) {
  return run<T, P>([&](T &out, shardspec_error *err) { return function(arguments..., &out, err); });
}

/// As `value`, for a question that is answered with 1 or 0.
template <class P, class Function, class... Arguments>
answer<bool, P> flag(Function function, Arguments... arguments) {
  return run<bool, P>([&](bool &out, shardspec_error *err) {
    std::int32_t number = 0;
    const shardspec_status status = function(arguments..., &number, err);
    out = number != 0;
    return status;
  });
}

/// As `value`, for a handle of class H.
template <class H, class P, class Function, class... Arguments>
answer<H, P> handle(Function function, Arguments... arguments) {
  return run<H, P>(
      [&](H &out, shardspec_error *err) { return function(arguments..., out.receive(), err); });
}

/// As `value`, for the object of the user's that `function` finds: a T, as the caller promises.
template <class T, class P, class Function, class... Arguments>
answer<const T *, P> object_of(Function function, Arguments... arguments) {
  return run<const T *, P>([&](const T *&out, shardspec_error *err) {
    void *ctx = nullptr;
    const shardspec_status status = function(arguments..., &ctx, err);
    out = static_cast<const T *>(ctx);
    return status;
  });
}

/// Calls `function(arguments..., buffer, capacity, needed, err)` with a buffer that is large
/// enough.
template <class Buffer, class Function, class... Arguments>
shardspec_status fill(Buffer &buffer, shardspec_error *err, Function function,
                      Arguments... arguments) {
  std::size_t needed = 0;
  shardspec_status status = SHARDSPEC_OK;
  buffer.resize(32);
  while ((status = function(arguments..., buffer.data(), buffer.size(), &needed, err)) ==
             SHARDSPEC_BUFFER_TOO_SMALL &&
         err->limit > static_cast<std::int64_t>(buffer.size()))
    buffer.resize(static_cast<std::size_t>(err->limit));
  buffer.resize(needed);
  return status;
}

/// As `fill`, for a text answer, whose NUL a std::string does not count.
template <class Function, class... Arguments>
shardspec_status fill_text(std::string &text, shardspec_error *err, Function function,
                           Arguments... arguments) {
  const shardspec_status status = fill(text, err, function, arguments...);
  if (!text.empty()) text.pop_back();
  return status;
}

template <class P, class Function, class... Arguments>
answer<std::string, P> text(Function function, Arguments... arguments) {
  return run<std::string, P>([&](std::string &out, shardspec_error *err) {
    return fill_text(out, err, function, arguments...);
  });
}

template <class T, class P, class Function, class... Arguments>
answer<std::vector<T>, P> array(Function function, Arguments... arguments) {
  return run<std::vector<T>, P>([&](std::vector<T> &out, shardspec_error *err) {
    return fill(out, err, function, arguments...);
  });
}

/// Owns a handle of the C library and frees it. The object can be moved but not copied, as a
/// `std::unique_ptr`.
template <class Raw, shardspec_status (*Free)(Raw *, shardspec_error *)> class unique {
 public:
  unique() noexcept = default;
  /// Takes over a handle.
  explicit unique(Raw *raw) noexcept : raw_(raw) {}
  unique(unique &&other) noexcept : raw_(other.release()) {}
  unique &operator=(unique &&other) noexcept {
    reset(other.release());
    return *this;
  }
  ~unique() { reset(); }

  /// The handle, for calls of the C interface, or NULL if the object is empty.
  Raw *get() const noexcept { return raw_; }
  explicit operator bool() const noexcept { return raw_ != nullptr; }
  /// Releases ownership of the handle: the caller frees it.
  [[nodiscard]] Raw *release() noexcept { return std::exchange(raw_, nullptr); }
  void reset(Raw *raw = nullptr) noexcept {
    if (Raw *old = std::exchange(raw_, raw)) static_cast<void>(Free(old, nullptr));
  }
  /// Where a C function writes the handle that it makes.
  Raw **receive() noexcept {
    reset();
    return &raw_;
  }

 private:
  Raw *raw_ = nullptr;
};

}  // namespace detail

/// The name of a status, such as "OVERLAP".
template <class P = default_policy>
answer<std::string, P> status_name(shardspec_status status, P = P()) {
  return detail::text<P>(shardspec_status_text, status);
}
/// The version of the library that the program runs with; `SHARDSPEC_VERSION` is the header's.
template <class P = default_policy> answer<std::string, P> version(P = P()) {
  return detail::text<P>(shardspec_version_text);
}
inline std::uint32_t abi_version() noexcept { return shardspec_abi_version(); }

#if SHARDSPEC_EXCEPTIONS
/// For handles with a library function that compares them.
template <class H> auto operator==(const H &a, const H &b) -> decltype(a.equal(b)) {
  return a.equal(b);
}
template <class H> auto operator!=(const H &a, const H &b) -> decltype(a.equal(b)) {
  return !a.equal(b);
}
#endif

}  // namespace SHARDSPEC_INNER_NAMESPACE
}  // namespace shardspec

#endif
