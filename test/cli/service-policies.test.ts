import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ciliumPolicyFollowsDefault, networkPolicyFollowsDefault } from '../../src/mesh/cilium/policy-scope.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { type CliResult, runCli } from '../support/cli.ts';
import { namespaceObject, type ServiceClusters, startServiceClusters } from '../support/service-clusters.ts';

const CLUSTER = 'io.cilium.k8s.policy.cluster';

function policy(kind: string, name: string, spec: unknown, namespace?: string): KubeObject {
  const apiVersion = kind === 'NetworkPolicy' ? 'networking.k8s.io/v1' : 'cilium.io/v2';
  return { apiVersion, kind, metadata: { name, ...(namespace ? { namespace } : {}) }, spec };
}

describe('a Cilium policy', () => {
  const labels = (matchLabels: Record<string, string>) => ({ matchLabels });
  it.each([
    ['has no peers', {}, false],
    ['allows nobody', { ingress: [{ fromEndpoints: [] }] }, false],
    ['allows entities', { ingress: [{ fromEntities: ['cluster'] }], egress: [{ toCIDR: ['0.0.0.0/0'] }] }, false],
    ['selects every pod', { ingress: [{ fromEndpoints: [{}] }] }, true],
    ['selects by a label', { egress: [{ toEndpoints: [labels({ app: 'a' })] }] }, true],
    ['names the cluster', { ingress: [{ fromEndpoints: [labels({ [CLUSTER]: 'mesh-1', app: 'a' })] }] }, false],
    ['names it with a source', { ingress: [{ fromEndpoints: [labels({ [`k8s:${CLUSTER}`]: 'mesh-1' })] }] }, false],
    ['names it with any source', { ingress: [{ fromEndpoints: [labels({ [`any:${CLUSTER}`]: 'mesh-1' })] }] }, false],
    ['names it with another source', { ingress: [{ fromEndpoints: [labels({ [`unspec:${CLUSTER}`]: 'x' })] }] }, true],
    [
      'names it by an expression',
      { egress: [{ toEndpoints: [{ matchExpressions: [{ key: CLUSTER, operator: 'Exists' }] }] }] },
      false,
    ],
    ['selects reserved endpoints', { ingress: [{ fromEndpoints: [labels({ 'reserved:host': '' })] }] }, false],
    ['selects nodes', { egress: [{ toNodes: [labels({ 'node-role': 'edge' })] }] }, true],
    ['selects nodes by a reserved label', { ingress: [{ fromNodes: [labels({ 'reserved:host': '' })] }] }, true],
    ['denies', { ingressDeny: [{ fromEndpoints: [{}] }] }, true],
    ['denies what leaves', { egressDeny: [{ toEndpoints: [{}] }] }, true],
    ['selects its own pods by label only', { endpointSelector: labels({ app: 'a' }), ingress: [{}] }, false],
  ])('that %s', (_, spec, expected) => {
    expect(ciliumPolicyFollowsDefault(policy('CiliumNetworkPolicy', 'p', spec, 'n'))).toBe(expected);
    const { spec: _spec, ...bare } = policy('CiliumNetworkPolicy', 'p', spec, 'n');
    expect(ciliumPolicyFollowsDefault({ ...bare, specs: [{}, spec] })).toBe(expected);
  });
});

describe('a NetworkPolicy', () => {
  it.each([
    ['has no rules', {}, false],
    ['allows everybody', { ingress: [{}], egress: [{ to: [] }] }, false],
    ['allows addresses', { egress: [{ to: [{ ipBlock: { cidr: '10.0.0.0/8' } }] }] }, false],
    ['selects pods', { ingress: [{ from: [{ podSelector: { matchLabels: { app: 'a' } } }] }] }, true],
    ['selects namespaces', { egress: [{ to: [{ namespaceSelector: {} }] }] }, true],
    ['names the cluster', { ingress: [{ from: [{ podSelector: { matchLabels: { [CLUSTER]: 'mesh-1' } } }] }] }, false],
    ['names no cluster', { ingress: [{ from: [{ podSelector: { matchLabels: { [CLUSTER]: '' } } }] }] }, true],
    [
      'names it by an expression',
      { ingress: [{ from: [{ podSelector: { matchExpressions: [{ key: CLUSTER, operator: 'Exists' }] } }] }] },
      false,
    ],
  ])('that %s', (_, spec, expected) => {
    expect(networkPolicyFollowsDefault(policy('NetworkPolicy', 'p', spec, 'n'))).toBe(expected);
  });
});

