import { describe, expect, it } from 'vitest';
import { parseHost } from '../../src/commands/options/host-value.ts';
import { type Endpoint, serviceEndpoints } from '../../src/mesh/apiserver/endpoints.ts';
import { requireIdentity } from '../../src/mesh/cilium/identity.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { chooseCredential } from '../../src/mesh/connect/credentials.ts';
import { planDial } from '../../src/mesh/connect/dial-plan.ts';
import { planDirection } from '../../src/mesh/connect/direction.ts';
import { planDisconnect } from '../../src/mesh/connect/disconnect/disconnect-plan.ts';
import type { Member } from '../../src/mesh/connect/member.ts';
import { disturbanceOf } from '../../src/mesh/demo/disturbance.ts';
import { planDemo } from '../../src/mesh/demo/plan-demo.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { dialsOf } from '../../src/mesh/peers/connection-mode.ts';
import type { CredentialChoice } from '../../src/mesh/peers/credential-kind.ts';
import { assignOverrides, parseEndpointOverride } from '../../src/mesh/peers/endpoint-overrides.ts';
import { demoPlanText } from '../../src/views/demo/demo-plan-view.ts';
import { PLAIN } from '../support/plain-theme.ts';
import { apiserverDeployment, caFacts, NOW, serviceObject, snapshotOf, tlsFacts } from '../support/snapshots.ts';

interface Shape {
  /** The public key of cilium-ca. */
  ca?: string;
  caKey?: boolean;
  /** Whether that key is the CA's; default: where there is one. */
  keyMatches?: boolean;
  /** That of the CA that made the server certificate and the remote-cert. */
  madeBy?: string;
  covers?: string[];
  endpoints?: Endpoint[];
  version?: string;
  kvstoremesh?: boolean;
  live?: KubeObject[];
}

function member(id: number, shape: Shape = {}): Member {
  const { ca = `ca-${id}`, caKey = true, madeBy = ca, covers = [`10.9.0.${id}`], version = '1.20.0' } = shape;
  const snapshot: ClusterSnapshot = snapshotOf({
    context: `context-${id}`,
    ciliumConfig: { 'cluster-name': `mesh-${id}`, 'cluster-id': String(id) },
    agent: { image: `quay.io/cilium/cilium:v${version}`, desired: 1, ready: 1 },
    live: [
      apiserverDeployment({ kvstoremesh: shape.kvstoremesh ?? true }),
      ...['clustermesh-apiserver-remote-cert', 'cilium-kvstoremesh', 'cilium-clustermesh'].map(secret),
      ...(shape.live ?? []),
    ],
    ca: { ...caFacts(ca), hasKey: caKey, keyMatches: shape.keyMatches ?? caKey },
    remoteUsers: [],
    tlsSecrets: new Map([
      ['clustermesh-apiserver-remote-cert', tlsFacts(madeBy, { commonName: 'remote', usages: ['client'] })],
      [
        'clustermesh-apiserver-server-cert',
        tlsFacts(madeBy, { commonName: 's', dnsNames: ['*.mesh.cilium.io'], ipAddresses: covers }),
      ],
    ]),
  });
  const endpoints = shape.endpoints ?? [{ host: `10.9.0.${id}`, port: 2379 }];
  return { snapshot, identity: requireIdentity(snapshot), endpoints };
}

const secret = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: 'kube-system' },
  data: {},
});

const direction = (client: Member, server: Member) => planDirection(client, server, { now: NOW });

describe('dialsOf', () => {
  it.each([
    ['bidirectional', ['ab', 'ba', 'ac', 'ca']],
    ['mesh', ['ab', 'ba', 'ac', 'ca', 'bc', 'cb']],
    ['unicast', ['ab', 'ac']],
  ] as const)('%s', (mode, expected) => {
    expect(dialsOf(mode, 'a', ['b', 'c']).map((pair) => pair.join(''))).toEqual(expected);
  });

  it('joins destinations with each other where there is no source', () => {
    expect(dialsOf('mesh', undefined, ['a', 'b'])).toEqual([
      ['a', 'b'],
      ['b', 'a'],
    ]);
  });
});

