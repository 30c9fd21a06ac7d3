/** What a cluster would refuse, and what is known not to go together with Cluster Mesh: judged from what was read. */
import { describe, expect, it } from 'vitest';
import { describeFindings, MESH_CHECKS, PRE_CHECKS } from '../../src/mesh/checks/catalogue.ts';
import { runChecks } from '../../src/mesh/checks/shared/check.ts';
import type { ClusterSnapshot, NodeFacts } from '../../src/mesh/cluster-snapshot.ts';
import { ingressVerdict } from '../../src/mesh/objects/ingress-policy.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { createStore } from '../../src/sandbox/apiserver/storage/store.ts';
import { allowsOutside } from '../../src/sandbox/cilium/outside-policy.ts';
import type { Pod } from '../../src/sandbox/objects.ts';
import { apiserverDeployment, NOW, serviceObject, snapshotOf } from '../support/snapshots.ts';

type Shape = Parameters<typeof snapshotOf>[0] & { policies?: KubeObject[] };

/** What a check says of one cluster, or of two that are alike but for their context. */
function judged(id: string, ...shapes: Shape[]) {
  const clusters: ClusterSnapshot[] = shapes.map((shape, index) =>
    snapshotOf({ context: ['one', 'two'][index] ?? '', ...shape }),
  );
  const observed = new Map(
    shapes.map(({ policies }, index) => [
      clusters[index]?.context ?? '',
      { containers: [], nodes: [], ...(policies && { policies }) },
    ]),
  );
  const check = MESH_CHECKS.filter((one) => one.id === id).map((one) => ({ ...one, needs: undefined }));
  const [entry] = describeFindings(MESH_CHECKS, runChecks(check, { clusters, now: NOW, observed }));
  return entry;
}

