import { describe, expect, it } from 'vitest';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { defaultNodePort } from '../../src/mesh/enable/exposure/node-port.ts';
import { detectServiceExposure, withChosenAnnotations } from '../../src/mesh/enable/exposure/service-type.ts';
import { refuseHiddenChoices } from '../../src/mesh/enable/hidden-choices.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { snapshotOf } from '../support/snapshots.ts';

const node = (more: Partial<ClusterSnapshot['nodes'][number]> = {}) => ({
  name: 'a',
  ready: true,
  labels: {},
  addresses: [],
  podCidrs: [],
  ...more,
});
const detect = (overrides: Partial<ClusterSnapshot>) =>
  detectServiceExposure(snapshotOf({ nodes: [node()], ...overrides }));

const messageOf = (act: () => void): string => {
  try {
    act();
    return '';
  } catch (error) {
    return String(error);
  }
};

const object = (kind: string, name: string, more: Record<string, unknown> = {}): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, namespace: 'kube-system' },
  ...more,
});

describe('a platform', () => {
  it.each<[string, Partial<ClusterSnapshot>, string]>([
    ['labels', { nodes: [node({ labels: { 'eks.amazonaws.com/nodegroup': 'x' } })] }, 'aws-load-balancer-scheme'],
    ['labels', { nodes: [node({ labels: { 'cloud.google.com/gke-nodepool': 'x' } })] }, 'networking.gke.io'],
    ['API groups', { apiGroups: ['apps', 'elbv2.k8s.aws'] }, 'aws-load-balancer-internal'],
    ['the server', { server: 'https://abc.gr7.eu-west-1.eks.amazonaws.com' }, 'aws-load-balancer-scheme'],
    ['the server', { server: 'https://x.hcp.westeurope.azmk8s.io:443' }, 'azure-load-balancer-internal'],
  ])('is told by %s', (_by, overrides, annotation) => {
    const { type, annotations } = detect(overrides);
    expect(type).toBe('LoadBalancer');
    expect(Object.keys(annotations).some((name) => name.includes(annotation))).toBe(true);
  });

  it('is what the strongest evidence says', () => {
    const exposure = detect({
      nodes: [node({ providerId: 'azure:///x', labels: { 'eks.amazonaws.com/nodegroup': 'x' } })],
      apiGroups: ['networking.gke.io'],
      server: 'https://x.eks.amazonaws.com',
    });
    expect(exposure.annotations).toHaveProperty(['service.beta.kubernetes.io/azure-load-balancer-internal']);
    expect(exposure.evidence).toEqual(['the only node has a providerID azure:// (Azure)']);
  });

  it('is never told by the context alone', () => {
    const exposure = detect({ context: 'gke_project_zone_name' });
    expect(exposure.type).toBe('NodePort');
    expect(exposure.warning).toMatch(/named as on Google Cloud, which alone proves nothing; .*--service-type/);
  });
});