describe('chooseCredential', () => {
  const cases: [string, Shape, Shape, CredentialChoice, string][] = [
    ['different CAs', {}, {}, 'auto', 'per-peer remote-mesh-1'],
    ['one CA', { ca: 'x' }, { ca: 'x' }, 'auto', 'shared-ca remote'],
    ['one CA, but certificates wanted', { ca: 'x' }, { ca: 'x' }, 'per-peer', 'per-peer remote-mesh-1'],
    ['one CA without a key', { ca: 'x', caKey: false }, { ca: 'x', caKey: false }, 'auto', 'shared-ca remote'],
    ['no key at the server', {}, { caKey: false }, 'auto', 'legacy remote'],
    ['legacy wanted', {}, {}, 'legacy', 'legacy remote'],
  ];
  it.each(cases)('%s: %o, %o, %s', (_, client, server, choice, expected) => {
    const { kind, user, warnings } = chooseCredential(member(1, client), member(2, server), choice, NOW);
    expect(`${kind} ${user}`).toBe(expected);
    expect(warnings).toHaveLength(kind === 'legacy' ? 1 : 0);
  });

  it.each([
    ['shared-ca', {}, 'their CAs are different'],
    ['per-peer', { caKey: false }, 'has no ca.key'],
  ] as const)('%s that cannot be is refused', (choice, server, reason) => {
    expect(() => chooseCredential(member(1), member(2, server), choice, NOW)).toThrow(reason);
  });

  describe('gives nobody a weaker one because of a CA that is', () => {
    const RESTORE =
      /restore Secret kube-system\/cilium-ca .+: meshctl clustermesh enable --context context-2 --replace-ca$/;
    const REISSUE = /meshctl clustermesh enable --context context-2$/;
    const secretCa = (data: Record<string, string>) => ({ ...secret('cilium-ca'), data });
    const withoutCa = (...live: KubeObject[]): Member => {
      const { snapshot, ...rest } = member(2, { live });
      return { ...rest, snapshot: { ...snapshot, ca: undefined } };
    };
    it.each([
      ['with a wrong key', member(2, { keyMatches: false }), 'has a ca.key that is unreadable or belongs to', RESTORE],
      ['unreadable', withoutCa(secretCa({ 'ca.crt': 'x' })), 'holds no readable certificate', RESTORE],
      ['empty', withoutCa(secretCa({})), 'is empty', RESTORE],
      ['gone', withoutCa(), 'is missing', RESTORE],
      ['foreign', member(2, { madeBy: 'former' }), 'holds a CA that signed none of the certificates', REISSUE],
    ])('%s', (_what, server, trouble, mend) => {
      const choose = (choice: CredentialChoice | undefined) => chooseCredential(member(1), server, choice, NOW);
      const refusal = (hint: RegExp) =>
        expect.objectContaining({
          code: 'CertificateAuthority',
          message: expect.stringContaining(`Secret kube-system/cilium-ca ${trouble}`),
          hint: expect.stringMatching(hint),
        }) as Error;
      for (const choice of [undefined, 'auto'] as const) {
        expect(() => choose(choice)).toThrow(refusal(/--credentials legacy/));
        expect(() => choose(choice)).toThrow(refusal(mend));
      }
      expect(() => choose('per-peer')).toThrow(refusal(mend));
      expect(choose('legacy')).toMatchObject({ kind: 'legacy' });
    });

    it('no weaker than the one that it has, nor than the tool chose that issues', () => {
      const common = tlsFacts('former', { commonName: 'remote', usages: ['client'] });
      const { snapshot, ...rest } = member(1);
      const client = { ...rest, snapshot: { ...snapshot, peerCertificates: new Map([['mesh-2', common]]) } };
      const broken = member(2, { madeBy: 'former' });
      expect(chooseCredential(client, broken, undefined, NOW)).toMatchObject({ kind: 'legacy' });
      const { metadata, ...server } = secret('clustermesh-apiserver-server-cert');
      const annotations = { 'meta.helm.sh/release-name': 'cilium' };
      const ofHelm = withoutCa({ ...server, metadata: { ...metadata, annotations } });
      expect(chooseCredential(member(1), ofHelm, 'auto', NOW)).toMatchObject({ kind: 'legacy' });
    });
  });

  it('copies the remote-cert for legacy, and takes certificates away for a shared CA', () => {
    const [legacy] = planDial([direction(member(1), member(2, { caKey: false }))], NOW).steps;
    expect(legacy?.write).toMatchObject({
      method: 'issue',
      certificates: [],
      copies: [{ keys: { ca: 'mesh-2.etcd-client-ca.crt' } }],
    });
    const [shared] = planDial([direction(member(1, { ca: 'x' }), member(2, { ca: 'x' }))], NOW).steps;
    expect(shared?.write).toMatchObject({ method: 'issue', certificates: [], copies: [] });
    expect(JSON.stringify(shared?.write)).toContain('/common-etcd-client.crt');
  });
});

