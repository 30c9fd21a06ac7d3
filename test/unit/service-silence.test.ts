import { describe, expect, it, test } from 'vitest';
import { createTheme } from '../../src/cli/terminal/theme.ts';
import { readClusters } from '../../src/commands/service/service-clusters.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import type { ClusterServices } from '../../src/mesh/services/service-facts.ts';
import { serviceFacts } from '../../src/mesh/services/services.ts';
import { keptFor } from '../../src/mesh/services/silence.ts';
import { survivalOf } from '../../src/mesh/services/survival.ts';
import { failoverData, failoverText } from '../../src/views/services/service-failover-view.ts';

const plain = await createTheme(false);

interface Case {
  affinity?: string;
  /** Backends of mesh-1, which falls silent, of mesh-2 and of mesh-3. */
  backends?: readonly [number, number, number];
  /** Of mesh-2 and mesh-3. */
  others?: Partial<ClusterServices>;
}

function mesh({ affinity = 'none', backends = [1, 1, 1], others = {} }: Case): ClusterServices[] {
  return backends.map((count, index) => {
    const annotations = { 'service.cilium.io/global': 'true', 'service.cilium.io/affinity': affinity };
    const metadata = { namespace: 'shop', name: 'web', annotations };
    const facts = serviceFacts({ apiVersion: 'v1', kind: 'Service', metadata, spec: { ports: [{ port: 80 }] } });
    const all = Array.from({ length: count }, (_, at) => ({
      ...{ address: `10.${index}.0.${at}`, ready: true, serving: true, terminating: false },
    }));
    const names = ['mesh-1', 'mesh-2', 'mesh-3'];
    return {
      ...{ context: `ctx-${index + 1}`, cluster: `mesh-${index + 1}`, globalByDefault: true },
      ...{ peers: names.filter((name) => name !== `mesh-${index + 1}`), broken: [] },
      namespaces: new Map([['shop', {}]]),
      services: new Map([['shop/web', { ...facts, backends: all }]]),
      ...(index > 0 ? others : {}),
    };
  });
}

function tell(given: Case, drainedOnly?: true) {
  const clusters = mesh(given);
  const services = survivalOf(clusters, 'mesh-1');
  const report = { clusters: readClusters(clusters), unreachable: [], services, ...(drainedOnly && { drainedOnly }) };
  return {
    loss: services[0]?.losses[0],
    text: failoverText(report, plain, { isRequired: true }),
    survivable: failoverData(report).survivable,
  };
}

const link = (state: 'lost' | 'at-risk' | 'disconnected', using?: number) => ({
  ...{ peer: 'mesh-1', state, reason: 'why' },
  ...(using === undefined ? {} : { using }),
});

const UNHEARD = { ...link('at-risk'), unheard: true as const };

