import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * Shards a tensor, registers an op that throws, and runs a collective, with the foreign function API of
 * Java 22 and later. The loader finds libshardspec.so.0.
 */
final class Main {
  static final int RANKS = 4, ROWS = 5, COLUMNS = 3;
  static final float[] FULL = new float[ROWS * COLUMNS];
  static final MemorySegment NULL = MemorySegment.NULL;

  /** A shard's memory and its sizes. */
  record Shard(MemorySegment data, MemorySegment shape, MemorySegment offsets) {
    static Shard allocate(MemorySegment metadata, long index, Arena arena) {
      MemorySegment shape = arena.allocate(JAVA_LONG, 2), offsets = arena.allocate(JAVA_LONG, 2);
      Shardspec.call(Shardspec.METADATA_GET_SHARD, metadata, index, offsets, shape, 2L);
      long rows = shape.getAtIndex(JAVA_LONG, 0);
      return new Shard(arena.allocate(JAVA_FLOAT, rows * COLUMNS), shape, offsets);
    }
  }

  /** A view of a full tensor. */
  static MemorySegment fullView(MemorySegment data, Arena arena) {
    MemorySegment sizes = arena.allocateFrom(JAVA_LONG, ROWS, COLUMNS);
    return Shardspec.view(arena.allocate(Shardspec.VIEW_BYTES, 8), data, sizes);
  }

