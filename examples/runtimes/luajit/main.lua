-- Shards a tensor, registers an op that throws, and runs a collective.
--
--   luajit main.lua    (the loader finds libshardspec.so)
local ffi = require("ffi")
local shardspec = require("shardspec")
local processes = require("processes")
local C, check, view, guard = shardspec.library, shardspec.check, shardspec.view, shardspec.guard

local ROWS, COLUMNS = 5, 3
local full = ffi.new("float[?]", ROWS * COLUMNS)
for i = 0, ROWS * COLUMNS - 1 do full[i] = i end
local sizes = ffi.new("int64_t[2]", ROWS, COLUMNS)

local function is_full(data)
  for i = 0, ROWS * COLUMNS - 1 do
    if data[i] ~= full[i] then return false end
  end
  return true
end

-- Cuts the tensor into a chunk of rows for each rank.
local function chunks_of_rows(ranks)
  local texts, placements = {}, ffi.new("const char *[?]", ranks)
  for rank = 0, ranks - 1 do
    texts[rank] = "rank:" .. rank -- keeps the text alive: the array only has its address
    placements[rank] = texts[rank]
  end
  local spec, metadata = ffi.new("shardspec_spec *[1]"), ffi.new("shardspec_metadata *[1]")
  check(C.shardspec_spec_new_chunk, 0, placements, ranks, spec)
  local properties = ffi.new("shardspec_tensor_properties")
  properties.struct_size = ffi.sizeof(properties)
  check(C.shardspec_tensor_properties_init, properties)
  check(C.shardspec_spec_build_metadata, spec[0], sizes, 2, properties, metadata)
  return spec[0], metadata[0]
end

-- Memory for a shard, with its view. The view has the addresses of the other two: keep all.
local function new_shard(metadata, index)
  local shard = { shape = ffi.new("int64_t[2]"), offsets = ffi.new("int64_t[2]") }
  check(C.shardspec_metadata_get_shard, metadata, index, shard.offsets, shard.shape, 2)
  shard.data = ffi.new("float[?]", tonumber(shard.shape[0] * shard.shape[1]))
  shard.view = view(shard.data, shard.shape)
  return shard
end

local function scatter_and_gather()
  local spec, metadata = chunks_of_rows(4)
  local shards, views = {}, ffi.new("shardspec_tensor_view[4]")
  for i = 0, 3 do
    shards[i] = new_shard(metadata, i)
    views[i] = shards[i].view
    print(("rank:%d owns %d rows from row %d"):format(
      i, tonumber(shards[i].shape[0]), tonumber(shards[i].offsets[0])))
  end
  local back = ffi.new("float[?]", ROWS * COLUMNS)
  check(C.shardspec_metadata_scatter, metadata, view(full, sizes), views, 4, nil)
  check(C.shardspec_metadata_gather, metadata, views, 4, view(back, sizes), nil)
  assert(is_full(back))
  print("scattered and gathered: equal")
  return spec, metadata
end

local function call_op(spec, metadata)
  local callback = ffi.cast("shardspec_op_fn", guard(function() error("on purpose", 0) end))
  local options = ffi.new("shardspec_op_options", ffi.sizeof("shardspec_op_options"), 0, C.SHARDSPEC_CALLBACK_OK)
  local op, tensor = ffi.new("shardspec_op *[1]"), ffi.new("shardspec_sharded_tensor *[1]")
  check(C.shardspec_op_register, "chunk", "acme.throws", callback, nil, nil, options, op)
  check(C.shardspec_sharded_tensor_new, metadata, nil, C.SHARDSPEC_FILL_ZERO, tensor)
  local argument = ffi.new("shardspec_value", { kind = C.SHARDSPEC_VALUE_SHARDED_TENSOR, pointer = tensor[0] })
  local arguments = ffi.new("shardspec_op_arguments", { ffi.sizeof("shardspec_op_arguments"), argument, 1 })
  local err = shardspec.new_error()
  local status = C.shardspec_op_dispatch(spec, "acme.throws", arguments, nil, 0, err)
  print(("an op that throws: status %d, %s"):format(status, ffi.string(err.message)))
  check(C.shardspec_op_unregister, op[0])
  check(C.shardspec_sharded_tensor_free, tensor[0])
  callback:free()
end
jit.off(call_op) -- compiled code must not call functions that call back

-- Lua has no threads, so two ranks are two processes, joined by a socket. This is all that the
-- library requires of a transport; messages as small as these fit into the socket's buffer.
local function transport(socket)
  local exchange = guard(function(_, sends, send_count, receives, receive_count)
    for i = 0, tonumber(send_count) - 1 do socket:send(sends[i].pointer, sends[i].byte_count) end
    for i = 0, tonumber(receive_count) - 1 do
      socket:receive(receives[i].pointer, receives[i].byte_count)
    end
  end)
  local vtable = ffi.new("shardspec_comm_vtable")
  vtable.struct_size = ffi.sizeof(vtable)
  vtable.exchange = exchange
  vtable.success_status = C.SHARDSPEC_CALLBACK_OK
  return vtable
end

local function run_rank(rank, socket)
  local spec, metadata = chunks_of_rows(2)
  local comm = ffi.new("shardspec_comm *[1]")
  check(C.shardspec_comm_new, transport(socket), nil, rank, 2, comm)
  local shard, back = new_shard(metadata, rank), ffi.new("float[?]", ROWS * COLUMNS)
  check(C.shardspec_comm_scatter, comm[0], metadata, 0, view(full, sizes), shard.view, 1, nil)
  check(C.shardspec_comm_gather, comm[0], metadata, C.SHARDSPEC_ALL_RANKS, shard.view, 1, view(back, sizes), nil)
  check(C.shardspec_comm_free, comm[0])
  check(C.shardspec_metadata_free, metadata)
  check(C.shardspec_spec_free, spec)
  assert(is_full(back))
end

local spec, metadata = scatter_and_gather()
call_op(spec, metadata)
check(C.shardspec_metadata_free, metadata)
check(C.shardspec_spec_free, spec)
processes.run_two(run_rank)
print("a collective: every rank has the whole tensor")
