import { describe, expect, it } from 'vitest';
import { draftFrom, type EnableOptions } from '../../src/flows/enable/draft-enable.ts';
import { loadTemplates } from '../../src/manifests/load.ts';
import { apiserverDeployment as liveDeployment } from '../../src/mesh/apiserver/live.ts';
import { POD_CA_ANNOTATION, podCaMark } from '../../src/mesh/apiserver/pod-marks.ts';
import type { CertificateFacts, TlsSecretFacts } from '../../src/mesh/certificates/certificate.ts';
import { certificateSpecs } from '../../src/mesh/certificates/cluster-certificates.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { type KubeObject, keyOf, refOf } from '../../src/mesh/objects/kube-object.ts';
import { encodeText } from '../../src/mesh/objects/secret-data.ts';
import { templateSpec } from '../../src/mesh/objects/workload.ts';
import { cachedPeerFile, remotePeerFile, remoteUsersFile } from '../../src/mesh/peers/file/peer-config.ts';
import { CHECKOUT } from '../support/schemas.ts';
import { caFacts, certificateFacts, loadBalancerService, NOW, secretObject, snapshotOf } from '../support/snapshots.ts';

const templates = await loadTemplates(CHECKOUT);
const SERVER = 'clustermesh-apiserver-server-cert';
const CONNECT = "meshctl clustermesh connect --context one --destination-context '<context of mesh-2>'";
const REISSUE = 'meshctl clustermesh enable --context one --force-conflicts';

/** With one change that no peer feels: of a plan without any, nothing is said. */
const draft = (snapshot: ClusterSnapshot, others: ClusterSnapshot[] = [], options: Partial<EnableOptions> = {}) =>
  draftFrom(snapshot, templates, { waitMs: 0, others, replicas: 2, ...options }, NOW);
const effects = (...[snapshot, others]: Parameters<typeof draft>) =>
  draft(snapshot, others).effects.map(({ peer, becomes, why, mend }) => [peer, becomes, why, mend]);

const former = certificateFacts({ sha256: 'f'.repeat(64), publicKeySha256: 'former', isCa: true });
const other = certificateFacts({ sha256: '0'.repeat(64), publicKeySha256: 'other', isCa: true });
const renewed = { ...former, sha256: 'e'.repeat(64) };

const leafOf = (ca: CertificateFacts, leaf: Partial<CertificateFacts>): TlsSecretFacts => ({
  certificate: certificateFacts(leaf),
  ca,
  keyMatches: true,
  signedByCa: true,
});

/** Who else than meshctl has made a Secret. */
const madeBy = (name: string, manager: string, labels = {}): KubeObject => {
  const secret = secretObject(name, { 'tls.crt': 'x' });
  return { ...secret, metadata: { ...secret.metadata, labels, managedFields: [{ manager, operation: 'Update' }] } };
};

interface Given {
  /** The CA of Secret cilium-ca, and the ones that the certificates of the cluster are from. */
  ca?: CertificateFacts;
  server?: CertificateFacts;
  clients?: CertificateFacts;
  /** For which address the server certificate is. */
  address?: string;
  manager?: string;
  labels?: Record<string, string>;
  /** What the pods' annotation says. */
  mark?: string;
}

