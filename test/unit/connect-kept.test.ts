import { describe, expect, it } from 'vitest';
import { nodesServing } from '../../src/mesh/apiserver/endpoints.ts';
import { requireIdentity } from '../../src/mesh/cilium/identity.ts';
import type { ApiserverPodFacts, NodeFacts } from '../../src/mesh/cluster-snapshot.ts';
import { unnamedContext } from '../../src/mesh/command-line.ts';
import { planDial } from '../../src/mesh/connect/dial-plan.ts';
import { planDirection } from '../../src/mesh/connect/direction.ts';
import { choiceNotes, type Dial, wantedDials } from '../../src/mesh/connect/kept-choices.ts';
import type { Member } from '../../src/mesh/connect/member.ts';
import { requireReadyServers } from '../../src/mesh/connect/provable.ts';
import { planServe } from '../../src/mesh/connect/serve-plan.ts';
import { type KubeObject, type ObjectMeta, refOf } from '../../src/mesh/objects/kube-object.ts';
import { agentDaemonSetRef } from '../../src/mesh/objects/names.ts';
import { encodeText } from '../../src/mesh/objects/secret-data.ts';
import type { CredentialChoice } from '../../src/mesh/peers/credential-kind.ts';
import { COMMON_PREFIX, cachedPeerFile, remotePeerFile } from '../../src/mesh/peers/file/peer-config.ts';
import { foreignHomeNotes } from '../../src/mesh/peers/foreign-homes.ts';
import {
  apiserverDeployment,
  caFacts,
  loadBalancerService,
  NOW,
  serviceObject,
  snapshotOf,
  tlsFacts,
} from '../support/snapshots.ts';

const PEER = 'mesh-2';
const OWN = { 'mesh-2': tlsFacts('ca', { commonName: 'remote-mesh-1', usages: ['client'] }) };

function secret(name: string, texts: Record<string, string>, metadata: Partial<ObjectMeta> = {}): KubeObject {
  const data = Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, encodeText(text)]));
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'kube-system', ...metadata }, data };
}

interface Client {
  file?: string;
  own?: boolean;
  /** Annotations of Secret cilium-clustermesh. */
  marks?: Record<string, string>;
  /** Metadata of the Secret that dials. */
  metadata?: Partial<ObjectMeta>;
  live?: KubeObject[];
}

/** mesh-1 and mesh-2 have one CA. */
function client({ file, own = false, marks, metadata, live = [] }: Client = {}): Member {
  const files = file === undefined ? {} : { [PEER]: file };
  const cached = file === undefined ? {} : { [PEER]: cachedPeerFile('kube-system') };
  const snapshot = snapshotOf({
    context: 'one',
    live: [
      apiserverDeployment(),
      secret('cilium-kvstoremesh', files, metadata),
      secret('cilium-clustermesh', cached, marks && { annotations: marks }),
      ...live,
    ],
    ca: caFacts('ca'),
    tlsSecrets: new Map([
      ['clustermesh-apiserver-remote-cert', tlsFacts('ca', { commonName: 'remote', usages: ['client'] })],
    ]),
    peerCertificates: new Map(own ? Object.entries(OWN) : []),
  });
  return { snapshot, identity: requireIdentity(snapshot), endpoints: [] };
}

function server({ caKey = true, live = [loadBalancerService('10.9.0.2')], nodes = [] as NodeFacts[] } = {}): Member {
  const snapshot = snapshotOf({
    context: 'two',
    ciliumConfig: { 'cluster-name': PEER, 'cluster-id': '2' },
    live: [apiserverDeployment(), secret('clustermesh-apiserver-remote-cert', {}), ...live],
    ca: { ...caFacts('ca'), hasKey: caKey, keyMatches: caKey },
    remoteUsers: [],
    tlsSecrets: new Map([
      ['clustermesh-apiserver-remote-cert', tlsFacts('ca', { commonName: 'remote', usages: ['client'] })],
      ['clustermesh-apiserver-server-cert', tlsFacts('ca', { commonName: 's', dnsNames: ['*.mesh.cilium.io'] })],
    ]),
    nodes,
  });
  return { snapshot, identity: requireIdentity(snapshot), endpoints: [{ host: '10.9.0.2', port: 2379 }] };
}

