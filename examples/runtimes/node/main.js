// Shards a tensor, registers an op that throws, and runs a collective.
//
//   node main.js    (the loader finds libshardspec.so.0)
import assert from 'node:assert';
import koffi from 'koffi';
import { shardspec, constants, view, sized, check, newError, guard, callAsync } from './shardspec.js';

const RANKS = 4, SIZES = [5, 3];
const full = Float32Array.from({ length: 15 }, (_, i) => i);

// Cuts a tensor into a chunk of rows for each rank.
function chunksOfRows() {
  const placements = Array.from({ length: RANKS }, (_, rank) => `rank:${rank}`);
  const spec = [null], metadata = [null];
  check(err => shardspec.spec_new_chunk(0, placements, RANKS, spec, err));
  const properties = sized('shardspec_tensor_properties');
  check(err => shardspec.tensor_properties_init(properties, err));
  check(err => shardspec.spec_build_metadata(spec[0], SIZES, 2, properties, metadata, err));
  return [spec[0], metadata[0]];
}

function scatterAndGather(metadata) {
  const shapes = [], shards = [];
  for (let index = 0; index < RANKS; index++) {
    const offsets = new BigInt64Array(2), shape = new BigInt64Array(2);
    check(err => shardspec.metadata_get_shard(metadata, index, offsets, shape, 2, err));
    console.log(`rank:${index} owns ${shape[0]} rows from row ${offsets[0]}`);
    shards.push(new Float32Array(Number(shape[0] * shape[1])));
    shapes.push(shape);
  }
  const back = new Float32Array(full.length), sizes = BigInt64Array.from(SIZES.map(BigInt));
  const views = shards.map((shard, index) => view(shard, shapes[index]));
  check(err => shardspec.metadata_scatter(metadata, view(full, sizes), views, RANKS, null, err));
  check(err => shardspec.metadata_gather(metadata, views, RANKS, view(back, sizes), null, err));
  assert.deepEqual(back, full);
  console.log('scattered and gathered: equal');
}

function callOp(spec, metadata) {
  const op = [null], tensor = [null];
  const callback = koffi.register(guard(() => { throw new Error('on purpose'); }),
                                  koffi.pointer('shardspec_op_fn'));
  const options = sized('shardspec_op_options', { flags: 0, success_status: constants.CALLBACK_OK });
  check(err => shardspec.op_register('chunk', 'acme.throws', callback, null, null, options, op, err));
  check(err => shardspec.sharded_tensor_new(metadata, null, constants.FILL_ZERO, tensor, err));
  const argument = { kind: constants.VALUE_SHARDED_TENSOR, pointer: tensor[0] };
  const args = sized('shardspec_op_arguments', { arg_count: 1, args: [argument] });
  const err = newError();
  const status = shardspec.op_dispatch(spec, 'acme.throws', args, null, 0, err);
  console.log(`an op that throws: status ${status}, ${shardspec.error_message(err)}`);
  check(err => shardspec.op_unregister(op[0], err));
  check(err => shardspec.sharded_tensor_free(tensor[0], err));
  koffi.unregister(callback);
}

// A rank's calls wait for other ranks, so they are asynchronous: on a thread each of Node's pool.
// UV_THREADPOOL_SIZE, 4 by default, must be at least the number of ranks.
async function runRank(comm, metadata, rank) {
  const shape = new BigInt64Array(2), sizes = BigInt64Array.from(SIZES.map(BigInt));
  check(err => shardspec.metadata_get_shard(metadata, rank, null, shape, 2, err));
  const shard = new Float32Array(Number(shape[0] * shape[1])), back = new Float32Array(full.length);
  await callAsync(shardspec.comm_scatter, comm, metadata, 0, view(full, sizes), [view(shard, shape)],
                  1, null);
  await callAsync(shardspec.comm_gather, comm, metadata, constants.ALL_RANKS, [view(shard, shape)], 1,
                  view(back, sizes), null);
  check(err => shardspec.comm_free(comm, err));
  assert.deepEqual(back, full);
}

async function collective(metadata) {
  const comms = new Array(RANKS).fill(null);
  check(err => shardspec.comm_new_local(RANKS, comms, err));
  await Promise.all(comms.map((comm, rank) => runRank(comm, metadata, rank)));
  console.log('a collective: every rank has the whole tensor');
}

const [spec, metadata] = chunksOfRows();
scatterAndGather(metadata);
callOp(spec, metadata);
await collective(metadata);
check(err => shardspec.metadata_free(metadata, err));
check(err => shardspec.spec_free(spec, err));