const node = (name: string, more: Partial<NodeFacts> = {}): NodeFacts => ({
  name,
  ready: true,
  labels: { 'kubernetes.io/os': 'linux' },
  addresses: [{ type: 'InternalIP', address: `10.0.0.${name.at(-1)}` }],
  podCidrs: [],
  ...more,
});
const CONTROL_PLANE = { key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' };

describe('nodes', () => {
  const tolerating = (tolerations: unknown[]): KubeObject => {
    const deployment = apiserverDeployment();
    const spec = deployment.spec as { template: { spec: object } };
    return { ...deployment, spec: { ...spec, template: { spec: { ...spec.template.spec, tolerations } } } };
  };

  it.each<[string, string, Shape]>([
    ['one is free', 'pass', { nodes: [node('n1', { taints: [CONTROL_PLANE] }), node('n2')] }],
    ['all are tainted', 'fail', { nodes: [node('n1', { taints: [CONTROL_PLANE] })] }],
    ['the taint is a wish', 'pass', { nodes: [node('n1', { taints: [{ key: 'a', effect: 'PreferNoSchedule' }] })] }],
    ['all are cordoned', 'fail', { nodes: [node('n1', { unschedulable: true })] }],
    ['none runs Linux', 'fail', { nodes: [node('n1', { labels: { 'kubernetes.io/os': 'windows' } })] }],
    [
      'the taint is tolerated',
      'pass',
      { nodes: [node('n1', { taints: [CONTROL_PLANE] })], live: [tolerating([{ operator: 'Exists' }])] },
    ],
    [
      'the taint has another value than is tolerated',
      'fail',
      {
        nodes: [node('n1', { taints: [{ key: 'team', value: 'a', effect: 'NoSchedule' }] })],
        live: [tolerating([{ key: 'team', value: 'b' }])],
      },
    ],
    [
      'all are tainted since it runs',
      'warn',
      {
        nodes: [node('n1', { taints: [CONTROL_PLANE] })],
        apiserverPods: [{ name: 'p', node: 'n1', ready: true }],
      },
    ],
  ])('%s: %s', (_when, severity, shape) => {
    expect(judged('apiserver-schedulable', shape)).toMatchObject({ severity });
  });

  it('that are tainted are named, with the toleration that mends it; before enable, too', () => {
    expect(judged('apiserver-schedulable', { nodes: [node('n1', { taints: [CONTROL_PLANE] })] })).toMatchObject({
      message: `context "one": no node takes its pods (tainted: node-role.kubernetes.io/control-plane:NoSchedule)`,
      hint: 'Let it tolerate a taint: meshctl clustermesh enable --context one --toleration node-role.kubernetes.io/control-plane:NoSchedule',
    });
    expect(PRE_CHECKS.map(({ id }) => id)).toContain('apiserver-schedulable');
    const cordoned = judged('apiserver-schedulable', { nodes: [node('n1', { unschedulable: true })] });
    expect(cordoned?.hint).toMatch(/kubectl --context one uncordon n1$/);
  });

  it.each<[string, string, string, { node: string; ready: boolean }[]]>([
    ['pods on all nodes, but any node serves', 'pass', 'Cluster', []],
    ['a pod on one of two nodes', 'warn', 'Local', [{ node: 'n1', ready: true }]],
    ['no ready pod', 'fail', 'Local', [{ node: 'n1', ready: false }]],
  ])('a NodePort with %s: %s', (_when, severity, externalTrafficPolicy, pods) => {
    const service = serviceObject({
      type: 'NodePort',
      externalTrafficPolicy,
      ports: [{ port: 2379, nodePort: 30001 }],
    });
    const apiserverPods = pods.map((pod, index) => ({ name: `p${index}`, ...pod }));
    const found = judged('node-port-local', { nodes: [node('n1'), node('n2')], live: [service], apiserverPods });
    expect(found?.severity).toBe(severity);
    if (severity !== 'pass') expect(found?.hint).toMatch(/--external-traffic-policy Cluster$/);
  });
});

describe('network policies', () => {
  const labels = { 'k8s-app': 'clustermesh-apiserver', 'app.kubernetes.io/part-of': 'cilium' };
  const target = {
    ...{ namespace: 'kube-system', labels, port: 2379, portName: 'etcd' },
    ...{ namespaceLabels: { team: 'net' }, serviceAccount: 'clustermesh-apiserver', cluster: 'mesh-1' },
    ...{ families: [4 as 4 | 6], isDualStack: false },
  };
  const ofPods = (key: string, operator: string, value: string) =>
    wide({ endpointSelector: { matchExpressions: [{ key, operator, values: [value] }] }, ingress: [{}] });
  const policy = (kind: string, spec: unknown, namespace = 'kube-system'): KubeObject => ({
    apiVersion: kind === 'NetworkPolicy' ? 'networking.k8s.io/v1' : 'cilium.io/v2',
    kind,
    metadata: { name: 'p', ...(kind.includes('Clusterwide') ? {} : { namespace }) },
    spec,
  });
  const opening = (key: string, operator: string, value: string) =>
    wide({
      endpointSelector: { matchExpressions: [{ key, operator, values: [value] }] },
      ingress: [{ toPorts: toEtcd }],
    });
  const DENY = policy('NetworkPolicy', { podSelector: {}, policyTypes: ['Ingress'] });
  const network = (ingress: unknown[]) => policy('NetworkPolicy', { podSelector: {}, ingress });
  const cilium = (spec: object) => policy('CiliumNetworkPolicy', { endpointSelector: {}, ...spec });
  const wide = (spec: object) => policy('CiliumClusterwideNetworkPolicy', { endpointSelector: {}, ...spec });
  const toEtcd = [{ ports: [{ port: '2379', protocol: 'TCP' }] }];

  it.each<[string, string, KubeObject[], string?]>([
    ['no policy', 'all', []],
    ['no policy, with enable-policy always', 'nobody', [], 'always'],
    ['a policy, with enable-policy never', 'all', [DENY], 'never'],
    ['one that denies everything', 'nobody', [DENY]],
    ['one of another namespace', 'all', [policy('NetworkPolicy', { podSelector: {} }, 'default')]],
    ['one for egress', 'all', [policy('NetworkPolicy', { podSelector: {}, policyTypes: ['Egress'] })]],
    ['one of other pods', 'all', [policy('NetworkPolicy', { podSelector: { matchLabels: { app: 'x' } } })]],
    ['a rule for the port', 'all', [DENY, network([{ ports: [{ port: 2379 }] }])]],
    ['a rule for the port, with enable-policy always', 'all', [network([{ ports: [{ port: 2379 }] }])], 'always'],
    ['a rule for the port by name', 'all', [DENY, network([{ ports: [{ port: 'etcd' }] }])]],
    ['a rule for a range of ports', 'all', [DENY, network([{ ports: [{ port: 2000, endPort: 3000 }] }])]],
    ['a rule for another port', 'nobody', [DENY, network([{ ports: [{ port: 443 }] }])]],
    ['a rule for UDP', 'nobody', [DENY, network([{ ports: [{ port: 2379, protocol: 'UDP' }] }])]],
    ['a rule for some addresses', 'some', [DENY, network([{ from: [{ ipBlock: { cidr: '10.0.0.0/8' } }] }])]],
    ['a rule for all addresses', 'all', [DENY, network([{ from: [{ ipBlock: { cidr: '0.0.0.0/0' } }] }])]],
    [
      'a rule for all addresses but some',
      'some',
      [DENY, network([{ from: [{ ipBlock: { cidr: '0.0.0.0/0', except: ['10.0.0.0/8'] } }] }])],
    ],
    ["Cilium's rule for some addresses", 'some', [cilium({ ingress: [{ fromCIDR: ['192.0.2.1/32'] }] })]],
    ["Cilium's rule for all addresses", 'all', [cilium({ ingress: [{ fromCIDR: ['0.0.0.0/0'] }] })]],
    ['a rule for pods', 'pods', [DENY, network([{ from: [{ podSelector: {} }] }])]],
    ["Cilium's way to deny everything", 'nobody', [cilium({ ingress: [{}] })]],
    ['a clusterwide one', 'nobody', [wide({ ingress: [{}] })]],
    [
      'a clusterwide one of another namespace',
      'all',
      [wide({ endpointSelector: { matchLabels: { 'k8s:io.kubernetes.pod.namespace': 'default' } }, ingress: [{}] })],
    ],
    [
      'a clusterwide one that denies by no default',
      'all',
      [wide({ enableDefaultDeny: { ingress: false }, ingress: [{ fromEntities: ['host'] }] })],
    ],
    ['a rule for nodes and world', 'all', [cilium({ ingress: [{ fromEntities: ['world'], toPorts: toEtcd }] })]],
    ['a rule for the port alone', 'all', [cilium({ ingress: [{ toPorts: toEtcd }] })]],
    ['a rule for endpoints', 'pods', [cilium({ ingress: [{ fromEndpoints: [{}] }] })]],
    [
      'a denial of the world',
      'nobody',
      [cilium({ ingress: [{ toPorts: toEtcd }], ingressDeny: [{ fromEntities: ['world'] }] })],
    ],
    [
      'expressions that leave the pod out',
      'all',
      [
        cilium({
          endpointSelector: {
            matchExpressions: [{ key: 'k8s-app', operator: 'NotIn', values: ['clustermesh-apiserver'] }],
          },
          ingress: [{}],
        }),
      ],
    ],
    ['a denial of all addresses', 'nobody', [cilium({ ingressDeny: [{ fromCIDR: ['0.0.0.0/0', '::/0'] }] })]],
    [
      'a denial of all addresses but some',
      'some',
      [
        cilium({
          enableDefaultDeny: { ingress: false },
          ingressDeny: [{ fromCIDRSet: [{ cidr: '0.0.0.0/0', except: ['10.0.0.0/8'] }] }],
        }),
      ],
    ],
    [
      'a rule for ICMP only',
      'nobody',
      [cilium({ ingress: [{ fromEntities: ['world'], icmps: [{ fields: [{ type: 8 }] }] }] })],
    ],
    ['one by a label of the namespace', 'nobody', [ofPods('k8s:io.cilium.k8s.namespace.labels.team', 'In', 'net')]],
    [
      "one by the namespace's name among its labels",
      'all',
      [ofPods('k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name', 'NotIn', 'kube-system')],
    ],
    [
      'one by service account',
      'nobody',
      [ofPods('io.cilium.k8s.policy.serviceaccount', 'In', 'clustermesh-apiserver')],
    ],
    ['one of another cluster', 'all', [ofPods('io.cilium.k8s.policy.cluster', 'In', 'mesh-2')]],
    ['one by what is not known', 'unknown', [ofPods('io.cilium.k8s.policy.name', 'In', 'x')]],
    [
      'two by what is not known, of which one closes what the other opens',
      'unknown',
      [ofPods('io.cilium.k8s.policy.name', 'In', 'x'), opening('io.cilium.k8s.policy.uid', 'In', 'y')],
    ],
    [
      'one that opens by what is not known, beside one that opens',
      'all',
      [DENY, cilium({ ingress: [{ toPorts: toEtcd }] }), opening('io.cilium.k8s.policy.uid', 'In', 'y')],
    ],
    ['one by what is not known, beside one that denies everything', 'nobody', [DENY, ofPods('reserved:x', 'In', '')]],
  ])('%s: %s', (_when, lets, policies, enforcement) => {
    expect(ingressVerdict(policies, target, enforcement).lets).toBe(lets);
    // The sandbox's datapath has a rule of its own, which lets a packet in or does not.
    if (!['some', 'unknown'].includes(lets)) expect(sandboxLetsIn(policies, enforcement)).toBe(lets === 'all');
  });

  const SOURCES: readonly [string, object, object | undefined][] = [
    ...['world', 'world-ipv4', 'world-ipv6'].map(
      (name) => [name, { fromEntities: [name] }, undefined] as [string, object, undefined],
    ),
    ...['0.0.0.0/0', '::/0'].map(
      (cidr) => [cidr, { fromCIDR: [cidr] }, { from: [{ ipBlock: { cidr } }] }] as [string, object, object],
    ),
  ];
  /** Whom they mean, of those who dial over a family: where Cilium has one family on, the world has no halves. */
  const MEANT: Readonly<Record<string, readonly string[]>> = {
    '4': ['world', '0.0.0.0/0'],
    '6': ['world', '::/0'],
    '4 of 46': ['world', 'world-ipv4', '0.0.0.0/0'],
    '6 of 46': ['world', 'world-ipv6', '::/0'],
  };
  const combined = (isIn: readonly boolean[]) => (isIn.every(Boolean) ? 'all' : isIn.some(Boolean) ? 'some' : 'nobody');

  it.each<[string, (4 | 6)[], (4 | 6)[]]>([
    ['IPv4', [4], [4]],
    ['IPv6', [6], [6]],
    ['both, dialled over IPv4', [4, 6], [4]],
    ['both, dialled over IPv6', [4, 6], [6]],
    ['both, dialled over both', [4, 6], [4, 6]],
  ])('mean the outside of a cluster by its families: %s', (_what, families, dialled) => {
    const isDualStack = families.length > 1;
    for (const [name, source, block] of SOURCES) {
      const isMeant = dialled.map(
        (family) => MEANT[`${family}${isDualStack ? ' of 46' : ''}`]?.includes(name) ?? false,
      );
      const allowing = [cilium({ ingress: [source] }), ...(block ? [network([block])] : [])];
      const denying = cilium({ enableDefaultDeny: { ingress: false }, ingressDeny: [source] });
      const cases = [
        ...allowing.map((policy) => ({ policy, isIn: isMeant })),
        { policy: denying, isIn: isMeant.map((is) => !is) },
      ];
      for (const { policy, isIn } of cases) {
        const { lets } = ingressVerdict([policy], { ...target, families: dialled, isDualStack });
        expect([name, policy.spec, lets]).toEqual([name, policy.spec, combined(isIn)]);
        const inSandbox = dialled.map((family) => sandboxLetsIn([policy], 'default', { family, families }));
        expect([name, policy.spec, inSandbox]).toEqual([name, policy.spec, isIn]);
      }
    }
  });

  it.each([
    ['IPv6', 'fail'],
    ['IPv4', 'pass'],
  ])('are judged by the families of the Service: %s', (family, severity) => {
    const ciliumConfig = { 'cluster-name': 'one', 'cluster-id': '1', 'enable-ipv6': 'true' };
    const live = [serviceObject({ ipFamilies: [family] })];
    const policies = [network([{ from: [{ ipBlock: { cidr: '0.0.0.0/0' } }] }])];
    expect(judged('apiserver-policy', { ciliumConfig, live, policies })).toMatchObject({ severity });
  });

  function sandboxLetsIn(
    policies: readonly KubeObject[],
    enforcement = 'default',
    { family, families }: { family: 4 | 6; families: readonly (4 | 6)[] } = { family: 4, families: [4] },
  ): boolean {
    const store = createStore();
    const { namespace, port, portName, namespaceLabels, serviceAccount: serviceAccountName, cluster } = target;
    store.update({ apiVersion: 'v1', kind: 'Namespace', name: namespace }, ({ metadata }) => {
      metadata.labels = { ...metadata.labels, ...namespaceLabels };
    });
    store.create({
      ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'cilium-config', namespace } },
      data: {
        ...{ 'cluster-name': cluster, 'enable-policy': enforcement },
        ...{ 'enable-ipv4': `${families.includes(4)}`, 'enable-ipv6': `${families.includes(6)}` },
      },
    });
    for (const [index, one] of policies.entries())
      store.create({ ...one, metadata: { ...one.metadata, name: `p${index}` } });
    const containers = [{ name: 'etcd', image: 'etcd', ports: [{ name: portName, containerPort: port }] }];
    const pod: Pod = {
      ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a', namespace, labels } },
      spec: { containers, serviceAccountName },
    };
    return allowsOutside(store, pod, port, family);
  }

  it('that hang on labels of the namespace, which may not be read, are no pass', () => {
    const policies = [ofPods('io.cilium.k8s.namespace.labels.team', 'In', 'net')];
    expect(judged('apiserver-policy', { policies })).toMatchObject({
      severity: 'skip',
      message: expect.stringContaining('whether CiliumClusterwideNetworkPolicy p selects its pods hangs on labels'),
    });
  });

  it('that let in, or deny, some addresses are no pass', () => {
    const policies = [cilium({ ingress: [{ fromCIDR: ['192.0.2.1/32'] }] })];
    expect(judged('apiserver-policy', { policies })).toMatchObject({
      severity: 'skip',
      message: expect.stringContaining(
        'whether CiliumNetworkPolicy kube-system/p lets peers in hangs on their addresses',
      ),
    });
  });

  it('that deny are to be looked at: what lets in beside them changes nothing', () => {
    const policies = [cilium({ ingressDeny: [{ fromEntities: ['world'] }] }), network([{ ports: [{ port: 2379 }] }])];
    expect(judged('apiserver-policy', { policies })).toMatchObject({
      severity: 'fail',
      message:
        'context "one": CiliumNetworkPolicy kube-system/p denies what comes from outside, whatever else lets it in',
      hint: 'Take the denial out, over which nothing else lets in: kubectl --context one -n kube-system get ciliumnetworkpolicy/p -o yaml',
    });
  });

  it('that shut peers out are named, with the policy that lets them in', () => {
    const found = judged('apiserver-policy', { policies: [DENY] });
    expect(found).toMatchObject({
      severity: 'fail',
      message: 'context "one": NetworkPolicy kube-system/p lets no one in',
    });
    const [, json = ''] =
      /echo '(.*)' \| kubectl --context one -n kube-system apply -f -$/.exec(found?.hint ?? '') ?? [];
    const mending = { ...(JSON.parse(json) as KubeObject) };
    mending.metadata.namespace = 'kube-system';
    expect(judged('apiserver-policy', { policies: [DENY, mending] })?.severity).toBe('pass');
    const always = { 'cluster-name': 'mesh-1', 'cluster-id': '1', 'enable-policy': 'always' };
    expect(judged('apiserver-policy', { policies: [], ciliumConfig: always })?.message).toBe(
      'context "one": Cilium (enable-policy: always) lets no one in',
    );
  });

  it('that may not be listed are skipped', () => {
    expect(judged('apiserver-policy', {})).toMatchObject({ severity: 'skip' });
  });
});

