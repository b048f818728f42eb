"""Ops: functions that are registered for a type of spec and called by name."""

from __future__ import annotations

import ctypes
import numbers
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from ._arrays import flag, items, listed, text, texts, within
from ._callbacks import DESTROY, SUCCESS, callback, keep, kept
from ._library import lib
from ._views import TensorView, View, view
from ._words import described
from .comm import NativeCommunicator
from .mesh_spec import MeshShardingSpec
from .placement import type_name
from .sharded_tensor import ShardedTensor
from .spec import ChunkShardingSpec, EnumerableShardingSpec, ShardingSpec
from .tensor import Tensor

Function = TypeVar("Function", bound=Callable[..., Any])
Value = lib.header.type("value")
Arguments = lib.header.type("op_arguments")
Options = lib.header.type("op_options")
MAX_RESULTS = 1 << 16
"""Values that a call has room for: no op has more results."""
BUILT_IN = {ChunkShardingSpec: "chunk", EnumerableShardingSpec: "enumerable",
            MeshShardingSpec: "mesh"}


def custom_sharding_spec_op(sharding_spec_class: type[ShardingSpec], func: Any, *,
                            replace: bool = False) -> Callable[[Function], Function]:
    """Returns a decorator that registers a function as an op of a class of specs.

    `func` names the op: a text, or a function such as `torch.nn.functional.linear`. If `func` is a function,
    the name of the function is the name of the op. The op is called with torch's arguments: (types,
    args, kwargs, process_group). By default, the decorator refuses a second op with the same name.
    With `replace`, the second op replaces the first op.
    """
    def decorate(function: Function) -> Function:
        names = _type_name(sharding_spec_class, "sharding_spec_class"), op_name(func, "func")
        options = Options(ctypes.sizeof(Options), lib.OP_FLAG_REPLACE if flag("replace", replace) else 0, SUCCESS)
        lib.op_register(*names, _call, keep(_Op(names, function)), DESTROY, ctypes.byref(options),
                        None)
        return function

    return decorate


def has_custom_op(sharding_spec: ShardingSpec | type[ShardingSpec], op: Any) -> bool:
    """Returns whether an op is registered for a spec or a class of specs."""
    return bool(lib.answer(ctypes.c_int32, lib.op_is_registered, _type_name(sharding_spec), op_name(op)))


def remove_custom_op(sharding_spec: ShardingSpec | type[ShardingSpec], op: Any) -> None:
    """Unregisters an op. When this function returns, no call of the op runs or will run."""
    lib.op_unregister(lib.answer(ctypes.c_void_p, lib.op_look_up, _type_name(sharding_spec),
                                 op_name(op)))


def custom_ops() -> list[tuple[str, str]]:
    """Returns all ops as pairs of the spec type's name and the op's name, in alphabetical order."""
    listed = lib.text(lib.op_list)
    return [(one[0], one[1]) for one in (line.split("\t") for line in listed.splitlines())]


def dispatch_custom_op(sharding_spec: ShardingSpec, op: Any, args: Sequence[Any] = (),
                       kwargs: Mapping[str, Any] | None = None, process_group: Any = None, *,
                       results: int = 1) -> Any:
    """Calls the op of a spec's type.

    An op in Python receives the objects that the caller passed, and the caller receives the result
    of the op. An op of another language receives numbers, texts, lists of integers, tensors and
    sharded tensors. An op of another language returns `results` values: a single value, or a tuple
    of values.
    """
    names = _type_name(sharding_spec), op_name(op)
    named = {} if kwargs is None else dict(items("kwargs", kwargs, "names and arguments"))
    results = within("results", results, MAX_RESULTS)
    call = _Call(names, args, named, process_group, results)
    _calls.stack = [*_stack(), call]
    try:
        lib.op_dispatch(sharding_spec, names[1], ctypes.byref(call.arguments), call.results,
                        results)
    finally:
        _calls.stack = _stack()[:-1]
    if call.answered:
        return call.answer
    given = tuple(_result(value) for value in call.results)
    return given[0] if results == 1 else given