/** mesh-1 as enable left it, connected with mesh-2; then what somebody put in place of its Secrets. */
function connected(given: Given): ClusterSnapshot {
  const { ca = former, server = ca, clients = former, address = '10.9.0.1', manager = 'kubectl-create' } = given;
  const mark = given.mark ?? former.sha256.slice(0, 16);
  const certificates = certificateSpecs({
    clusterName: 'mesh-1',
    namespace: 'kube-system',
    serviceAddresses: [address],
    kvstoremesh: true,
  });
  const base = snapshotOf({
    ca: { ...caFacts('former'), certificate: ca },
    tlsSecrets: new Map(
      certificates.map(({ secret, spec }) => [secret, leafOf(secret === SERVER ? server : clients, spec)]),
    ),
  });
  const made = draft({ ...base, objects: new Map() }, [], {
    serviceType: 'LoadBalancer',
    replicas: 1,
  }).plan.steps.flatMap(({ wanted, write }) => (wanted ? [wanted] : write?.method === 'create' ? [write.object] : []));
  const file = remotePeerFile('mesh-2', { addresses: ['10.9.0.2:2379'] }, 'mesh-2.');
  const remoteUsers = [{ name: 'remote-mesh-2', role: 'remote' }];
  const live = made.map((object): KubeObject => {
    if (object.kind === 'Service' && object.metadata.name === 'clustermesh-apiserver') {
      return { ...object, status: loadBalancerService('10.9.0.1').status };
    }
    if (object.metadata.name === 'cilium-kvstoremesh') return { ...object, data: { 'mesh-2': encodeText(file) } };
    if (object.metadata.name === 'cilium-clustermesh') {
      return { ...object, data: { 'mesh-2': encodeText(cachedPeerFile('kube-system')) } };
    }
    if (object.metadata.name === 'clustermesh-remote-users') {
      return { ...object, data: { 'users.yaml': remoteUsersFile(remoteUsers) } };
    }
    return object.kind === 'Deployment' ? withMark(object, mark) : object;
  });
  live.push(madeBy(SERVER, manager, given.labels));
  return { ...base, remoteUsers, objects: new Map(live.map((object) => [keyOf(refOf(object)), object])) };
}

function withMark(deployment: KubeObject, mark: string): KubeObject {
  const copy = structuredClone(deployment) as KubeObject & {
    spec: { template: { metadata: { annotations: Record<string, string> } } };
  };
  copy.spec.template.metadata.annotations[POD_CA_ANNOTATION] = mark;
  return copy;
}

/** mesh-2, which dials mesh-1 with a certificate of this CA, and trusts it. */
function diallingPeer(ca: CertificateFacts, address = '10.9.0.1'): ClusterSnapshot {
  const file = remotePeerFile('mesh-1', { addresses: [`${address}:2379`] }, 'mesh-1.');
  return snapshotOf({
    context: 'two',
    ciliumConfig: { 'cluster-name': 'mesh-2', 'cluster-id': '2' },
    live: [secretObject('cilium-clustermesh', { 'mesh-1': file })],
    peerCertificates: new Map([['mesh-1', leafOf(ca, { commonName: 'remote-mesh-2' })]]),
  });
}

describe('a peer whose peering file is lost', () => {
  const [AGENTS, KVSTOREMESH] = ['cilium-clustermesh', 'cilium-kvstoremesh'];
  const without = (...names: string[]) => {
    const snapshot = connected({});
    const isKept = ({ kind, metadata }: KubeObject) => kind !== 'Secret' || !names.includes(metadata.name);
    return { ...snapshot, objects: new Map([...snapshot.objects].filter(([, object]) => isKept(object))) };
  };
  const emptied = (snapshot: ClusterSnapshot): ClusterSnapshot => ({
    ...snapshot,
    remoteUsers: [{ name: 'remote-mesh-1', role: 'remote' }],
    objects: new Map(),
  });
  const TO_TWO = 'meshctl clustermesh connect --context one --destination-context two';

  it.each<[string, ClusterSnapshot, ClusterSnapshot[], string | undefined, string | undefined]>([
    ['nowhere', connected({}), [], undefined, undefined],
    ['for agents', without(AGENTS), [], 'the peering files are missing (Secret cilium-clustermesh)', CONNECT],
    [
      'for KVStoreMesh',
      without(KVSTOREMESH),
      [diallingPeer(former)],
      'the peering files are missing (Secret cilium-kvstoremesh)',
      TO_TWO,
    ],
    [
      'on both sides',
      without(AGENTS, KVSTOREMESH),
      [emptied(diallingPeer(former))],
      'neither cluster has a peering file for the other one',
      TO_TWO,
    ],
  ])('does not stay connected: %s', (_where, snapshot, others, why, mend) => {
    const [[peer, becomes, ...more] = []] = effects(snapshot, others);
    expect(peer).toBe('mesh-2');
    expect([becomes, ...more]).toEqual(
      why === undefined ? [expect.not.stringMatching('lost'), expect.anything(), mend] : ['lost', why, mend],
    );
  });
});