describe('Pod Security', () => {
  const restricted = { 'pod-security.kubernetes.io/enforce': 'restricted' };

  it.each<[string, string, Shape]>([
    [
      'restricted, and a pod without seccompProfile',
      'fail',
      { namespaceLabels: restricted, live: [apiserverDeployment()] },
    ],
    ['restricted, before enable', 'skip', { namespaceLabels: restricted }],
    ['privileged', 'skip', { namespaceLabels: {}, live: [apiserverDeployment()] }],
    ['not readable', 'skip', { live: [apiserverDeployment()] }],
  ])('%s: %s', (_when, severity, shape) => {
    expect(judged('apiserver-pod-security', shape)).toMatchObject({ severity });
  });
});

describe('settings that do not go together', () => {
  const config = (id: number, more: Record<string, string>) => ({
    ciliumConfig: { 'cluster-name': `mesh-${id}`, 'cluster-id': String(id), ...more },
  });
  const both = (one: Record<string, string>, two: Record<string, string> = {}) => [config(1, one), config(2, two)];
  const of = (tag: string, id: number, setting?: string) => ({
    ...config(id, setting === undefined ? {} : { 'policy-default-local-cluster': setting }),
    agent: { image: `quay.io/cilium/cilium:${tag}`, desired: 1, ready: 1 },
  });
  const WIREGUARD = { 'enable-wireguard': 'true', 'kube-proxy-replacement': 'true', 'encrypt-node': 'true' };
  const withoutKvstoremesh = { live: [apiserverDeployment({ kvstoremesh: false })] };

  it.each<[string, string, Shape[]]>([
    ['tunnel-port', 'fail', both({ 'tunnel-port': '8473' })],
    ['tunnel-port', 'pass', both({ 'tunnel-port': '0' }, { 'tunnel-port': '8472' })],
    [
      'global-namespaces',
      'warn',
      both({ 'clustermesh-default-global-namespace': 'true' }, { 'clustermesh-default-global-namespace': 'false' }),
    ],
    ['global-namespaces', 'pass', both({ 'clustermesh-default-global-namespace': 'true' })],
    ['global-namespaces', 'warn', both({ 'clustermesh-default-global-namespace': 'false' })],
    ['policy-default-local-cluster', 'pass', [of('v1.18.4', 1), of('v1.17.0', 2)]],
    ['policy-default-local-cluster', 'warn', [of('v1.18.4', 1), of('v1.19.0', 2)]],
    ['policy-default-local-cluster', 'pass', [of('v1.20.0', 1), of('v1.21.0-pre.0', 2)]],
    ['policy-default-local-cluster', 'pass', [of('v1.20.0', 1), of('v1.18.0', 2, 'true')]],
    ['policy-default-local-cluster', 'warn', [of('v1.20.0', 1, 'false'), of('v1.20.0', 2)]],
    ['policy-default-local-cluster', 'pass', [of('latest', 1, 'true'), of('v1.19.0', 2)]],
    ['policy-default-local-cluster', 'skip', [of('latest', 1), of('v1.19.0', 2)]],
    ['mcs-api', 'warn', both({ 'clustermesh-enable-mcs-api': 'true' })],
    ['cluster-id-of-eni', 'fail', [config(128, { ipam: 'eni' })]],
    ['cluster-id-of-eni', 'warn', [config(128, { ipam: 'eni', 'allow-unsafe-policy-skb-usage': 'true' })]],
    ['cluster-id-of-eni', 'pass', [config(127, { ipam: 'eni' })]],
    ['cluster-id-of-eni', 'pass', [config(383, { ipam: 'eni' })]],
    ['cluster-id-of-eni', 'fail', [config(384, { ipam: 'eni' })]],
    ['cluster-id-of-eni', 'fail', [config(200, { 'cni-chaining-mode': 'aws-cni' })]],
    ['cluster-id-of-eni', 'skip', [config(200, {})]],
    ['wireguard-of-nodes', 'warn', [{ ...config(1, WIREGUARD), ...withoutKvstoremesh }]],
    ['wireguard-of-nodes', 'pass', [{ ...config(1, WIREGUARD), live: [apiserverDeployment()] }]],
    [
      'wireguard-of-nodes',
      'pass',
      [{ ...config(1, { ...WIREGUARD, 'routing-mode': 'native' }), ...withoutKvstoremesh }],
    ],
    [
      'ipsec-keys',
      'fail',
      [
        { ...config(1, { 'enable-ipsec': 'true' }), ipsecKeyDigest: 'a' },
        { ...config(2, { 'enable-ipsec': 'true' }), ipsecKeyDigest: 'b' },
      ],
    ],
    [
      'ipsec-keys',
      'pass',
      [
        { ...config(1, { 'enable-ipsec': 'true' }), ipsecKeyDigest: 'a' },
        { ...config(2, { 'enable-ipsec': 'true' }), ipsecKeyDigest: 'a' },
      ],
    ],
    ['ipsec-keys', 'skip', both({ 'enable-ipsec': 'true' }, { 'enable-ipsec': 'true' })],
  ])('%s: %s', (id, severity, shapes) => {
    const found = judged(id, ...shapes);
    expect(found).toMatchObject({ severity });
    if (severity === 'warn' || severity === 'fail') expect(found?.message).not.toMatch(/undefined/);
  });
});
