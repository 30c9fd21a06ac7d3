import { describe, expect, it } from 'vitest';
import { alikeWarnings } from '../../src/mesh/alike-warnings.ts';
import type { ClusterServices } from '../../src/mesh/services/service-facts.ts';
import { survivalOf } from '../../src/mesh/services/survival.ts';
import type { BrokenLink } from '../../src/mesh/status/broken-link.ts';
import { brokenLinkLines } from '../../src/views/services/broken-links-view.ts';
import type { ReadCluster } from '../../src/views/services/read-clusters.ts';
import { failoverText } from '../../src/views/services/service-failover-view.ts';
import { unreadLines } from '../../src/views/services/service-list-view.ts';
import { PLAIN } from '../support/plain-theme.ts';

const NAMES = Array.from({ length: 12 }, (_, index) => `mesh-${index + 1}`);
const BROKEN = 'mesh-5';
const others = (name: string) => NAMES.filter((one) => one !== name);

/** Of which clusters have a backend of default/web. */
function serviceOf(cluster: string, isServing: boolean): ClusterServices {
  const ports = [{ name: 'http', port: 80, protocol: 'TCP' }];
  const backend = { address: '10.0.0.1', ready: true, serving: true, terminating: false, ports };
  const facts = {
    ...{ namespace: 'default', name: 'web', type: 'ClusterIP', headless: false, selector: {}, ports },
    annotations: { 'service.cilium.io/global': 'true' },
    backends: isServing ? [backend] : [],
  };
  const services = new Map([['default/web', facts]]);
  return { context: cluster, cluster, globalByDefault: true, peers: others(cluster), namespaces: new Map(), services };
}

/** Connections as they are where one cluster is broken, in both directions. */
function readClusters(link: Omit<BrokenLink, 'peer'>, unread: readonly string[] = []): ReadCluster[] {
  return NAMES.map((cluster) => ({
    ...{ cluster, context: cluster, peers: others(cluster), unread },
    brokenLinks: (cluster === BROKEN ? others(cluster) : [BROKEN]).map((peer) => ({ peer, ...link })),
  }));
}

const report = (serving: readonly string[], clusters: readonly ReadCluster[]) => ({
  clusters,
  services: survivalOf(NAMES.map((name) => serviceOf(name, serving.includes(name)))),
  unreachable: [],
});

/** How often each line is said, whichever cluster it is about. */
function mostOften(lines: readonly string[]): number {
  const counts = new Map<string, number>();
  for (const line of lines.filter((one) => one.trim() !== '')) {
    const alike = line.replaceAll(/mesh-\d+/g, 'mesh-N').replaceAll(/ +/g, ' ');
    counts.set(alike, (counts.get(alike) ?? 0) + 1);
  }
  return Math.max(...counts.values());
}

const MISSING: Omit<BrokenLink, 'peer'> = { state: 'at-risk', reason: 'its clustermesh-apiserver is missing' };
const LOST: Omit<BrokenLink, 'peer'> = { state: 'disconnected', reason: 'timeout' };

