/*
 * Turns Python objects into views, which the library reads. Only the common types are done here: numpy's
 * arrays, torch's tensors, and Python's own buffers. For every other object, and for every object that has to
 * be refused, the caller's Python function is called. So all refusals are worded in one place, and the package
 * works in the same way where this module was not built.
 *
 * The module uses the stable ABI of Python 3.10, so one file serves all later versions.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#include "rows.h"
#include "shardspec.h"

#if defined(Py_LIMITED_API) && Py_LIMITED_API < 0x030b0000
/* Exported by Python 3.10 with this layout, which 3.11 made a part of the stable ABI. */
typedef struct {
  void *buf;
  PyObject *obj;
  Py_ssize_t len;
  Py_ssize_t itemsize;
  int readonly;
  int ndim;
  char *format;
  Py_ssize_t *shape;
  Py_ssize_t *strides;
  Py_ssize_t *suboffsets;
  void *internal;
} Py_buffer;
#define PyBUF_WRITABLE 0x0001
#define PyBUF_FULL_RO 0x011c
PyAPI_FUNC(int) PyObject_GetBuffer(PyObject *object, Py_buffer *view, int flags);
PyAPI_FUNC(void) PyBuffer_Release(Py_buffer *view);
#endif

_Static_assert(sizeof(Py_ssize_t) == sizeof(int64_t), "sizes of buffers are 64-bit numbers");

/* What the Python function `classify` says about a type. */
enum { KIND_OTHER, KIND_ARRAY, KIND_TENSOR, KIND_BUFFER, KIND_EXCHANGE };

/* Types that were classified. A program uses few; the rest are looked up again. */
#define MAX_KNOWN_TYPES 16

/* numpy's `__array_struct__`: https://numpy.org/doc/stable/reference/arrays.interface.html */
typedef struct {
  int two;
  int nd;
  char typekind;
  int itemsize;
  int flags;
  Py_ssize_t *shape;
  Py_ssize_t *strides;
  void *data;
  PyObject *descr;
} array_struct;
#define ARRAY_NOTSWAPPED 0x200
#define ARRAY_WRITEABLE 0x400
#define ARRAY_HAS_DESCR 0x800

/* DLPack's `DLPackExchangeAPI` of version 1.3. `shardspec_tensor_view` is its `DLTensor`. */
typedef struct {
  uint32_t major, minor;
  void *previous;
  void *allocate, *managed_from_object, *object_from_managed;
  int (*view_of_object)(void *object, shardspec_tensor_view *out);
} exchange_api;

typedef struct {
  PyTypeObject *type;
  int kind;
  const exchange_api *exchange;
} known_type;

typedef struct {
  PyObject *classify;
  PyObject *own_view, *struct_name, *readonly_name, *kind_name, *array_struct_name, *exchange_name;
  PyObject *is_conj, *is_neg, *storage_name;
  known_type known[MAX_KNOWN_TYPES];
  int known_count;
} state;

/* One call: where the numbers of views are stored, and what has to stay while the views are used. */
typedef struct {
  state *of;
  PyObject *kept;
  int64_t *room;
  Py_ssize_t room_left;
} call;

/* What a function found out about an object. */
enum { FAILED = -1, NOT_SIMPLE = 0, DONE = 1 };

/* The numbers of many views share a block. */
#define BLOCK_NUMBERS 2048

static int64_t *numbers(call *c, Py_ssize_t count, Py_ssize_t views_left) {
  if (count > c->room_left) {
    Py_ssize_t wanted = views_left > BLOCK_NUMBERS / count ? BLOCK_NUMBERS : count * views_left;
    PyObject *block = PyBytes_FromStringAndSize(NULL, wanted * (Py_ssize_t)sizeof(int64_t));
    if (block == NULL) return NULL;
    int failed = PyList_Append(c->kept, block);
    c->room = (int64_t *)PyBytes_AsString(block);
    c->room_left = failed ? 0 : wanted;
    Py_DECREF(block);
    if (failed) return NULL;
  }
  int64_t *given = c->room;
  c->room += count;
  c->room_left -= count;
  return given;
}

