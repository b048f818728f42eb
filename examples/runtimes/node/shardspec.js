// The part of shardspec that main.js uses, declared for koffi.
import koffi from 'koffi';

const library = koffi.load('libshardspec.so.0');

export const constants = {
  CALLBACK_OK: 999, USER_STATUS: 1000, FILL_ZERO: 1, VALUE_SHARDED_TENSOR: 6, ALL_RANKS: -1,
  DTYPE_FLOAT: 2, DLPACK_DEVICE_CPU: 1,
};

for (const name of ['spec', 'metadata', 'sharded_tensor', 'op', 'comm'])
  koffi.opaque(`shardspec_${name}`);
koffi.struct('shardspec_error', {
  struct_size: 'uint64_t', status: 'int32_t', dim: 'int32_t', first_shard: 'int64_t',
  second_shard: 'int64_t', got: 'int64_t', limit: 'int64_t', index: 'int64_t',
  message: koffi.array('char', 968, 'String'),
});
koffi.struct('shardspec_dtype', { code: 'uint8_t', bits: 'uint8_t', lanes: 'uint16_t' });
koffi.struct('shardspec_device', { device_type: 'int32_t', device_id: 'int32_t' });
koffi.struct('shardspec_tensor_properties', {
  struct_size: 'uint64_t', dtype: 'shardspec_dtype', layout: 'int32_t', memory_format: 'int32_t',
  requires_grad: 'int32_t', pin_memory: 'int32_t', reserved: 'int32_t',
});
koffi.struct('shardspec_tensor_view', {
  data: 'void *', device: 'shardspec_device', ndim: 'int32_t', dtype: 'shardspec_dtype',
  shape: 'int64_t *', strides: 'int64_t *', byte_offset: 'uint64_t',
});
koffi.struct('shardspec_value', {
  kind: 'int32_t', reserved: 'int32_t', integer: 'int64_t', real: 'double', pointer: 'void *',
});
koffi.struct('shardspec_op_arguments', {
  struct_size: 'uint64_t', args: 'shardspec_value *', arg_count: 'size_t', kwarg_names: 'void *',
  kwargs: 'void *', kwarg_count: 'size_t', comm: 'void *',
});
koffi.struct('shardspec_op_options', {
  struct_size: 'uint64_t', flags: 'uint32_t', success_status: 'int32_t',
});
koffi.proto('int32_t shardspec_op_fn(void *ctx, void *spec, void *arguments, void *results, ' +
            'size_t result_count, void *err)');

// An error is a buffer of the caller's: koffi would convert 1 KiB in every call.
const functions = {
  spec_new_chunk: 'int64_t dim, const char **placements, size_t count, _Out_ shardspec_spec **out',
  spec_build_metadata: 'shardspec_spec *spec, int64_t *sizes, size_t ndim, ' +
    'shardspec_tensor_properties *properties, _Out_ shardspec_metadata **out',
  spec_free: 'shardspec_spec *spec',
  tensor_properties_init: '_Inout_ shardspec_tensor_properties *out',
  metadata_get_shard: 'shardspec_metadata *metadata, size_t index, int64_t *offsets, ' +
    'int64_t *sizes, size_t capacity',
  metadata_scatter: 'shardspec_metadata *metadata, shardspec_tensor_view *full, ' +
    'shardspec_tensor_view *shards, size_t shard_count, void *options',
  metadata_gather: 'shardspec_metadata *metadata, shardspec_tensor_view *shards, ' +
    'size_t shard_count, shardspec_tensor_view *full, void *options',
  metadata_free: 'shardspec_metadata *metadata',
  sharded_tensor_new: 'shardspec_metadata *metadata, const char *owner, int32_t fill, ' +
    '_Out_ shardspec_sharded_tensor **out',
  sharded_tensor_free: 'shardspec_sharded_tensor *tensor',
  op_register: 'const char *spec_type, const char *op_name, shardspec_op_fn *function, void *ctx, ' +
    'void *destroy, shardspec_op_options *options, _Out_ shardspec_op **out',
  op_dispatch: 'shardspec_spec *spec, const char *op_name, shardspec_op_arguments *arguments, ' +
    'void *results, size_t result_count',
  op_unregister: 'shardspec_op *op',
  comm_new_local: 'size_t size, _Out_ shardspec_comm **out',
  comm_scatter: 'shardspec_comm *comm, shardspec_metadata *metadata, int64_t source_rank, ' +
    'shardspec_tensor_view *full, shardspec_tensor_view *shards, size_t shard_count, void *options',
  comm_gather: 'shardspec_comm *comm, shardspec_metadata *metadata, int64_t destination_rank, ' +
    'shardspec_tensor_view *shards, size_t shard_count, shardspec_tensor_view *full, void *options',
  comm_free: 'shardspec_comm *comm',
};
export const shardspec = Object.fromEntries(Object.entries(functions).map(([name, parameters]) =>
  [name, library.func(`int32_t shardspec_${name}(${parameters}, void *err)`)]));

// A view contains addresses of typed arrays, which do not move.
export function view(data, shape) {
  return {
    data: data.length ? data : null, device: { device_type: constants.DLPACK_DEVICE_CPU, device_id: 0 },
    ndim: shape.length, dtype: { code: constants.DTYPE_FLOAT, bits: 32, lanes: 1 }, shape,
    strides: null, byte_offset: 0,
  };
}

// A buffer, which is decoded only when a call failed.
export function newError() {
  const err = Buffer.alloc(koffi.sizeof('shardspec_error'));
  err.writeBigUInt64LE(BigInt(err.length)); // struct_size
  return err;
}

export function message(err) {
  return koffi.decode(err, 'shardspec_error').message;
}

function throwUnlessOk(status, err) {
  if (status !== 0) throw Object.assign(new Error(message(err)), { status });
}

export function check(call) {
  const err = newError();
  throwUnlessOk(call(err), err);
}

export function callAsync(native, ...args) {
  const err = newError();
  return new Promise((resolve, reject) => native.async(...args, err, (problem, status) => {
    try {
      if (problem) throw problem;
      throwUnlessOk(status, err);
      resolve();
    } catch (error) {
      reject(error);
    }
  }));
}

// Makes a status of an exception: one that leaves a callback reads as the status 0.
export function guard(callback) {
  return (...args) => {
    try {
      callback(...args);
      return constants.CALLBACK_OK;
    } catch (error) {
      const text = Buffer.from(error.message + '\0');
      koffi.encode(args.at(-1), koffi.offsetof('shardspec_error', 'message'),
                   koffi.array('uint8_t', text.length), text);
      return constants.USER_STATUS;
    }
  };
}
