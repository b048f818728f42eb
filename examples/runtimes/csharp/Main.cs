// Shards a tensor, registers an op that throws, and runs a collective.
//
//   mcs -unsafe Main.cs Shardspec.cs -out:example.exe && mono example.exe
//   (the loader finds libshardspec.so)
using System;
using System.Linq;
using System.Threading;
using static Native;

static unsafe class Example {
  const int Ranks = 4, Rows = 5, Columns = 3;
  static readonly long[] Sizes = { Rows, Columns };
  static readonly float[] Full = Enumerable.Range(0, Rows * Columns).Select(i => (float)i).ToArray();

  /// The functions for flat arrays: P/Invoke pins arrays during the call by itself.
  static void ScatterAndGather(IntPtr metadata) {
    long[] offsets = new long[2 * Ranks], shapes = new long[2 * Ranks];
    Check(err => shardspec_metadata_get_shards(metadata, UIntPtr.Zero, (UIntPtr)Ranks, offsets, shapes, null, err));
    var starts = new ulong[Ranks + 1]; // of each shard in the buffer of all shards, in bytes
    for (var i = 0; i < Ranks; i++) {
      Console.WriteLine("rank:{0} owns {1} rows from row {2}", i, shapes[2 * i], offsets[2 * i]);
      starts[i + 1] = starts[i] + (ulong)(sizeof(float) * shapes[2 * i] * shapes[2 * i + 1]);
    }
    float[] shards = new float[Full.Length], back = new float[Full.Length];
    Check(err => shardspec_metadata_scatter_flat(metadata, IntPtr.Zero, Full, null, shards, starts, shapes, null, (UIntPtr)Ranks, IntPtr.Zero, err));
    Check(err => shardspec_metadata_gather_flat(metadata, IntPtr.Zero, shards, starts, shapes, null, (UIntPtr)Ranks, back, null, IntPtr.Zero, err));
    Report("scattered and gathered: equal", Full.SequenceEqual(back));
  }

  /// Makes a status of an exception. One that leaves a callback jumps over the library's frames (Mono)
  /// or ends the process (.NET).
  static Op Guard(Action function) {
    return (ctx, spec, arguments, results, count, err) => {
      try {
        function();
        return CallbackOk;
      } catch (Exception exception) {
        return shardspec_error_set(err, UserStatus, exception.Message);
      }
    };
  }

  static void CallOp(IntPtr spec, IntPtr metadata) {
    Op function = Guard(() => { throw new InvalidOperationException("on purpose"); });
    var options = new OpOptions { StructSize = (ulong)sizeof(OpOptions), SuccessStatus = CallbackOk };
    IntPtr op = IntPtr.Zero, tensor = IntPtr.Zero;
    Check(err => shardspec_op_register("chunk", "acme.throws", function, IntPtr.Zero, IntPtr.Zero, ref options, out op, err));
    Check(err => shardspec_sharded_tensor_new(metadata, null, FillZero, out tensor, err));
    var argument = new Value { Kind = ValueShardedTensor, Pointer = tensor };
    var arguments = new OpArguments { StructSize = (ulong)sizeof(OpArguments), Args = &argument, ArgCount = (UIntPtr)1 };
    Error refusal = Error.New();
    var status = shardspec_op_dispatch(spec, "acme.throws", &arguments, null, UIntPtr.Zero, &refusal);
    Console.WriteLine("an op that throws: status {0}, {1}", status, Error.Text(&refusal));
    Check(err => shardspec_op_unregister(op, err));
    Check(err => shardspec_sharded_tensor_free(tensor, err));
    GC.KeepAlive(function); // native code has its address until here
  }

  /// Scatters from rank 0 and gathers to all ranks. A call waits for other ranks: each has a thread.
  static void Collective(IntPtr metadata) {
    var comms = new IntPtr[Ranks];
    var equal = new bool[Ranks];
    Check(err => shardspec_comm_new_local((UIntPtr)Ranks, comms, err));
    var threads = comms.Select((comm, rank) => new Thread(() => equal[rank] = RunRank(comm, metadata, rank))).ToArray();
    foreach (var thread in threads) thread.Start();
    foreach (var thread in threads) thread.Join();
    Report("a collective: every rank has the whole tensor", equal.All(one => one));
  }

  static bool RunRank(IntPtr comm, IntPtr metadata, int rank) {
    var shape = new long[2];
    Check(err => shardspec_metadata_get_shard(metadata, (UIntPtr)rank, null, shape, (UIntPtr)2, err));
    float[] part = new float[shape[0] * shape[1]], back = new float[Full.Length];
    fixed (float* full = Full, data = part, copy = back) fixed (long* sizes = Sizes, lengths = shape) {
      View source = View.Of(full, sizes), shard = View.Of(data, lengths), destination = View.Of(copy, sizes);
      Error err = Error.New();
      if (shardspec_comm_scatter(comm, metadata, 0, &source, &shard, (UIntPtr)1, IntPtr.Zero, &err) != Ok ||
          shardspec_comm_gather(comm, metadata, AllRanks, &shard, (UIntPtr)1, &destination, IntPtr.Zero, &err) != Ok ||
          shardspec_comm_free(comm, &err) != Ok)
        throw new ShardspecException(err.Status, Error.Text(&err));
    }
    return Full.SequenceEqual(back);
  }

  static void Report(string sentence, bool holds) {
    if (!holds) throw new Exception("not true: " + sentence);
    Console.WriteLine(sentence);
  }

  static void Main() {
    IntPtr spec = IntPtr.Zero, metadata = IntPtr.Zero;
    var placements = Enumerable.Range(0, Ranks).Select(rank => "rank:" + rank).ToArray();
    var properties = new TensorProperties { StructSize = (ulong)sizeof(TensorProperties) };
    Check(err => shardspec_spec_new_chunk(0, placements, (UIntPtr)Ranks, out spec, err));
    Check(err => shardspec_tensor_properties_init(ref properties, err));
    Check(err => shardspec_spec_build_metadata(spec, Sizes, (UIntPtr)2, ref properties, out metadata, err));
    ScatterAndGather(metadata);
    CallOp(spec, metadata);
    Collective(metadata);
    Check(err => shardspec_metadata_free(metadata, err));
    Check(err => shardspec_spec_free(spec, err));
  }
}
