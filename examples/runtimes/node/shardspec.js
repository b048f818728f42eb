// All of shardspec for koffi, made from the description of the ABI that is installed with the header.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import koffi from 'koffi';

const include = execFileSync('pkg-config', ['--variable=includedir', 'shardspec'], { encoding: 'utf8' });
const description = JSON.parse(readFileSync(`${include.trim()}/shardspec.json`));
const items = description.sections.flatMap(section => section.items);
const named = new Map(items.map(item => [item.name, item]));
const ofKind = kind => items.filter(item => item.kind === kind);
const library = koffi.load('libshardspec.so.0');

// `SHARDSPEC_OK` and so on, without the prefix.
export const constants = Object.fromEntries(ofKind('constant').map(({ name, value }) =>
  [name.replace('SHARDSPEC_', ''), value]));

// A C type as koffi writes it. Function pointers are opaque: `koffi.register` makes them.
function typeOf(type) {
  const [, chars] = type.match(/^char \[(\d+)\]$/) ?? [];
  if (chars) return koffi.array('char', Number(chars), 'String');
  return named.get(type)?.kind === 'callback' ? 'void *' : type.replaceAll(/\bconst\b/g, '').trim();
}

const declared = new Set();
function declareStruct({ name, fields }) {
  if (declared.has(name)) return;
  declared.add(name);
  for (const { type } of fields) {
    const other = named.get(type.replaceAll(/\bconst\b|[ *]/g, ''));
    if (other?.kind === 'struct') declareStruct(other);
  }
  koffi.struct(name, Object.fromEntries(fields.map(field => [field.name, typeOf(field.type)])));
}

// An error is a buffer of the caller's: koffi would convert 1 KiB in every call. A place that is
// written, such as that of a new handle, is the first element of an array.
function parameter({ name, type, kind, direction }) {
  if (type === 'shardspec_error *') return 'void *err';
  const isConverted = kind === 'place' || kind === 'struct' || type.endsWith('**');
  const marks = isConverted ? { out: '_Out_ ', inout: '_Inout_ ' } : {};
  return `${marks[direction] ?? ''}${typeOf(type)} ${name}`;
}

for (const { name, type } of ofKind('alias')) koffi.alias(name, type);
for (const { name } of ofKind('handle')) koffi.opaque(name);
ofKind('struct').forEach(declareStruct);
for (const { name, result, parameters } of ofKind('callback')) {
  const types = parameters.map(({ type }) => (type.includes('*') ? 'void *' : typeOf(type)));
  koffi.proto(`${result} ${name}(${types.join(', ')})`);
}
// `shardspec_spec_new_chunk` and so on, without the prefix.
export const shardspec = Object.fromEntries(ofKind('function').map(({ name, result, parameters }) =>
  [name.replace('shardspec_', ''), library.func(`${result} ${name}(${parameters.map(parameter).join(', ')})`)]));

// A struct with its size, for those that begin with it.
export function sized(name, fields = {}) {
  return { struct_size: koffi.sizeof(name), ...fields };
}

// A view contains addresses of typed arrays, which do not move.
export function view(data, shape) {
  return {
    data: data.length ? data : null, device: { device_type: constants.DLPACK_DEVICE_CPU, device_id: 0 },
    ndim: shape.length, dtype: { code: constants.DTYPE_FLOAT, bits: 32, lanes: 1 }, shape,
    strides: null, byte_offset: 0,
  };
}

// A buffer, of which only the message is converted, and only when a call failed.
export function newError() {
  const err = Buffer.alloc(koffi.sizeof('shardspec_error'));
  shardspec.error_init(err, err.length);
  return err;
}

function throwUnlessOk(status, err) {
  if (status !== constants.OK) throw Object.assign(new Error(shardspec.error_message(err)), { status });
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
      return shardspec.error_set(args.at(-1), constants.USER_STATUS, error.message);
    }
  };
}
