/**
 * The etcd v3 messages that meshctl reads and its sandbox serves, in protobuf, and gRPC's framing of them.
 * Field numbers: etcd's api/etcdserverpb/rpc.proto and api/mvccpb/kv.proto. The request for the list of users is empty.
 */
import { PbfReader, PbfWriter } from 'pbf';

/** The gRPC method, as HTTP/2's `:path`. */
export const RANGE_PATH = '/etcdserverpb.KV/Range';
/** Only for users with the role root. */
export const USER_LIST_PATH = '/etcdserverpb.Auth/UserList';

export interface RangeRequest {
  key: Uint8Array;
  /** Exclusive end; absent asks for the one key. A single zero byte means "to the end of all keys". */
  rangeEnd?: Uint8Array | undefined;
}

export interface KeyValue {
  key: Uint8Array;
  value: Uint8Array;
}

export interface RangeResponse {
  kvs: KeyValue[];
  /** Of the etcd that answers (ResponseHeader, cluster_id), in hexadecimal as Cilium prints it; absent where it does not say. */
  clusterId?: string | undefined;
}

/** The bytes of a RangeRequest, without gRPC's framing. */
export function encodeRangeRequest(request: RangeRequest): Uint8Array {
  const writer = new PbfWriter();
  writeBytes(writer, 1, request.key);
  if (request.rangeEnd) writeBytes(writer, 2, request.rangeEnd);
  return writer.finish();
}

/** Throws an Error for bytes that are not protobuf. Fields that meshctl does not know are passed over. */
export function decodeRangeRequest(bytes: Uint8Array): RangeRequest {
  const request: RangeRequest = { key: new Uint8Array() };
  new PbfReader(bytes).readFields((tag, result, reader) => {
    if (tag === 1) result.key = reader.readBytes();
    else if (tag === 2) result.rangeEnd = reader.readBytes();
  }, request);
  return request;
}

/** The bytes of a RangeResponse, without gRPC's framing: for etcd's stand-in. */
export function encodeRangeResponse(response: RangeResponse): Uint8Array {
  const writer = new PbfWriter();
  if (response.clusterId !== undefined) writer.writeBytesField(1, headerOf(response.clusterId));
  for (const kv of response.kvs) {
    writer.writeMessage(
      2,
      (pair, inner) => {
        writeBytes(inner, 1, pair.key);
        writeBytes(inner, 5, pair.value);
      },
      kv,
    );
  }
  if (response.kvs.length > 0) writer.writeVarintField(4, response.kvs.length);
  return writer.finish();
}

/** Throws an Error for bytes that are not protobuf. Of the response header only the id of the cluster is taken; revisions are passed over. */
export function decodeRangeResponse(bytes: Uint8Array): RangeResponse {
  const response: RangeResponse = { kvs: [] };
  new PbfReader(bytes).readFields((tag, result, reader) => {
    if (tag === 1) result.clusterId = clusterIdIn(reader.readBytes());
    else if (tag === 2) result.kvs.push(reader.readMessage(readKeyValueField, { key: empty(), value: empty() }));
  }, response);
  return response;
}

/** The bytes of an AuthUserListResponse, without gRPC's framing: for etcd's stand-in. */
export function encodeUserListResponse(users: readonly string[]): Uint8Array {
  const writer = new PbfWriter();
  for (const user of users) writer.writeStringField(2, user);
  return writer.finish();
}

/** The names. Throws an Error for bytes that are not protobuf. */
export function decodeUserListResponse(bytes: Uint8Array): string[] {
  const users: string[] = [];
  new PbfReader(bytes).readFields((tag, result, reader) => {
    if (tag === 2) result.push(reader.readString());
  }, users);
  return users;
}

/** The first field of a header. An id has 64 bits, more than a number holds. */
const CLUSTER_ID_TAG = 0x08;

function clusterIdIn(header: Uint8Array): string | undefined {
  if (header[0] !== CLUSTER_ID_TAG) return undefined;
  let id = 0n;
  for (const [index, byte] of header.subarray(1).entries()) {
    id |= BigInt(byte & 0x7f) << BigInt(7 * index);
    if (byte < 0x80) return BigInt.asUintN(64, id).toString(16);
  }
  return undefined;
}

function headerOf(clusterId: string): Uint8Array {
  const bytes = [CLUSTER_ID_TAG];
  let rest = BigInt(`0x${clusterId}`);
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Uint8Array.from([...bytes, Number(rest)]);
}

function readKeyValueField(tag: number, pair: KeyValue, reader: PbfReader): void {
  if (tag === 1) pair.key = reader.readBytes();
  else if (tag === 5) pair.value = reader.readBytes();
}

/** proto3 leaves empty values out. */
function writeBytes(writer: PbfWriter, tag: number, bytes: Uint8Array): void {
  if (bytes.length > 0) writer.writeBytesField(tag, bytes);
}

function empty(): Uint8Array {
  return new Uint8Array();
}

/** One uncompressed gRPC message: a zero byte, the length as a big-endian 32-bit number, the message. */
export function frameMessage(message: Uint8Array): Buffer {
  const frame = Buffer.alloc(PREFIX_BYTES + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, PREFIX_BYTES);
  return frame;
}

const PREFIX_BYTES = 5;
/** gRPC's customary limit for one received message. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

/** Takes a gRPC body in chunks as they arrive. */
export interface MessageReader {
  /** The messages that this chunk completes. Throws an Error for compressed or oversized messages. */
  push(chunk: Uint8Array): Uint8Array[];
  /** To be called at the end of the body. Throws an Error if a message was cut off. */
  end(): void;
}

/**
 * Takes chunks of a gRPC body and gives the messages that are complete. Its `push` throws an Error for what is no gRPC.
 */
export function createMessageReader(): MessageReader {
  let rest = Buffer.alloc(0);
  return {
    push(chunk) {
      rest = Buffer.concat([rest, chunk]);
      const messages: Uint8Array[] = [];
      while (rest.length >= PREFIX_BYTES) {
        if (rest[0] !== 0) throw new Error('compressed gRPC message');
        const length = rest.readUInt32BE(1);
        if (length > MAX_MESSAGE_BYTES) throw new Error(`gRPC message of ${length} bytes`);
        if (rest.length < PREFIX_BYTES + length) break;
        messages.push(rest.subarray(PREFIX_BYTES, PREFIX_BYTES + length));
        rest = rest.subarray(PREFIX_BYTES + length);
      }
      return messages;
    },
    end() {
      if (rest.length > 0) throw new Error('gRPC message cut off');
    },
  };
}

/** The messages of a complete gRPC body. Throws an Error for a body that is not whole messages. */
export function readMessages(body: Uint8Array): Uint8Array[] {
  const reader = createMessageReader();
  const messages = reader.push(body);
  reader.end();
  return messages;
}