describe('outside of the clouds', () => {
  const kubeVip = (env: unknown[]) =>
    object('DaemonSet', 'kube-vip-ds', { spec: { template: { spec: { containers: [{ name: 'kube-vip', env }] } } } });
  const serviceLb = object('DaemonSet', 'svclb-traefik', {});
  serviceLb.metadata.labels = { 'svccontroller.k3s.cattle.io/svcname': 'traefik' };

  it.each<[string, Partial<ClusterSnapshot>]>([
    ['MetalLB', { probed: [object('IPAddressPool', 'pool')] }],
    ['Cilium LB-IPAM', { probed: [object('CiliumLoadBalancerIPPool', 'pool', { spec: {} })] }],
    ['kube-vip', { probed: [kubeVip([{ name: 'svc_enable', value: 'true' }])] }],
    ['ServiceLB', { probed: [serviceLb] }],
    ['ServiceLB', { nodes: [node({ labels: { 'svccontroller.k3s.cattle.io/enablelb': 'true' } })] }],
    ['ServiceLB', { kubernetesVersion: 'v1.33.1+k3s1' }],
  ])('%s gives addresses', (name, overrides) => {
    const exposure = detect(overrides);
    expect(exposure).toMatchObject({ type: 'LoadBalancer', annotations: {} });
    expect(exposure.evidence.at(-1)).toContain(name);
  });

  it('a kind cluster with MetalLB gets a load balancer', () => {
    const probed = [object('IPAddressPool', 'pool')];
    expect(detect({ nodes: [node({ providerId: 'kind://docker/a/b' })], probed })).toMatchObject({
      type: 'LoadBalancer',
      evidence: ['the only node has a providerID kind:// (kind)', 'MetalLB has the IPAddressPool pool'],
    });
  });

  it.each<[string, KubeObject]>([
    ['a MetalLB pool that assigns nothing by itself', object('IPAddressPool', 'pool', { spec: { autoAssign: false } })],
    ['a disabled Cilium pool', object('CiliumLoadBalancerIPPool', 'pool', { spec: { disabled: true } })],
    [
      'a Cilium pool for other Services',
      object('CiliumLoadBalancerIPPool', 'pool', { spec: { serviceSelector: { matchLabels: { a: 'b' } } } }),
    ],
    ['kube-vip for the control plane only', kubeVip([{ name: 'cp_enable', value: 'true' }])],
    ['any other DaemonSet', object('DaemonSet', 'cilium')],
  ])('%s does not', (_name, probed) => {
    expect(detect({ probed: [probed] })).toMatchObject({ type: 'NodePort', warning: expect.any(String) });
  });
});

describe('withChosenAnnotations', () => {
  const SCHEME = 'service.beta.kubernetes.io/aws-load-balancer-scheme';
  const INTERNAL = 'service.beta.kubernetes.io/aws-load-balancer-internal';
  const eks = detect({ nodes: [node({ providerId: 'aws:///a/b' })] });

  it('opens a load balancer to the internet only where that is said, and warns', () => {
    const opened = withChosenAnnotations(eks, { [SCHEME]: 'internet-facing' });
    expect(opened.annotations).toEqual({ [SCHEME]: 'internet-facing' });
    expect(opened.warning).toContain('reachable from the internet');
  });

  it.each([false, true])('names what was chosen by its flag, or by its field of a mesh file: %s', (inFile) => {
    const snapshot = snapshotOf({ nodes: [node()], live: [] });
    const rendered = [object('Service', 'clustermesh-apiserver')];
    const choices = { inFile, serviceType: 'NodePort', nodePort: 32000, serviceAnnotations: { mine: 'x' } } as const;
    const settings = ['spec.type', 'metadata.annotations.mine'].map((path) => ({ kind: 'Service', path, value: 'y' }));
    const live = { context: 'one', of: () => undefined };
    const refused = () => refuseHiddenChoices(rendered, { ...choices, settings }, live);
    const said = [
      detectServiceExposure(snapshot, { inFile }).warning,
      withChosenAnnotations(eks, { [SCHEME]: 'internet-facing' }, { inFile }).warning,
      messageOf(refused),
    ].join('\n');
    const [flags, fields] = [/--[a-z]/, /serviceType|serviceAnnotations of the file/];
    expect(said).toMatch(inFile ? fields : flags);
    expect(said).not.toMatch(inFile ? flags : fields);
  });

  it('keeps both annotations beside others', () => {
    const { annotations, warning } = withChosenAnnotations(eks, { mine: 'x' });
    expect(annotations).toEqual({ [SCHEME]: 'internal', [INTERNAL]: 'true', mine: 'x' });
    expect(warning).toBeUndefined();
  });
});

describe('defaultNodePort', () => {
  it('gives way to ports that are taken', () => {
    const first = defaultNodePort(7);
    const second = defaultNodePort(7, new Set([first]));
    expect(second).not.toBe(first);
    expect(second).toBeGreaterThanOrEqual(30_000);
    expect(second).toBeLessThanOrEqual(32_767);
    expect(defaultNodePort(8, new Set([defaultNodePort(8)]))).not.toBe(second);
  });
});
