import { expect, it } from 'vitest';
import type { Flow, Target } from '../../src/flows/flow.ts';
import { readWithdrawals } from '../../src/flows/services/read-withdrawals.ts';
import { MeshctlError } from '../../src/mesh/errors.ts';
import type { KubeObject, ObjectRef } from '../../src/mesh/objects/kube-object.ts';
import type { Step } from '../../src/mesh/plan/plan.ts';

const GLOBAL = { 'service.cilium.io/global': 'true' };
const FILE = Buffer.from('endpoints:\n- https://203.0.113.7:2379\n').toString('base64');

function service(name: string, annotations: Record<string, string> = GLOBAL): KubeObject {
  const spec = { ports: [{ port: 80, protocol: 'TCP' }], selector: { app: name } };
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'shop', annotations }, spec };
}

/** A cluster that has these Services, of which it has backends or not; what is asked of it is counted, by kind. */
function cluster(
  context: string,
  services: readonly KubeObject[],
  hasBackends: boolean,
  refused: readonly string[] = [],
) {
  const asked: Record<string, number> = {};
  const count = (kind: string) => {
    asked[kind] = (asked[kind] ?? 0) + 1;
    if (refused.includes(kind)) throw new MeshctlError('Forbidden', `context "${context}": may not list ${kind}s`);
  };
  const slices = services.map(
    ({ metadata: { name } }): KubeObject => ({
      ...{
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        addressType: 'IPv4',
        ports: [{ port: 80, protocol: 'TCP' }],
      },
      metadata: { name, namespace: 'shop', labels: { 'kubernetes.io/service-name': name } },
      endpoints: [{ addresses: ['10.0.0.1'] }],
    }),
  );
  const config = { data: { 'cluster-name': context } };
  const client = {
    context,
    get: async ({ kind, name }: ObjectRef) => {
      count(kind);
      if (kind === 'ConfigMap') return config;
      if (kind === 'Secret') return { data: { 'mesh-1': FILE, 'mesh-2': FILE } };
      if (kind === 'Namespace' || kind === 'Deployment') return { metadata: { name } };
      return kind === 'Service' ? services.find(({ metadata }) => metadata.name === name) : undefined;
    },
    async *list({ kind, labelSelector = '' }: { kind: string; labelSelector?: string }) {
      count(kind);
      if (kind === 'Service') yield* services;
      if (kind === 'EndpointSlice' && hasBackends) {
        yield* slices.filter(({ metadata }) => new RegExp(`[(,]${metadata.name}[,)]`).test(labelSelector));
      }
    },
  };
  return { target: { client, namespace: 'kube-system' } as unknown as Target, asked };
}

it.each([
  [2, 2],
  [50, 1],
])('of %i Services that are withdrawn at once each cluster is asked %i times', async (amount, times) => {
  const names = Array.from({ length: amount }, (_, index) => `web-${index}`);
  const services = names.map((name) => service(name));
  const [serving, using] = [cluster('mesh-1', services, true), cluster('mesh-2', services, false)];
  const steps = services.map((before): Step => {
    const { name } = before.metadata;
    const object = { apiVersion: 'v1', kind: 'Service', namespace: 'shop', name };
    return { cluster: 'mesh-1', action: 'update', object, changes: [], before, wanted: service(name, {}), why: '' };
  });
  const flow = { signal: new AbortController().signal } as unknown as Flow;
  const { hazards } = await readWithdrawals(flow, [serving.target], steps, (work) => work([using.target], []));
  for (const name of names) {
    expect(hazards.map(({ says }) => says)).toContainEqual(
      expect.stringMatching(new RegExp(`^requests from mesh-2 for shop/${name} fail`)),
    );
  }
  for (const { asked } of [serving, using]) {
    expect(asked).toMatchObject({ Service: times, EndpointSlice: times, Secret: times });
  }
});

const UNREAD = 'requests from mesh-2 for shop/web may fail: it was not read';
const LOST = 'context "mesh-1": whether requests fail without these backends, there and elsewhere, is not known: ';
const error = new MeshctlError('ClusterUnreachable', 'context "two": refused the connection', { hint: 'Start it.' });
const WHO = 'context "two": it may lead to one of the clusters that were not read: refused the connection → Start it.';
it.each<[string, own: string[], other: string[] | 'silent' | 'absent', hazards: string[], unseen: string[]]>([
  ['another context does not answer', [], 'silent', [UNREAD], [WHO]],
  ['no context leads to a peer', [], 'absent', [UNREAD], []],
  [
    'backends there may not be listed',
    [],
    ['EndpointSlice'],
    [UNREAD],
    ['context "mesh-2": it may lead to one of the clusters that were not read: may not list EndpointSlices'],
  ],
  ['its own backends may not be listed', ['EndpointSlice'], [], [], [`${LOST}may not list EndpointSlices`]],
  [
    'its peering files may not be read',
    ['Secret'],
    [],
    ['requests from mesh-2 for shop/web fail, which no other backends serve'],
    [
      'context "mesh-1": which clusters lose these backends is not known: Secret kube-system/cilium-clustermesh may not be read',
    ],
  ],
  ['all can be read', [], [], ['requests from mesh-2 for shop/web fail, which no other backends serve'], []],
])('what cannot be looked at is told: %s', async (_what, own, other, hazards, unseen) => {
  const [before, wanted] = [service('web'), service('web', {})];
  const serving = cluster('mesh-1', [before], true, own);
  const object = { apiVersion: 'v1', kind: 'Service', namespace: 'shop', name: 'web' };
  const steps: Step[] = [{ cluster: 'mesh-1', action: 'update', object, changes: [], before, wanted, why: '' }];
  const flow = { signal: new AbortController().signal } as unknown as Flow;
  const others = Array.isArray(other) ? [cluster('mesh-2', [before], false, other).target] : [];
  const silent = other === 'silent' ? [{ context: 'two', error }] : [];
  const lost = await readWithdrawals(flow, [serving.target], steps, (work) => work(others, silent));
  expect(lost.hazards.map(({ says }) => says)).toEqual(['other clusters lose the backends of shop/web', ...hazards]);
  expect(lost.unseen).toEqual(unseen);
});
