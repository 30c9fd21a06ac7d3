import { describe, expect, it } from 'vitest';
import { COMPATIBILITY_CHECKS, forConnect } from '../../src/mesh/checks/compatibility.ts';
import {
  type Check,
  type CheckInput,
  type Finding,
  runChecks,
  theCluster,
} from '../../src/mesh/checks/shared/check.ts';
import { overlap, parseCidr } from '../../src/mesh/cilium/cidr.ts';
import { encryptionLoses } from '../../src/mesh/cilium/datapath.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { firewallRules } from '../../src/mesh/network/firewall.ts';
import { apiserverDeployment, NOW, serviceObject, snapshotOf } from '../support/snapshots.ts';

interface Shape {
  config?: Record<string, string>;
  overrides?: Parameters<typeof snapshotOf>[0];
}

const addressed = (...addresses: string[]) => ({
  ...{ name: 'node-1', ready: true, labels: {}, podCidrs: [] },
  addresses: addresses.map((address) => ({ type: 'InternalIP', address })),
});

/** Cluster mesh-<id> with pods in 10.<id>.0.0/16. */
function cluster(id: number, { config = {}, overrides = {} }: Shape = {}): ClusterSnapshot {
  return snapshotOf({
    context: `context-${id}`,
    ciliumConfig: { 'cluster-name': `mesh-${id}`, 'cluster-id': String(id), ...config },
    ciliumPodCidrs: [`10.${id}.0.0/24`, `10.${id}.1.0/24`],
    nodes: [addressed(`172.18.${id}.2`)],
    ...overrides,
  });
}

function wrong(clusters: readonly ClusterSnapshot[], more: Partial<CheckInput> = {}): Finding[] {
  return runChecks(COMPATIBILITY_CHECKS, { clusters, now: NOW, ...more }).filter(
    ({ severity }) => severity === 'warn' || severity === 'fail',
  );
}

const ids = (findings: readonly Finding[]) => findings.map(({ id, severity }) => `${severity} ${id}`);

const nodePort = (port: number) => serviceObject({ type: 'NodePort', ports: [{ port: 2379, nodePort: port }] });

describe('clusters that fit', () => {
  it('have nothing wrong', () => {
    expect(wrong([cluster(1), cluster(2), cluster(3)])).toEqual([]);
  });
});