  static void scatterAndGather(MemorySegment metadata) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment views = arena.allocate(RANKS * Shardspec.VIEW_BYTES, 8);
      for (int i = 0; i < RANKS; i++) {
        Shard shard = Shard.allocate(metadata, i, arena);
        System.out.printf("rank:%d owns %d rows from row %d%n", i, shard.shape.getAtIndex(JAVA_LONG, 0),
            shard.offsets.getAtIndex(JAVA_LONG, 0));
        MemorySegment view = views.asSlice(i * Shardspec.VIEW_BYTES, Shardspec.VIEW_BYTES);
        Shardspec.view(view, shard.data, shard.shape);
      }
      MemorySegment full = arena.allocateFrom(JAVA_FLOAT, FULL), back = arena.allocate(JAVA_FLOAT, FULL.length);
      Shardspec.call(Shardspec.METADATA_SCATTER, metadata, fullView(full, arena), views, (long) RANKS, NULL);
      Shardspec.call(Shardspec.METADATA_GATHER, metadata, views, (long) RANKS, fullView(back, arena), NULL);
      report("scattered and gathered: equal", Arrays.equals(FULL, back.toArray(JAVA_FLOAT)));
    }
  }

  static void callOp(MemorySegment spec, MemorySegment metadata) throws ReflectiveOperationException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment name = arena.allocateFrom("acme.throws"), type = arena.allocateFrom("chunk");
      MemorySegment function =
          Shardspec.op(() -> { throw new IllegalStateException("on purpose"); }, arena);
      MemorySegment options = arena.allocate(16, 8), out = arena.allocate(ADDRESS);
      options.set(JAVA_LONG, 0, 16);
      options.set(JAVA_INT, 12, Shardspec.CALLBACK_OK);
      Shardspec.call(Shardspec.OP_REGISTER, type, name, function, NULL, NULL, options, out);
      MemorySegment op = out.get(ADDRESS, 0);
      Shardspec.call(Shardspec.SHARDED_TENSOR_NEW, metadata, NULL, Shardspec.FILL_ZERO, out);
      MemorySegment tensor = out.get(ADDRESS, 0);
      MemorySegment argument = arena.allocate(32, 8), arguments = arena.allocate(56, 8);
      argument.set(JAVA_INT, 0, Shardspec.VALUE_SHARDED_TENSOR);
      argument.set(ADDRESS, 24, tensor);
      arguments.set(JAVA_LONG, 0, 56);
      arguments.set(ADDRESS, 8, argument);
      arguments.set(JAVA_LONG, 16, 1);
      try {
        Shardspec.call(Shardspec.OP_DISPATCH, spec, name, arguments, NULL, 0L);
      } catch (Shardspec.Refused refused) {
        System.out.printf("an op that throws: status %d, %s%n", refused.status, refused.getMessage());
      }
      Shardspec.call(Shardspec.OP_UNREGISTER, op);
      Shardspec.call(Shardspec.SHARDED_TENSOR_FREE, tensor);
    }
  }

  /** Scatters from rank 0 and gathers to all ranks. Calls wait for each other: not on virtual threads. */
  static void collective(MemorySegment metadata) throws InterruptedException {
    try (Arena arena = Arena.ofShared()) {
      MemorySegment comms = arena.allocate(ADDRESS, RANKS);
      Shardspec.call(Shardspec.COMM_NEW_LOCAL, (long) RANKS, comms);
      boolean[] equal = new boolean[RANKS];
      Thread[] threads = IntStream.range(0, RANKS)
          .mapToObj(rank -> new Thread(
              () -> equal[rank] = runRank(comms.getAtIndex(ADDRESS, rank), metadata, rank)))
          .toArray(Thread[]::new);
      for (Thread thread : threads) thread.start();
      for (Thread thread : threads) thread.join();
      report("a collective: every rank has the whole tensor",
          IntStream.range(0, RANKS).allMatch(rank -> equal[rank]));
    }
  }

  static boolean runRank(MemorySegment comm, MemorySegment metadata, int rank) {
    try (Arena arena = Arena.ofConfined()) {
      Shard shard = Shard.allocate(metadata, rank, arena);
      MemorySegment view = Shardspec.view(arena.allocate(Shardspec.VIEW_BYTES, 8), shard.data, shard.shape);
      MemorySegment full = fullView(arena.allocateFrom(JAVA_FLOAT, FULL), arena);
      MemorySegment back = arena.allocate(JAVA_FLOAT, FULL.length);
      Shardspec.call(Shardspec.COMM_SCATTER, comm, metadata, 0L, full, view, 1L, NULL);
      Shardspec.call(Shardspec.COMM_GATHER, comm, metadata, Shardspec.ALL_RANKS, view, 1L,
          fullView(back, arena), NULL);
      Shardspec.call(Shardspec.COMM_FREE, comm);
      return Arrays.equals(FULL, back.toArray(JAVA_FLOAT));
    }
  }

  static void report(String sentence, boolean holds) {
    if (!holds) throw new AssertionError("not true: " + sentence);
    System.out.println(sentence);
  }

  public static void main(String[] args) throws Exception {
    for (int i = 0; i < FULL.length; i++) FULL[i] = i;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment placements = arena.allocate(ADDRESS, RANKS), out = arena.allocate(ADDRESS);
      for (int i = 0; i < RANKS; i++) placements.setAtIndex(ADDRESS, i, arena.allocateFrom("rank:" + i));
      Shardspec.call(Shardspec.SPEC_NEW_CHUNK, 0L, placements, (long) RANKS, out);
      MemorySegment spec = out.get(ADDRESS, 0);
      MemorySegment properties = arena.allocate(32, 8);
      properties.set(JAVA_LONG, 0, 32);
      Shardspec.call(Shardspec.TENSOR_PROPERTIES_INIT, properties);
      MemorySegment sizes = arena.allocateFrom(JAVA_LONG, ROWS, COLUMNS);
      Shardspec.call(Shardspec.SPEC_BUILD_METADATA, spec, sizes, 2L, properties, out);
      MemorySegment metadata = out.get(ADDRESS, 0);
      scatterAndGather(metadata);
      callOp(spec, metadata);
      collective(metadata);
      Shardspec.call(Shardspec.METADATA_FREE, metadata);
      Shardspec.call(Shardspec.SPEC_FREE, spec);
    }
  }
}
