import { type Call, call, messageIn } from './grpc-call.ts';
import { checkOtherNames, checkShown, type EtcdRead, shakeHands } from './handshake.ts';
import { EtcdReadError } from './read-error.ts';
import { decodeRangeResponse, decodeUserListResponse, encodeRangeRequest, RANGE_PATH, USER_LIST_PATH } from './wire.ts';

/** What is read: a key, or the beginning of several. */
export interface EtcdKeyRead extends EtcdRead {
  key: string;
}

/**
 * Reads one key with a client certificate over a connection that is there already: TLS, HTTP/2, gRPC `KV/Range`.
 * Gives the value as text, or undefined when there is no such key.
 * Throws an {@link EtcdReadError}, or the signal's reason when it is aborted.
 */
export async function readKey(read: EtcdKeyRead): Promise<string | undefined> {
  return (await readPairs(read, undefined)).get(read.key);
}

/** Reads all keys that begin with `key`, as {@link readKey} does one. @returns the values by whole key */
export function readPrefix(read: EtcdKeyRead): Promise<Map<string, string>> {
  return readPairs(read, endOfPrefix(read.key));
}

/**
 * The cluster id of an etcd, in hexadecimal, as a read of keys that begin with `key` tells it; undefined where it does not. Throws as
 * {@link readKey} does.
 */
export function readEtcdId(read: EtcdKeyRead): Promise<string | undefined> {
  const message = encodeRangeRequest({ key: Buffer.from(read.key), rangeEnd: endOfPrefix(read.key) });
  return ask(read, { path: RANGE_PATH, message }, (answer) => decodeRangeResponse(answer).clusterId);
}

/** etcd's end of a prefix: its last byte counted up. Keys are text, so that byte is never the highest. */
function endOfPrefix(prefix: string): Uint8Array {
  const end = Buffer.from(prefix);
  end[end.length - 1] = (end.at(-1) ?? 0) + 1;
  return end;
}

/** The names of all users that etcd has, for a certificate of one with the role root. Throws as {@link readKey} does. */
export function readUsers(read: EtcdRead): Promise<string[]> {
  return ask(read, { path: USER_LIST_PATH, message: new Uint8Array() }, decodeUserListResponse);
}

function readPairs(read: EtcdKeyRead, rangeEnd: Uint8Array | undefined): Promise<Map<string, string>> {
  const message = encodeRangeRequest({ key: Buffer.from(read.key), rangeEnd });
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8');
  return ask(
    read,
    { path: RANGE_PATH, message },
    (answer) => new Map(decodeRangeResponse(answer).kvs.map(({ key, value }) => [text(key), text(value)])),
  );
}

async function ask<T>(read: EtcdRead, request: Call, decode: (answer: Uint8Array) => T): Promise<T> {
  const clock = new AbortController();
  const timer = setTimeout(
    () => clock.abort(new EtcdReadError('timeout', `no answer within ${read.timeoutMs / 1000} s`)),
    read.timeoutMs,
  );
  const signals = read.signal ? [read.signal, clock.signal] : [clock.signal];
  const abort = () => read.socket.destroy();
  for (const signal of signals) signal.addEventListener('abort', abort);
  // After the outcome is known, whatever else the connection reports is of no interest.
  read.socket.on('error', () => undefined);
  try {
    read.signal?.throwIfAborted();
    const secured = await shakeHands(read);
    checkOtherNames(secured, read.otherNames ?? []);
    checkShown(secured, read.shows);
    return messageIn(await call(secured, read, request), decode);
  } catch (error) {
    const aborted = signals.find((signal) => signal.aborted);
    throw aborted ? aborted.reason : error;
  } finally {
    clearTimeout(timer);
    for (const signal of signals) signal.removeEventListener('abort', abort);
    read.socket.destroy();
  }
}