describe('what enable does to peers by the CA that etcd was started with', () => {
  const REPLACED = [
    'mesh-2',
    'moved',
    'the pods of Deployment clustermesh-apiserver are replaced one by one',
    undefined,
  ];
  const CUT = ['mesh-2', 'cut', 'it trusts the former CA, "Cilium CA", sha256:ffffffffffff', CONNECT];

  it.each<[string, Given, unknown[]]>([
    ['nothing was replaced', {}, ['mesh-2', 'kept', '', undefined]],
    ['only cilium-ca was', { ca: other, server: former }, CUT],
    ['cilium-ca and the server certificate were', { ca: other }, CUT],
    [
      'all of them were: of the former CA only the mark is left',
      { ca: other, clients: other },
      ['mesh-2', 'cut', 'it trusts the former CA, of which nothing is left', CONNECT],
    ],
    [
      'etcd trusts both in the middle of a rotation',
      { ca: other, clients: other, mark: '0000000000000000,ffffffffffffffff' },
      REPLACED,
    ],
    ['the CA was renewed with its key', { ca: renewed }, REPLACED],
  ])('%s', (_what, given, wanted) => {
    expect(effects(connected(given))).toEqual([wanted]);
  });

  const bundleOf = (...authorities: CertificateFacts[]) => ({
    object: 'ConfigMap kube-system/cas',
    pem: '',
    authorities,
  });
  const bundledPeer = (...authorities: CertificateFacts[]) => ({
    ...diallingPeer(former),
    peerCertificates: new Map(),
    caBundle: bundleOf(...authorities),
  });

  it.each<[string, CertificateFacts[], ClusterSnapshot[], string]>([
    ['a peer that was not read has what the former certificates have', [former, other], [], 'cut'],
    ['the bundle of the peer lacks the new one', [former, other], [bundledPeer(former)], 'cut'],
    ['the bundles of both have both', [former, other], [bundledPeer(former, other)], 'moved'],
    ['the own bundle has let go of the former one', [other], [bundledPeer(former, other)], 'cut'],
    [
      'the bundle of the peer may not be read',
      [former, other],
      [{ ...bundledPeer(), caBundle: { ...bundleOf(), authorities: undefined } }],
      'cut',
    ],
  ])('goes by the bundle of the peer: %s', (_what, authorities, others, wanted) => {
    const snapshot = connected({ ca: other, server: former });
    const bundle = bundleOf(...authorities);
    const tlsSecrets = new Map([...snapshot.tlsSecrets].map(([name, facts]) => [name, { ...facts, bundle }]));
    const expired = certificateFacts({ commonName: 'x', notAfter: new Date(NOW.getTime() - 1) });
    tlsSecrets.set(SERVER, { ...leafOf(former, expired), bundle });
    expect(effects({ ...snapshot, caBundle: bundle, tlsSecrets }, others)).toEqual([
      ['mesh-2', wanted, expect.any(String), wanted === 'cut' ? expect.any(String) : undefined],
    ]);
  });

  it('is as the peer itself has it, where it was read', () => {
    const snapshot = connected({ ca: other, clients: other });
    expect(podCaMark(liveDeployment(snapshot))).toBe('ffffffffffffffff');
    const becomes = (ca: CertificateFacts) => effects(snapshot, [diallingPeer(ca)]).map(([peer, how]) => [peer, how]);
    expect(becomes(former)).toEqual([['mesh-2', 'cut']]);
    expect(becomes(other)).toEqual([['mesh-2', 'moved']]);
  });
});