/* Stores shape and strides of `view`, whose strides are `strides` bytes, or NULL. Elements that start at no
 * multiple of their size are not simple. */
static int set_dims(call *c, shardspec_tensor_view *view, int ndim, const Py_ssize_t *shape,
                    const Py_ssize_t *strides, Py_ssize_t itemsize, Py_ssize_t views_left) {
  if (ndim < 0 || ndim > SHARDSPEC_MAX_NDIM || itemsize <= 0 || (ndim > 0 && shape == NULL)) return NOT_SIMPLE;
  view->ndim = ndim;
  view->shape = view->strides = NULL;
  int empty = 0;
  for (int dim = 0; dim < ndim; dim++) {
    if (shape[dim] < 0) return NOT_SIMPLE;
    empty |= shape[dim] == 0;
  }
  if (ndim > 0) {
    int64_t *sizes = numbers(c, 2 * (Py_ssize_t)ndim, views_left);
    if (sizes == NULL) return FAILED;
    int64_t *steps = sizes + ndim;
    for (int dim = 0; dim < ndim; dim++) {
      sizes[dim] = shape[dim];
      if (strides == NULL) continue;
      int whole = strides[dim] % itemsize == 0;
      if (!whole && !empty && shape[dim] > 1) return NOT_SIMPLE;
      steps[dim] = whole ? strides[dim] / itemsize : 0;
    }
    view->shape = sizes;
    view->strides = strides == NULL ? NULL : steps;
  }
  if (empty) view->data = NULL;
  return view->data == NULL && !empty ? NOT_SIMPLE : DONE;
}

static int set_dtype(shardspec_tensor_view *view, int code, Py_ssize_t itemsize) {
  view->dtype.code = (uint8_t)code;
  view->dtype.bits = (uint8_t)(8 * itemsize);
  view->dtype.lanes = 1;
  view->device.device_type = SHARDSPEC_DLPACK_DEVICE_CPU;
  return DONE;
}

static int is_power_of_two(int number, int least, int most) {
  return number >= least && number <= most && (number & (number - 1)) == 0;
}

/* numpy's kinds of elements: those whose bytes mean the same in every library. */
static int set_numpy_dtype(shardspec_tensor_view *view, const array_struct *array) {
  int size = array->itemsize;
  if (array->flags & ARRAY_HAS_DESCR || !(array->flags & ARRAY_NOTSWAPPED)) return NOT_SIMPLE;
  switch (array->typekind) {
    case 'b': return size == 1 ? set_dtype(view, SHARDSPEC_DTYPE_BOOL, size) : NOT_SIMPLE;
    case 'i': return is_power_of_two(size, 1, 8) ? set_dtype(view, SHARDSPEC_DTYPE_INT, size) : NOT_SIMPLE;
    case 'u': return is_power_of_two(size, 1, 8) ? set_dtype(view, SHARDSPEC_DTYPE_UINT, size) : NOT_SIMPLE;
    case 'f': return is_power_of_two(size, 2, 16) ? set_dtype(view, SHARDSPEC_DTYPE_FLOAT, size) : NOT_SIMPLE;
    case 'c': return is_power_of_two(size, 8, 16) ? set_dtype(view, SHARDSPEC_DTYPE_COMPLEX, size) : NOT_SIMPLE;
    default: return NOT_SIMPLE;
  }
}

static int view_array(call *c, PyObject *object, shardspec_tensor_view *view, int *readonly, Py_ssize_t left) {
  PyObject *capsule = PyObject_GetAttr(object, c->of->array_struct_name);
  if (capsule == NULL) return FAILED;
  int done = NOT_SIMPLE;
  const array_struct *array = PyCapsule_GetPointer(capsule, NULL);
  if (array != NULL && array->two == 2) {
    *readonly = !(array->flags & ARRAY_WRITEABLE);
    view->data = array->data;
    done = set_numpy_dtype(view, array);
    if (done == DONE)
      done = set_dims(c, view, array->nd, array->shape, array->strides, array->itemsize, left);
  }
  Py_DECREF(capsule);
  return done == DONE && PyList_Append(c->kept, object) ? FAILED : done;
}

