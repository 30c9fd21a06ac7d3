import { expect, it } from 'vitest';
import { rolloutError } from '../../src/flows/enable/explain-rollout.ts';
import type { ClusterClient } from '../../src/kube/client.ts';
import { MeshctlError } from '../../src/mesh/errors.ts';
import { apiserverDeployment } from '../support/snapshots.ts';

const POD = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'apiserver-1', namespace: 'kube-system' },
  status: { containerStatuses: [{ name: 'etcd', ready: false, state: { running: {} } }] },
};
const EVENT = { type: 'Warning', reason: 'Unhealthy', message: 'Readiness probe failed: connection refused' };

it('tells what is seen of pods that are only not ready, with their own events', async () => {
  const client = {
    context: 'one',
    get: async () => apiserverDeployment(),
    listAll: async ({ kind, fieldSelector = '' }: { kind: string; fieldSelector?: string }) => {
      if (kind === 'Pod') return [POD];
      return fieldSelector === 'involvedObject.kind=Pod,involvedObject.name=apiserver-1' ? [EVENT] : [];
    },
  } as unknown as ClusterClient;
  const cause = new MeshctlError('Timeout', 'waited');
  const { message, details } = await rolloutError({ client, namespace: 'kube-system' }, 2000, cause);
  const seen = ['pod apiserver-1: not ready: etcd', `pod apiserver-1: ${EVENT.reason}: ${EVENT.message}`];
  expect(message).toMatch(/is not ready after 2 s: /);
  expect(message.endsWith(seen.join('; '))).toBe(true);
  expect(details.reasons).toEqual(seen);
});