describe('a server certificate that somebody else has made', () => {
  const says = 'the server certificate, made by kubectl-create, does not cover 10.9.0.1';
  const elsewhere = { address: '10.9.0.7' };

  it.each<[string, Given, ClusterSnapshot[], unknown[]]>([
    ['for the address', {}, [], ['mesh-2', 'kept', '', undefined]],
    ['for another address', elsewhere, [], ['mesh-2', 'lost', `${says}, where it may dial`, REISSUE]],
    [
      'for another address, which the peer dials',
      elsewhere,
      [diallingPeer(former)],
      ['mesh-2', 'lost', `${says}, which it dials`, REISSUE],
    ],
    [
      'for another address, where the pods are replaced',
      { ...elsewhere, ca: renewed, mark: 'eeeeeeeeeeeeeeee,ffffffffffffffff' },
      [],
      ['mesh-2', 'unknown', `${says}, where it may dial`, REISSUE],
    ],
    ['for the names in the mesh', { address: 'mesh.example' }, [], ['mesh-2', 'kept', '', undefined]],
    [
      'by a tool, which knows what it makes',
      { ...elsewhere, labels: { 'app.kubernetes.io/managed-by': 'Helm' } },
      [],
      ['mesh-2', 'kept', '', undefined],
    ],
  ])('%s', (_what, given, others, wanted) => {
    const of = draft(connected(given), others);
    expect(of.effects.map(({ peer, becomes, why, mend }) => [peer, becomes, why, mend])).toEqual([wanted]);
    const isWarned = of.warnings.some(
      (warning) => warning.includes('does not cover 10.9.0.1') && warning.endsWith(REISSUE),
    );
    expect(isWarned).toBe(wanted[3] === REISSUE);
  });

  it('is told after the CA, for which the peer is to be connected anew', () => {
    const [effect] = draft(connected({ ...elsewhere, ca: other }), [diallingPeer(former)]).effects;
    expect(effect).toMatchObject({
      becomes: 'cut',
      why: `it trusts the former CA, "Cilium CA", sha256:ffffffffffff; ${says}, which it dials`,
      mend: 'meshctl clustermesh connect --context one --destination-context two',
    });
  });

  it('is made anew by the command that the plan names', () => {
    const { plan, effects: of } = draft(connected(elsewhere), [], { force: true });
    const step = plan.steps.find(({ object }) => object.name === SERVER);
    expect(step).toMatchObject({ action: 'update', why: 'it does not cover 10.9.0.1' });
    expect(of.map(({ becomes }) => becomes)).toEqual(['kept']);
  });
});

it('knows where a peer dials also where only its pods say what the name means, as before Cilium 1.20', () => {
  const alias = { ips: ['10.9.0.1'], ports: [2379], in: 'pods' } as const;
  const file = remotePeerFile('mesh-1', { addresses: [], alias }, 'mesh-1.');
  const hostAliases = [{ ip: '10.9.0.1', hostnames: ['mesh-1.mesh.cilium.io'] }];
  const dialling = (names: object): ClusterSnapshot =>
    snapshotOf({
      context: 'two',
      ciliumConfig: { 'cluster-name': 'mesh-2', 'cluster-id': '2' },
      live: [
        {
          apiVersion: 'apps/v1',
          kind: 'DaemonSet',
          metadata: { name: 'cilium', namespace: 'kube-system' },
          spec: { template: { spec: names } },
        },
        secretObject('cilium-clustermesh', { 'mesh-1': file }),
      ],
    });
  const becomes = (peer: ClusterSnapshot) =>
    draft(connected({ clients: former }), [peer], { serviceType: 'NodePort' }).effects.map(({ becomes: how, why }) => [
      how,
      why,
    ]);
  expect(becomes(dialling({ hostAliases }))).toEqual([['cut', 'it dials 10.9.0.1:2379, an address that is removed']]);
  expect(becomes(dialling({}))).toEqual([['unknown', expect.stringContaining('it dials mesh-1.mesh.cilium.io:2379')]]);
});

