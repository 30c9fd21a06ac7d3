import { describe, expect, it } from 'vitest';
import type { FirewallPlatform } from '../../src/mesh/network/firewall.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { remotePeerFile } from '../../src/mesh/peers/file/peer-config.ts';
import { adviceForLoss } from '../../src/mesh/probe/advice.ts';
import type { Loss } from '../../src/mesh/probe/failures.ts';
import { silentServers, withoutBlame } from '../../src/mesh/probe/server-faults.ts';
import type { TestResult } from '../../src/mesh/probe/verdict.ts';
import {
  apiserverDeployment,
  loadBalancerService,
  NOW,
  secretObject,
  serviceObject,
  snapshotOf,
} from '../support/snapshots.ts';

type Around = Parameters<typeof adviceForLoss>[1];

const loss = (isMutual: boolean): Loss => ({
  ...{ verdict: 'path-blocked', lostAt: 'way', from: 'mesh-1', to: 'mesh-2', isMutual, isEverything: false },
  ...{ packets: [], fromNodes: ['a'], toNodes: ['b'], pairs: 1, pairsTried: 1, required: true, losesAnswers: false },
  results: [],
});

/** The firewall commands that are printed for a loss between clusters on these platforms. */
function formats(isMutual: boolean, one: FirewallPlatform, two: FirewallPlatform): string[] {
  const clusters = [
    { name: 'mesh-1', platform: one },
    { name: 'mesh-2', platform: two },
  ];
  const around = {
    clusters: clusters.map(({ name }) => ({ name, snapshot: { context: name } })),
    rules: { clusters, rules: [] },
    silent: new Map(),
  } as unknown as Around;
  return adviceForLoss(loss(isMutual), around).hints.map((hint) => /-o (\w+)$/.exec(hint)?.[1] ?? 'table');
}

it.each([
  ['into one cluster: its own firewall', false, 'gcloud', 'aws', ['aws']],
  ['both ways between two clouds: the firewalls of both', true, 'gcloud', 'aws', ['aws', 'gcloud']],
  ['both ways in one cloud: its firewall once', true, 'aws', 'aws', ['aws']],
  ['both ways, one of them nobody knows', true, 'aws', 'unknown', ['aws']],
  ['between what nobody knows: a table', true, 'unknown', 'unknown', ['table']],
] as const)('what is blocked %s', (_what, isMutual, one, two, expected) => {
  expect(formats(isMutual, one, two)).toEqual(expected);
});

it('a cluster gets one MTU, that of its smallest path, by whichever of its losses', () => {
  const small = (to: string, pathMtu: number): Loss => ({ ...loss(true), verdict: 'mtu-too-small', to, pathMtu });
  const losses = [small('mesh-2', 1460), small('mesh-3', 1500)];
  const around = {
    clusters: [
      {
        name: 'mesh-1',
        places: [{ kind: 'node', ciliumMtu: 9000 }],
        snapshot: { context: 'one', namespace: 'kube-system' },
      },
    ],
    rules: { clusters: [], rules: [] },
    silent: new Map(),
    losses,
  } as unknown as Around;
  for (const one of losses) {
    expect(adviceForLoss(one, around).hints).toEqual([expect.stringContaining('Set the MTU of mesh-1 to 1460')]);
  }
});

