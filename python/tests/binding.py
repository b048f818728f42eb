"""The library as raw ctypes sees it: what any foreign runtime has to be able to do.

The package reads the header and makes refusals exceptions; here are the few arrays and views that a
test passes. Handles are plain numbers in a `c_void_p`, and nothing frees them.
"""

import ctypes

import numpy

from shardspec._library import lib
from shardspec.errors import ShardspecError as Refused

__all__ = ["STRUCTS", "Raw", "Refused", "TensorView", "numbers", "texts"]

STRUCTS = {name: lib.header.type(name) for name in lib.header.structs}
TensorView = STRUCTS["tensor_view"]


class Raw:
    """Functions by their names without the prefix, constants by theirs."""

    names = lib.header.functions

    def __getattr__(self, name):
        return getattr(lib, name)

    def made(self, function, *arguments):
        """The handle that a function makes."""
        handle = ctypes.c_void_p()
        function(*arguments, ctypes.byref(handle))
        return handle

    def enumerable(self, *arrays):
        """The enumerable spec of the list that is made of these arrays, which is freed at once."""
        shards = self.made(self.shards_new_from_arrays, *arrays)
        try:
            return self.made(self.spec_new_enumerable, shards)
        finally:
            self.shards_free(shards)

    def number(self, function, *arguments, kind=ctypes.c_int64):
        return self.answer(kind, function, *arguments)

    def view(self, array):
        """A view of a numpy array. It keeps what it points to alive."""
        dtype = STRUCTS["dtype"]()
        self.dtype_parse(str(array.dtype).encode(), ctypes.byref(dtype))
        integers = ctypes.c_int64 * array.ndim
        shape = integers(*array.shape)
        strides = integers(*(stride // array.itemsize for stride in array.strides))
        view = TensorView(array.ctypes.data if array.size else None,
                          STRUCTS["device"](self.DLPACK_DEVICE_CPU, 0), array.ndim, dtype, shape, strides, 0)
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
