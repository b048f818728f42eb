/* The boxes of very many shards, read from Python's objects. */

#ifndef SHARDSPEC_PYTHON_ROWS_H
#define SHARDSPEC_PYTHON_ROWS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "shardspec.h"

#define SHARDSPEC_PYTHON_ROWS_DOC                                                                            \
  "rows(shards, offsets_name, sizes_name): the number of dimensions, and the bytes of all offsets and of "   \
  "all sizes; None if they are not lists or tuples of as many integers of 64 bits"

PyObject *shardspec_python_rows(PyObject *module, PyObject *const *arguments, Py_ssize_t argument_count);

#endif