const plan = (one: Member, two: Member, credentials?: CredentialChoice) => {
  const direction = planDirection(one, two, { credentials, now: NOW });
  return { ...direction, steps: planDial([direction], NOW).steps };
};
const OWN_FILE = remotePeerFile(PEER, { addresses: ['10.9.0.2:2379'] }, `${PEER}.`);
const SHARED_FILE = remotePeerFile(PEER, { addresses: ['10.9.0.2:2379'] }, COMMON_PREFIX);

describe('a credential', () => {
  it.each<[string, Client, { caKey?: boolean }, CredentialChoice | undefined, string]>([
    ['nothing chosen', {}, {}, undefined, 'shared-ca'],
    ['per-peer in use', { file: OWN_FILE, own: true }, {}, undefined, 'per-peer'],
    ['per-peer in use, auto asked for', { file: OWN_FILE, own: true }, {}, 'auto', 'shared-ca'],
    ['per-peer in use, the key of the CA gone', { file: OWN_FILE, own: true }, { caKey: false }, undefined, 'per-peer'],
    [
      'per-peer chosen, files lost',
      { marks: { 'meshctl.io/credentials.mesh-2': 'per-peer' } },
      {},
      undefined,
      'per-peer',
    ],
    ['legacy chosen', { marks: { 'meshctl.io/credentials.mesh-2': 'legacy' } }, {}, undefined, 'legacy'],
    ['nonsense in the mark', { marks: { 'meshctl.io/credentials.mesh-2': 'x' } }, {}, undefined, 'shared-ca'],
  ])('%s', (_, one, two, choice, kind) => {
    expect(plan(client(one), server(two), choice).credential.kind).toBe(kind);
  });

  it('that works is not issued anew because the CA’s key has gone', () => {
    const { steps } = plan(client({ file: OWN_FILE, own: true }), server({ caKey: false }));
    expect(steps.map(({ action }) => action)).toEqual(['update', 'keep']);
    expect(steps[0]?.write).toMatchObject({ certificates: [], copies: [] });
  });

  it('that changes is shown with what it was', () => {
    const { steps } = plan(client({ file: OWN_FILE, own: true }), server(), 'shared-ca');
    expect(steps[0]?.changes).toContainEqual({
      path: 'data.mesh-2',
      from: 'dials 10.9.0.2:2379',
      to: 'dials 10.9.0.2:2379 with the common certificate',
    });
  });

  it('and an endpoint are written down where they are chosen, and taken back', () => {
    const chosen = plan(client({ file: SHARED_FILE }), { ...server(), given: 'addresses' }, 'per-peer');
    expect(chosen.marks).toMatchObject({
      'meshctl.io/endpoint.mesh-2': '10.9.0.2:2379',
      'meshctl.io/credentials.mesh-2': 'per-peer',
    });
    const back = plan(client({ file: SHARED_FILE, marks: { 'meshctl.io/endpoint.mesh-2': 'h:1' } }), {
      ...server(),
      given: 'service',
    });
    expect(back.steps.map(({ action }) => action)).toEqual(['keep', 'update']);
    expect(back.endpoint.addresses).toEqual(['10.9.0.2:2379']);
  });
});

describe('an address that was not chosen', () => {
  const helm = {
    annotations: { 'meta.helm.sh/release-name': 'cilium' },
    managedFields: [{ manager: 'helm', fieldsV1: { 'f:data': { 'f:mesh-2': {} } } }],
  };
  const nat = remotePeerFile(PEER, { addresses: ['192.0.2.1:2379'] }, COMMON_PREFIX);
  const alias = `endpoints:\n- "https://mesh-2.mesh.cilium.io:2379"\n${SHARED_FILE.split('\n').slice(2).join('\n')}`;

  it('follows the load balancer where meshctl wrote it, or nobody knows who', () => {
    const { endpoint, steps } = plan(client({ file: nat }), server());
    expect(endpoint.addresses).toEqual(['10.9.0.2:2379']);
    expect(steps[0]?.changes[0]).toMatchObject({
      from: 'dials 192.0.2.1:2379 with the common certificate',
      to: 'dials 10.9.0.2:2379 with the common certificate',
    });
  });

  it('stays where Helm has it from its values, and is told of', () => {
    const direction = plan(client({ file: nat, metadata: helm }), server());
    expect(direction.steps.map(({ action }) => action)).toEqual(['keep', 'keep']);
    expect(choiceNotes(direction)).toEqual([
      '"mesh-1" dials "mesh-2" at 192.0.2.1:2379, as Helm release cilium has it, but its Service has 10.9.0.2:2379 → ' +
        'if that is out of date: meshctl clustermesh connect --context one --destination-context two --destination-endpoint mesh-2=service',
    ]);
  });

  it('stays in silence where Helm’s host alias leads to the Service', () => {
    const workload = structuredClone(apiserverDeployment());
    (workload.spec as { template: { spec: Record<string, unknown> } }).template.spec.hostAliases = [
      { ip: '10.9.0.2', hostnames: ['mesh-2.mesh.cilium.io'] },
    ];
    const direction = plan(client({ file: alias, metadata: helm, live: [workload] }), server());
    expect(direction.steps.map(({ action }) => action)).toEqual(['keep', 'keep']);
    expect(choiceNotes(direction)).toEqual([]);
  });
});