describe('a clustermesh-apiserver that nobody reaches', () => {
  const SERVED = '198.51.100.7';
  const file = (address: string) =>
    secretObject('cilium-kvstoremesh', {
      'mesh-2': remotePeerFile('mesh-2', { addresses: [`${address}:2379`] }, 'mesh-2.'),
    });
  const clustersWith = (
    live: KubeObject[],
    address = SERVED,
    chosen?: string,
    more: Parameters<typeof snapshotOf>[0] = {},
  ) => {
    const choice = secretObject('cilium-clustermesh', {});
    choice.metadata.annotations = chosen === undefined ? {} : { 'meshctl.io/endpoint.mesh-2': chosen };
    const client = snapshotOf({
      live: [apiserverDeployment(), loadBalancerService('203.0.113.1'), file(address), choice],
      ...more,
    });
    const server = snapshotOf({ context: 'two', ciliumConfig: { 'cluster-name': 'mesh-2', 'cluster-id': '2' }, live });
    return [client, server].map((snapshot, index) => ({
      name: `mesh-${index + 1}`,
      snapshot,
      via: 'pods' as const,
      places: [],
    }));
  };
  const blocked = {
    verdict: 'path-blocked',
    lostAt: 'way',
    test: { kind: 'apiserver', from: { cluster: 'mesh-1' }, toCluster: 'mesh-2' },
  } as unknown as TestResult;
  const scaledDown = { ...apiserverDeployment(), spec: { replicas: 0 } };

  it.each<[string, KubeObject[], string | undefined, string]>([
    ['all is there', [apiserverDeployment(), loadBalancerService(SERVED)], undefined, 'path-blocked'],
    ['its Deployment is gone', [loadBalancerService(SERVED)], undefined, 'service-unreachable'],
    ['its Service is gone', [apiserverDeployment()], undefined, 'service-unreachable'],
    ['its Service is gone, and another address was chosen', [apiserverDeployment()], '192.0.2.1:2379', 'path-blocked'],
    [
      'it is scaled to 0, and another address was chosen',
      [scaledDown, loadBalancerService(SERVED)],
      '192.0.2.1:2379',
      'service-unreachable',
    ],
  ])('%s', (_what, live, chosen, verdict) => {
    const clusters = clustersWith(live, SERVED, chosen);
    expect(withoutBlame([blocked], clusters, silentServers(clusters, NOW))).toMatchObject([{ verdict }]);
  });

  it('at an address that its Service does not have is first dialled where it is', () => {
    const clusters = clustersWith([apiserverDeployment(), loadBalancerService('198.51.100.8')]);
    const around = { clusters, losses: [], silent: new Map(), rules: { clusters: [], rules: [] } } as unknown as Around;
    const one: Loss = { ...loss(false), packets: [{ kind: 'apiserver', protocol: 'tcp', port: 2379, host: SERVED }] };
    expect(adviceForLoss(one, around)).toMatchObject({
      likely: expect.stringMatching(
        /^mesh-2 is dialled at 198.51.100.7:2379, but the Service of mesh-2 has 198.51.100.8:2379; else /,
      ),
      hints: [
        'meshctl clustermesh connect --context one --destination-context two',
        expect.stringContaining('meshctl clustermesh firewall'),
      ],
    });
    const more: Loss = { ...one, packets: [...one.packets, { kind: 'health', protocol: 'tcp', port: 4240 }] };
    expect(adviceForLoss(more, around).likely).not.toContain('is dialled at');
  });

  describe('for what its own cluster has', () => {
    const RANGES = ['203.0.113.0/24'];
    const GROUPS = 'service.beta.kubernetes.io/aws-load-balancer-security-groups';
    const balancer = (ranges: string[], annotations = {}) => {
      const service = loadBalancerService(SERVED);
      Object.assign(service.spec as object, { loadBalancerSourceRanges: ranges });
      return { ...service, metadata: { ...service.metadata, annotations } };
    };
    const [first] = snapshotOf().nodes;
    const nodeAddress = first?.addresses[0]?.address ?? '';
    const local = serviceObject({
      ...{ type: 'NodePort', externalTrafficPolicy: 'Local', ports: [{ port: 2379, nodePort: 32379 }] },
    });
    const at = (host: string, fromNode = 'node-1', more: Partial<Loss> = {}): Loss => ({
      ...loss(false),
      packets: [{ kind: 'apiserver', protocol: 'tcp', port: 2379, host }],
      results: [
        { test: { from: { node: fromNode }, ...(host === nodeAddress ? { to: { node: 'node-1' } } : {}) } },
      ] as unknown as TestResult[],
      ...more,
    });
    const inside = balancer(['10.0.0.1/32']);

    it.each<[string, KubeObject, Loss, RegExp, RegExp]>([
      [
        'the ranges of its load balancer',
        balancer(RANGES),
        at(SERVED),
        /^the load balancer of mesh-2 lets in 203\.0\.113\.0\/24 alone, and no address of node-1 is within; else /,
        /^Let them in: meshctl clustermesh enable --context two --load-balancer-source-ranges 203\.0\.113\.0\/24,/,
      ],
      [
        'these, where those of the other family do not count',
        {
          ...loadBalancerService('fd00:18:3::100'),
          spec: { type: 'LoadBalancer', ports: [{ port: 2379 }], loadBalancerSourceRanges: ['10.0.0.0/8'] },
        },
        at('fd00:18:3::100'),
        /^the load balancer of mesh-2 lets in 10\.0\.0\.0\/8 alone, and no IPv6 address of node-1 is within; else /,
        /^Let them in: /,
      ],
      [
        'these, where nobody answers',
        balancer(RANGES),
        at(SERVED, 'node-1', { verdict: 'service-unreachable' }),
        /^the load balancer of mesh-2 lets in .*; else packets arrive/,
        /^Let them in: /,
      ],
      ['these, for a node that is not within', inside, at(SERVED, 'node-2'), /no address of node-2 is/, /^Let them in/],
      ['not these, for a node that is', inside, at(SERVED), /^other packets arrive/, /^What has to be let through/],
      [
        'what outside of the cluster decides that',
        balancer([], { [GROUPS]: 'sg-1' }),
        at(SERVED),
        /^mesh-2: its Service leaves it to the annotation \S+ who is let in; else /,
        /kubectl --context two .*describe service\/clustermesh-apiserver$/,
      ],
      [
        'a node without a pod, where it serves what is on it',
        local,
        at(nodeAddress, 'node-1', { lostAt: 'destination' }),
        /^the externalTrafficPolicy of the Service is Local, and no ready clustermesh-apiserver is on node-1; else /,
        /^Let every node serve: meshctl clustermesh enable --context two --external-traffic-policy Cluster$/,
      ],
      [
        'a policy, where it has come to a node',
        balancer([]),
        at(SERVED, 'node-1', { lostAt: 'destination' }),
        /dropped there: by a policy for the clustermesh-apiserver, or the node's own firewall/,
        /meshctl clustermesh check --context two --category apiserver$/,
      ],
    ])('names %s first', (_what, service, one, likely, hint) => {
      const [{ host: bare = '' } = {}] = one.packets;
      const host = bare.includes(':') ? `[${bare}]` : bare;
      const clusters = clustersWith([apiserverDeployment(), service], host, `${host}:2379`);
      const around = { clusters, losses: [], silent: new Map(), rules: { clusters: [], rules: [] } };
      const served = [{ name: 'pod', node: 'node-2', ready: true }];
      for (const cluster of clusters) Object.assign(cluster.snapshot, { apiserverPods: served });
      const advice = adviceForLoss({ ...one, required: false }, around as unknown as Around);
      expect(advice.likely).toMatch(likely);
      expect(advice.hints[0]).toMatch(hint);
    });

    const sentBy = (kind: 'node' | 'pod', lostAt: Loss['lostAt'] = 'way', host = SERVED) => {
      const [test] = at(host).results.map((one) => one.test);
      const from = { ...test?.from, kind };
      return at(host, 'node-1', { lostAt, results: [{ test: { ...test, from } }] as TestResult[] });
    };
    const tunnel = {};
    const native = {
      ciliumConfig: { 'cluster-name': 'mesh-1', 'cluster-id': '1', 'routing-mode': 'native', ipam: 'kubernetes' },
      ciliumPodCidrs: ['10.1.0.0/24'],
    };
    const groups = balancer([], { [GROUPS]: 'sg-1' });
    it.each<[string, boolean, KubeObject, Loss, typeof tunnel]>([
      ['silence on the way', true, balancer(RANGES), sentBy('node'), tunnel],
      ['a policy for pods whose nodes get through', false, balancer(RANGES), sentBy('pod', 'pod'), tunnel],
      ['a firewall of the node itself', false, balancer(RANGES), sentBy('node', 'sender'), tunnel],
      ['a route that the node lacks', false, balancer(RANGES), sentBy('node', 'route'), tunnel],
      ['a name that means nothing there', false, balancer(RANGES), sentBy('node', 'name'), tunnel],
      ['a route, beside a security group', false, groups, sentBy('node', 'route'), tunnel],
      ['a route, beside traffic policy Local', false, local, sentBy('node', 'route', nodeAddress), tunnel],
      ['pods that send as their node', true, balancer(['10.1.0.0/16']), sentBy('pod'), tunnel],
      ['pods that may send as themselves, within', false, balancer(['10.1.0.0/16']), sentBy('pod'), native],
      ['pods that may send as themselves, not within', true, balancer(RANGES), sentBy('pod'), native],
      ['a node that sends, though pods are within', true, balancer(['10.1.0.0/16']), sentBy('node'), native],
    ])('for %s what the server has stands first: %s', (_what, isServer, service, one, more) => {
      const host = one.packets[0]?.host ?? '';
      const clusters = clustersWith([apiserverDeployment(), service], host, `${host}:2379`, more);
      for (const { snapshot } of clusters) Object.assign(snapshot, { apiserverPods: [] });
      const around = { clusters, losses: [], silent: new Map(), rules: { clusters: [], rules: [] } };
      const { likely, hints } = adviceForLoss({ ...one, required: false }, around as unknown as Around);
      expect({ isServer: likely.includes('; else '), likely }).toMatchObject({ isServer });
      expect(hints[0]?.startsWith('Let them in: ')).toBe(isServer);
    });

    it.each<[Loss['lostAt'], boolean]>([
      ['way', true],
      ['route', true],
      ['name', true],
      ['pod', false],
    ])('an address that its Service does not have stands first, lost at %s: %s', (lostAt, isTold) => {
      const clusters = clustersWith([apiserverDeployment(), loadBalancerService('198.51.100.8')]);
      const around = { clusters, losses: [], silent: new Map(), rules: { clusters: [], rules: [] } };
      const { likely } = adviceForLoss(sentBy('pod', lostAt), around as unknown as Around);
      expect(likely.startsWith('mesh-2 is dialled at ')).toBe(isTold);
    });
  });
});