/* A view of a `Tensor` of the package: that of its `View`, whose struct is one of ctypes. One with a kind, which
 * numpy has for elements of any bytes, is not simple. */
static int view_tensor(call *c, PyObject *object, shardspec_tensor_view *view, int *readonly) {
  PyObject *own = PyObject_GetAttr(object, c->of->own_view);
  if (own == NULL) return FAILED;
  int done = NOT_SIMPLE;
  PyObject *kind = PyObject_GetAttr(own, c->of->kind_name);
  PyObject *is_readonly = kind != Py_None ? NULL : PyObject_GetAttr(own, c->of->readonly_name);
  PyObject *of_ctypes = is_readonly == NULL ? NULL : PyObject_GetAttr(own, c->of->struct_name);
  Py_buffer buffer;
  if (of_ctypes != NULL && PyObject_GetBuffer(of_ctypes, &buffer, 0) == 0) {
    if (buffer.len == (Py_ssize_t)sizeof *view) {
      memcpy(view, buffer.buf, sizeof *view);
      *readonly = is_readonly != Py_False;
      done = PyList_Append(c->kept, own) ? FAILED : DONE;
    }
    PyBuffer_Release(&buffer);
  }
  Py_XDECREF(of_ctypes);
  Py_XDECREF(is_readonly);
  Py_XDECREF(kind);
  Py_DECREF(own);
  return done;
}

/* The formats of the `struct` module that are element types. */
static int code_of_format(const char *format) {
  if (format == NULL) return SHARDSPEC_DTYPE_UINT;
  if (*format == '@') format++;
  if (*format == '\0' || format[1] != '\0') return -1;
  if (*format == '?') return SHARDSPEC_DTYPE_BOOL;
  if (strchr("bhilqn", *format)) return SHARDSPEC_DTYPE_INT;
  if (strchr("cBHILQN", *format)) return SHARDSPEC_DTYPE_UINT;
  return strchr("efd", *format) ? SHARDSPEC_DTYPE_FLOAT : -1;
}

static int view_buffer(call *c, PyObject *object, shardspec_tensor_view *view, int *readonly, Py_ssize_t left) {
  /* It holds the buffer, so that its owner can't move it. */
  PyObject *memory = PyMemoryView_FromObject(object);
  Py_buffer buffer;
  if (memory == NULL) return FAILED;
  int done = NOT_SIMPLE;
  if (PyObject_GetBuffer(memory, &buffer, PyBUF_FULL_RO) == 0) {
    int code = code_of_format(buffer.format);
    if (code >= 0 && buffer.suboffsets == NULL && is_power_of_two((int)buffer.itemsize, 1, 8)) {
      *readonly = buffer.readonly;
      view->data = buffer.buf;
      set_dtype(view, code, buffer.itemsize);
      done = set_dims(c, view, buffer.ndim, buffer.shape, buffer.strides, buffer.itemsize, left);
    }
    PyBuffer_Release(&buffer);
  }
  if (done == DONE && PyList_Append(c->kept, memory)) done = FAILED;
  Py_DECREF(memory);
  return done;
}

/* Whether a method of a tensor answers False: torch's exporter forgets these bits. */
static int answers_false(PyObject *object, PyObject *method) {
  PyObject *answer = PyObject_CallMethodObjArgs(object, method, NULL);
  Py_XDECREF(answer);
  return answer == Py_False;
}

