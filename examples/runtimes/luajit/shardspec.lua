-- The part of shardspec that main.lua uses, declared for LuaJIT.
local ffi = require("ffi")

ffi.cdef [[
typedef int32_t shardspec_status;
typedef struct shardspec_spec shardspec_spec;
typedef struct shardspec_metadata shardspec_metadata;
typedef struct shardspec_sharded_tensor shardspec_sharded_tensor;
typedef struct shardspec_op shardspec_op;
typedef struct shardspec_comm shardspec_comm;
typedef struct { uint64_t struct_size; shardspec_status status; int32_t dim; int64_t first_shard,
  second_shard, got, limit, index; char message[968]; } shardspec_error;
typedef struct { uint8_t code, bits; uint16_t lanes; } shardspec_dtype;
typedef struct { int32_t device_type, device_id; } shardspec_device;
typedef struct { uint64_t struct_size; shardspec_dtype dtype; int32_t layout, memory_format,
  requires_grad, pin_memory, reserved; } shardspec_tensor_properties;
typedef struct { void *data; shardspec_device device; int32_t ndim; shardspec_dtype dtype;
  int64_t *shape, *strides; uint64_t byte_offset; } shardspec_tensor_view;
typedef struct { int32_t kind, reserved; int64_t integer; double real; void *pointer; } shardspec_value;
typedef struct { uint64_t struct_size; const shardspec_value *args; size_t arg_count;
  const char *const *kwarg_names; const shardspec_value *kwargs; size_t kwarg_count;
  shardspec_comm *comm; } shardspec_op_arguments;
typedef struct { uint64_t struct_size; uint32_t flags; shardspec_status success_status; }
  shardspec_op_options;
typedef struct { int64_t peer; void *pointer; size_t byte_count; } shardspec_message;
typedef shardspec_status (*shardspec_op_fn)(void *, const shardspec_spec *,
  const shardspec_op_arguments *, shardspec_value *, size_t, shardspec_error *);
typedef shardspec_status (*shardspec_exchange_fn)(void *, const shardspec_message *, size_t,
  const shardspec_message *, size_t, shardspec_error *);
typedef struct { uint64_t struct_size; void (*destroy)(void *); shardspec_exchange_fn exchange;
  shardspec_status success_status; int32_t reserved; void (*abort)(void *, const char *); }
  shardspec_comm_vtable;
enum { SHARDSPEC_OK = 0, SHARDSPEC_CALLBACK_OK = 999, SHARDSPEC_USER_STATUS = 1000,
  SHARDSPEC_DTYPE_FLOAT = 2, SHARDSPEC_DLPACK_DEVICE_CPU = 1, SHARDSPEC_FILL_ZERO = 1,
  SHARDSPEC_ALL_RANKS = -1, SHARDSPEC_VALUE_SHARDED_TENSOR = 6 };

shardspec_status shardspec_spec_new_chunk(int64_t, const char *const *, size_t, shardspec_spec **,
  shardspec_error *);
shardspec_status shardspec_spec_build_metadata(const shardspec_spec *, const int64_t *, size_t,
  const shardspec_tensor_properties *, shardspec_metadata **, shardspec_error *);
shardspec_status shardspec_spec_free(shardspec_spec *, shardspec_error *);
shardspec_status shardspec_tensor_properties_init(shardspec_tensor_properties *, shardspec_error *);
shardspec_status shardspec_metadata_get_shard(const shardspec_metadata *, size_t, int64_t *,
  int64_t *, size_t, shardspec_error *);
shardspec_status shardspec_metadata_scatter(const shardspec_metadata *, const shardspec_tensor_view *,
  const shardspec_tensor_view *, size_t, const void *, shardspec_error *);
shardspec_status shardspec_metadata_gather(const shardspec_metadata *, const shardspec_tensor_view *,
  size_t, const shardspec_tensor_view *, const void *, shardspec_error *);
shardspec_status shardspec_metadata_free(shardspec_metadata *, shardspec_error *);
shardspec_status shardspec_sharded_tensor_new(const shardspec_metadata *, const char *, int32_t,
  shardspec_sharded_tensor **, shardspec_error *);
shardspec_status shardspec_sharded_tensor_free(shardspec_sharded_tensor *, shardspec_error *);
shardspec_status shardspec_op_register(const char *, const char *, shardspec_op_fn, void *, void *,
  const shardspec_op_options *, shardspec_op **, shardspec_error *);
shardspec_status shardspec_op_dispatch(const shardspec_spec *, const char *,
  const shardspec_op_arguments *, shardspec_value *, size_t, shardspec_error *);
shardspec_status shardspec_op_unregister(shardspec_op *, shardspec_error *);
shardspec_status shardspec_comm_new(const shardspec_comm_vtable *, void *, int64_t, int64_t,
  shardspec_comm **, shardspec_error *);
shardspec_status shardspec_comm_free(shardspec_comm *, shardspec_error *);
shardspec_status shardspec_comm_scatter(const shardspec_comm *, const shardspec_metadata *, int64_t,
  const shardspec_tensor_view *, const shardspec_tensor_view *, size_t, const void *, shardspec_error *);
shardspec_status shardspec_comm_gather(const shardspec_comm *, const shardspec_metadata *, int64_t,
  const shardspec_tensor_view *, size_t, const shardspec_tensor_view *, const void *, shardspec_error *);
]]

local C = ffi.load("shardspec")

-- An error before its first call.
local function new_error()
  local err = ffi.new("shardspec_error")
  err.struct_size = ffi.sizeof(err)
  return err
end

-- Calls a function and raises its refusal.
local function check(call, ...)
  local err = new_error()
  local arguments, count = { ... }, select("#", ...)
  arguments[count + 1] = err
  if call(unpack(arguments, 1, count + 1)) ~= C.SHARDSPEC_OK then error(ffi.string(err.message), 2) end
end
jit.off(check) -- compiled code must not call functions that call back: "bad callback" ends the process

-- A view has the addresses of `data` and `shape`: the caller keeps both.
local function view(data, shape)
  return ffi.new("shardspec_tensor_view", {
    data = data,
    device = { C.SHARDSPEC_DLPACK_DEVICE_CPU, 0 },
    ndim = 2,
    dtype = { C.SHARDSPEC_DTYPE_FLOAT, 32, 1 },
    shape = shape,
  })
end

-- Makes a status of an error: one that leaves a callback jumps over the library's frames.
local function guard(callback)
  return function(...)
    local done, problem = pcall(callback, ...)
    if done then return C.SHARDSPEC_CALLBACK_OK end
    local err = select(select("#", ...), ...)
    local text = tostring(problem):sub(1, ffi.sizeof(err.message) - 1)
    ffi.copy(err.message, text)
    return C.SHARDSPEC_USER_STATUS
  end
end

return { library = C, new_error = new_error, check = check, view = view, guard = guard }
