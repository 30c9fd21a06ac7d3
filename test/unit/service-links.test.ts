import { describe, expect, it } from 'vitest';
import type { ClusterServices } from '../../src/mesh/services/service-facts.ts';
import { joinServices, serviceFacts } from '../../src/mesh/services/services.ts';
import { survivalOf } from '../../src/mesh/services/survival.ts';
import type { BrokenLink } from '../../src/mesh/status/links.ts';

type Port = { name?: string; port: number; protocol?: string };

/** A cluster with one global Service and so many backends of it. */
function cluster(
  name: string,
  backends: number,
  broken: ClusterServices['broken'],
  ports: readonly Port[] = [{ port: 80 }],
): ClusterServices {
  const facts = serviceFacts({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'default', name: 'shared', annotations: { 'service.cilium.io/global': 'true' } },
    spec: { ports },
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

// mesh-1 has no backend of its own: it lives on those of mesh-2, which it finds by the names of ports.
describe('a service whose ports are not the same in each cluster', () => {
  const http: Port = { name: 'http', port: 80 };
  const metrics: Port = { name: 'metrics', port: 9090 };
  it.each<[string, Port[], Port[], uses: number, survives: boolean, warning: string | undefined]>([
    ['the same', [http], [http], 2, true, undefined],
    ['another number', [http], [{ ...http, port: 8080 }], 2, true, 'port-numbers-differ'],
    ['another number, and no name', [{ port: 80 }], [{ port: 8080 }], 2, true, 'port-numbers-differ'],
    ['another name', [http], [{ ...http, name: 'web' }], 0, false, 'ports-differ'],
    ['a name in one of them', [{ port: 80 }], [http], 0, false, 'ports-differ'],
    ['another protocol', [http], [{ ...http, protocol: 'UDP' }], 0, false, 'ports-differ'],
    ['one of two', [http, metrics], [http], 2, false, 'ports-differ'],
    ['more than are asked for', [http], [metrics, http], 2, true, 'ports-differ'],
  ])('%s', (_, here, there, uses, survives, warning) => {
    const clusters = [cluster('mesh-1', 0, [], here), cluster('mesh-2', 2, [], there), cluster('mesh-3', 1, [], there)];
    const [service] = joinServices(clusters.slice(0, 2));
    const inFirst = service?.clusters[0]?.definition?.uses ?? [];
    expect(inFirst.reduce((sum, { backends }) => sum + backends, 0)).toBe(uses);
    expect(service?.warnings.map(({ id }) => id).filter((id) => id.startsWith('port'))).toEqual(
      warning ? [warning] : [],
    );
    expect(survivalOf(clusters, 'mesh-3')[0]?.losses[0]?.survives).toBe(survives);
  });

  it('an ExternalName has no frontend: its cluster uses nothing', () => {
    const spec = { type: 'ExternalName', externalName: 'a.example', ports: [{ port: 80 }] };
    const facts = serviceFacts({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'shared' }, spec });
    expect(facts.headless).toBe(true);
  });
});