static int view_exchanged(call *c, PyObject *object, const exchange_api *api, shardspec_tensor_view *view,
                          Py_ssize_t left) {
  if (!answers_false(object, c->of->is_conj) || !answers_false(object, c->of->is_neg)) return NOT_SIMPLE;
  /* `tensor.data = other` and `tensor.set_(other)` change the tensor. Its memory is that of this storage. */
  PyObject *storage = PyObject_CallMethodObjArgs(object, c->of->storage_name, NULL);
  if (storage == NULL) return FAILED;
  shardspec_tensor_view lent;
  memset(&lent, 0, sizeof lent);
  int done = api->view_of_object(object, &lent) ? FAILED : DONE;
  if (done == DONE && (lent.device.device_type != SHARDSPEC_DLPACK_DEVICE_CPU || lent.dtype.lanes != 1 ||
                       lent.dtype.bits < 8))
    done = NOT_SIMPLE;
  if (done == DONE) {
    *view = lent;
    /* Its strides count elements already. */
    done = set_dims(c, view, lent.ndim, (const Py_ssize_t *)lent.shape, (const Py_ssize_t *)lent.strides, 1, left);
  }
  if (done == DONE && PyList_Append(c->kept, storage)) done = FAILED;
  Py_DECREF(storage);
  return done;
}

/* How objects of a type are viewed. The Python function answers once for each type. */
static int classify(state *of, PyTypeObject *type, known_type *found) {
  for (int number = 0; number < of->known_count; number++) {
    if (of->known[number].type == type) {
      *found = of->known[number];
      return DONE;
    }
  }
  *found = (known_type){type, KIND_OTHER, NULL};
  PyObject *answer = PyObject_CallFunctionObjArgs(of->classify, (PyObject *)type, NULL);
  if (answer == NULL) return FAILED;
  long kind = PyLong_AsLong(answer);
  Py_DECREF(answer);
  if (kind == -1 && PyErr_Occurred()) return FAILED;
  found->kind = (int)kind;
  if (kind == KIND_EXCHANGE) {
    PyObject *capsule = PyObject_GetAttr((PyObject *)type, of->exchange_name);
    const exchange_api *api = capsule == NULL ? NULL : PyCapsule_GetPointer(capsule, "dlpack_exchange_api");
    Py_XDECREF(capsule);
    if (api == NULL) return FAILED;
    if (api->major != SHARDSPEC_DLPACK_MAJOR_VERSION || api->view_of_object == NULL) found->kind = KIND_OTHER;
    else found->exchange = api;
  }
  if (of->known_count < MAX_KNOWN_TYPES) {
    Py_INCREF((PyObject *)type);
    of->known[of->known_count++] = *found;
  }
  return DONE;
}

/* Views a simple object. If it raises an exception, it is not simple: the Python function repeats that. Not so
 * for Ctrl-C, which comes once. */
static int view_simple(call *c, PyObject *object, shardspec_tensor_view *view, int *readonly, Py_ssize_t left) {
  known_type type;
  memset(view, 0, sizeof *view);
  *readonly = 0;
  int done = classify(c->of, Py_TYPE(object), &type);
  if (done == DONE) {
    switch (type.kind) {
      case KIND_ARRAY: done = view_array(c, object, view, readonly, left); break;
      case KIND_TENSOR: done = view_tensor(c, object, view, readonly); break;
      case KIND_BUFFER: done = view_buffer(c, object, view, readonly, left); break;
      case KIND_EXCHANGE: done = view_exchanged(c, object, type.exchange, view, left); break;
      default: done = NOT_SIMPLE;
    }
  }
  if (PyErr_Occurred() == NULL) return done;
  if (!PyErr_ExceptionMatches(PyExc_Exception)) return FAILED;
  PyErr_Clear();
  return NOT_SIMPLE;
}

/* The array of views that a ctypes object is. It must have room for `count`. */
static shardspec_tensor_view *array_of(PyObject *object, Py_ssize_t count, Py_buffer *held) {
  if (PyObject_GetBuffer(object, held, PyBUF_WRITABLE)) return NULL;
  if (held->len == count * (Py_ssize_t)sizeof(shardspec_tensor_view)) return held->buf;
  PyErr_SetString(PyExc_ValueError, "room: it is not as large as the views");
  PyBuffer_Release(held);
  return NULL;
}