describe('inspect-policy-default-local-cluster', () => {
  let clusters: ServiceClusters;
  const inspect = (...argv: string[]): Promise<CliResult> =>
    runCli(['clustermesh', 'inspect-policy-default-local-cluster', ...argv], {
      env: { KUBECONFIG: clusters.kubeconfigPath },
    });

  beforeAll(async () => {
    clusters = await startServiceClusters(['one']);
    const open = { endpointSelector: {}, ingress: [{ fromEndpoints: [{}] }] };
    const closed = { endpointSelector: {}, ingress: [{ fromEndpoints: [] }] };
    for (const object of [
      namespaceObject('shop'),
      policy('CiliumNetworkPolicy', 'open', open, 'shop'),
      policy('CiliumNetworkPolicy', 'closed', closed, 'shop'),
      policy('CiliumNetworkPolicy', 'closed', closed, 'default'),
      policy('CiliumClusterwideNetworkPolicy', 'all', open),
      policy('NetworkPolicy', 'web', { podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] }, 'shop'),
    ]) {
      clusters.stores.one?.create(object);
    }
  });
  afterAll(() => clusters.close());

  it('prints the JSON of cilium-cli', async () => {
    const { exitCode, stdout } = await inspect('-A', '-o', 'json');
    expect(exitCode).toBe(0);
    expect(stdout).toBe(
      [
        '{',
        ' "ciliumNetworkPolicies": {',
        '  "default/closed": false,',
        '  "shop/closed": false,',
        '  "shop/open": true',
        ' },',
        ' "ciliumClusterWideNetworkPolicies": {',
        '  "/all": true',
        ' },',
        ' "networkPolicies": {',
        '  "shop/web": true',
        ' }',
        '}',
        '',
      ].join('\n'),
    );
  });

  it('does not say that there is none of what it did not read', async () => {
    const { stdout } = await inspect('-n', 'shop');
    expect(stdout).toContain('CiliumClusterwideNetworkPolicy: in no namespace, so only read with -A\n');
    expect(stdout).not.toMatch(/Clusterwide.*none/);
    expect((await inspect('-A')).stdout).toContain('CiliumClusterwideNetworkPolicy: 1 of 1 would mean something else');
  });

  it("looks at one namespace, the context's by default", async () => {
    expect((await inspect('-o', 'json')).stdout).toBe(
      '{\n "ciliumNetworkPolicies": {\n  "default/closed": false\n }\n}\n',
    );
    expect(JSON.parse((await inspect('-n', 'shop', '-o', 'json')).stdout)).toEqual({
      ciliumNetworkPolicies: { 'shop/closed': false, 'shop/open': true },
      networkPolicies: { 'shop/web': true },
    });
    expect((await inspect('-n', 'empty', '-o', 'json')).stdout).toBe('{}\n');
  });

  it('shows it to people', async () => {
    expect((await inspect('-n', 'shop')).stdout).toBe(
      [
        '⚠️  CiliumNetworkPolicy: 1 of 2 would mean something else with policy-default-local-cluster',
        '  ✅ shop/closed',
        '  ⚠️  shop/open: has a selector that names no cluster',
        'CiliumClusterwideNetworkPolicy: in no namespace, so only read with -A',
        '⚠️  NetworkPolicy: 1 of 1 would mean something else with policy-default-local-cluster',
        '  ⚠️  shop/web: has a selector that names no cluster',
        '',
      ].join('\n'),
    );
  });
});
