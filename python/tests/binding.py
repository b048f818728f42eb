"""A thin ctypes binding, made from the header: what any foreign runtime has to be able to do.

Each declaration becomes a function with its argument types. A refusal raises `Refused`.
"""

import ctypes
import re

import numpy

HANDLES = ("placement", "spec", "metadata")
SCALARS = {
    "shardspec_status": ctypes.c_int32, "size_t": ctypes.c_size_t, "char": ctypes.c_char,
    "void": None, **{f"{sign}int{bits}_t": getattr(ctypes, f"c_{sign}int{bits}")
                     for sign in ("", "u") for bits in (8, 16, 32, 64)},
}


class Error(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint64), ("status", ctypes.c_int32),
                ("dim", ctypes.c_int32), ("first_shard", ctypes.c_int64),
                ("second_shard", ctypes.c_int64), ("got", ctypes.c_int64),
                ("limit", ctypes.c_int64), ("message", ctypes.c_char * 976)]


class DType(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16)]


class Device(ctypes.Structure):
    _fields_ = [("device_type", ctypes.c_int32), ("device_id", ctypes.c_int32)]


class TensorView(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("device", Device), ("ndim", ctypes.c_int32),
                ("dtype", DType), ("shape", ctypes.POINTER(ctypes.c_int64)),
                ("strides", ctypes.POINTER(ctypes.c_int64)), ("byte_offset", ctypes.c_uint64)]


class TensorProperties(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint64), ("dtype", DType), ("layout", ctypes.c_int32),
                ("memory_format", ctypes.c_int32), ("requires_grad", ctypes.c_int32),
                ("pin_memory", ctypes.c_int32), ("reserved", ctypes.c_int32)]


class ShardMetadata(ctypes.Structure):
    _fields_ = [("ndim", ctypes.c_size_t), ("offsets", ctypes.POINTER(ctypes.c_int64)),
                ("sizes", ctypes.POINTER(ctypes.c_int64)), ("placement", ctypes.c_char_p)]


class CopyOptions(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint64), ("max_threads", ctypes.c_uint32),
                ("hints", ctypes.c_uint32)]


STRUCTS = {"error": Error, "dtype": DType, "device": Device, "tensor_view": TensorView,
           "tensor_properties": TensorProperties, "shard_metadata": ShardMetadata,
           "copy_options": CopyOptions}


class Refused(Exception):
    """A call that was refused: its status number and the rest of what the error tells."""

    def __init__(self, error):
        super().__init__(error.message.decode())
        self.status = error.status
        self.error = error


def c_type(text):
    """The ctypes type of a C declaration such as `const struct shardspec_spec *spec`."""
    name = re.sub(r"\bconst\b|\bstruct\b|\*", " ", text).split()[0]
    stars = text.count("*")
    if name == "char" and stars:
        base, stars = ctypes.c_char_p, stars - 1
        if stars == 0 and "const" not in text:
            return ctypes.c_void_p
    elif name.removeprefix("shardspec_") in HANDLES:
        base, stars = ctypes.c_void_p, stars - 1
    elif name in SCALARS:
        base = SCALARS[name]
    else:
        base = STRUCTS[name.removeprefix("shardspec_")]
    for _ in range(stars):
        base = ctypes.POINTER(base)
    return base


def declarations(header):
    """Name, result and arguments of each function that the header declares."""
    text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
    for result, name, arguments in re.findall(r"^(\w+) (shardspec_\w+)\(([^)]*)\);", text, re.M):
        yield name, result, [] if arguments == "void" else arguments.split(",")


def constants(header):
    return {name: int(value) for name, value in re.findall(
        r"^#define SHARDSPEC_(\w+) (-?\d+)$", header.read_text(), re.M)}


class Library:
    """Functions by their names without the prefix, constants by theirs."""

    def __init__(self, path, header):
        self.cdll = ctypes.CDLL(str(path))
        self.names = []
        for name, result, arguments in declarations(header):
            function = getattr(self.cdll, name)
            function.argtypes = [c_type(argument) for argument in arguments]
            function.restype = SCALARS[result]
            self.names.append(name)
            fallible = bool(arguments)
            setattr(self, name.removeprefix("shardspec_"),
                    self._checked(function) if fallible else function)
        for name, value in constants(header).items():
            setattr(self, name, value)

    @staticmethod
    def _checked(function):
        def call(*arguments):
            error = Error(struct_size=ctypes.sizeof(Error))
            status = function(*arguments, ctypes.byref(error))
            assert status == error.status
            if status != 0:
                raise Refused(error)
        return call

    def text(self, function, *arguments):
        """A text answer, asked for its length first."""
        needed = ctypes.c_size_t()
        function(*arguments, None, 0, ctypes.byref(needed))
        buffer = ctypes.create_string_buffer(needed.value)
        function(*arguments, buffer, needed.value, None)
        return buffer.value.decode()

    def made(self, function, *arguments):
        """The handle that a function makes."""
        handle = ctypes.c_void_p()
        function(*arguments, ctypes.byref(handle))
        return handle

    def number(self, function, *arguments, kind=ctypes.c_int64):
        out = kind()
        function(*arguments, ctypes.byref(out))
        return out.value

    def view(self, array):
        """A view of a numpy array. It keeps what it points to alive."""
        dtype = DType()
        self.dtype_parse(str(array.dtype).encode(), ctypes.byref(dtype))
        numbers = ctypes.c_int64 * array.ndim
        shape = numbers(*array.shape)
        strides = numbers(*(stride // array.itemsize for stride in array.strides))
        view = TensorView(array.ctypes.data if array.size else None,
                          Device(self.DL_CPU, 0), array.ndim, dtype, shape, strides, 0)
        view.keep = (array, shape, strides)
        return view

    def views(self, arrays):
        views = [self.view(array) for array in arrays]
        all_views = (TensorView * len(views))(*views)
        all_views.keep = views
        return all_views


def texts(*values):
    return (ctypes.c_char_p * len(values))(*(value.encode() for value in values))


def numbers(values):
    array = numpy.ascontiguousarray(values, dtype=numpy.int64)
    pointer = array.ctypes.data_as(ctypes.POINTER(ctypes.c_int64))
    pointer.keep = array
    return pointer


def load(path, header):
    return Library(path, header)