describe('endpoints', () => {
  it.each([
    ['203.0.113.7', { host: '203.0.113.7', port: 2379 }],
    ['mesh.example.com:32379', { host: 'mesh.example.com', port: 32379 }],
    ['b=[2001:db8::7]:2380', { cluster: 'b', host: '2001:db8::7', port: 2380 }],
    ['2001:db8::7', { host: '2001:db8::7', port: 2379 }],
  ])('%s', (text, expected) => {
    expect(parseEndpointOverride(text)).toEqual(expected);
  });

  it.each(['', 'a:b', 'host:0', 'host:70000', 'https://host:1', 'a=', '[::1'])('%j is none', (text) => {
    expect(() => parseEndpointOverride(text)).toThrow(/is not an endpoint/);
  });

  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['2001:DB8::7', '2001:db8::7'],
    ['Mesh.Example.com.', 'mesh.example.com'],
    ['my_host.example.com', 'my_host.example.com'],
    ['10.0.7', undefined],
    ['010.0.0.1', undefined],
    ['mesh.example.7', undefined],
    ['mesh..example.com', undefined],
    ['2001:db8::/32', undefined],
    [`${'a'.repeat(64)}.example.com`, undefined],
  ])('what may be dialled may be in a certificate, and nothing else: %s', (text, name) => {
    const dialled = () => parseEndpointOverride(text);
    if (name !== undefined) {
      expect(dialled()).toMatchObject({ port: 2379 });
      expect(parseHost(text)).toBe(name);
    } else for (const read of [dialled, () => parseHost(text)]) expect(read).toThrow(/neither|is not an endpoint/);
  });

  it.each([
    ['mesh-2=fd00::1:2379', 'Write mesh-2=[fd00::1]:2379 for the port 2379, or mesh-2=[fd00::1:2379] for the address.'],
    ['2001:db8::7:32379', 'Write [2001:db8::7]:32379 for the port 32379.'],
  ])('%s may be two things, and is none before it is said which', (text, hint) => {
    expect(() => parseEndpointOverride(text)).toThrow(expect.objectContaining({ code: 'Usage', hint }));
  });

  it.each([
    '127.0.0.1:2379',
    'mesh-2=127.9.9.9',
    '[::1]:2379',
    '::ffff:127.0.0.1',
    'localhost',
    '0.0.0.0',
    '[::]:2379',
    '169.254.169.254',
    'fe80::1',
    '224.0.0.1',
    'ff02::1',
    '255.255.255.255',
  ])('%s leads to no other cluster', (text) => {
    expect(() => parseEndpointOverride(text)).toThrow(/leads to no other cluster/);
  });

  it('are for the cluster that they name, or for the only one', () => {
    const two = [
      { context: 'x', name: 'a' },
      { context: 'y', name: 'b' },
    ];
    const [first, second] = assignOverrides([parseEndpointOverride('y=h'), parseEndpointOverride('a=i:1')], two, '--e');
    expect([first, second]).toEqual([[{ host: 'i', port: 1 }], [{ host: 'h', port: 2379 }]]);
    expect(() => assignOverrides([parseEndpointOverride('h')], two, '--e')).toThrow('2 clusters');
    expect(() => assignOverrides([parseEndpointOverride('c=h')], two, '--e')).toThrow('no cluster or context "c"');
  });

  it('of a NodePort are those of some Ready nodes, in the families of the Service', () => {
    const node = (number: number, ready = true) => ({
      name: `n${number}`,
      ready,
      labels: {},
      podCidrs: [],
      addresses: ['InternalIP', 'ExternalIP'].flatMap((type, index) => [
        { type, address: `10.${index}.0.${number}` },
        { type, address: `fd00:${index}::${number}` },
      ]),
    });
    const spec = { type: 'NodePort', ipFamilies: ['IPv4', 'IPv6'], ports: [{ port: 2379, nodePort: 32379 }] };
    const nodes = [node(1, false), node(2), node(3), node(4), node(5)];
    const hosts = ['2', '3', '4'].flatMap((number) => [`10.1.0.${number}`, `fd00:1::${number}`]);
    expect(serviceEndpoints(snapshotOf({ live: [serviceObject(spec)], nodes }))).toEqual({ hosts, port: 32379 });
    const single = { ...spec, ipFamilies: ['IPv4'] };
    expect(serviceEndpoints(snapshotOf({ live: [serviceObject(single)], nodes }))?.hosts).toEqual(
      hosts.filter((host) => host.startsWith('10.')),
    );
  });

  it('that the certificate does not cover are left out where it cannot be renewed, if another one is covered', () => {
    const endpoints = [
      { host: '10.9.0.2', port: 2379 },
      { host: 'other.example', port: 2379 },
    ];
    expect(direction(member(1), member(2, { caKey: false, endpoints })).endpoint).toEqual({
      addresses: ['10.9.0.2:2379'],
    });
    expect(direction(member(1), member(2, { endpoints })).endpoint.addresses).toHaveLength(2);
  });
});

