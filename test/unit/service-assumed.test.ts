import { describe, expect, test } from 'vitest';
import { createTheme } from '../../src/cli/terminal/theme.ts';
import { readClusters } from '../../src/commands/service/service-clusters.ts';
import type { ClusterServices } from '../../src/mesh/services/service-facts.ts';
import { joinServices } from '../../src/mesh/services/services.ts';
import { survivalOf } from '../../src/mesh/services/survival.ts';
import { serviceDescribeData, serviceDescribeText } from '../../src/views/services/service-describe-view.ts';
import { failoverData, failoverText } from '../../src/views/services/service-failover-view.ts';
import { serviceListData, serviceListText, serviceNotes } from '../../src/views/services/service-list-view.ts';

const plain = await createTheme(false);

/** Two clusters that serve each other, each seen in full, but for what is given. */
function pair(seen: Partial<ClusterServices>): ClusterServices[] {
  return ['mesh-1', 'mesh-2'].map((cluster, index) => {
    const backend = { address: `10.${index}.0.1`, ready: true, serving: true, terminating: false };
    const facts = {
      namespace: 'shop',
      name: 'web',
      type: 'ClusterIP',
      annotations: { 'service.cilium.io/global': 'true' },
      headless: false,
      ports: [{ name: '', port: 80, protocol: 'TCP' }],
      selector: {},
      backends: [backend],
    };
    return {
      context: `ctx-${index + 1}`,
      cluster,
      globalByDefault: true,
      peers: [index === 0 ? 'mesh-2' : 'mesh-1'],
      broken: [],
      namespaces: new Map([['shop', {}]]),
      services: new Map([['shop/web', facts]]),
      ...seen,
    };
  });
}

/** What each command says of the same clusters: the verdict in words, and in its document. */
function tell(clusters: ClusterServices[]) {
  const [service] = joinServices(clusters);
  if (!service) throw new Error('there is a Service');
  const read = { clusters: readClusters(clusters), unreachable: [] };
  const listing = { ...read, services: [service] };
  const failover = { ...read, services: survivalOf(clusters), drainedOnly: true as const };
  return {
    list: serviceListText(listing, { wide: false, headers: true }, plain),
    notes: serviceNotes(listing),
    describe: serviceDescribeText({ ...read, service }, plain),
    failover: failoverText(failover, plain, { isRequired: false }),
    survivable: failoverData(failover).survivable,
    assumed: [serviceListData(listing), serviceDescribeData({ ...read, service }), failoverData(failover)].map(
      (data) => data.assumed,
    ),
  };
}

const FILES = 'mesh-1, mesh-2 are connected as the peering files say, which no agent could be asked';
const NOTHING =
  'mesh-1, mesh-2 are connected to the other cluster here, and to no more: no agent could be asked, and the peering files may not be read';

describe('what could not be seen is no tick, in words and in the document', () => {
  test.each<[string, Partial<ClusterServices>, string]>([
    ['no agent may be asked', { broken: undefined }, FILES],
    ['neither agents nor peering files', { broken: undefined, peers: undefined }, NOTHING],
    [
      'what else a connection hangs on may not be read',
      { unseen: ['Secrets of the servers'] },
      'nothing is wrong in mesh-1 with what may not be read: Secrets of the servers; and if nothing is wrong in mesh-2 with what may not be read: Secrets of the servers',
    ],
  ])('%s', (_what, seen, doubt) => {
    const told = tell(pair(seen));
    expect(told.list).toContain(`⚠️  This holds if ${doubt}\n`);
    expect(told.notes).toContain(`This holds if ${doubt}`);
    expect(told.describe).toContain(`⚠️  shop/web has no warnings, if ${doubt}`);
    expect(told.failover).toContain(`⚠️  1 global service: none would fail, if ${doubt}`);
    expect(told.survivable).toBe(false);
    for (const text of [told.list, told.describe, told.failover]) expect(text).not.toContain('✅');
    for (const assumed of told.assumed) expect(assumed).toEqual(doubt.split('; and if '));
  });

  test('what is used over a connection that no agent told of is marked', () => {
    const told = tell(pair({ broken: undefined }));
    expect(told.list).toContain('mesh-1 (1), mesh-2 (1, not verified)');
    expect(told.describe).toContain('mesh-2 (1), mesh-1 (1, not verified)');
  });

  test('who has no peers hangs on no connection', () => {
    const told = tell(pair({ broken: undefined, peers: [] }));
    expect(told.list).not.toContain('This holds if');
    expect(told.assumed).toEqual([undefined, undefined, undefined]);
  });

  test('what was taken to be the worst is told, and is no doubt of what is well', () => {
    const told = tell(pair({ nodesUnseen: true }));
    const words = 'mesh-1 and mesh-2 may have pods on nodes without a backend: nodes may not be listed there';
    for (const text of [told.list, told.describe, told.failover]) expect(text).toContain(`⚠️  ${words}`);
    expect(told.describe).toContain('✅ shop/web has no warnings');
    expect(told.survivable).toBe(true);
    expect(told.assumed).toEqual([[words], [words], [words]]);
  });
});

describe('what holds for the clusters that were named is said of them', () => {
  test('a peer that was not read is neither counted nor passed', () => {
    const told = tell(pair({ peers: ['mesh-1', 'mesh-2', 'mesh-3'] }));
    expect(told.describe).toContain('✅ shop/web has no warnings in mesh-1 and mesh-2 (mesh-3 was not read)');
    expect(told.failover).toContain('✅ 1 global service: none would fail in mesh-1 and mesh-2 (mesh-3 was not read)');
    // Fewer contexts are a choice: what else there is could only serve them more.
    expect(told.survivable).toBe(true);
    expect(told.assumed).toEqual([undefined, undefined, undefined]);
  });

  test('where all was seen, all is said', () => {
    const told = tell(pair({}));
    expect(told.list).not.toContain('⚠️');
    expect(told.describe).toMatch(/✅ shop\/web has no warnings$/);
    expect(told.failover).toMatch(/✅ 1 global service: none would fail$/);
    expect(told.survivable).toBe(true);
  });
});

test('of a large cluster it is told by how many of its nodes its connections were seen, and what asks all', () => {
  const [one, two] = pair({});
  if (!one || !two) throw new Error('two clusters');
  const told = tell([{ ...one, asked: { nodes: 100, of: 240 } }, two]);
  for (const text of [told.list, told.describe]) {
    expect(text).toContain(
      '100 of 240 nodes of mesh-1 were asked whom they are connected to; all of them: meshctl clustermesh status --context ctx-1',
    );
  }
  expect(tell(pair({})).list).not.toContain('were asked');
});
