import { describe, expect, it, test } from 'vitest';
import { createTheme } from '../../src/cli/terminal/theme.ts';
import { readClusters } from '../../src/commands/service/service-clusters.ts';
import { heededDistributions, leftToKubeProxy } from '../../src/mesh/cilium/datapath.ts';
import type { ClusterServices } from '../../src/mesh/services/service-facts.ts';
import { joinServices, serviceFacts } from '../../src/mesh/services/services.ts';
import { survivalOf } from '../../src/mesh/services/survival.ts';
import { survivalDoubts } from '../../src/mesh/services/survival-doubts.ts';
import { failoverData, failoverText } from '../../src/views/services/service-failover-view.ts';
import { warningData } from '../../src/views/services/service-warnings-view.ts';

/** Requests for global Services that are not balanced as agents balance those of pods. */
const plain = await createTheme(false);

interface Case {
  spec?: object;
  annotations?: Record<string, string>;
  /** Backends of mesh-1, which is as given, of mesh-2 and of mesh-3. */
  backends?: readonly [number, number, number];
  of?: Partial<ClusterServices>;
}

function mesh({ spec = {}, annotations = {}, backends = [0, 2, 2], of = {} }: Case): ClusterServices[] {
  return backends.map((count, index) => {
    const all = { 'service.cilium.io/global': 'true', 'service.cilium.io/affinity': 'local', ...annotations };
    const metadata = { namespace: 'shop', name: 'edge', annotations: all };
    const facts = serviceFacts({
      ...{ apiVersion: 'v1', kind: 'Service', metadata },
      spec: { type: 'NodePort', ports: [{ port: 80 }], ...spec },
    });
    const made = Array.from({ length: count }, (_, at) => ({
      ...{ address: `10.${index}.0.${at}`, ready: true, serving: true, terminating: false },
    }));
    return {
      ...{ context: `ctx-${index + 1}`, cluster: `mesh-${index + 1}`, globalByDefault: true },
      ...{ peers: ['mesh-1', 'mesh-2', 'mesh-3'].filter((name) => name !== `mesh-${index + 1}`), broken: [] },
      namespaces: new Map([['shop', {}]]),
      services: new Map([['shop/edge', { ...facts, backends: made }]]),
      ...(index === 0 ? of : {}),
    };
  });
}

function tell(given: Case) {
  const clusters = mesh(given);
  const [service] = joinServices(clusters);
  if (!service) throw new Error('a Service');
  const services = survivalOf(clusters, 'mesh-2');
  const doubts = survivalDoubts(clusters, services);
  const report = { clusters: readClusters(clusters), unreachable: [], services, doubts, drainedOnly: true as const };
  return {
    ids: service.warnings.map(({ id }) => id),
    messages: service.warnings.map((warning) => warningData(warning, service).message),
    doubts,
    text: failoverText(report, plain, { isRequired: true }),
    data: failoverData(report),
  };
}

describe('a global Service that kube-proxy serves for some', () => {
  const of = { kubeProxyServes: ['outside', 'host-network'] } as const;

  test.each<[string, Case, isTold: boolean]>([
    ['a NodePort', { of }, true],
    ['a load balancer', { of, spec: { type: 'LoadBalancer' } }, true],
    ['external addresses', { of, spec: { type: 'ClusterIP', externalIPs: ['192.0.2.1'] } }, true],
    ['not asked for from outside', { of, spec: { type: 'ClusterIP' } }, false],
    ['Cilium replaces kube-proxy', { of: { kubeProxyServes: [] } }, false],
    ['nobody knows', {}, false],
    ['it is not global', { of, annotations: { 'service.cilium.io/global': 'false' } }, false],
    [
      'kube-proxy knows the backends of other clusters',
      { of: { ...of, mirrors: true }, annotations: { 'service.cilium.io/global-sync-endpoint-slices': 'true' } },
      false,
    ],
    ['they are not mirrored for it', { of: { ...of, mirrors: true } }, true],
  ])('%s', (_, given, isTold) => {
    const { ids, doubts } = tell(given);
    expect(ids.includes('kube-proxy')).toBe(isTold);
    expect(doubts).toHaveLength(isTold ? 1 : 0);
  });

  it('is told with who they are, and is no survivor for them where only others have backends', () => {
    const { messages, text, data } = tell({ of });
    expect(messages).toContain(
      'kube-proxy serves requests from outside, or from nodes and host-network pods in mesh-1, and knows own backends only: mesh-1 (NodePort, and none is ready)',
    );
    const doubt =
      'no one asks for shop/edge in mesh-1 from outside, or from nodes and host-network pods, which kube-proxy serves by own backends only: none is ready there';
    expect(text).toContain(`❌ 1 global service: none would fail, if ${doubt}`);
    expect(data).toMatchObject({ survivable: false, assumed: [doubt] });
  });

  it('survives for them too where each has own backends', () => {
    const { ids, doubts, data } = tell({ of, backends: [1, 1, 1] });
    expect([ids, doubts, data.survivable]).toEqual([['kube-proxy'], [], true]);
  });

  test.each<[string, Record<string, string>, string | undefined, string[]]>([
    ['by default', {}, undefined, ['outside', 'host-network']],
    ['kube-proxy is replaced', { 'kube-proxy-replacement': 'true' }, undefined, []],
    ['socketLB serves the host network', { 'bpf-lb-sock': 'true' }, undefined, ['outside']],
    ['Cilium serves NodePorts', { 'enable-node-port': 'true' }, 'quay.io/cilium/cilium:v1.18.2', ['host-network']],
    [
      'Cilium has no such option any more',
      { 'enable-node-port': 'true' },
      'quay.io/cilium/cilium:v1.19.0',
      ['outside', 'host-network'],
    ],
  ])('%s', (_, config, image, clients) => {
    expect(leftToKubeProxy({ 'kube-proxy-replacement': 'false', ...config }, image)).toEqual(clients);
  });
});