def op_name(op: Any, argument: str = "op") -> bytes:
    """The name of an op: a text, or that of a function."""
    if not isinstance(op, str):
        name = getattr(op, "__qualname__", None) or getattr(op, "__name__", None)
        if name is None:
            raise TypeError(f"{argument}: a name or a function, not {described(op)}")
        op = f"{getattr(op, '__module__', None) or type(op).__module__}.{name}"
    return text(argument, op)


def _type_name(spec: ShardingSpec | type[ShardingSpec], argument: str = "sharding_spec") -> bytes:
    kind = spec if isinstance(spec, type) else type(spec)
    if not issubclass(kind, ShardingSpec):
        raise TypeError(f"{argument}: a ShardingSpec or a class of them, not {described(spec)}")
    return text("sharding_spec_class", BUILT_IN.get(kind) or type_name(kind))


class _Op:
    """A function that was registered, and the names by which it is found."""

    def __init__(self, names: tuple[bytes, bytes], function: Callable[..., Any]) -> None:
        self.names, self.function = names, function


class _Call:
    """A call from Python: its arguments as the library takes them, and as they are."""

    def __init__(self, names: tuple[bytes, bytes], args: Sequence[Any], kwargs: dict[str, Any],
                 process_group: Any, results: int) -> None:
        self.names = names
        self.args = tuple(listed("args", args, "arguments"))
        self.kwargs, self.process_group = kwargs, process_group
        self.answered, self.answer = False, None
        self._kept: list[Any] = []
        values = (Value * len(self.args))(*map(self._value, self.args))
        named = (Value * len(kwargs))(*map(self._value, kwargs.values()))
        keys = texts("kwargs", kwargs)
        self.arguments = Arguments(ctypes.sizeof(Arguments), values, len(values), keys, named,
                                   len(named), getattr(process_group, "_as_parameter_", None))
        self.results = (Value * results)()
        self.places = _places(self.arguments)

    def _value(self, thing: Any) -> Any:
        """What C has for it; of other things, where they are."""
        if thing is None:
            return Value(lib.VALUE_NONE)
        if isinstance(thing, bool):
            return Value(lib.VALUE_BOOL, integer=thing)
        if _is_integer(thing):
            return Value(lib.VALUE_I64, integer=int(thing))
        if isinstance(thing, float):
            return Value(lib.VALUE_F64, real=thing)
        if isinstance(thing, ShardedTensor):
            return Value(lib.VALUE_SHARDED_TENSOR, pointer=thing._as_parameter_)
        if isinstance(thing, str):
            return self._pointing(lib.VALUE_TEXT, ctypes.create_string_buffer(text("args", thing)))
        if isinstance(thing, (list, tuple)):
            elements = [one for one in thing]  # noqa: C416
            if all(map(_is_integer, elements)):
                array = (ctypes.c_int64 * len(elements))(*map(int, elements))
                return self._pointing(lib.VALUE_I64_LIST, array, len(array))
        try:
            seen = view("args", thing)
        except (TypeError, BufferError):
            return Value(lib.VALUE_POINTER, pointer=id(thing))
        self._kept.append(seen)
        return self._pointing(lib.VALUE_TENSOR_VIEW, seen.struct)

    def _pointing(self, kind: int, memory: Any, integer: int = 0) -> Any:
        self._kept.append(memory)
        return Value(kind, integer=integer, pointer=ctypes.addressof(memory))


def _is_integer(thing: Any) -> bool:
    """Whether it is an integer, of any library, that C has room for."""
    return isinstance(thing, numbers.Integral) and -1 << 63 <= int(thing) < 1 << 63


_calls = threading.local()


def _stack() -> list[_Call]:
    """The calls from Python that run on this thread. Ops run on the threads of their callers."""
    found: list[_Call] = getattr(_calls, "stack", [])
    return found