describe('aliases', () => {
  const server = member(2, { caKey: false, covers: [] });
  const stepsFor = (client: Member) => planDial([direction(client, server)], NOW).steps;

  it('are in the file from Cilium 1.20 on', () => {
    const [step] = stepsFor(member(1));
    expect(JSON.stringify(step?.write)).toContain('cilium-host-aliases');
    expect(stepsFor(member(1)).map(({ object }) => object.kind)).toEqual(['Secret', 'Secret']);
  });

  it.each([
    [true, 'Deployment clustermesh-apiserver'],
    [false, 'DaemonSet cilium'],
  ])('are in the pods before that (KVStoreMesh %s), and go with disconnect', (kvstoremesh, workload) => {
    const [kind = '', name = ''] = workload.split(' ');
    const theirs = [{ ip: '10.9.0.2', hostnames: ['registry.example'] }];
    const live: KubeObject = {
      ...apiserverDeployment({ kvstoremesh }),
      kind,
      metadata: { name, namespace: 'kube-system' },
    };
    (live.spec as { template: { spec: Record<string, unknown> } }).template.spec.hostAliases = theirs;
    const client = member(1, { version: '1.19.4', kvstoremesh, live: [live] });
    const [step] = stepsFor(client);
    expect(`${step?.object.kind} ${step?.object.name}`).toBe(workload);
    expect(JSON.stringify(stepsFor(client)[1]?.write)).not.toContain('cilium-host-aliases');
    if (step?.write?.method !== 'edit') throw new Error('no edit');
    const edit = step.write.edit(live);
    const aliased = [{ ip: '10.9.0.2', hostnames: ['registry.example', 'mesh-2.mesh.cilium.io'] }];
    expect(edit).toEqual({
      patch: {
        metadata: { annotations: { 'meshctl.io/host-aliases': 'mesh-2' } },
        spec: { template: { spec: { hostAliases: aliased } } },
      },
    });

    // The demo tells before it connects, and as connect does.
    const disturbance = disturbanceOf(client, server, NOW);
    expect(disturbance.restarts).toMatchObject([{ cluster: 'context-1', object: { kind, name } }]);
    const of = (name: string) => ({
      context: name,
      name,
      deployment: 'uid',
      parts: [],
      dials: [],
      knows: [],
      others: [],
    });
    const plan = planDemo([of('context-1'), of('context-2')], 'meshctl-demo');
    const told = (keep: boolean) => demoPlanText(plan, disturbance, { keep, image: 'image' }, PLAIN);
    const what = `  ~ update ${kind} kube-system/${name} in context-1`;
    expect(told(false)).toContain(`${what}, and back at the end: ${step?.why}\n`);
    expect(told(true)).toContain(`${what}: ${step?.why}\n`);

    const after = structuredClone(live);
    after.metadata.annotations = { 'meshctl.io/host-aliases': 'mesh-2' };
    (after.spec as { template: { spec: Record<string, unknown> } }).template.spec.hostAliases = aliased;
    expect(step.write.edit(after)).toBeUndefined();
    const gone = {
      patch: {
        metadata: { annotations: { 'meshctl.io/host-aliases': null } },
        spec: { template: { spec: { hostAliases: theirs } } },
      },
    };
    expect(step.write.rollback?.(live, after)).toEqual(gone);
    const { snapshot } = member(1, { version: '1.19.4', kvstoremesh, live: [after] });
    const parting = planDisconnect([
      { snapshot, partners: [], undialled: ['mesh-2'], unserved: [], served: [], stillDialled: [] },
    ]).steps.find(({ object }) => object.kind === kind);
    if (parting?.write?.method !== 'edit') throw new Error('no edit');
    expect(parting.write.edit(after)).toEqual(gone);
  });
});