PyDoc_STRVAR(one_doc, "one(room, tensor) -> None, or what to keep and whether the memory is read-only");

static PyObject *one(PyObject *module, PyObject *const *arguments, Py_ssize_t count) {
  state *of = PyModule_GetState(module);
  Py_buffer held;
  if (count != 2 || of->classify == NULL) return PyErr_Format(PyExc_TypeError, "one() takes a room and a tensor");
  shardspec_tensor_view *view = array_of(arguments[0], 1, &held);
  if (view == NULL) return NULL;
  call c = {of, PyList_New(0), NULL, 0};
  int readonly = 0;
  PyObject *answer = NULL;
  if (c.kept != NULL) {
    int done = view_simple(&c, arguments[1], view, &readonly, 1);
    if (done == DONE)
      answer = PyTuple_Pack(2, c.kept, readonly ? Py_True : Py_False);
    else if (done == NOT_SIMPLE)
      Py_INCREF(answer = Py_None);
    Py_DECREF(c.kept);
  }
  PyBuffer_Release(&held);
  return answer;
}

/* Copies the view that the Python function made of an object. */
static int view_by_python(call *c, PyObject *python, Py_ssize_t number, shardspec_tensor_view *view) {
  PyObject *position = PyLong_FromSsize_t(number);
  PyObject *made = position == NULL ? NULL : PyObject_CallFunctionObjArgs(python, position, NULL);
  PyObject *of_ctypes = made == NULL ? NULL : PyObject_GetAttr(made, c->of->struct_name);
  Py_buffer buffer;
  int done = FAILED;
  if (of_ctypes != NULL && PyObject_GetBuffer(of_ctypes, &buffer, 0) == 0) {
    if (buffer.len == (Py_ssize_t)sizeof *view) {
      memcpy(view, buffer.buf, sizeof *view);
      done = PyList_Append(c->kept, made) ? FAILED : DONE;
    } else {
      PyErr_SetString(PyExc_TypeError, "python: it has to return a View");
    }
    PyBuffer_Release(&buffer);
  }
  Py_XDECREF(of_ctypes);
  Py_XDECREF(made);
  Py_XDECREF(position);
  return done;
}

static int append_number(PyObject *list, Py_ssize_t number) {
  PyObject *made = PyLong_FromSsize_t(number);
  int failed = made == NULL || PyList_Append(list, made);
  Py_XDECREF(made);
  return failed ? FAILED : DONE;
}

PyDoc_STRVAR(many_doc, "many(room, tensors, write, python, readonly) -> list of what to keep\n\n"
                       "`python(number)` returns the View of a tensor that is not simple. `readonly` "
                       "receives the numbers of simple ones whose memory is read-only.");

static PyObject *many(PyObject *module, PyObject *const *arguments, Py_ssize_t argument_count) {
  state *of = PyModule_GetState(module);
  if (argument_count != 5 || of->classify == NULL || !PyTuple_CheckExact(arguments[1]) ||
      !PyList_CheckExact(arguments[4]))
    return PyErr_Format(PyExc_TypeError, "many() takes a room, a tuple, a bool, a function and a list");
  PyObject *tensors = arguments[1], *readonly = arguments[4];
  int write = arguments[2] == Py_True, done = DONE;
  Py_ssize_t count = PyTuple_Size(tensors);
  Py_buffer held;
  shardspec_tensor_view *views = array_of(arguments[0], count, &held);
  if (views == NULL) return NULL;
  call c = {of, PyList_New(0), NULL, 0};
  if (c.kept == NULL) done = FAILED;
  for (Py_ssize_t number = 0; done == DONE && number < count; number++) {
    int is_readonly;
    PyObject *tensor = PyTuple_GetItem(tensors, number);
    done = view_simple(&c, tensor, &views[number], &is_readonly, count - number);
    if (done == NOT_SIMPLE || (done == DONE && is_readonly && write))
      done = view_by_python(&c, arguments[3], number, &views[number]);
    else if (done == DONE && is_readonly)
      done = append_number(readonly, number);
  }
  PyBuffer_Release(&held);
  if (done == DONE) return c.kept;
  Py_XDECREF(c.kept);
  return NULL;
}

