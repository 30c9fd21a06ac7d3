import { describe, expect, test } from 'vitest';
import {
  createMessageReader,
  decodeRangeRequest,
  decodeRangeResponse,
  decodeUserListResponse,
  encodeRangeRequest,
  encodeRangeResponse,
  encodeUserListResponse,
  frameMessage,
  readMessages,
} from '../../src/etcd/wire.ts';

const text = (value: string) => new Uint8Array(Buffer.from(value));
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

describe('messages', () => {
  test('a list of users has the field number of rpc.proto, and its header is passed over', () => {
    expect(hex(encodeUserListResponse(['a', 'bc']))).toBe('1201611202' + '6263');
    expect(decodeUserListResponse(Buffer.from('0a020801' + '120161', 'hex'))).toEqual(['a']);
  });

  test('a range request has the field numbers of rpc.proto', () => {
    expect(hex(encodeRangeRequest({ key: text('a'), rangeEnd: text('b') }))).toBe('0a0161120162');
  });

  test('a range request comes back as it went', () => {
    const request = { key: text('cilium/cluster-config/mesh-1'), rangeEnd: Uint8Array.of(0) };
    expect(decodeRangeRequest(encodeRangeRequest(request))).toEqual(request);
  });

  test('a request for one key holds nothing but the key', () => {
    expect(hex(encodeRangeRequest({ key: text('k') }))).toBe('0a016b');
  });

  test('a range response comes back as it went', () => {
    const kvs = [
      { key: text('k1'), value: text('{"id":1}') },
      { key: text('k2'), value: new Uint8Array() },
    ];
    expect(decodeRangeResponse(encodeRangeResponse({ kvs }))).toEqual({ kvs });
  });

  test('a response with a header and revisions, as etcd sends it, is understood', () => {
    // header {cluster_id: 1}, kvs {key, create_revision: 2, mod_revision: 2, version: 1, value}, count: 1
    const bytes = Buffer.from(
      '0a020801' + '1210' + '0a03666f6f' + '1002' + '1802' + '2001' + '2a03626172' + '2001',
      'hex',
    );
    const { kvs } = decodeRangeResponse(bytes);
    expect(kvs.map(({ key, value }) => [Buffer.from(key).toString(), Buffer.from(value).toString()])).toEqual([
      ['foo', 'bar'],
    ]);
  });
});

describe('framing', () => {
  test('a frame is a zero byte, the length, the message', () => {
    expect(hex(frameMessage(text('hi')))).toBe('00000000026869');
  });

  test('messages are found however the body is cut', () => {
    const body = Buffer.concat([frameMessage(text('one')), frameMessage(text('')), frameMessage(text('three'))]);
    for (let size = 1; size <= body.length; size++) {
      const reader = createMessageReader();
      const found: string[] = [];
      for (let start = 0; start < body.length; start += size) {
        for (const message of reader.push(body.subarray(start, start + size)))
          found.push(Buffer.from(message).toString());
      }
      reader.end();
      expect(found).toEqual(['one', '', 'three']);
    }
  });

  test('refuses what is cut off, compressed or too large', () => {
    const frame = frameMessage(text('message'));
    expect(() => readMessages(frame.subarray(0, 7))).toThrow('cut off');
    expect(() => readMessages(Buffer.concat([Buffer.of(1), frame.subarray(1)]))).toThrow('compressed');
    expect(() => readMessages(Buffer.of(0, 0xff, 0xff, 0xff, 0xff))).toThrow('4294967295 bytes');
  });
});

test.each([['0'], ['7f'], ['80'], ['14841639068965178418'.slice(0, 15)], ['ffffffffffffffff'], ['cdf818194e3a8c32']])(
  'the id of an etcd is read whole from the header of an answer, as Cilium prints it: %s',
  (clusterId) => {
    const bytes = encodeRangeResponse({ kvs: [], clusterId });
    expect(decodeRangeResponse(bytes)).toEqual({ kvs: [], clusterId });
  },
);

test.each([[[]], [[0x10, 1]], [[0x08]], [[0x08, 0x80]]])('a header without an id tells none: %j', (header) => {
  const bytes = Uint8Array.from([0x0a, header.length, ...header]);
  expect(decodeRangeResponse(bytes).clusterId).toBeUndefined();
});
