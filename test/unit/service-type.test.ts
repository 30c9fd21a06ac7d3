import { describe, expect, it } from 'vitest';
import {
  addressLack,
  listEndpoints,
  reachableEndpoints,
  requireEndpoints,
  serviceEndpoints,
} from '../../src/mesh/apiserver/endpoints.ts';
import { defaultNodePort } from '../../src/mesh/enable/exposure/node-port.ts';
import { detectServiceExposure } from '../../src/mesh/enable/exposure/service-type.ts';
import { loadBalancerService, serviceObject, snapshotOf } from '../support/snapshots.ts';

const nodesOf = (...providerIds: (string | undefined)[]) =>
  providerIds.map((providerId, index) => ({
    name: `node-${index}`,
    ready: true,
    providerId,
    labels: {},
    addresses: [],
    podCidrs: [],
  }));

const BOTH = { 'cluster-name': 'one', 'cluster-id': '1', 'enable-ipv6': 'true' };
const SIX = { ...BOTH, 'enable-ipv4': 'false' };

describe('detectServiceExposure', () => {
  it.each([
    ['gce://project/zone/node', 'networking.gke.io/load-balancer-type', 'Internal'],
    ['azure:///subscriptions/x', 'service.beta.kubernetes.io/azure-load-balancer-internal', 'true'],
    ['aws:///eu-west-1a/i-1', 'service.beta.kubernetes.io/aws-load-balancer-scheme', 'internal'],
    ['aws:///eu-west-1a/i-1', 'service.beta.kubernetes.io/aws-load-balancer-internal', 'true'],
    ['hcloud://1', 'load-balancer.hetzner.cloud/use-private-ip', 'true'],
    ['ocid1.instance.oc1.x', 'service.beta.kubernetes.io/oci-load-balancer-internal', 'true'],
  ])('keeps the load balancer of %s private with %s', (providerId, annotation, value) => {
    const exposure = detectServiceExposure(snapshotOf({ nodes: nodesOf(providerId) }));
    expect(exposure.type).toBe('LoadBalancer');
    expect(exposure.annotations[annotation]).toBe(value);
    expect(exposure.warning).toBeUndefined();
  });

  const IP_TYPE = 'service.beta.kubernetes.io/aws-load-balancer-ip-address-type';
  const TARGETS = 'service.beta.kubernetes.io/aws-load-balancer-nlb-target-type';
  it.each<[string, string, Parameters<typeof snapshotOf>[0], string | undefined, string | undefined]>([
    ['IPv4', 'aws:///a/i-1', {}, undefined, undefined],
    ['IPv6 alone', 'aws:///a/i-1', { ciliumConfig: SIX }, 'dualstack', undefined],
    ['IPv6 alone, elsewhere', 'gce://a', { ciliumConfig: SIX }, undefined, undefined],
    [
      'IPv6, by pods with addresses of the VPC',
      'aws:///a/i-1',
      { ciliumConfig: { ...SIX, 'cni-chaining-mode': 'aws-cni' } },
      'dualstack',
      'ip',
    ],
    [
      'both, and Services of IPv6 first',
      'aws:///a/i-1',
      { ciliumConfig: BOTH, serviceCidrs: ['fd00::/108', '10.96.0.0/16'] },
      'dualstack',
      undefined,
    ],
    [
      'both, and Services of IPv4 first',
      'aws:///a/i-1',
      { ciliumConfig: BOTH, serviceCidrs: ['10.96.0.0/16', 'fd00::/108'] },
      undefined,
      undefined,
    ],
    [
      'both, and a Service of IPv6',
      'aws:///a/i-1',
      { ciliumConfig: BOTH, live: [serviceObject({ type: 'LoadBalancer', ipFamilies: ['IPv6'] })] },
      'dualstack',
      undefined,
    ],
    [
      'both, and a Service of IPv4',
      'aws:///a/i-1',
      { ciliumConfig: BOTH, live: [serviceObject({ type: 'LoadBalancer', ipFamilies: ['IPv4'] })] },
      undefined,
      undefined,
    ],
  ])('of a cluster with %s the load balancer gets the families of the Service', (_what, id, more, type, targets) => {
    const { annotations } = detectServiceExposure(snapshotOf({ nodes: nodesOf(id), ...more }));
    expect([annotations[IP_TYPE], annotations[TARGETS]]).toEqual([type, targets]);
  });

  it.each([['kind://docker/a/b'], ['minikube://a'], ['metal3://a'], [undefined]])(
    'falls back to NodePort with a reason for %s',
    (providerId) => {
      const exposure = detectServiceExposure(snapshotOf({ nodes: nodesOf(providerId) }));
      expect(exposure).toMatchObject({ type: 'NodePort', annotations: {}, warning: expect.any(String) });
    },
  );

  it('is not led astray by the name of the context', () => {
    const exposure = detectServiceExposure(snapshotOf({ context: 'eks-prod', nodes: nodesOf('kind://docker/a/b') }));
    expect(exposure.type).toBe('NodePort');
  });

  it('goes by the most of the nodes', () => {
    const nodes = nodesOf('kind://a', 'gce://a', 'gce://b');
    expect(detectServiceExposure(snapshotOf({ nodes })).evidence[0]).toContain('2 of 3 nodes');
  });
});

