import { describe, expect, it } from 'vitest';
import type { ClusterServices } from '../../src/mesh/services/service-facts.ts';
import { serviceFacts } from '../../src/mesh/services/services.ts';
import { survivalOf } from '../../src/mesh/services/survival.ts';
import type { BrokenLink } from '../../src/mesh/status/links.ts';

/** A cluster with one global Service and so many backends of it. */
function cluster(name: string, backends: number, broken: ClusterServices['broken']): ClusterServices {
  const facts = serviceFacts({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'default', name: 'shared', annotations: { 'service.cilium.io/global': 'true' } },
    spec: { ports: [{ port: 80 }] },
  });
  const all = Array.from({ length: backends }, (_, index) => ({
    ...{ address: `10.0.0.${index + 1}`, ready: true, serving: true, terminating: false },
  }));
  return {
    context: name,
    cluster: name,
    globalByDefault: true,
    namespaces: new Map([['default', {}]]),
    services: new Map([['default/shared', { ...facts, backends: all }]]),
    broken,
  };
}

const link = (peer: string, state: BrokenLink['state']): BrokenLink => ({ peer, state, reason: 'why' });

// mesh-3 has no backend of its own: without mesh-2 it lives on those of mesh-1.
describe('a service when a cluster goes, and a connection of the others is broken', () => {
  it.each<[string, ClusterServices['broken'], survives: boolean, now: number]>([
    ['all is well', [], true, 3],
    ['nobody could be asked', undefined, true, 3],
    ['it is not connected', [link('mesh-1', 'disconnected')], false, 3],
    ['it would not come back', [link('mesh-1', 'at-risk')], false, 3],
    ['one that is not needed is not connected', [link('mesh-2', 'disconnected')], true, 3],
  ])('%s', (_, broken, survives, now) => {
    const clusters = [cluster('mesh-1', 2, []), cluster('mesh-2', 1, []), cluster('mesh-3', 0, broken)];
    const [service] = survivalOf(clusters, 'mesh-2');
    expect(service).toMatchObject({ now, losses: [{ without: 'mesh-2', survives }] });
  });
});
