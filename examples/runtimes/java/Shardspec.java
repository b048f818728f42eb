import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.Arrays;

/** The part of shardspec that Main.java uses. All structs are of 8-byte fields or pairs of 4 bytes. */
final class Shardspec {
  static final int OK = 0, CALLBACK_OK = 999, USER_STATUS = 1000;
  static final int FILL_ZERO = 1, VALUE_SHARDED_TENSOR = 6;
  static final long ALL_RANKS = -1;
  static final int DEVICE_CPU = 1, DTYPE_FLOAT32 = 2 | 32 << 8 | 1 << 16; // code, bits, lanes
  private static final long ERROR_BYTES = 1024, MESSAGE = 56;

  static final class Refused extends RuntimeException {
    private static final long serialVersionUID = 1;
    final int status;

    Refused(int status, String message) {
      super(message);
      this.status = status;
    }
  }

  private static final Linker LINKER = Linker.nativeLinker();
  private static final SymbolLookup LIBRARY =
      SymbolLookup.libraryLookup("libshardspec.so.0", Arena.global());

  static final MethodHandle
      SPEC_NEW_CHUNK = function("spec_new_chunk", JAVA_LONG, ADDRESS, JAVA_LONG, ADDRESS),
      SPEC_BUILD_METADATA = function("spec_build_metadata", ADDRESS, ADDRESS, JAVA_LONG, ADDRESS, ADDRESS),
      SPEC_FREE = function("spec_free", ADDRESS),
      TENSOR_PROPERTIES_INIT = function("tensor_properties_init", ADDRESS),
      METADATA_GET_SHARD = function("metadata_get_shard", ADDRESS, JAVA_LONG, ADDRESS, ADDRESS, JAVA_LONG),
      METADATA_SCATTER = function("metadata_scatter", ADDRESS, ADDRESS, ADDRESS, JAVA_LONG, ADDRESS),
      METADATA_GATHER = function("metadata_gather", ADDRESS, ADDRESS, JAVA_LONG, ADDRESS, ADDRESS),
      METADATA_FREE = function("metadata_free", ADDRESS),
      SHARDED_TENSOR_NEW = function("sharded_tensor_new", ADDRESS, ADDRESS, JAVA_INT, ADDRESS),
      SHARDED_TENSOR_FREE = function("sharded_tensor_free", ADDRESS),
      OP_REGISTER =
          function("op_register", ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS),
      OP_DISPATCH = function("op_dispatch", ADDRESS, ADDRESS, ADDRESS, ADDRESS, JAVA_LONG),
      OP_UNREGISTER = function("op_unregister", ADDRESS),
      COMM_NEW_LOCAL = function("comm_new_local", JAVA_LONG, ADDRESS),
      COMM_SCATTER = function("comm_scatter", ADDRESS, ADDRESS, JAVA_LONG, ADDRESS, ADDRESS, JAVA_LONG, ADDRESS),
      COMM_GATHER = function("comm_gather", ADDRESS, ADDRESS, JAVA_LONG, ADDRESS, JAVA_LONG, ADDRESS, ADDRESS),
      COMM_FREE = function("comm_free", ADDRESS);

  private static final MethodHandle ERROR_SET = LINKER.downcallHandle(
      LIBRARY.find("shardspec_error_set").orElseThrow(),
      FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT, ADDRESS));

  private static MethodHandle function(String name, MemoryLayout... parameters) {
    MemoryLayout[] all = Arrays.copyOf(parameters, parameters.length + 1);
    all[parameters.length] = ADDRESS; // err
    return LINKER.downcallHandle(
        LIBRARY.find("shardspec_" + name).orElseThrow(), FunctionDescriptor.of(JAVA_INT, all));
  }

  /** Makes a call and throws its refusal. */
  static void call(MethodHandle function, Object... arguments) {
    Object[] all = Arrays.copyOf(arguments, arguments.length + 1);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment err = arena.allocate(ERROR_BYTES, 8);
      err.set(JAVA_LONG, 0, ERROR_BYTES); // struct_size
      all[arguments.length] = err;
      int status = (int) function.invokeWithArguments(all);
      if (status != OK) throw new Refused(status, err.getString(MESSAGE));
    } catch (RuntimeException | Error problem) {
      throw problem;
    } catch (Throwable problem) {
      throw new AssertionError(problem);
    }
  }

  /** Fills a view. It contains addresses of native memory, which must outlive its use. */
  static MemorySegment view(MemorySegment view, MemorySegment data, MemorySegment shape) {
    view.set(ADDRESS, 0, data);
    view.set(JAVA_INT, 8, DEVICE_CPU);
    view.set(JAVA_INT, 16, 2); // dimensions
    view.set(JAVA_INT, 20, DTYPE_FLOAT32);
    view.set(ADDRESS, 24, shape);
    return view;
  }

  static final long VIEW_BYTES = 48;

  /** A function pointer of an op that runs `body`, for as long as the arena is open. */
  static MemorySegment op(Runnable body, Arena arena) throws ReflectiveOperationException {
    MethodType type = MethodType.methodType(int.class, Runnable.class, MemorySegment.class,
        MemorySegment.class, MemorySegment.class, MemorySegment.class, long.class, MemorySegment.class);
    MethodHandle guarded = MethodHandles.lookup().findStatic(Shardspec.class, "guarded", type);
    return LINKER.upcallStub(guarded.bindTo(body),
        FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS, ADDRESS, JAVA_LONG, ADDRESS), arena);
  }

  /** Makes a status of an exception: one that leaves an upcall ends the process. */
  private static int guarded(Runnable body, MemorySegment ctx, MemorySegment spec,
      MemorySegment arguments, MemorySegment results, long resultCount, MemorySegment err) {
    try {
      body.run();
      return CALLBACK_OK;
    } catch (Throwable problem) {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment text = arena.allocateFrom(String.valueOf(problem.getMessage()));
        return (int) ERROR_SET.invokeExact(err, USER_STATUS, text);
      } catch (Throwable another) {
        return USER_STATUS;
      }
    }
  }

  private Shardspec() {}
}