describe('defaultNodePort', () => {
  it('is another one for each id, within the range', () => {
    const ports = new Set(Array.from({ length: 511 }, (_, index) => defaultNodePort(index + 1)));
    expect(ports.size).toBe(511);
    expect(Math.min(...ports)).toBeGreaterThanOrEqual(30000);
    expect(Math.max(...ports)).toBeLessThanOrEqual(32767);
    expect(defaultNodePort(1)).toBe(32379);
  });
});

describe('serviceEndpoints', () => {
  it.each([
    [
      'all addresses of a load balancer',
      loadBalancerService('10.9.0.1', '10.9.0.2'),
      { hosts: ['10.9.0.1', '10.9.0.2'], port: 2379 },
    ],
    [
      'its host name where it has no address',
      serviceObject(
        { type: 'LoadBalancer', ports: [{ port: 2379 }] },
        { loadBalancer: { ingress: [{ hostname: 'lb.example' }] } },
      ),
      { hosts: ['lb.example'], port: 2379 },
    ],
    ['nothing while it waits', loadBalancerService(), undefined],
    [
      'ready nodes for a NodePort',
      serviceObject({ type: 'NodePort', ports: [{ port: 2379, nodePort: 32380 }] }),
      { hosts: ['10.0.0.1', '10.0.0.2'], port: 32380 },
    ],
    [
      'the cluster IP',
      serviceObject({ type: 'ClusterIP', clusterIP: '10.96.0.9', ports: [{ port: 2379 }] }),
      { hosts: ['10.96.0.9'], port: 2379 },
    ],
  ])('gives %s', (_case, service, endpoints) => {
    expect(serviceEndpoints(snapshotOf({ live: [service] }))).toEqual(endpoints);
  });

  it('prefers external addresses and passes over nodes that are not ready', () => {
    const node = (name: string, ready: boolean, external?: string) => ({
      name,
      ready,
      labels: {},
      addresses: [
        { type: 'InternalIP', address: '10.0.0.1' },
        ...(external ? [{ type: 'ExternalIP', address: external }] : []),
      ],
      podCidrs: [],
    });
    const service = serviceObject({ type: 'NodePort', ports: [{ port: 2379, nodePort: 32379 }] });
    const nodes = [node('a', true, '203.0.113.1'), node('b', false, '203.0.113.2')];
    expect(serviceEndpoints(snapshotOf({ nodes, live: [service] }))?.hosts).toEqual(['203.0.113.1']);
  });
});

