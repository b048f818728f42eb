// The part of shardspec that Main.cs uses, declared for P/Invoke.
using System;
using System.Runtime.InteropServices;

/// A status other than OK, with the library's message.
sealed class ShardspecException : Exception {
  public readonly int Status;
  public ShardspecException(int status, string message) : base(message) { Status = status; }
}

unsafe struct Error {
  public ulong StructSize;
  public int Status, Dim;
  public long FirstShard, SecondShard, Got, Limit, Index;
  public fixed byte Message[968];

  /// An error before its first call.
  public static Error New() { return new Error { StructSize = (ulong)sizeof(Error) }; }

  public static string Text(Error* err) { return Marshal.PtrToStringAnsi((IntPtr)err->Message); }
}

[StructLayout(LayoutKind.Sequential)]
struct DType { public byte Code, Bits; public ushort Lanes; }

[StructLayout(LayoutKind.Sequential)]
struct TensorProperties {
  public ulong StructSize;
  public DType DType;
  public int Layout, MemoryFormat, RequiresGrad, PinMemory, Reserved;
}

[StructLayout(LayoutKind.Sequential)]
unsafe struct View {
  public void* Data;
  public int DeviceType, DeviceId, Ndim;
  public DType DType;
  public long* Shape;
  public long* Strides;
  public ulong ByteOffset;

  /// A view contains addresses, so the caller pins what they point to for as long as it is used.
  public static View Of(float* data, long* shape) {
    return new View {
      Data = data, DeviceType = Native.DeviceCpu, Ndim = 2, Shape = shape,
      DType = new DType { Code = Native.DTypeFloat, Bits = 32, Lanes = 1 },
    };
  }
}

[StructLayout(LayoutKind.Sequential)]
struct Value { public int Kind, Reserved; public long Integer; public double Real; public IntPtr Pointer; }

[StructLayout(LayoutKind.Sequential)]
unsafe struct OpArguments {
  public ulong StructSize;
  public Value* Args;
  public UIntPtr ArgCount;
  public IntPtr KwargNames, Kwargs;
  public UIntPtr KwargCount;
  public IntPtr Comm;
}

[StructLayout(LayoutKind.Sequential)]
struct OpOptions { public ulong StructSize; public uint Flags; public int SuccessStatus; }

[UnmanagedFunctionPointer(CallingConvention.Cdecl)]
unsafe delegate int Op(IntPtr ctx, IntPtr spec, OpArguments* arguments, Value* results, UIntPtr count, Error* err);

static unsafe class Native {
  public const int Ok = 0, CallbackOk = 999, UserStatus = 1000;
  public const int DeviceCpu = 1, FillZero = 1, ValueShardedTensor = 6, AllRanks = -1;
  public const byte DTypeFloat = 2;

  public delegate int Call(Error* err);

  /// Makes a call and throws its refusal.
  public static void Check(Call call) {
    Error err = Error.New();
    var status = call(&err);
    if (status != Ok) throw new ShardspecException(status, Error.Text(&err));
  }

  const string Lib = "shardspec";
  [DllImport(Lib)] public static extern int shardspec_error_set(Error* err, int status, string text);
  [DllImport(Lib)] public static extern int shardspec_metadata_get_shards(IntPtr metadata, UIntPtr first, UIntPtr count, long[] offsets, long[] sizes, uint[] placements, Error* err);
  [DllImport(Lib)] public static extern int shardspec_spec_new_chunk(long dim, string[] placements, UIntPtr count, out IntPtr spec, Error* err);
  [DllImport(Lib)] public static extern int shardspec_spec_build_metadata(IntPtr spec, long[] sizes, UIntPtr ndim, ref TensorProperties properties, out IntPtr metadata, Error* err);
  [DllImport(Lib)] public static extern int shardspec_spec_free(IntPtr spec, Error* err);
  [DllImport(Lib)] public static extern int shardspec_tensor_properties_init(ref TensorProperties properties, Error* err);
  [DllImport(Lib)] public static extern int shardspec_metadata_get_shard(IntPtr metadata, UIntPtr index, long[] offsets, long[] sizes, UIntPtr capacity, Error* err);
  [DllImport(Lib)] public static extern int shardspec_metadata_scatter_flat(IntPtr metadata, IntPtr dtype, float[] full, long[] fullStrides, float[] shards, ulong[] byteOffsets, long[] shapes, long[] strides, UIntPtr count, IntPtr options, Error* err);
  [DllImport(Lib)] public static extern int shardspec_metadata_gather_flat(IntPtr metadata, IntPtr dtype, float[] shards, ulong[] byteOffsets, long[] shapes, long[] strides, UIntPtr count, float[] full, long[] fullStrides, IntPtr options, Error* err);
  [DllImport(Lib)] public static extern int shardspec_metadata_free(IntPtr metadata, Error* err);
  [DllImport(Lib)] public static extern int shardspec_sharded_tensor_new(IntPtr metadata, string owner, int fill, out IntPtr tensor, Error* err);
  [DllImport(Lib)] public static extern int shardspec_sharded_tensor_free(IntPtr tensor, Error* err);
  [DllImport(Lib)] public static extern int shardspec_op_register(string specType, string name, Op function, IntPtr ctx, IntPtr destroy, ref OpOptions options, out IntPtr op, Error* err);
  [DllImport(Lib)] public static extern int shardspec_op_dispatch(IntPtr spec, string name, OpArguments* arguments, Value* results, UIntPtr count, Error* err);
  [DllImport(Lib)] public static extern int shardspec_op_unregister(IntPtr op, Error* err);
  [DllImport(Lib)] public static extern int shardspec_comm_new_local(UIntPtr size, [Out] IntPtr[] comms, Error* err);
  [DllImport(Lib)] public static extern int shardspec_comm_scatter(IntPtr comm, IntPtr metadata, long source, View* full, View* shards, UIntPtr count, IntPtr options, Error* err);
  [DllImport(Lib)] public static extern int shardspec_comm_gather(IntPtr comm, IntPtr metadata, long destination, View* shards, UIntPtr count, View* full, IntPtr options, Error* err);
  [DllImport(Lib)] public static extern int shardspec_comm_free(IntPtr comm, Error* err);
}