describe('a peer that dials the node port of a load balancer, where it is answered', () => {
  const PORT = 32555;
  const atNode = (snapshot: ClusterSnapshot) => snapshot.nodes[0]?.addresses[0]?.address ?? '';
  const behindBalancer = (): ClusterSnapshot => {
    const snapshot = connected({ manager: 'meshctl' });
    const objects = new Map(snapshot.objects);
    for (const [key, object] of objects) {
      if (object.kind !== 'Service' || object.metadata.name !== 'clustermesh-apiserver') continue;
      const service = structuredClone(object) as KubeObject & { spec: { ports: { nodePort?: number }[] } };
      for (const port of service.spec.ports) port.nodePort = PORT;
      objects.set(key, service);
    }
    return { ...snapshot, objects };
  };
  const ofNodePort = (): ClusterSnapshot => {
    const snapshot = behindBalancer();
    const objects = [...snapshot.objects].map(([key, object]): [string, KubeObject] => {
      const { spec } = object as KubeObject & { spec?: { type?: string } };
      return [
        key,
        object.kind === 'Service' && spec?.type
          ? ({ ...object, spec: { ...spec, type: 'NodePort' } } as KubeObject)
          : object,
      ];
    });
    return { ...snapshot, objects: new Map(objects) };
  };
  const diallingNode = (chosen: boolean): ClusterSnapshot => {
    const endpoint = `${atNode(behindBalancer())}:${PORT}`;
    const secret = secretObject('cilium-clustermesh', {
      'mesh-1': remotePeerFile('mesh-1', { addresses: [endpoint] }, 'mesh-1.'),
    });
    const annotations = chosen ? { 'meshctl.io/endpoint.mesh-1': endpoint } : {};
    return snapshotOf({
      context: 'two',
      ciliumConfig: { 'cluster-name': 'mesh-2', 'cluster-id': '2' },
      live: [{ ...secret, metadata: { ...secret.metadata, annotations } }],
      peerCertificates: new Map([['mesh-1', leafOf(former, { commonName: 'remote-mesh-2' })]]),
    });
  };

  it.each<[string, Partial<EnableOptions>, string]>([
    ['goes on where nothing of it changes', {}, 'kept'],
    ['goes on where a NodePort has that port', { serviceType: 'NodePort', nodePort: PORT }, 'kept'],
    ['is cut off where a NodePort has another one', { serviceType: 'NodePort', nodePort: 31999 }, 'cut'],
    ['is cut off where no node answers any more', { serviceType: 'ClusterIP' }, 'cut'],
  ])('%s, also where the address was chosen', (_what, options, becomes) => {
    for (const chosen of [false, true]) {
      const { effects: of } = draft(behindBalancer(), [diallingNode(chosen)], options);
      const why = becomes === 'cut' ? expect.stringContaining(`:${PORT}, an address that is removed`) : '';
      expect(of.map((effect) => [effect.becomes, effect.why])).toEqual([[becomes, why]]);
    }
  });

  it('is not to be connected to a cluster without a node that is ready, where the Service is a NodePort', () => {
    const look = 'kubectl --context one get nodes -o wide';
    const nodes = behindBalancer().nodes.map((node) => ({ ...node, ready: false }));
    const judged = (snapshot: ClusterSnapshot) => {
      const of = draft({ ...snapshot, nodes }, [diallingNode(false)], { serviceType: 'NodePort', nodePort: PORT });
      return [
        of.effects.map(({ becomes, mend }) => [becomes, mend]),
        of.warnings.filter((says) => says.endsWith(look)),
      ];
    };
    const says = 'the Service kube-system/clustermesh-apiserver has no address that peers could dial: no node is ready';
    const warning = `${says}, so no peer can be connected to it → ${look}`;
    expect(judged(ofNodePort())).toEqual([[['lost', look]], [warning]]);
  });
});

it('is planned into no namespace that is being deleted', () => {
  const metadata = { name: 'kube-system', deletionTimestamp: '2026-01-01T00:00:00Z' };
  const goingNamespace = { apiVersion: 'v1', kind: 'Namespace', metadata };
  const snapshot = { ...connected({ manager: 'meshctl' }), goingNamespace };
  expect(() => draft(snapshot)).toThrow('context "one": Namespace kube-system is being deleted');
});

it('asks before it gives etcd or KVStoreMesh CAs from elsewhere than somebody else has them from: their peers may be of others', () => {
  const healthy = connected({ manager: 'meshctl' });
  const found = ['etcd-server-secrets', 'etcd-admin-client', 'kvstoremesh-secrets'].map((volume) => {
    const objects = new Map(healthy.objects);
    for (const [key, object] of objects) {
      if (object.kind !== 'Deployment') continue;
      const changed = structuredClone(object);
      const { projected } = templateSpec(changed).volumes?.find(({ name }) => name === volume) ?? {};
      for (const { secret } of projected?.sources ?? []) if (secret) secret.name = `our-${secret.name}`;
      objects.set(key, changed);
    }
    return [volume, draft({ ...healthy, objects }).effects[0]?.becomes];
  });
  expect(found).toEqual([
    ['etcd-server-secrets', 'unknown'],
    ['etcd-admin-client', 'moved'],
    ['kvstoremesh-secrets', 'unknown'],
  ]);
});