describe('of twelve clusters, of which one is broken', () => {
  const failover = (serving: readonly string[], link = MISSING, unread: readonly string[] = []) =>
    failoverText(report(serving, readClusters(link, unread)), PLAIN, { isRequired: false }).split('\n');

  it.each([
    ['at risk', MISSING],
    ['not connected', LOST],
  ])('failover tells one cause once: %s', (_what, link) => {
    for (const serving of [NAMES, ['mesh-9'], ['mesh-9', 'mesh-10']]) {
      const lines = failover(serving, link, ['mesh-13', 'mesh-14']);
      expect(mostOften(lines), lines.join('\n')).toBeLessThanOrEqual(2);
      expect(lines.length).toBeLessThan(NAMES.length * 2);
    }
  });

  it('failover begins with the verdict, and has no row for a loss that changes nothing', () => {
    expect(failover(['mesh-9', 'mesh-10'])).toMatchInlineSnapshot(`
      [
        "✅ 1 global service: none would fail when a cluster is drained",
        "⚠️  1 of 1 global service would lose requests where a cluster falls silent (power, network), as the others keep sending them to its backends:",
        "   default/web: without mesh-9, or without mesh-10",
        "   → Cilium 1.19 and newer ends that by itself where its chart's value clustermesh.cacheTTL is set,",
        "     e.g. to 15m (default: 0s, never). What else ends it is told for one cluster:",
        "         meshctl service failover --context mesh-1,mesh-2,mesh-3,mesh-4,mesh-5,mesh-6,mesh-7,mesh-8,mesh-9,mesh-10,mesh-11,mesh-12 --without mesh-9",
        "",
        "NAMESPACE  NAME  WITHOUT       SURVIVES  IF SILENT  READY LEFT      SERVED BY",
        "default    web   mesh-9        yes       NO         1 of 2 (50 %)   mesh-1, mesh-2, mesh-3 and 8 more by mesh-10 (1)",
        "default    web   mesh-10       yes       NO         1 of 2 (50 %)   mesh-1, mesh-2, mesh-3 and 8 more by mesh-9 (1)",
        "default    web   the other 10  yes       yes        2 of 2 (100 %)  no effect",
        "",
        "⚠️  mesh-1, mesh-2, mesh-3, mesh-4, mesh-6, mesh-7, mesh-8, mesh-9, mesh-10, mesh-11 and mesh-12 are connected to mesh-5, but cannot count on the backends there: its clustermesh-apiserver is missing",
        "⚠️  mesh-5 is connected to mesh-1, mesh-2, mesh-3, mesh-4, mesh-6, mesh-7, mesh-8, mesh-9, mesh-10, mesh-11 and mesh-12, but cannot count on the backends there: its clustermesh-apiserver is missing",
        "   → meshctl clustermesh status --context mesh-1,mesh-2,mesh-3,mesh-4,mesh-5,mesh-6,mesh-7,mesh-8,mesh-9,mesh-10,mesh-11,mesh-12",
      ]
    `);
    expect(failover(['mesh-9'])[1]).toBe('   default/web: without mesh-9');
  });

  it('names those of a broken cluster once, from either side', () => {
    const links = brokenLinkLines({ clusters: readClusters(MISSING) }, PLAIN);
    expect(links.filter((line) => line.startsWith('⚠️'))).toHaveLength(2);
    expect(unreadLines({ clusters: readClusters(MISSING, ['mesh-13']), unreachable: [] }, PLAIN)).toHaveLength(1);
    const scattered = readClusters(MISSING).map((one, index) => ({ ...one, unread: [`far-${index}`] }));
    expect(unreadLines({ clusters: scattered, unreachable: [] }, PLAIN)).toHaveLength(1);
  });

  it('names pairs that are not connected by the cluster that is in many of them', () => {
    const clusters = NAMES.map((cluster): ReadCluster => {
      const peers = cluster === BROKEN ? [] : others(cluster).filter((name) => name !== BROKEN);
      return { cluster, context: cluster, unread: [], peers };
    });
    const [apart] = brokenLinkLines({ clusters }, PLAIN);
    expect(apart).toContain(`: ${BROKEN} and each of mesh-1, mesh-2, mesh-3, mesh-4, mesh-6`);
  });

  it('says warnings of many contexts once', () => {
    const warnings = NAMES.map((name) => `context "${name}": connected to mesh-13, for which no context was given`);
    expect(alikeWarnings([...warnings, 'another'])).toEqual([
      `contexts ${NAMES.map((name) => `"${name}"`).join(', ')}: connected to mesh-13, for which no context was given`,
      'another',
    ]);
    expect(alikeWarnings(warnings.slice(0, 2))).toEqual(warnings.slice(0, 2));
  });
});
