/** The calls that a stand-in for etcd answers, whichever way they come. */
import {
  decodeRangeRequest,
  encodeRangeResponse,
  encodeUserListResponse,
  RANGE_PATH,
  USER_LIST_PATH,
} from '../../etcd/wire.ts';
import { rangeEndOf } from './etcd-permissions.ts';
import { REFUSED } from './etcd-session.ts';
import type { EtcdClient, EtcdState } from './etcd-state.ts';

/** gRPC status codes. */
const OK = 0;
const PERMISSION_DENIED = 7;
const UNIMPLEMENTED = 12;

export interface EtcdCallAnswer {
  status: number;
  /** What gRPC says beside the status; empty where that is OK. */
  words: string;
  /** Of an answer that is one. */
  message?: Uint8Array | undefined;
}

/** @param path that of the method */
export function answerEtcdCall(
  state: EtcdState,
  client: EtcdClient,
  { path, message, clusterId }: { path: string; message: Uint8Array; clusterId: string | undefined },
): EtcdCallAnswer {
  if (path !== RANGE_PATH && path !== USER_LIST_PATH) {
    return { status: UNIMPLEMENTED, words: `unknown method ${path}` };
  }
  const answer = path === RANGE_PATH ? rangeIn(state, client, message, clusterId) : usersIn(state, client);
  return answer ? { status: OK, words: '', message: answer } : { status: PERMISSION_DENIED, words: REFUSED };
}

function rangeIn(
  state: EtcdState,
  client: EtcdClient,
  message: Uint8Array,
  clusterId: string | undefined,
): Uint8Array | undefined {
  const { key, rangeEnd } = decodeRangeRequest(message);
  const found = state.range(client, Buffer.from(key).toString(), rangeEndOf(rangeEnd));
  const kvs = found?.map(([name, value]) => ({ key: Buffer.from(name), value: Buffer.from(value) }));
  return kvs && encodeRangeResponse({ kvs, clusterId });
}

function usersIn(state: EtcdState, client: EtcdClient): Uint8Array | undefined {
  const names = state.userNames(client);
  return names && encodeUserListResponse(names);
}
