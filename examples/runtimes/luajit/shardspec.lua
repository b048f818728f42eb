-- shardspec for LuaJIT: declarations, refusals as errors, views, and a guard for callbacks.
local ffi = require("ffi")

-- All declarations, as they are installed with the header.
local command = io.popen("pkg-config --variable=includedir shardspec")
ffi.cdef(assert(io.open(command:read("*l") .. "/shardspec.cdef.h")):read("*a"))
command:close()

local C = ffi.load("shardspec")

-- An error before its first call.
local function new_error()
  local err = ffi.new("shardspec_error")
  C.shardspec_error_init(err, ffi.sizeof(err))
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
    return C.shardspec_error_set(err, C.SHARDSPEC_USER_STATUS, tostring(problem))
  end
end

return { library = C, new_error = new_error, check = check, view = view, guard = guard }