describe('why there is no address that peers could dial', () => {
  const kubectl = 'kubectl --context one';
  const look = `${kubectl} -n kube-system describe service/clustermesh-apiserver`;
  it.each([
    ['no Service', [], 'there is no Service', /^meshctl clustermesh enable --context one$/],
    [
      'a load balancer that has none',
      [loadBalancerService()],
      'has no address that peers could dial',
      /^Wait for it, .*: meshctl clustermesh enable --context one; .*: meshctl clustermesh enable --context one --service-type NodePort$/,
    ],
    [
      'a NodePort of nodes that are not ready',
      [serviceObject({ type: 'NodePort', ports: [{ port: 2379, nodePort: 32380 }] })],
      'no node is ready',
      new RegExp(`^${kubectl} get nodes -o wide$`),
    ],
    [
      'a Service without an address',
      [serviceObject({ type: 'ClusterIP' })],
      'has no address',
      new RegExp(`: ${look}$`),
    ],
  ])('%s', (_why, live, says, hint) => {
    const snapshot = snapshotOf({ live, nodes: [] });
    expect(addressLack(snapshot)).toEqual({ says: expect.stringContaining(says), hint: expect.stringMatching(hint) });
    expect(() => requireEndpoints(snapshot)).toThrow(expect.objectContaining({ hint: expect.stringMatching(hint) }));
  });
});

describe('a NodePort', () => {
  type Node = ReturnType<typeof snapshotOf>['nodes'][number];
  const node = (name: string, ready: boolean, ...addresses: string[]): Node => ({
    ...{ name, ready, labels: {}, podCidrs: [] },
    addresses: addresses.map((address) => ({ type: 'InternalIP', address })),
  });
  const four = (name: string, ready = true) => node(name, ready, `10.0.0.${name.charCodeAt(0)}`);
  const both = (name: string, ready = true) => node(name, ready, `10.0.0.${name.charCodeAt(0)}`, `fd00::${name}`);
  const IN_READY_PODS = { apiserverPods: [{ name: 'p', ready: true, node: 'c' }] as never };

  const NODES: [string, Node[]][] = [
    ['none', []],
    ['of IPv4', ['a', 'b', 'c', 'd'].map((name) => four(name))],
    ['of IPv4, and two more of both', [...['a', 'b', 'c'].map((name) => four(name)), both('d'), both('e')]],
    ['of IPv4, and one of both that is not ready', [four('a'), both('c', false)]],
    ['not ready', [both('a', false)]],
    ['of which only that without the pod is ready', [both('b'), both('c', false)]],
    ['without addresses', [node('a', true)]],
  ];
  const cases = NODES.flatMap(([what, nodes]) =>
    [['IPv4'], ['IPv6'], ['IPv4', 'IPv6'], []].flatMap((families) =>
      ['Cluster', 'Local'].flatMap((policy) =>
        [32379, undefined].map((nodePort) => [what, families, policy, nodePort, nodes] as const),
      ),
    ),
  );
  it.each(cases)(
    'on nodes %s, of %j, %s, at %s: has no address to write only where it has none at all, and why is true',
    (_what, ipFamilies, externalTrafficPolicy, nodePort, nodes) => {
      const spec = { type: 'NodePort', externalTrafficPolicy, ipFamilies, ports: [{ port: 2379, nodePort }] };
      const snapshot = snapshotOf({ nodes, live: [serviceObject(spec)], ...IN_READY_PODS });
      expect(listEndpoints(snapshot).length > 0).toBe((reachableEndpoints(snapshot) ?? []).length > 0);
      if (listEndpoints(snapshot).length > 0) return;
      const { says, hint } = addressLack(snapshot);
      const ready = nodes.filter((one) => one.ready);
      const serving = ready.filter(({ name }) => externalTrafficPolicy !== 'Local' || name === 'c');
      const why = says.replace(/^.*: /, '');
      const isTrue: Record<string, boolean> = {
        'it has no node port': nodePort === undefined,
        'no node is ready': ready.length === 0,
        'no node with a ready pod of it is ready': serving.length === 0 && externalTrafficPolicy === 'Local',
        'no node that is ready has an IP address': ready.every(({ addresses }) => addresses.length === 0),
        'no node that is ready has an address of IPv6':
          ipFamilies.includes('IPv6') &&
          serving.every(({ addresses }) => addresses.every(({ address }) => !address.includes(':'))),
      };
      expect([why, isTrue[why]]).toEqual([why, true]);
      expect(/PreferDualStack$/.test(hint)).toBe(why.endsWith('IPv6'));
    },
  );
});
