-- Two processes with a socket between them, by the C library.
local ffi = require("ffi")
local libc = ffi.C

ffi.cdef [[
int fork(void);
int waitpid(int pid, int *status, int options);
void _exit(int status);
int socketpair(int domain, int type, int protocol, int sockets[2]);
int close(int file);
intptr_t read(int file, void *buffer, size_t byte_count);
intptr_t write(int file, const void *buffer, size_t byte_count);
]]

-- Moves all bytes with `call`, read or write, which may move fewer at a time.
local function move_all(call, file, pointer, byte_count)
  local at, left = ffi.cast("char *", pointer), byte_count
  while left > 0 do
    local moved = call(file, at, left)
    if moved <= 0 then error("the other rank is gone", 0) end
    at, left = at + moved, left - moved
  end
end

local Socket = {}
Socket.__index = Socket
function Socket:send(pointer, byte_count) move_all(libc.write, self.file, pointer, byte_count) end
function Socket:receive(pointer, byte_count) move_all(libc.read, self.file, pointer, byte_count) end

-- Runs `run_rank(rank, socket)` in this process for rank 0 and in a new one for rank 1.
local function run_two(run_rank)
  local AF_UNIX, SOCK_STREAM = 1, 1
  local files, status = ffi.new("int[2]"), ffi.new("int[1]")
  assert(libc.socketpair(AF_UNIX, SOCK_STREAM, 0, files) == 0)
  io.stdout:flush() -- or both processes print what is buffered
  local child = libc.fork()
  assert(child >= 0)
  local rank = child == 0 and 1 or 0
  libc.close(files[1 - rank])
  local done, problem = pcall(run_rank, rank, setmetatable({ file = files[rank] }, Socket))
  if not done then io.stderr:write("rank ", rank, ": ", tostring(problem), "\n") end
  libc.close(files[rank])
  if rank == 1 then libc._exit(done and 0 or 1) end
  assert(libc.waitpid(child, status, 0) == child)
  assert(done and status[0] == 0, "a rank failed")
end

return { run_two = run_two }