describe('what is wrong with a mesh', () => {
  const cases: [string, Shape, string[]][] = [
    ['no name', { config: { 'cluster-name': 'default' } }, ['fail cluster-identity']],
    ['an id beyond the range', { config: { 'cluster-id': '256' } }, ['fail cluster-identity']],
    ['an external kvstore', { config: { 'identity-allocation-mode': 'kvstore' } }, ['fail cluster-identity']],
    ['the same name', { config: { 'cluster-name': 'mesh-1' } }, ['fail cluster-name-unique']],
    ['the same id', { config: { 'cluster-id': '1' } }, ['fail cluster-id-unique']],
    ['another identity layout', { config: { 'max-connected-clusters': '511' } }, ['fail max-connected-clusters-equal']],
    ['native routing', { config: { 'routing-mode': 'native' } }, ['fail datapath-mode']],
    ['another tunnel', { config: { 'tunnel-protocol': 'geneve' } }, ['fail tunnel-protocol']],
    ['encryption on one side', { config: { 'enable-ipsec': 'true' } }, ['warn encryption']],
    [
      'encryption of all that a tunnel wraps on one side',
      { config: { 'enable-wireguard': 'true' } },
      ['fail encryption'],
    ],
    ['one family more', { config: { 'enable-ipv6': 'true' } }, ['warn ip-families']],
    ['no common family', { config: { 'enable-ipv4': 'false', 'enable-ipv6': 'true' } }, ['fail ip-families']],
    ['nodes of another family', { overrides: { nodes: [addressed('fd00::1')] } }, ['fail ip-families']],
    ['nodes of both families', { overrides: { nodes: [addressed('fd00::1', '172.19.0.2')] } }, []],
    [
      'one node without an address of the family of tunnels',
      { overrides: { nodes: [addressed('fd00::1'), addressed('172.19.0.2')] } },
      ['fail ip-families'],
    ],
    [
      'the same, where nothing is in a tunnel',
      { config: { 'routing-mode': 'native' }, overrides: { nodes: [addressed('fd00::1'), addressed('172.19.0.2')] } },
      ['fail datapath-mode', 'fail ip-families'],
    ],
    [
      'two minors between',
      { overrides: { agent: agent('v1.18.2') } },
      ['warn policy-default-local-cluster', 'fail version-skew'],
    ],
    ['one minor between', { overrides: { agent: agent('v1.19.0-rc.1') } }, []],
    [
      'the same pod range',
      { overrides: { ciliumPodCidrs: ['10.7.0.0/24', '10.1.0.0/16'] } },
      ['fail pod-cidr-overlap'],
    ],
    ['an unused range of Kubernetes', { overrides: { nodes: [node('10.1.0.0/24')] } }, []],
    [
      'a range of Kubernetes that Cilium uses',
      { config: { ipam: 'kubernetes' }, overrides: { ciliumPodCidrs: [], nodes: [node('10.1.0.0/24')] } },
      ['fail pod-cidr-overlap'],
    ],
    [
      'a range of Kubernetes on a node that is new, where there is only the CiliumNode of one that is gone',
      { config: { ipam: 'kubernetes' }, overrides: { ciliumPodCidrs: ['10.9.0.0/24'], nodes: [node('10.1.0.0/24')] } },
      ['fail pod-cidr-overlap'],
    ],
    [
      'a range of Kubernetes of a node that is gone, which has its CiliumNode still',
      { config: { ipam: 'kubernetes' }, overrides: { ciliumPodCidrs: ['10.1.0.0/24'], nodes: [node('10.9.0.0/24')] } },
      ['fail pod-cidr-overlap'],
    ],
    [
      'the same pool, whatever nodes have of it today',
      { config: { 'cluster-pool-ipv4-cidr': '10.0.0.0/8' } },
      ['warn pod-cidr-overlap'],
    ],
    [
      'the same pool, with nodes that may not be read',
      { config: { 'cluster-pool-ipv4-cidr': '10.1.0.0/16' }, overrides: { ciliumPodCidrs: undefined } },
      ['warn pod-cidr-overlap'],
    ],
    [
      'the same subnet of another network',
      { config: { ipam: 'eni' }, overrides: { podSubnets: [{ network: 'vpc-2', cidr: '10.1.0.0/20' }] } },
      ['fail pod-cidr-overlap'],
    ],
    [
      'the same pool of multi-pool',
      { config: { ipam: 'multi-pool' }, overrides: { podPools: ['10.1.0.0/16'] } },
      ['warn pod-cidr-overlap'],
    ],
    [
      'the address of a pod elsewhere, with ipam crd',
      { config: { ipam: 'crd' }, overrides: { ciliumPodCidrs: ['10.1.0.9'] } },
      ['fail pod-cidr-overlap'],
    ],
    [
      'a Service that nobody reaches',
      { overrides: { live: [serviceObject({ type: 'ClusterIP' })] } },
      ['warn service-reachable'],
    ],
  ];

  it.each(cases)('%s', (_, shape, expected) => {
    const clusters = [cluster(1), cluster(2, shape)];
    const findings = wrong(clusters);
    expect(ids(findings)).toEqual(expected);
    for (const finding of findings) {
      const check = COMPATIBILITY_CHECKS.find(({ id }) => id === finding.id);
      if (finding.args.needs === undefined) expect(check?.says(finding)).not.toMatch(/undefined|\[object/);
    }
  });

  type Families = readonly (4 | 6)[];
  const UNDERLAYS = ['auto', 'ipv4', 'ipv6'].flatMap((one) => ['auto', 'ipv4', 'ipv6'].map((other) => [one, other]));
  const NODES: readonly Families[] = [[4], [6], [4, 6]];
  const meshes = UNDERLAYS.flatMap(([a = '', b = '']) =>
    NODES.flatMap((one) =>
      NODES.flatMap((other) => ['tunnel', 'native'].map((mode) => [a, one, b, other, mode] as const)),
    ),
  );
  it.each(meshes)(
    'underlays %s on nodes of %j, and %s on nodes of %j, %s: what firewall has no rule for is a failed check',
    (a, one, b, other, mode) => {
      const of = (id: number, underlay: string, families: Families) =>
        cluster(id, {
          config: { 'enable-ipv6': 'true', 'underlay-protocol': underlay, 'routing-mode': mode },
          overrides: {
            ciliumPodCidrs: [`10.${id}.0.0/24`, `fd00:10:${id}::/64`],
            nodes: [addressed(...families.map((family) => (family === 4 ? `172.18.${id}.2` : `fd00:18:${id}::2`)))],
          },
        });
      const clusters = [of(1, a, one), of(2, b, other)];
      const apart = firewallRules(clusters).unknown.filter(({ why }) => /packets over|its nodes have/.test(why));
      const found = ids(wrong(clusters)).includes('fail ip-families');
      if (apart.length > 0) expect(found).toBe(true);
      // Where both tunnel in a family that all nodes have, nothing is wrong.
      const underlays = [a, b].map((underlay) => (underlay === 'ipv6' ? 6 : 4));
      const isWell =
        mode === 'native'
          ? one.some((family) => other.includes(family))
          : underlays.every((family) => one.some((own) => own === family) && other.some((own) => own === family));
      if (isWell) expect(found).toBe(false);
    },
  );

  it('two NodePorts alike are an error only with kube-proxy replacement', () => {
    const live = { live: [nodePort(32379)] };
    const clusters = [cluster(1, { overrides: live }), cluster(2, { overrides: live })];
    expect(ids(wrong(clusters))).toEqual(['warn node-port-unique']);
    const replaced = cluster(3, { overrides: live, config: { 'kube-proxy-replacement': 'true' } });
    expect(ids(wrong([...clusters, replaced]))).toEqual(['fail node-port-unique']);
    expect(wrong([cluster(1, { overrides: live }), cluster(2, { overrides: { live: [nodePort(32380)] } })])).toEqual(
      [],
    );
  });

  it('subnets of one network are no overlap: it gives no address twice', () => {
    const ofCloud = (id: number) =>
      cluster(id, {
        config: { ipam: 'eni' },
        overrides: {
          podSubnets: [{ network: 'vpc-1', cidr: '10.1.0.0/20' }],
          ciliumPodCidrs: [],
          nodes: [
            { ...node('10.7.0.0/24'), addresses: [{ type: 'InternalIP', address: `10.1.0.${id}` }], name: `n${id}` },
          ],
        },
      });
    expect(wrong([ofCloud(1), ofCloud(2)])).toEqual([]);
  });

  it('nodes that share an address do not keep the others from being connected', () => {
    const addresses = [{ type: 'InternalIP', address: '192.0.2.7' }];
    const nodes = [{ name: 'node-1', ready: true, labels: {}, addresses, podCidrs: [] }];
    const found = wrong([cluster(1, { overrides: { nodes } }), cluster(2, { overrides: { nodes } })]);
    expect(ids(found)).toEqual(['fail node-address-overlap']);
    expect(ids(forConnect(found))).toEqual(['warn node-address-overlap']);
  });

  it.each([
    ['the second address of a family, of which Cilium knows nothing', ['192.0.2.#', '10.99.0.1'], []],
    ['one of a family that Cilium has off, by which nodes are known all the same', ['192.0.2.#', 'fd00::1'], ['fail']],
  ])('nodes that share %s', (_what, of, expected) => {
    const clusters = [1, 2].map((id) => {
      const addresses = of.map((address) => ({ type: 'InternalIP', address: address.replace('#', String(id)) }));
      return cluster(id, {
        overrides: { nodes: [{ name: 'node-1', ready: true, labels: {}, addresses, podCidrs: [] }] },
      });
    });
    expect(ids(wrong(clusters))).toEqual(expected.map((severity) => `${severity} node-address-overlap`));
  });

  it('what only its owner can mend of a cluster that is known by a message is no command line here', () => {
    const foreign = { context: '<context of mesh-2>', namespace: '' };
    const peerIds = new Map([['context-1', new Map([['mesh-9', 2]])]]);
    const [taken] = wrong([cluster(1), cluster(2, { overrides: foreign })], { peerIds });
    expect(taken?.hint).toMatch(/; have the owner of "mesh-2" see to it and start over\.$/);
    // Who has no usable name or id makes no message.
    const usable = cases.filter(([, , found]) => !found.includes('fail cluster-identity'));
    const hints = usable.flatMap(([, { config = {}, overrides }]) =>
      wrong([cluster(1), cluster(2, { config, overrides: { ...overrides, ...foreign } })]).map(({ hint = '' }) => hint),
    );
    expect(hints.filter((hint) => hint.includes('<context of') || hint.includes("''"))).toEqual([]);
  });

  it('clusters that are already connected count: an id that a peer has, a name that another cluster has', () => {
    const peerIds = new Map([['context-1', new Map([['mesh-9', 2]])]]);
    expect(ids(wrong([cluster(1), cluster(2)], { peerIds }))).toEqual(['fail cluster-id-unique']);
    const replaced = new Map([['context-1', new Map([['mesh-2', 7]])]]);
    expect(ids(wrong([cluster(1), cluster(2)], { peerIds: replaced }))).toEqual(['fail peer-identity']);
  });
});

describe('runChecks', () => {
  const only = (isThere: boolean) => ({ things: isThere ? ['one'] : [], otherwise: 'it has none' });
  const check = (id: string, severity?: Finding['severity'], needs?: string[]): Check => ({
    id,
    category: 'c',
    title: id,
    needs,
    subject: theCluster,
    run: () => (severity ? [{ id, severity, args: {} }] : []),
    says: () => id,
  });

  it('skips what needs a check that failed, and what needs that in turn; leaves out what nobody wants to hear', () => {
    const checks = [check('a', 'fail'), check('b', undefined, ['a']), check('c', undefined, ['b']), check('d', 'warn')];
    expect(ids(runChecks(checks, { clusters: [cluster(1)], now: NOW }, ['d']))).toEqual(['fail a', 'skip b', 'skip c']);
  });

  it('passes nothing where there is nothing to look at, and says which clusters pass beside those', () => {
    const peers = { ...check('a'), subject: ({ context }: ClusterSnapshot) => only(context === 'context-1') };
    const input = { clusters: [cluster(1), cluster(2)], now: NOW };
    expect(runChecks([peers], input)).toEqual([
      { id: 'a', severity: 'pass', args: { contexts: ['context-1'] } },
      { id: 'a', severity: 'skip', cluster: 'context-2', args: { context: 'context-2', reason: 'it has none' } },
    ]);
    expect(runChecks([peers], { ...input, clusters: [] })).toEqual([
      { id: 'a', severity: 'skip', args: { reason: 'no cluster was checked' } },
    ]);
  });
});

describe('parseCidr', () => {
  const ranges = (a: string, b: string) => {
    const [one, other] = [parseCidr(a), parseCidr(b)];
    return one && other ? overlap(one, other) : undefined;
  };

  it.each([
    ['10.0.0.0/8', '10.255.255.255', true],
    ['10.0.0.0/25', '10.0.0.128/25', false],
    ['0.0.0.0/0', '203.0.113.9/32', true],
    ['fd00::/64', 'FD00:0:0:0:ffff::1', true],
    ['fd00::/64', 'fd00:0:0:1::/64', false],
    ['::/0', '10.0.0.0/8', false],
    ['::ffff:10.0.0.1/128', '::ffff:a00:1', true],
    ['10.0.0.0/33', '10.0.0.0/8', undefined],
    ['10.0.0/8', '10.0.0.0/8', undefined],
    ['nonsense', '::', undefined],
  ])('%s and %s: %s', (a, b, expected) => {
    expect(ranges(a, b)).toBe(expected);
  });
});

function agent(tag: string) {
  return { image: `quay.io/cilium/cilium:${tag}`, desired: 1, ready: 1 };
}

function node(podCidr: string) {
  return { name: 'n', ready: true, labels: {}, addresses: [], podCidrs: [podCidr] };
}

describe('a name or an id that another cluster has', () => {
  /** The pods of its clustermesh-apiserver were started with it. */
  const setUpAs = (name: string, id: number) => {
    const deployment = apiserverDeployment();
    const template = { metadata: { annotations: { 'meshctl.io/cluster': `${name}/${id}` } } };
    const live = { ...deployment, spec: { ...(deployment.spec as object), template } };
    return { overrides: { objects: snapshotOf({ live: [live] }).objects } };
  };
  const one = cluster(1, setUpAs('mesh-1', 1));
  const back = (data: object) =>
    `kubectl --context context-2 -n kube-system patch configmap cilium-config --type merge --patch '${JSON.stringify({ data })}'`;

  it.each([
    ['name', { 'cluster-name': 'mesh-1' }, setUpAs('mesh-2', 2), undefined, { 'cluster-name': 'mesh-2' }],
    ['id', { 'cluster-id': '1' }, setUpAs('mesh-2', 2), undefined, { 'cluster-id': '2' }],
    [
      'id, which its pods have taken up',
      { 'cluster-id': '1' },
      setUpAs('mesh-2', 1),
      new Map([['context-1', new Map([['mesh-2', 2]])]]),
      { 'cluster-id': '2' },
    ],
  ])('is put back where it was changed: %s', (_, config, shape, peerIds, data) => {
    const [finding, ...more] = wrong([one, cluster(2, { config, ...shape })], { peerIds });
    // Nobody is told to cut or to reissue anything.
    expect(more).toEqual([]);
    expect(finding).toMatchObject({ severity: 'fail', cluster: 'context-2', args: { changed: 'context-2' } });
    expect(finding?.hint?.endsWith(`: ${back(data)}`)).toBe(true);
  });

  it("is nobody's fault where both were set up with it: the one that is not yet connected changes", () => {
    const [finding] = wrong([one, cluster(2, { config: { 'cluster-id': '1' }, ...setUpAs('mesh-2', 1) })]);
    expect(finding).toMatchObject({ id: 'cluster-id-unique', hint: expect.stringContaining('--context context-2') });
    expect(finding?.cluster).toBeUndefined();
  });

  it("that is new, and not another cluster's: it goes back, or everything follows", () => {
    const peerIds = new Map([['context-1', new Map([['mesh-2', 2]])]]);
    const [finding] = wrong([one, cluster(2, { config: { 'cluster-id': '7' }, ...setUpAs('mesh-2', 2) })], { peerIds });
    expect(finding).toMatchObject({ id: 'peer-identity', cluster: 'context-1' });
    expect(finding?.hint).toContain(`${back({ 'cluster-id': '2' })}; or make everything follow`);
    expect(finding?.hint).not.toContain('disconnect');
  });
});

describe('clusters that encrypt differently', () => {
  const WIREGUARD = { 'enable-wireguard': 'true' };
  const IPSEC = { 'enable-ipsec': 'true' };
  const NATIVE = { 'routing-mode': 'native' };
  it.each([
    ['WireGuard, and none, in tunnels', WIREGUARD, {}, true],
    ['WireGuard, and IPsec, in tunnels', WIREGUARD, IPSEC, true],
    ['WireGuard, and none, routed natively', { ...WIREGUARD, ...NATIVE }, NATIVE, false],
    ['WireGuard, and IPsec, routed natively', { ...WIREGUARD, ...NATIVE }, { ...IPSEC, ...NATIVE }, true],
    ['IPsec, and none', IPSEC, {}, false],
    ['WireGuard in both', WIREGUARD, WIREGUARD, false],
  ])('lose packets, or only send them as they are: %s', (_what, one, other, loses) => {
    // What goes back is sent as it is.
    expect([encryptionLoses(one, other), encryptionLoses(other, one)]).toEqual([loses, false]);
  });
});
