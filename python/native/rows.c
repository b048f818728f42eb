/*
 * Reads the boxes of very many shards: two lists of integers of each, by the names of their attributes. Only
 * lists and tuples of Python's integers are read here, all of one length. For anything else, the answer is None,
 * and the caller reads the shards in Python.
 */

#include "rows.h"

#include <stdint.h>

/* The rows of all shards, of `ndim` numbers each. `ndim` is -1 until the first row is read. */
typedef struct {
  int64_t *numbers;
  Py_ssize_t ndim, shard_count;
} table;

/* Reads one list into row `shard`. Returns 1, 0 if it is of no kind that is read here, or -1 with an exception. */
static int read_row(table *of, Py_ssize_t shard, PyObject *row) {
  int is_list = PyList_Check(row);
  if (!is_list && !PyTuple_Check(row)) return 0;
  Py_ssize_t length = is_list ? PyList_Size(row) : PyTuple_Size(row);
  if (of->ndim < 0) {
    if (length < 1 || length > SHARDSPEC_MAX_NDIM) return 0;
    of->numbers = PyMem_Calloc((size_t)(length * of->shard_count), sizeof *of->numbers);
    if (of->numbers == NULL) {
      PyErr_NoMemory();
      return -1;
    }
    of->ndim = length;
  }
  if (length != of->ndim) return 0;
  for (Py_ssize_t dim = 0; dim < length; dim++) {
    PyObject *item = is_list ? PyList_GetItem(row, dim) : PyTuple_GetItem(row, dim); /* Borrowed. */
    if (item == NULL) return -1;
    if (!PyLong_Check(item)) return 0;
    int overflow = 0;
    long long number = PyLong_AsLongLongAndOverflow(item, &overflow);
    if (overflow != 0) return 0;
    of->numbers[shard * length + dim] = number;
  }
  return 1;
}

/* Reads an attribute of each shard. */
static int read_rows(table *of, PyObject *shards, int is_list, PyObject *name) {
  for (Py_ssize_t shard = 0; shard < of->shard_count; shard++) {
    /* An attribute may run code that shortens the list. */
    PyObject *object = is_list ? PyList_GetItem(shards, shard) : PyTuple_GetItem(shards, shard); /* Borrowed. */
    if (object == NULL) return -1;
    Py_INCREF(object);
    PyObject *row = PyObject_GetAttr(object, name);
    Py_DECREF(object);
    if (row == NULL) return -1;
    int done = read_row(of, shard, row);
    Py_DECREF(row);
    if (done != 1) return done;
  }
  return 1;
}

PyObject *shardspec_python_rows(PyObject *module, PyObject *const *arguments, Py_ssize_t argument_count) {
  (void)module;
  if (argument_count != 3) return PyErr_Format(PyExc_TypeError, "rows() takes shards and two names");
  PyObject *shards = arguments[0];
  int is_list = PyList_Check(shards), done = 0;
  if (!is_list && !PyTuple_Check(shards)) Py_RETURN_NONE;
  Py_ssize_t count = is_list ? PyList_Size(shards) : PyTuple_Size(shards);
  /* Room for that many rows is allocated, so their bytes have to be countable. */
  if (count < 1 || count > PY_SSIZE_T_MAX / (Py_ssize_t)(SHARDSPEC_MAX_NDIM * sizeof(int64_t))) Py_RETURN_NONE;
  table columns[2] = {{NULL, -1, count}, {NULL, -1, count}};
  for (int number = 0; number < 2; number++) {
    done = read_rows(&columns[number], shards, is_list, arguments[1 + number]);
    if (done != 1) break;
  }
  PyObject *answer = NULL;
  if (done == 1 && columns[0].ndim == columns[1].ndim) {
    Py_ssize_t bytes = count * columns[0].ndim * (Py_ssize_t)sizeof(int64_t);
    answer = Py_BuildValue("ny#y#", columns[0].ndim, (char *)columns[0].numbers, bytes,
                           (char *)columns[1].numbers, bytes);
  } else if (done >= 0) {
    answer = Py_None;
    Py_INCREF(answer);
  }
  for (int number = 0; number < 2; number++) PyMem_Free(columns[number].numbers);
  return answer;
}
