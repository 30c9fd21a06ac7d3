import { expect, it } from 'vitest';
import type { Flow, Target } from '../../src/flows/flow.ts';
import { readWithdrawals } from '../../src/flows/services/read-withdrawals.ts';
import type { KubeObject, ObjectRef } from '../../src/mesh/objects/kube-object.ts';
import type { Step } from '../../src/mesh/plan/plan.ts';

const GLOBAL = { 'service.cilium.io/global': 'true' };
const FILE = Buffer.from('endpoints:\n- https://203.0.113.7:2379\n').toString('base64');

function service(name: string, annotations: Record<string, string> = GLOBAL): KubeObject {
  const spec = { ports: [{ port: 80, protocol: 'TCP' }], selector: { app: name } };
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'shop', annotations }, spec };
}

/** A cluster that has these Services, of which it has backends or not; what is asked of it is counted, by kind. */
function cluster(context: string, services: readonly KubeObject[], hasBackends: boolean) {
  const asked: Record<string, number> = {};
  const count = (kind: string) => {
    asked[kind] = (asked[kind] ?? 0) + 1;
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
      if (kind === 'Namespace') return { metadata: { name } };
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
  const hazards = await readWithdrawals(flow, [serving.target], steps, (work) => work([using.target]));
  for (const name of names) {
    expect(hazards.map(({ says }) => says)).toContainEqual(
      expect.stringMatching(new RegExp(`^requests from mesh-2 for shop/${name} fail`)),
    );
  }
  for (const { asked } of [serving, using]) {
    expect(asked).toMatchObject({ Service: times, EndpointSlice: times, Secret: times });
  }
});
