/* Ops of the user's own: functions that are registered for a type of spec and called by name. */
#ifndef SHARDSPEC_OP_HPP
#define SHARDSPEC_OP_HPP

#include "sharded_tensor.hpp"

#include <cstring>

namespace shardspec {
inline namespace SHARDSPEC_INNER_NAMESPACE {
namespace detail {

/// Which kind of value holds a T, and how it is read.
template <class T, class = void> struct kind_of;
template <int Kind> struct kind {
  static constexpr std::int32_t value = Kind;
};
template <> struct kind_of<bool> : kind<SHARDSPEC_VALUE_BOOL> {
  static bool read(const shardspec_value &raw) noexcept { return raw.integer != 0; }
};
template <class T> struct kind_of<T, std::enable_if_t<std::is_integral_v<T>>>
    : kind<SHARDSPEC_VALUE_I64> {
  static T read(const shardspec_value &raw) noexcept { return static_cast<T>(raw.integer); }
};
template <class T> struct kind_of<T, std::enable_if_t<std::is_floating_point_v<T>>>
    : kind<SHARDSPEC_VALUE_F64> {
  static T read(const shardspec_value &raw) noexcept { return static_cast<T>(raw.real); }
};
template <> struct kind_of<const char *> : kind<SHARDSPEC_VALUE_TEXT> {
  static const char *read(const shardspec_value &raw) noexcept {
    return static_cast<const char *>(raw.pointer);
  }
};
template <class View> struct kind_of_view : kind<SHARDSPEC_VALUE_TENSOR_VIEW> {
  static View read(const shardspec_value &raw) {
    return View(*static_cast<const shardspec_tensor_view *>(raw.pointer));
  }
};
template <> struct kind_of<tensor_view> : kind_of_view<tensor_view> {};
template <> struct kind_of<const_tensor_view> : kind_of_view<const_tensor_view> {};
template <> struct kind_of<sharded_tensor> : kind<SHARDSPEC_VALUE_SHARDED_TENSOR> {
  static borrowed<sharded_tensor> read(const shardspec_value &raw) noexcept {
    return borrowed<sharded_tensor>(static_cast<const shardspec_sharded_tensor *>(raw.pointer));
  }
};
template <> struct kind_of<numbers> : kind<SHARDSPEC_VALUE_I64_LIST> {
  static numbers read(const shardspec_value &raw) noexcept {
    return {static_cast<const std::int64_t *>(raw.pointer), static_cast<std::size_t>(raw.integer)};
  }
};
template <> struct kind_of<void *> : kind<SHARDSPEC_VALUE_POINTER> {
  static void *read(const shardspec_value &raw) noexcept { return raw.pointer; }
};

/// What `T` is read as: itself, but for a sharded tensor, which is only lent.
template <class T> using read_as = decltype(kind_of<T>::read(std::declval<shardspec_value>()));

/// Reads a value as a T; INVALID_ARGUMENT where it is of another kind or not there at all.
template <class T, class P>
answer<read_as<T>, P> read(const shardspec_value *raw, const std::string &name) {
  if (raw != nullptr && raw->kind == kind_of<T>::value) return kind_of<T>::read(*raw);
  return refuse<read_as<T>, P>(
      {SHARDSPEC_INVALID_ARGUMENT,
       name + (raw == nullptr ? ": is not there"
                              : ": is of kind " + std::to_string(raw->kind) + ", not " +
                                    std::to_string(kind_of<T>::value))});
}

}  // namespace detail

/// An argument of an op, for the time of a call: none, a bool, a whole number, a number, a text, a
/// view, a sharded tensor, whole numbers or a pointer.
class value {
 public:
  value() noexcept = default;
  template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>> value(T number) noexcept {
    raw_.kind = detail::kind_of<T>::value;
    if constexpr (std::is_floating_point_v<T>)
      raw_.real = static_cast<double>(number);
    else
      raw_.integer = static_cast<std::int64_t>(number);
  }
  value(const char *string) noexcept : value(SHARDSPEC_VALUE_TEXT, string) {}
  value(const std::string &string) noexcept : value(string.c_str()) {}
  value(const const_tensor_view &view) noexcept : view_(view.c()) {
    raw_.kind = SHARDSPEC_VALUE_TENSOR_VIEW;
  }
  value(const sharded_tensor &tensor) noexcept
      : value(SHARDSPEC_VALUE_SHARDED_TENSOR, tensor.get()) {}
  template <class Range, class = std::enable_if_t<std::is_constructible_v<numbers, const Range &>>,
            class = void>
  value(const Range &range) noexcept : value(SHARDSPEC_VALUE_I64_LIST, numbers(range).data()) {
    raw_.integer = static_cast<std::int64_t>(numbers(range).size());
  }
  /// A pointer to data that only the op interprets.
  static value pointer(void *pointer) noexcept { return value(SHARDSPEC_VALUE_POINTER, pointer); }

  shardspec_value c() const noexcept {
    shardspec_value raw = raw_;
    if (raw.kind == SHARDSPEC_VALUE_TENSOR_VIEW)
      raw.pointer = const_cast<shardspec_tensor_view *>(&view_);
    return raw;
  }

 private:
  value(std::int32_t kind, const void *pointer) noexcept {
    raw_.kind = kind;
    raw_.pointer = const_cast<void *>(pointer);
  }
  shardspec_value raw_ = {SHARDSPEC_VALUE_NONE, 0, 0, 0, nullptr};
  shardspec_tensor_view view_ = {};
};

/// An argument with a name.
struct named_value {
  text name;
  value given;
};

/// The arguments of an op, inside the op.
class op_arguments {
 public:
  explicit op_arguments(const shardspec_op_arguments &raw) noexcept : raw_(raw) {}
  const shardspec_op_arguments &c() const noexcept { return raw_; }
  std::size_t size() const noexcept { return raw_.arg_count; }

  /// Argument `index` as a T: bool, a number, `const char *`, a view, `sharded_tensor` (of which a
  /// pointer-like loan comes), `numbers` or `void *`.
  template <class T, class P = default_policy>
  answer<detail::read_as<T>, P> get(std::size_t index, P = P()) const {
    return detail::read<T, P>(index < raw_.arg_count ? raw_.args + index : nullptr,
                              "argument " + std::to_string(index));
  }
  /// As above, by name.
  template <class T, class P = default_policy>
  answer<detail::read_as<T>, P> get(text name, P = P()) const {
    return detail::read<T, P>(find(name), "argument " + std::string(name.c()));
  }
  bool has(text name) const noexcept { return find(name) != nullptr; }
  /// What the op's collectives use, as a pointer-like loan; empty where there are none.
  detail::borrowed<comm> communicator() const noexcept {
    return detail::borrowed<comm>(raw_.comm);
  }

 private:
  const shardspec_value *find(text name) const noexcept {
    for (std::size_t i = 0; i < raw_.kwarg_count; ++i)
      if (std::strcmp(raw_.kwarg_names[i], name.c()) == 0) return raw_.kwargs + i;
    return nullptr;
  }
  const shardspec_op_arguments &raw_;
};

/// Receives the results of an op.
class op_output {
 public:
  op_output(shardspec_value *raw, std::size_t count) noexcept : raw_(raw), count_(count) {}
  /// The number of results that the caller accepts. Results set beyond it are dropped.
  std::size_t size() const noexcept { return count_; }

  template <class T> std::enable_if_t<std::is_arithmetic_v<T>> set(std::size_t index, T number) {
    put(index, value(number));
  }
  /// A pointer for the caller. The op keeps the memory behind it valid until the caller has read
  /// it.
  void set(std::size_t index, void *pointer) { put(index, value::pointer(pointer)); }
  /// The caller becomes its owner.
  void set(std::size_t index, sharded_tensor tensor) {
    if (index >= count_) return;
    put(index, value(tensor));
    static_cast<void>(tensor.release());
  }
  /// Frees the sharded tensors that were set: the caller of an op that failed sees no results.
  void drop() noexcept {
    for (std::size_t i = 0; i < count_; ++i)
      if (raw_[i].kind == SHARDSPEC_VALUE_SHARDED_TENSOR)
        sharded_tensor(static_cast<shardspec_sharded_tensor *>(raw_[i].pointer));
  }

 private:
  void put(std::size_t index, const value &given) noexcept {
    if (index < count_) raw_[index] = given.c();
  }
  shardspec_value *raw_;
  std::size_t count_;
};

/// The results of an op. It owns the sharded tensors among them that were not taken.
class op_results {
 public:
  explicit op_results(std::size_t count = 0) : raw_(count) {}
  op_results(op_results &&other) noexcept : raw_(std::move(other.raw_)) { other.raw_.clear(); }
  op_results &operator=(op_results &&other) noexcept {
    raw_.swap(other.raw_);
    return *this;
  }
  ~op_results() { op_output(raw_.data(), raw_.size()).drop(); }

  shardspec_value *data() noexcept { return raw_.data(); }
  std::size_t size() const noexcept { return raw_.size(); }
  /// Result `index` as a T, as in `op_arguments`.
  template <class T, class P = default_policy>
  answer<detail::read_as<T>, P> get(std::size_t index, P = P()) const {
    return detail::read<T, P>(index < size() ? &raw_[index] : nullptr,
                              "result " + std::to_string(index));
  }
  /// Takes a sharded tensor out.
  template <class P = default_policy> answer<sharded_tensor, P> take(std::size_t index, P = P()) {
    const auto found = get<sharded_tensor>(index, std::nothrow);
    if (!found) return detail::refuse<sharded_tensor, P>(found.error());
    raw_[index].kind = SHARDSPEC_VALUE_NONE;
    return sharded_tensor(static_cast<shardspec_sharded_tensor *>(raw_[index].pointer));
  }

 private:
  std::vector<shardspec_value> raw_;
};

namespace detail {

template <class F> shardspec_status run_op(void *ctx, const shardspec_spec *raw,
                                           const shardspec_op_arguments *given,
                                           shardspec_value *results, std::size_t count,
                                           shardspec_error *err) {
  op_output output(results, count);
  const shardspec_status status = call_back(err, [&] {
    const borrowed<spec> how(raw);
    return object<F>(ctx)(*how, op_arguments(*given), output);
  });
  if (status != SHARDSPEC_OK) output.drop();
  return status;
}

/// Passes arguments to `call(arguments, results, result_count, err)`.
template <class P, class Call>
answer<op_results, P> call_op(const Call &call, slice<shardspec::value> args,
                              std::size_t result_count, slice<named_value> kwargs,
                              const comm &communicator) {
  std::vector<shardspec_value> positional, named;
  std::vector<const char *> names;
  for (const shardspec::value &each : args) positional.push_back(each.c());
  for (const named_value &each : kwargs) {
    named.push_back(each.given.c());
    names.push_back(each.name.c());
  }
  const shardspec_op_arguments arguments = {sizeof(shardspec_op_arguments),
                                            positional.data(),
                                            positional.size(),
                                            names.data(),
                                            named.data(),
                                            named.size(),
                                            communicator.get()};
  return run<op_results, P>([&](op_results &out, shardspec_error *err) {
    out = op_results(result_count);
    return call(&arguments, out.data(), out.size(), err);
  });
}

}  // namespace detail

/// A registered op, for many calls. The object owns nothing. A call after the registration has
/// ended is refused.
class op_ref {
 public:
  explicit op_ref(shardspec_op *raw = nullptr) noexcept : raw_(raw) {}
  shardspec_op *get() const noexcept { return raw_; }
  explicit operator bool() const noexcept { return raw_ != nullptr; }

  template <class P = default_policy>
  answer<op_results, P> call(const spec &how, slice<value> args, std::size_t result_count = 0,
                             slice<named_value> kwargs = {}, const comm &communicator = {},
                             P = P()) const {
    return detail::call_op<P>(
        [&](auto... rest) { return shardspec_op_call(raw_, how.get(), rest...); }, args,
        result_count, kwargs, communicator);
  }
  /// Unregisters the op. Inside of ops, the call may fail with BUSY and then changes nothing.
  /// `shardspec.h` has the details.
  template <class P = default_policy> answer<void, P> unregister(P = P()) const {
    return detail::perform<P>(shardspec_op_unregister, raw_);
  }

 private:
  shardspec_op *raw_;
};

/// A registration of an op. The destructor unregisters the op, unless `release()` was called.
/// Inside of an op, this may fail. Use `ref().unregister()` there, and check the result.
class op : public detail::unique<shardspec_op, shardspec_op_unregister> {
 public:
  using unique::unique;
  op_ref ref() const noexcept { return op_ref(get()); }
};

/// Registers `function`, an object that is called as
///
///   function(const spec &, const op_arguments &, op_output &)
///
/// maybe on several threads at once, as an op for specs of a type. `flags` is 0, or
/// `SHARDSPEC_OP_FLAG_REPLACE`.
template <class F, class P = default_policy>
answer<op, P> register_op(text spec_type, text op_name, F function, std::uint32_t flags = 0,
                          P = P()) {
  const shardspec_op_options options = {sizeof options, flags, SHARDSPEC_OK};
  return detail::handle<op, P>([&](shardspec_op **out, shardspec_error *err) {
    return shardspec_op_register(spec_type.c(), op_name.c(), detail::run_op<F>,
                                 new F(std::move(function)), detail::destroy<F>, &options, out, err);
  });
}
template <class P = default_policy> answer<bool, P> has_op(text spec_type, text op_name, P = P()) {
  return detail::flag<P>(shardspec_op_is_registered, spec_type.c(), op_name.c());
}
template <class P = default_policy>
answer<op_ref, P> look_up_op(text spec_type, text op_name, P = P()) {
  return detail::run<op_ref, P>([&](op_ref &out, shardspec_error *err) {
    shardspec_op *raw = nullptr;
    const auto status = shardspec_op_look_up(spec_type.c(), op_name.c(), &raw, err);
    out = op_ref(raw);
    return status;
  });
}
/// Calls an op by the type of the spec and its name. Its collectives use `communicator`.
template <class P = default_policy>
answer<op_results, P> dispatch(const spec &how, text op_name, slice<value> args,
                               std::size_t result_count = 0, slice<named_value> kwargs = {},
                               const comm &communicator = {}, P = P()) {
  return detail::call_op<P>(
      [&](auto... rest) { return shardspec_op_dispatch(how.get(), op_name.c(), rest...); }, args,
      result_count, kwargs, communicator);
}

/// The names of an op.
struct op_names {
  std::string spec_type, op;
};
/// All ops, in alphabetical order.
template <class P = default_policy> answer<std::vector<op_names>, P> list_ops(P = P()) {
  return detail::run<std::vector<op_names>, P>(
      [](std::vector<op_names> &out, shardspec_error *err) {
        std::string lines;
        const auto status = detail::fill_text(lines, err, shardspec_op_list);
        for (std::size_t start = 0, end; (end = lines.find('\n', start)) != std::string::npos;
             start = end + 1) {
          const std::size_t tab = lines.find('\t', start);
          out.push_back({lines.substr(start, tab - start), lines.substr(tab + 1, end - tab - 1)});
        }
        return status;
      });
}

}  // namespace SHARDSPEC_INNER_NAMESPACE
}  // namespace shardspec

#endif