PyDoc_STRVAR(setup_doc, "setup(classify): `classify(type)` returns one of the KIND_... numbers");

static PyObject *setup(PyObject *module, PyObject *function) {
  state *of = PyModule_GetState(module);
  Py_INCREF(function);
  Py_XDECREF(of->classify);
  of->classify = function;
  Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"setup", setup, METH_O, setup_doc},
    {"one", (PyCFunction)(void (*)(void))one, METH_FASTCALL, one_doc},
    {"many", (PyCFunction)(void (*)(void))many, METH_FASTCALL, many_doc},
    {"rows", (PyCFunction)(void (*)(void))shardspec_python_rows, METH_FASTCALL, SHARDSPEC_PYTHON_ROWS_DOC},
    {NULL, NULL, 0, NULL},
};

static int execute(PyObject *module) {
  state *of = PyModule_GetState(module);
  const struct {
    PyObject **place;
    const char *text;
  } names[] = {
      {&of->own_view, "_shardspec_view"},  {&of->struct_name, "struct"},
      {&of->readonly_name, "readonly"},    {&of->kind_name, "kind"},    {&of->array_struct_name, "__array_struct__"},
      {&of->is_conj, "is_conj"},           {&of->is_neg, "is_neg"},
      {&of->exchange_name, "__dlpack_c_exchange_api__"}, {&of->storage_name, "untyped_storage"},
  };
  for (size_t number = 0; number < sizeof names / sizeof *names; number++)
    if ((*names[number].place = PyUnicode_InternFromString(names[number].text)) == NULL) return -1;
  const struct {
    const char *name;
    long value;
  } constants[] = {
      {"KIND_OTHER", KIND_OTHER},   {"KIND_ARRAY", KIND_ARRAY},       {"KIND_TENSOR", KIND_TENSOR},
      {"KIND_BUFFER", KIND_BUFFER}, {"KIND_EXCHANGE", KIND_EXCHANGE}, {"ABI_VERSION", SHARDSPEC_ABI_VERSION},
  };
  for (size_t number = 0; number < sizeof constants / sizeof *constants; number++)
    if (PyModule_AddIntConstant(module, constants[number].name, constants[number].value)) return -1;
  return 0;
}

static int traverse(PyObject *module, visitproc visit, void *arg) {
  state *of = PyModule_GetState(module);
  if (of == NULL) return 0;
  Py_VISIT(of->classify);
  for (int number = 0; number < of->known_count; number++) Py_VISIT((PyObject *)of->known[number].type);
  return 0;
}

static int clear(PyObject *module) {
  state *of = PyModule_GetState(module);
  if (of == NULL) return 0;
  PyObject **names[] = {&of->classify,          &of->own_view,      &of->struct_name, &of->readonly_name, &of->kind_name,
                        &of->array_struct_name, &of->exchange_name, &of->is_conj,     &of->is_neg,        &of->storage_name};
  for (size_t number = 0; number < sizeof names / sizeof *names; number++) {
    PyObject *name = *names[number];
    *names[number] = NULL;
    Py_XDECREF(name);
  }
  while (of->known_count > 0) {
    PyObject *type = (PyObject *)of->known[--of->known_count].type;
    Py_DECREF(type);
  }
  return 0;
}

static void release(void *module) { clear(module); }

static PyModuleDef_Slot slots[] = {{Py_mod_exec, execute}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "shardspec._native", "Views of common tensors, for the package.", sizeof(state),
    methods, slots, traverse, clear, release,
};

PyMODINIT_FUNC PyInit__native(void) { return PyModuleDef_Init(&definition); }