describe('an object that a tool makes', () => {
  const users: KubeObject = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: 'clustermesh-remote-users',
      namespace: 'kube-system',
      annotations: { 'meta.helm.sh/release-name': 'cilium' },
    },
    data: { 'users.yaml': 'users: []' },
  };

  it('is named in the plan, with the values that its source must have', () => {
    const two = server({ live: [loadBalancerService('10.9.0.2'), users] });
    const { steps } = planServe([planDirection(client(), two, { credentials: 'per-peer', now: NOW })], NOW);
    const step = steps.find(({ object }) => object.kind === 'ConfigMap');
    expect(step?.why).toBe('lets remote-mesh-1 in; Helm release cilium makes this object');
    expect(foreignHomeNotes(steps)).toEqual([
      'context "two": ConfigMap kube-system/clustermesh-remote-users is made by Helm release cilium, whose next sync may ' +
        'undo this (lets remote-mesh-1 in) → its values must name mesh-1 in clustermesh.config.clusters: ' +
        'meshctl clustermesh helm-values --context two',
    ]);
  });

  it('is named with the context of a peer that is yet to be among the values, where one is known', () => {
    const two = server({ live: [loadBalancerService('10.9.0.2'), users] });
    const { steps } = planServe([planDirection(client(), two, { credentials: 'per-peer', now: NOW })], NOW);
    const lineOf = (context: string) => {
      const joining = [
        { name: 'mesh-1', context, addresses: ['10.9.0.1:2379', '10.9.0.2:2379'] },
        { name: 'mesh-9', context: 'other', addresses: [] },
      ];
      return foreignHomeNotes(steps, undefined, joining).map((note) => note.replace(/^.*: /, ''));
    };
    expect(lineOf('gke')).toEqual(['meshctl clustermesh helm-values --context two --destination-context gke']);
    // Another owner's cluster.
    expect(lineOf(unnamedContext('mesh-1'))).toEqual([
      'meshctl clustermesh helm-values --context two --peer mesh-1=10.9.0.1:2379 --peer mesh-1=10.9.0.2:2379',
    ]);
  });

  it('is no matter where nothing is written into it, or marks that no source has', () => {
    const step = { cluster: 'two', object: refOf(users), changes: [], why: '', before: users };
    const marks = [{ path: 'metadata.annotations.meshctl.io/peer-mesh-1', to: '{}' }];
    expect(foreignHomeNotes([{ ...step, action: 'keep' }])).toEqual([]);
    expect(foreignHomeNotes([{ ...step, action: 'update', changes: marks }])).toEqual([]);
  });
});