describe('a global Service whose backends are chosen by zone or node before affinity', () => {
  const ALL = ['PreferClose', 'PreferSameZone', 'PreferSameNode'];
  const of = { heedsDistributions: ALL };
  const close = { type: 'ClusterIP', trafficDistribution: 'PreferClose' };
  const hinted = (value: string, name = 'topology-mode') => ({ [`service.kubernetes.io/${name}`]: value });

  test.each<[string, Case, why: string | undefined]>([
    ['it prefers what is close', { of, spec: close }, 'trafficDistribution PreferClose'],
    [
      'it prefers its node',
      { of, spec: { ...close, trafficDistribution: 'PreferSameNode' } },
      'trafficDistribution PreferSameNode',
    ],
    [
      'agents know no such preference',
      { of: { heedsDistributions: ['PreferClose'] }, spec: { ...close, trafficDistribution: 'PreferSameNode' } },
      undefined,
    ],
    ['an annotation asks for it', { of, annotations: hinted('Auto') }, 'service.kubernetes.io/topology-mode: Auto'],
    ['an annotation is off', { of, annotations: hinted('disabled') }, undefined],
    [
      'the former annotation is off, and has precedence',
      { of, annotations: { ...hinted('Auto'), ...hinted('disabled', 'topology-aware-hints') } },
      undefined,
    ],
    ['agents pass over it', { of: { heedsDistributions: [] }, spec: close }, undefined],
    ['it keeps to nodes as it is', { of, spec: { ...close, internalTrafficPolicy: 'Local' } }, undefined],
    ['it is not global', { of, spec: close, annotations: { 'service.cilium.io/global': 'false' } }, undefined],
  ])('%s', (_, given, why) => {
    const { ids, messages, doubts, data } = tell(given);
    expect(ids.includes('nearest-first')).toBe(why !== undefined);
    expect(doubts.filter((one) => one.includes('enable-service-topology'))).toHaveLength(why === undefined ? 0 : 1);
    if (why === undefined) return;
    expect(messages.join()).toContain(`mesh-1 chooses backends by zone or node before affinity`);
    expect(messages.join()).toContain(`: mesh-1 (${why})`);
    expect(data.survivable).toBe(false);
  });

  test.each<[string, Record<string, string>, string | undefined, string[]]>([
    ['by default', {}, 'quay.io/cilium/cilium:v1.20.0', []],
    ['it is on', { 'enable-service-topology': 'true' }, 'quay.io/cilium/cilium:v1.20.0', ALL],
    [
      'it is on in an older one',
      { 'enable-service-topology': 'true' },
      'quay.io/cilium/cilium:v1.19.3',
      ['PreferClose'],
    ],
    ['it is on, and nobody knows the version', { 'enable-service-topology': 'true' }, undefined, ALL],
  ])('%s', (_, config, image, heeded) => {
    expect(heededDistributions(config, image)).toEqual(heeded);
  });
});