describe('planDisconnect', () => {
  const peers = (data: Record<string, string>, annotations?: Record<string, string>): KubeObject => ({
    ...secret('cilium-clustermesh'),
    metadata: { name: 'cilium-clustermesh', namespace: 'kube-system', ...(annotations ? { annotations } : {}) },
    data,
  });
  const stepFor = (object: KubeObject) =>
    planDisconnect([
      {
        ...{ snapshot: snapshotOf({ live: [object] }), partners: [], undialled: ['b'], unserved: ['b'] },
        ...{ served: [], stillDialled: [] },
      },
    ]).steps[0];

  it('takes out what belongs to the peer and leaves what belongs to others', () => {
    const step = stepFor(peers({ b: 'x', 'b.etcd-client.crt': 'x', 'b.etcd-client.key': 'x', bb: 'y' }));
    if (step?.write?.method !== 'edit' || !step.before) throw new Error('no edit');
    expect(step.write.edit(step.before)).toEqual({
      patch: { data: { b: null, 'b.etcd-client.crt': null, 'b.etcd-client.key': null } },
    });
  });

  it('deletes a Secret that connect made when nothing is left in it', () => {
    const made = { 'meshctl.io/created-by': 'connect' };
    expect(stepFor(peers({ b: 'x' }, made))?.action).toBe('delete');
    expect(stepFor(peers({ b: 'x', c: 'x' }, made))?.action).toBe('update');
    expect(stepFor(peers({ b: 'x' }))?.action).toBe('update');
    expect(stepFor(peers({ c: 'x' }))?.action).toBe('keep');
    // What was chosen for others is written down there, also for those that it does not dial.
    for (const kind of ['mode', 'access', 'endpoint', 'joined', 'credentials']) {
      expect(stepFor(peers({ b: 'x' }, { ...made, [`meshctl.io/${kind}.c`]: 'x' }))?.action, kind).toBe('update');
      expect(stepFor(peers({ b: 'x' }, { ...made, [`meshctl.io/${kind}.b`]: 'x' }))?.action, kind).toBe('delete');
    }
  });
});
