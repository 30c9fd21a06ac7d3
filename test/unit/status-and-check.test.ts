/** What `status` calls unhealthy makes `check` fail, in its own words where no other check finds it; what is sound passes both. */
import { describe, expect, it } from 'vitest';
import { cachedPeerFile } from '../../src/mesh/peers/file/peer-config.ts';
import { createAuthority } from '../../src/pki/authority.ts';
import { generateEcKey } from '../../src/pki/certificate.ts';
import { lookAt, peerFiles, putTexts, type WorldCluster } from '../support/mesh-world.ts';

const made = (commonName: string) => createAuthority({ commonName, key: generateEcKey() });
const [A, B, C] = await Promise.all(['A', 'B', 'C'].map(made));
if (!A || !B || !C) throw new Error('no CAs');

/** Cluster 1 of the CA A and cluster 2 of B, which dial each other with certificates for each other alone. */
const one = (more: Partial<WorldCluster> = {}): WorldCluster => ({ id: 1, ca: A, dials: { 2: { by: B } }, ...more });
const two = (more: Partial<WorldCluster> = {}): WorldCluster => ({ id: 2, ca: B, dials: { 1: { by: A } }, ...more });
const three = (more: Partial<WorldCluster> = {}): WorldCluster => ({ id: 3, ca: C, dials: { 1: { by: A } }, ...more });

describe('what another peer, or another Secret, has', () => {
  it('is not why a peer is not connected: it is named with its own next step', async () => {
    const wrongKey = async (objects: Parameters<typeof putTexts>[0]) => {
      const [files, other] = await Promise.all([1, 2].map(() => peerFiles('mesh-3', 'mesh-1', { by: C })));
      const key = 'mesh-3.etcd-client.key';
      putTexts(objects, 'cilium-kvstoremesh', { ...files, [key]: other?.[key] ?? '' });
      putTexts(objects, 'cilium-clustermesh', { 'mesh-3': cachedPeerFile('kube-system') });
    };
    const { check } = await lookAt(
      [
        one({ beside: [A, B], dials: { 2: {} }, letsIn: [2, 3], change: wrongKey }),
        two({
          dials: {},
          letsIn: [1],
          annotations: { certificates: {}, peers: { 'meshctl.io/mode.mesh-1': 'served' } },
        }),
        three(),
      ],
      { c1: { failing: { 'mesh-2': 'remote error: tls: bad certificate' } } },
    );
    const found = check().filter(({ severity }) => severity === 'fail');
    expect(found.map(({ id, message }) => [id, message])).toEqual([
      [
        'peers-connected',
        'context "c1", peer mesh-2: the client certificate is from a CA that mesh-2 does not accept (Secret cilium-kvstoremesh, key mesh-2)',
      ],
      ['peers-certificate', 'context "c1", peer mesh-3: the private key belongs to a different certificate'],
    ]);
  });
});
