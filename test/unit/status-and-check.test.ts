/** What `status` calls unhealthy makes `check` fail, in its own words where no other check finds it; what is sound passes both. */
import { describe, expect, it } from 'vitest';
import type { CheckEntry } from '../../src/mesh/checks/catalogue.ts';
import { describeFault, type Fault, type FaultId } from '../../src/mesh/faults/fault.ts';
import { FAULT_IDS } from '../../src/mesh/faults/fault-advice.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { cachedPeerFile } from '../../src/mesh/peers/file/peer-config.ts';
import { reasonsOf } from '../../src/mesh/status/status-reasons.ts';
import { createAuthority } from '../../src/pki/authority.ts';
import { generateEcKey } from '../../src/pki/certificate.ts';
import { certificateTexts, lookAt, peerFiles, putTexts, type WorldCluster } from '../support/mesh-world.ts';

const made = (commonName: string) => createAuthority({ commonName, key: generateEcKey() });
const [A, B, C] = await Promise.all(['A', 'B', 'C'].map(made));
if (!A || !B || !C) throw new Error('no CAs');

/** Cluster 1 of the CA A and cluster 2 of B, which dial each other with certificates for each other alone. */
const one = (more: Partial<WorldCluster> = {}): WorldCluster => ({ id: 1, ca: A, dials: { 2: { by: B } }, ...more });
const two = (more: Partial<WorldCluster> = {}): WorldCluster => ({ id: 2, ca: B, dials: { 1: { by: A } }, ...more });
const three = (more: Partial<WorldCluster> = {}): WorldCluster => ({ id: 3, ca: C, dials: { 1: { by: A } }, ...more });

const failing = (entries: readonly CheckEntry[]) =>
  entries.flatMap(({ severity, id, message }) => (severity === 'fail' ? [[id, message]] : []));

describe('what another peer, or another Secret, has', () => {
  it('is not why a peer is not connected: it is named with its own next step', async () => {
    const wrongKey = async (objects: KubeObject[]) => {
      const [files, other] = await Promise.all([peerFiles('mesh-3', 'mesh-1', { by: C }), certificateTexts(C, {})]);
      putTexts(objects, 'cilium-kvstoremesh', { ...files, 'mesh-3.etcd-client.key': other['tls.key'] ?? '' });
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
    expect(failing(check())).toEqual([
      [
        'peers-connected',
        'context "c1", peer mesh-2: the client certificate is from a CA that mesh-2 does not accept (Secret cilium-kvstoremesh, key mesh-2)',
      ],
      ['peers-certificate', 'context "c1", peer mesh-3: the private key belongs to a different certificate'],
    ]);
  });
});

const CERT_MANAGER = {
  certificates: { 'cert-manager.io/certificate-name': 'one', 'cert-manager.io/issuer-name': 'issuer' },
  peers: {},
};
const withoutKey = ({ certificate }: { certificate: string }) => ({ certificate });
const COMMON = { dials: { 2: {} } };
const COMMON_BACK = { dials: { 1: {} } };

describe('a mesh that is sound', () => {
  it.each<[what: string, clusters: WorldCluster[]]>([
    ['with a certificate for each peer', [one(), two()]],
    ['the same without KVStoreMesh', [one({ kvstoremesh: false }), two({ kvstoremesh: false })]],
    ['with one CA', [one(COMMON), two({ ca: A, ...COMMON_BACK })]],
    ["with each other's CA beside", [one({ beside: [A, B], ...COMMON }), two({ beside: [B, A], ...COMMON_BACK })]],
    ['with a bundle of both CAs', [one({ bundle: [A, B], ...COMMON }), two({ bundle: [A, B], ...COMMON_BACK })]],
    ['with CAs whose keys are kept elsewhere', [one({ ownCa: withoutKey(A) }), two({ ownCa: withoutKey(B) })]],
    [
      'with certificates of cert-manager',
      [one({ ownCa: 'none', annotations: CERT_MANAGER }), two({ ownCa: 'none', annotations: CERT_MANAGER })],
    ],
    [
      'one-way, as chosen',
      [
        one({ letsIn: [], annotations: { certificates: {}, peers: { 'meshctl.io/mode.mesh-2': 'unicast' } } }),
        two({
          ...{ dials: {}, letsIn: [1] },
          annotations: { certificates: {}, peers: { 'meshctl.io/mode.mesh-1': 'served' } },
        }),
      ],
    ],
  ])('%s: passes both', async (_what, clusters) => {
    const { isHealthy, reports, check } = await lookAt(clusters);
    expect(reports.flatMap(({ faults }) => faults)).toEqual([]);
    expect(isHealthy).toBe(true);
    expect(failing(check())).toEqual([]);
  });
});

const lookedAt = lookAt([one(), two()]);

/** What never is an outage. */
const HARMLESS: readonly FaultId[] = ['ca-missing', 'ca-unreadable', 'ca-key', 'ca-foreign', 'choice-half-recorded'];

describe('a fault that nobody has noticed, and that no other check finds', () => {
  const faultOf = (id: FaultId): Fault => ({
    ...{
      id,
      context: 'c1',
      namespace: 'kube-system',
      component: 'agent',
      peer: 'mesh-2',
      outage: !HARMLESS.includes(id),
    },
    ...{ object: 'Secret some', key: 'key', says: `it has ${id}`, hint: `Mend ${id}.` },
  });
  const seen = lookedAt.then(({ check, reports }) => {
    const faults = FAULT_IDS.map(faultOf);
    const reasons = reasonsOf({ clusters: reports.map((report) => ({ ...report, faults })) });
    return { reasons, found: check({ more: { c1: { faults } } }).filter(({ severity }) => severity === 'fail') };
  });

  it.each(FAULT_IDS)('%s: fails where it is an outage, with the words and the next step of status', async (id) => {
    const { reasons, found } = await seen;
    const fault = faultOf(id);
    const { lead, hint } = reasons.find((reason) => reason.id === id) ?? {};
    const words = [...(lead ? [lead] : []), describeFault(fault)].join(': ');
    expect(
      found
        .filter(({ message }) => message?.includes(fault.says))
        .map((entry) => [entry.id, entry.message, entry.hint]),
    ).toEqual(fault.outage ? [['peers-connected', `context "c1", peer mesh-2: ${words}`, hint]] : []);
  });

  it('is not said where the check that looks for it is suppressed', async () => {
    const { check } = await lookedAt;
    const fault: Fault = {
      ...{ id: 'certificate-expired', context: 'c1', namespace: 'kube-system', component: 'apiserver' },
      ...{ outage: true, object: 'Secret clustermesh-apiserver-admin-cert', says: 'it expired' },
    };
    const faults: Fault[] = [fault, { ...fault, id: 'certificate-key' }];
    const asked = { more: { c1: { faults } } };
    const connected = (entries: CheckEntry[]) =>
      entries.filter(({ id }) => id === 'peers-connected').map(({ severity }) => severity);
    expect(connected(check(asked))).toEqual(['fail', 'fail']);
    expect(connected(check({ ...asked, suppressed: ['tls-expiry'] }))).toEqual(['skip', 'fail']);
  });
});