describe('nodes of a NodePort', () => {
  const node = (name: string, more: Partial<NodeFacts> = {}): NodeFacts => ({
    name,
    ready: true,
    labels: {},
    podCidrs: [],
    addresses: [{ type: 'InternalIP', address: `10.0.0.${name.slice(1)}` }],
    ...more,
  });
  const pod = (name: string, on: string, ready = true): ApiserverPodFacts => ({ name, node: on, ready });
  const excluded = { labels: { 'node.kubernetes.io/exclude-from-external-load-balancers': '' } };
  const all = [
    node('n1', excluded),
    node('n2', { unschedulable: true }),
    node('n3', { ready: false }),
    node('n4'),
    node('n5'),
    node('n6'),
    node('n7'),
  ];

  it.each<[string, NodeFacts[], ApiserverPodFacts[], string, string[]]>([
    ['not excluded, cordoned or down', all, [], 'Cluster', ['n4', 'n5', 'n6', 'n7']],
    ['where no other is there, excluded ones', all.slice(0, 3), [], 'Cluster', ['n1', 'n2']],
    ['with a ready pod, for Local', all, [pod('a', 'n6'), pod('b', 'n7', false)], 'Local', ['n6']],
    ['with the pod, for Local, although excluded', all, [pod('a', 'n1')], 'Local', ['n1']],
    ['any, for Local before a pod is ready', all, [pod('a', 'n6', false)], 'Local', ['n4', 'n5', 'n6', 'n7']],
  ])('%s', (_, nodes, apiserverPods, policy, expected) => {
    const snapshot = snapshotOf({ nodes, apiserverPods });
    expect(nodesServing(snapshot, policy).map(({ name }) => name)).toEqual(expected);
  });

  it('with Cilium first; the others are dialled as well as they are, and answer where kube-proxy passes on', () => {
    const template = { spec: { nodeSelector: { pool: 'mesh' } } };
    const live = [{ ...agentDaemonSetRef('kube-system'), metadata: { name: 'cilium', namespace: 'kube-system' } }];
    const agents = live.map((object) => ({ ...object, spec: { template } }));
    const windows = node('n2', { labels: { 'kubernetes.io/os': 'windows', pool: 'mesh' } });
    const nodes = [node('n1'), windows, node('n3', { labels: { pool: 'mesh' } })];
    const serving = (some: NodeFacts[]) =>
      nodesServing(snapshotOf({ nodes: some, live: agents })).map(({ name }) => name);
    expect(serving(nodes)).toEqual(['n3', 'n1', 'n2']);
    expect(serving(nodes.slice(0, 2))).toEqual(['n1', 'n2']);
  });

  it('that are dialled stay while they serve', () => {
    const service = serviceObject({ type: 'NodePort', ports: [{ port: 2379, nodePort: 32379 }] });
    const two = { ...server({ live: [service], nodes: all }), endpoints: ['4', '5', '6'].map(at) };
    const dialled = (numbers: string[]) =>
      remotePeerFile(PEER, { addresses: numbers.map((number) => `10.0.0.${number}:32379`) }, COMMON_PREFIX);
    expect(plan(client({ file: dialled(['5', '6', '7']) }), two).steps[0]?.action).toBe('keep');
    expect(plan(client({ file: dialled(['2', '5', '6']) }), two).endpoint.addresses).toEqual(
      ['4', '5', '6'].map((number) => `10.0.0.${number}:32379`),
    );
  });
  const at = (number: string) => ({ host: `10.0.0.${number}`, port: 32379 });
});

describe('a one-way connection', () => {
  it.each([
    ['as both sides say', { 'meshctl.io/mode.mesh-2': 'unicast' }, { 'meshctl.io/mode.mesh-1': 'served' }],
    ['as the one that dials says', { 'meshctl.io/mode.mesh-2': 'unicast' }, {}],
    ['as the one that is dialled says', {}, { 'meshctl.io/mode.mesh-1': 'served' }],
  ])('stays so %s', (_what, dialling, served) => {
    const one = client({ marks: dialling });
    const two = server({
      live: [loadBalancerService('10.9.0.2'), secret('cilium-clustermesh', {}, { annotations: served })],
    });
    const all: Dial[] = [
      [one, two],
      [two, one],
    ];
    expect(wantedDials(all, false)).toEqual({ wanted: [all[0]], oneWay: [all[1]] });
    expect(wantedDials(all, true)).toEqual({ wanted: all, oneWay: [] });
  });
});

describe('requireReadyServers', () => {
  it.each<[string, number, ApiserverPodFacts[], string, string]>([
    ['scaled down', 0, [], 'its Deployment is scaled to 0', 'scale deployment/clustermesh-apiserver --replicas=1'],
    ['no pods', 1, [], 'there are none', 'describe deployment/clustermesh-apiserver'],
    [
      'unready pods',
      1,
      [{ name: 'x', ready: false }],
      'not ready: x',
      'describe pods -l k8s-app=clustermesh-apiserver',
    ],
  ])('%s', (_, replicas, apiserverPods, says, hint) => {
    const deployment = apiserverDeployment();
    (deployment.spec as { replicas: number }).replicas = replicas;
    const refused = () => requireReadyServers([snapshotOf({ live: [deployment], apiserverPods })]);
    expect(refused).toThrow(says);
    expect(refused).toThrow(expect.objectContaining({ hint: `kubectl --context one -n kube-system ${hint}` }));
  });

  it('asks nothing of clusters with a ready pod, or whose pods were not read', () => {
    const ready = [{ name: 'x', ready: true }];
    expect(() => requireReadyServers([snapshotOf({ apiserverPods: ready }), snapshotOf()])).not.toThrow();
  });
});