def _places(arguments: Any) -> list[int | None]:
    """Where a call's arguments are: no two calls have them in the same places, as one is there."""
    arrays = (arguments.args, arguments.arg_count), (arguments.kwargs, arguments.kwarg_count)
    return [ctypes.cast(array, ctypes.c_void_p).value if count else None
            for array, count in arrays]


@callback(lib.header.type("op_fn"))
def _call(ctx: int, spec: int, arguments: Any, results: Any, result_count: int) -> None:
    op, given = kept(ctx, _Op), arguments.contents
    assert op is not None
    for call in _stack()[-1:]:
        # Another language's op that Python called may call this one, also with its own arguments.
        if (call.names, call.places) == (op.names, _places(given)):
            types = _types([*call.args, *call.kwargs.values()])
            call.answer = op.function(types, call.args, call.kwargs, call.process_group)
            call.answered = True
            return
    args = tuple(_argument(given.args[at]) for at in range(given.arg_count))
    kwargs = {given.kwarg_names[at].decode(): _argument(given.kwargs[at])
              for at in range(given.kwarg_count)}
    group = NativeCommunicator._lent(given.comm) if given.comm else None
    passed = [*args, *kwargs.values()]
    try:
        answer = op.function(_types(passed), args, kwargs, group)
        _give(answer, results, result_count)
    finally:
        for one in passed:
            if isinstance(one, Tensor):
                one._end()


def _types(values: Iterable[Any]) -> tuple[type, ...]:
    """The classes of sharded tensors among the arguments, each once, as torch has it."""
    return tuple(dict.fromkeys(type(one) for one in values if isinstance(one, ShardedTensor)))


def _argument(value: Any) -> Any:
    """An argument that came from another language. It is there during the call."""
    if value.kind == lib.VALUE_TEXT:
        return ctypes.string_at(value.pointer).decode()
    if value.kind == lib.VALUE_I64_LIST:
        if value.integer == 0:
            return []
        return list((ctypes.c_int64 * value.integer).from_address(value.pointer))
    if value.kind == lib.VALUE_TENSOR_VIEW:
        return Tensor(View(TensorView.from_address(value.pointer), False, None))
    if value.kind == lib.VALUE_SHARDED_TENSOR:
        return ShardedTensor._lent(value.pointer)
    return _plain(value)


def _plain(value: Any) -> Any:
    if value.kind == lib.VALUE_NONE:
        return None
    if value.kind == lib.VALUE_BOOL:
        return bool(value.integer)
    if value.kind == lib.VALUE_I64:
        return value.integer
    if value.kind == lib.VALUE_F64:
        return value.real
    return value.pointer


def _result(value: Any) -> Any:
    """A result that another language gave. A sharded tensor among them is ours."""
    if value.kind == lib.VALUE_SHARDED_TENSOR:
        return ShardedTensor(value.pointer)
    return _plain(value)


def _give(answer: Any, results: Any, count: int) -> None:
    """Writes what a function returned for a caller in another language."""
    if count == 0:
        return
    given = answer if isinstance(answer, tuple) else (answer,)
    if len(given) > count:
        raise lib.refused("BUFFER_TOO_SMALL", f"results: the op gives {len(given)}, but there is "
                          f"room for {count}", got=count, limit=len(given))
    values = []
    for one in given:
        if one is None:
            values.append(Value(lib.VALUE_NONE))
        elif isinstance(one, bool):
            values.append(Value(lib.VALUE_BOOL, integer=one))
        elif _is_integer(one):
            values.append(Value(lib.VALUE_I64, integer=int(one)))
        elif isinstance(one, float):
            values.append(Value(lib.VALUE_F64, real=one))
        elif isinstance(one, ShardedTensor):
            values.append(Value(lib.VALUE_SHARDED_TENSOR, pointer=one._as_parameter_))
        else:
            raise lib.refused("UNSUPPORTED", f"results: C has nothing for a {type(one).__name__}")
    for at, value in enumerate(values):
        results[at] = value
    for one in given:
        if isinstance(one, ShardedTensor):
            one._give_away()
