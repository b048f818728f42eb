"""A transport of nothing but Python: processes, with a pipe from each to each."""

import ctypes
import multiprocessing
import threading

from binding import STRUCTS, Raw

VTable = STRUCTS["comm_vtable"]
FIELDS = dict(VTable._fields_)


class Pipes:
    """What one rank has: a pipe to write into for each other rank, and one to read from."""

    def __init__(self, rank, size, writers, readers):
        self.rank, self.size = rank, size
        self.writers, self.readers = writers, readers

    @staticmethod
    def all(size, context):
        pairs = {(source, to): context.Pipe(duplex=False)
                 for source in range(size) for to in range(size) if source != to}
        return [Pipes(rank, size,
                      {to: pipe[1] for (source, to), pipe in pairs.items() if source == rank},
                      {source: pipe[0] for (source, to), pipe in pairs.items() if to == rank})
                for rank in range(size)]


class Transport:
    """The library's communicator over pipes. `handle` is what its functions take."""

    def __init__(self, lib, pipes):
        self.lib, self.pipes = lib, pipes
        self.exchanges, self.bytes_sent, self.destroyed, self.fails = 0, 0, 0, None
        self.table = VTable(ctypes.sizeof(VTable), FIELDS["destroy"](self.destroy),
                            FIELDS["exchange"](self.exchange), lib.CALLBACK_OK_IN_ERR)
        self.handle = lib.made(lib.comm_new, ctypes.byref(self.table), None, pipes.rank,
                               pipes.size)

    def destroy(self, _):
        self.destroyed += 1

    def exchange(self, _, sends, send_count, receives, receive_count, err):
        try:
            self.move(sends[:send_count], receives[:receive_count])
            err[0].status = self.lib.CALLBACK_OK_IN_ERR
        except Exception as raised:
            err[0].message = repr(raised).encode()
            err[0].status = self.lib.USER_STATUS
        return 0

    def move(self, sends, receives):
        if self.fails is not None:
            raise self.fails
        self.exchanges += 1
        # A pipe holds little: writing has to go on while this thread reads.
        writer = threading.Thread(target=self.write, args=(sends,))
        writer.start()
        for message in receives:
            data = self.pipes.readers[message.peer].recv_bytes()
            if len(data) != message.byte_count:
                raise ValueError(f"rank {message.peer} sent {len(data)} bytes")
            ctypes.memmove(message.pointer, data, len(data))
        writer.join()

    def write(self, sends):
        for message in sends:
            self.bytes_sent += message.byte_count
            data = ctypes.string_at(message.pointer, message.byte_count)
            self.pipes.writers[message.peer].send_bytes(data)


def run_rank(work, pipes, results):
    lib = Raw()
    transport = Transport(lib, pipes)
    try:
        results.put((pipes.rank, work(lib, transport), None))
    except BaseException as raised:
        results.put((pipes.rank, None, repr(raised)))
        raise
    finally:
        lib.comm_free(transport.handle)
        assert transport.destroyed == 1


def on_ranks(size, work):
    """What `work(lib, transport)` returns on each of `size` processes, by rank."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [context.Process(target=run_rank, args=(work, pipes, results), daemon=True)
                 for pipes in Pipes.all(size, context)]
    for process in processes:
        process.start()
    answers = {}
    for _ in processes:
        rank, answer, problem = results.get(timeout=60)
        assert problem is None, f"rank {rank}: {problem}"
        answers[rank] = answer
    for process in processes:
        process.join(timeout=60)
        assert process.exitcode == 0
    return [answers[rank] for rank in range(size)]
