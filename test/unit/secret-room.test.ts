import { expect, test } from 'vitest';
import { secretRooms } from '../../src/mesh/peers/file/secret-room.ts';
import { secretObject, snapshotOf } from '../support/snapshots.ts';

const FILE = 'endpoints:\n- https://192.0.2.2:2379\n';

test.each<[string, Record<string, string>, number]>([
  ['a peering file', {}, FILE.length],
  // What is no text grows where it is read as text.
  ['bytes that are no text', { leftover: Buffer.alloc(300, 0xff).toString('base64') }, FILE.length + 300],
])('a Secret of peers with %s has as many bytes as the API server counts', (_what, more, bytes) => {
  const secret = secretObject('cilium-kvstoremesh', { 'mesh-2': FILE });
  const live = [{ ...secret, data: { ...(secret.data as Record<string, string>), ...more } }];
  expect(secretRooms(snapshotOf({ live }))).toMatchObject([{ secret: 'cilium-kvstoremesh', peers: 1, bytes }]);
});
