import { expect, test } from 'vitest';
import { materialise } from '../../src/flows/write/materialise.ts';
import { clientSpec } from '../../src/mesh/certificates/cluster-certificates.ts';
import { secretRef } from '../../src/mesh/objects/names.ts';
import { dataOf } from '../../src/mesh/objects/secret-data.ts';
import { peerCertificateKeys } from '../../src/mesh/peers/file/peer-config.ts';
import { setKeys } from '../../src/mesh/peers/file/peer-secrets.ts';
import { requireRoom } from '../../src/mesh/peers/file/planned-room.ts';
import { SECRET_LIMIT, secretRooms } from '../../src/mesh/peers/file/secret-room.ts';
import type { Step } from '../../src/mesh/plan/plan.ts';
import { createAuthority } from '../../src/pki/authority.ts';
import { caFacts, certificateFacts, NOW, secretObject, snapshotOf } from '../support/snapshots.ts';

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

test.each([
  [2048, 2048],
  [4096, 2048],
  [2048, 4096],
])(
  'the room that a plan needs is reckoned closely, and never too large: CA of %i bits, key of %i',
  async (caBits, keySize) => {
    const one = await createAuthority({ keySize: caBits, now: NOW });
    const two = await createAuthority({ keySize: caBits, now: NOW });
    const ca = (pem = '') => ({
      ...caFacts('ca'),
      certificate: certificateFacts({ keyBits: caBits }),
      certificatePem: pem,
    });
    const snapshots = [
      snapshotOf({ context: 'a', ca: ca(one.certificate) }),
      snapshotOf({ context: 'b', ca: ca(two.certificate) }),
    ];
    const ref = secretRef('kube-system', 'cilium-kvstoremesh');
    const write = {
      method: 'issue' as const,
      certificates: [{ spec: clientSpec('remote-a'), signer: 'b', keys: peerCertificateKeys('b'), keySize }],
      data: { b: FILE },
      trust: [{ key: peerCertificateKeys('b').ca, authority: 'next', certificates: [two.certificate] }],
      secret: secretObject(ref.name, {}),
      into: 'patch' as const,
    };
    const made: Step = {
      ...{ cluster: 'b', action: 'update', object: secretRef('kube-system', 'cilium-ca'), changes: [], why: '' },
      write: {
        method: 'authority',
        commonName: 'Cilium CA',
        given: 'next',
        keySize: caBits,
        secret: secretObject('cilium-ca', {}),
      },
    };
    const stepBeside = (filling: number): Step => ({
      ...{ cluster: 'a', action: 'update', object: ref, changes: [], why: '' },
      write,
      before: secretObject(ref.name, { other: 'x'.repeat(filling) }),
    });
    const authorities = new Map([
      ['b', two],
      ['next', one],
    ]);
    const ready = await materialise({ ...stepBeside(0), action: 'create' }, authorities, NOW);
    const data = ready.method === 'edit' ? dataOf(ready.create) : {};
    const bytes = Object.values(data).reduce((sum, value) => sum + Buffer.byteLength(value, 'base64'), 0);
    const plan = (left: number) => () => requireRoom([made, stepBeside(SECRET_LIMIT - left)], snapshots);
    expect(plan(bytes)).not.toThrow();
    expect(plan(bytes - 40)).toThrow(
      /context "a": Secret kube-system\/cilium-kvstoremesh would have 1025 KiB for 1 peer, /,
    );
  },
);

test('what takes something out of a Secret that is too full is not refused for that', () => {
  const before = secretObject('cilium-clustermesh', { b: FILE, other: 'x'.repeat(SECRET_LIMIT) });
  const step = (edit: Record<string, string | null>): Step => ({
    ...{ cluster: 'a', action: 'update', object: secretRef('kube-system', 'cilium-clustermesh'), changes: [], why: '' },
    write: { method: 'edit', edit: setKeys(edit) },
    before,
  });
  expect(() => requireRoom([step({ b: null })], [])).not.toThrow();
  expect(() => requireRoom([step({ c: 'Yw==' })], [])).toThrow(/room for about/);
});
