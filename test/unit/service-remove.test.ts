/** Nobody is told to take a Service out of the mesh for what it may only seem to be, while a peer is unread. */
import { expect, it } from 'vitest';
import type { MeshService } from '../../src/mesh/services/services.ts';
import type { ServiceWarning, ServiceWarningId } from '../../src/mesh/services/services-warnings.ts';
import { warningData } from '../../src/views/services/service-warnings-view.ts';

/** Those that hang on what all clusters have (mesh/services/services-warnings.ts). */
const OF_ALL_CLUSTERS: readonly ServiceWarningId[] = [
  'one-cluster',
  'not-shared',
  'node-local',
  'no-ready-backend',
  'unserved',
];

const SERVICE = {
  ...{ namespace: 'default', name: 'echo' },
  clusters: ['a', 'b'].map((cluster) => ({ cluster, context: `c-${cluster}`, definition: {} })),
} as unknown as MeshService;

const hintOf = (id: ServiceWarningId, more: Partial<ServiceWarning> = {}) =>
  warningData({ id, clusters: ['a'], values: { a: 'b' }, ...more }, SERVICE).hint ?? '';

it.each(OF_ALL_CLUSTERS)('%s', (id) => {
  expect(hintOf(id, { unread: ['c'] })).not.toContain('--remove');
  expect(hintOf(id, { unseen: ['a'] })).not.toContain('--remove');
});

it('and where all were read, both ways are told', () => {
  for (const id of ['one-cluster', 'not-shared'] as const) expect(hintOf(id)).toContain('--remove');
});