describe('a Service when a cluster falls silent, as by a power cut: its backends are used on, since nothing tells that they are gone', () => {
  test.each<[string, Case, survives: boolean, ifSilent: string]>([
    ['affinity none: a share of the requests is lost', {}, true, 'NO'],
    ['affinity remote: all of them', { affinity: 'remote' }, true, 'NO'],
    ['affinity local: none, while there are own backends', { affinity: 'local' }, true, 'yes'],
    ['affinity local, and one has none', { affinity: 'local', backends: [1, 0, 1] }, true, 'NO'],
    ['it has no backends', { backends: [0, 1, 1] }, true, 'yes'],
    ['nobody else has backends', { backends: [1, 0, 0] }, false, 'NO'],
    ['nobody dials it', { others: { peers: [] } }, true, 'yes'],
    ['what it published goes after a time', { others: { keptFor: '15m' } }, true, 'after 15m'],
    ['after which nobody serves', { backends: [1, 0, 0], others: { keptFor: '15m' } }, false, 'NO'],
    ['it is lost already, and used as last heard', { others: { broken: [link('lost')] } }, false, 'NO'],
    ['it is not heard of', { others: { broken: [UNHEARD] } }, false, 'NO'],
    ['it is not heard of, and not used', { affinity: 'local', others: { broken: [UNHEARD] } }, true, 'yes'],
    ['it would not come back', { others: { broken: [link('at-risk')] } }, true, 'NO'],
    ['agents have forgotten it', { others: { broken: [link('disconnected')] } }, true, 'yes'],
    ['some nodes have forgotten it', { others: { broken: [link('disconnected', 1)] } }, true, 'NO'],
  ])('%s', (_, given, survives, ifSilent) => {
    const { loss, text, survivable } = tell(given);
    expect(loss?.survives).toBe(survives);
    expect(text).toMatch(new RegExp(`^shop +web +mesh-1 +${survives ? 'yes' : 'NO'} +${ifSilent} `, 'm'));
    expect(survivable).toBe(ifSilent !== 'NO');
    expect(tell(given, true).survivable).toBe(survives);
  });

  it('is told with what ends it, from each cluster that stays', () => {
    const { text } = tell({});
    expect(text).toContain('✅ 1 global service: none would fail when a cluster is drained\n');
    expect(text).toContain(
      '❌ 1 of 1 global service would lose requests where a cluster falls silent (power, network)',
    );
    expect(text).toContain('   shop/web: without mesh-1\n');
    expect(text).toMatch(/disconnect --context ctx-2,ctx-3 --peer mesh-1$/);
    expect(tell({}, true).text).toMatch(/✅ 1 global service: none would fail$/);
  });

  it('is drained in vain where others do not hear of it, or for as long as what they heard is kept', () => {
    const { loss, text } = tell({ others: { broken: [UNHEARD] } }, true);
    expect(loss).toMatchObject({ survives: false, untold: [{ cluster: 'mesh-2' }, { cluster: 'mesh-3' }] });
    expect(text).toContain(
      'shop/web: without mesh-1 (mesh-2 and mesh-3 would not hear of it, and go on sending requests there)',
    );
    expect(text).toContain(
      'mesh-2 may hear nothing of mesh-1 any more, and goes on sending requests to the backends there that it last heard of: why',
    );
    const kept = tell({ others: { broken: [UNHEARD], keptFor: '15m' } }, true);
    expect(kept.loss?.survives).toBe(true);
    expect(kept.text).toMatch(/^shop +web +mesh-1 +after 15m +2 of 3/m);
  });

  it('is told for how long what is lost already is used', () => {
    const lost = { broken: [link('lost')] };
    expect(tell({ others: lost }).text).toContain('that it last heard of, until its agents restart: why');
    expect(tell({ others: { ...lost, keptFor: '15m' } }).text).toContain('for 15m, or until its agents restart: why');
  });

  it('is told with the time after which it ends by itself', () => {
    expect(tell({ others: { keptFor: '15m' } }).text).toMatch(
      /requests to its backends are lost for 15m \(clustermesh-cache-ttl\)$/,
    );
  });
});

describe('for how long a cluster keeps what a silent peer published', () => {
  const image = (version: string) => `quay.io/cilium/cilium:v${version}`;
  const deployment = (...args: string[]): KubeObject => ({
    ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'clustermesh-apiserver' } },
    spec: { template: { spec: { containers: [{ name: 'apiserver' }, { name: 'kvstoremesh', args }] } } },
  });
  const without = { ...deployment(), spec: { template: { spec: { containers: [{ name: 'apiserver' }] } } } };
  test.each<[string, string | undefined, string, KubeObject | undefined, string | undefined]>([
    ['nothing is set', undefined, '1.20.0', undefined, undefined],
    ['it is off', '0s', '1.20.0', undefined, undefined],
    ['it is off in other words', '0h0m0s', '1.20.0', undefined, undefined],
    ['agents dial', '15m', '1.20.0', without, '15m'],
    ['agents dial that know no such thing', '15m', '1.18.4', without, undefined],
    [
      'KVStoreMesh dials, and was told',
      '15m',
      '1.20.0',
      deployment('kvstoremesh', '--clustermesh-cache-ttl=10m'),
      '10m',
    ],
    ['KVStoreMesh dials, and was told nothing of it', '15m', '1.20.0', deployment('kvstoremesh'), undefined],
  ])('%s', (_, ttl, version, dialling, expected) => {
    const config = ttl === undefined ? {} : { 'clustermesh-cache-ttl': ttl };
    expect(keptFor(config, image(version), dialling)).toBe(expected);
  });
});
