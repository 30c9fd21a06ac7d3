import { describe, expect, test } from 'vitest';
import { createTheme } from '../../src/cli/terminal/theme.ts';
import { readClusters } from '../../src/commands/service/service-clusters.ts';
import type { ClusterServices } from '../../src/mesh/services/service-facts.ts';
import { joinServices } from '../../src/mesh/services/services.ts';
import { survivalOf } from '../../src/mesh/services/survival.ts';
import { serviceDescribeText } from '../../src/views/services/service-describe-view.ts';
import { failoverText, isProvedToFail, isSurvivable } from '../../src/views/services/service-failover-view.ts';
import { noneLines, unreadLines, usesNowText } from '../../src/views/services/service-list-view.ts';
import { warningData } from '../../src/views/services/service-warnings-view.ts';

/** One cluster was named, whose agents use another one's backends too: what they use must not look complete. */
function oneCluster(affinity: string, localReady: boolean, annotations: Record<string, string> = {}): ClusterServices {
  const facts = {
    namespace: 'shop',
    name: 'cart',
    type: 'ClusterIP',
    annotations: { 'service.cilium.io/global': 'true', 'service.cilium.io/affinity': affinity, ...annotations },
    headless: false,
    ports: [{ name: '', port: 80, protocol: 'TCP' }],
    selector: {},
    backends: localReady ? [{ address: '10.1.0.1', ready: true, serving: true, terminating: false }] : [],
  };
  return {
    context: 'one',
    cluster: 'mesh-1',
    globalByDefault: true,
    peers: ['mesh-2'],
    namespaces: new Map([['shop', {}]]),
    services: new Map([['shop/cart', facts]]),
  };
}

const plain = await createTheme(false);

describe('what a cluster uses, of whose peers no context was given', () => {
  test.each<[string, ClusterServices, string]>([
    ['no affinity', oneCluster('none', true), 'mesh-1 (1), perhaps mesh-2 (not read)'],
    ['affinity local, with backends', oneCluster('local', true), 'mesh-1 (1)'],
    ['affinity local, without', oneCluster('local', false), 'perhaps mesh-2 (not read)'],
    ['affinity remote', oneCluster('remote', true), 'perhaps mesh-2 (not read), else mesh-1 (1)'],
    ['not global', oneCluster('none', true, { 'service.cilium.io/global': 'false' }), 'mesh-1 (1)'],
  ])('%s', (_what, cluster, text) => {
    const definition = joinServices([cluster])[0]?.clusters[0]?.definition;
    expect(definition && usesNowText(definition)).toBe(text);
  });
});

describe('what is wrong with a Service of which not all clusters were read', () => {
  test.each<[string, ClusterServices, string[]]>([
    [
      'without a backend',
      oneCluster('none', false),
      ['has no ready backend in mesh-1: requests fail, as far as is known without mesh-2'],
    ],
    [
      'that shares with nobody',
      oneCluster('none', true, { 'service.cilium.io/shared': 'false' }),
      ['is shared by no cluster, as far as is known without mesh-2: each one uses its own backends only'],
    ],
    [
      'that all of them have read',
      { ...oneCluster('none', false), peers: [] },
      ['has no ready backend in mesh-1: requests fail'],
    ],
    [
      'of whose peers nothing could be seen',
      { ...oneCluster('none', false), peers: undefined },
      [
        'has no ready backend in mesh-1: requests fail, as far as is known without what mesh-1 may be connected to besides',
      ],
    ],
  ])('%s', (_what, cluster, messages) => {
    const [service] = joinServices([cluster]);
    expect(service?.warnings.map((warning) => warningData(warning, service).message)).toEqual(messages);
  });

  test.each([
    [['mesh-2'], '1 of 1 global service fails already, unless a cluster that was not read serves them:'],
    [[], '1 of 1 global service fails already:'],
  ])('without %s, one that has no backend fails now, whoever goes', (peers, words) => {
    const services = [
      { ...oneCluster('none', false), peers },
      { ...oneCluster('none', false), context: 'four', cluster: 'mesh-4', peers },
    ];
    const clusters = services.map(({ cluster, context }) => ({
      cluster,
      context,
      unread: peers,
      peers,
      brokenLinks: [],
    }));
    const text = failoverText({ clusters, unreachable: [], services: survivalOf(services) }, plain, {
      isRequired: true,
    });
    expect(text).toContain(`❌ ${words}\n   shop/cart: already now: it has no ready backend in mesh-1 and mesh-4`);
    expect(text).not.toContain('or without');
    const only = survivalOf(services.map((of, index) => (index === 0 ? of : { ...of, services: new Map() })));
    const alone = failoverText({ clusters, unreachable: [], services: only }, plain, { isRequired: true });
    expect(alone).toContain(`no other cluster${peers.length > 0 ? ' that was read' : ''} has the service`);
    if (peers.length === 0) expect(text).toContain('These clusters are not connected with each other');
  });
});

test('one that a cluster cannot use because it dials nobody fails there now, and is not blamed on a loss', () => {
  const services = [
    { ...oneCluster('none', false), peers: [] },
    { ...oneCluster('none', true), context: 'four', cluster: 'mesh-4', peers: ['mesh-1', 'mesh-5'] },
    { ...oneCluster('none', true), context: 'five', cluster: 'mesh-5', peers: ['mesh-1', 'mesh-4'] },
  ];
  const clusters = services.map(({ cluster, context, peers }) => ({
    cluster,
    context,
    unread: [],
    peers,
    brokenLinks: [],
  }));
  const text = failoverText({ clusters, unreachable: [], services: survivalOf(services) }, plain, { isRequired: true });
  expect(text).toContain(
    '❌ 1 of 1 global service fails already:\n   shop/cart: already now for mesh-1 (no connection to mesh-4 and mesh-5)',
  );
  expect(text).toContain('mesh-1 does not dial mesh-4 and mesh-5, so backends there do not count for it\n');
  expect(text).toContain('meshctl clustermesh status --context one,four,five');
});

test('one that fails in a cluster already, and would in others, is told of both', () => {
  const services = [
    { ...oneCluster('none', false), peers: ['mesh-4'] },
    { ...oneCluster('none', false), context: 'five', cluster: 'mesh-5', peers: [] },
    { ...oneCluster('none', true), context: 'four', cluster: 'mesh-4', peers: ['mesh-1'] },
  ];
  const clusters = services.map(({ cluster, context }) => ({ cluster, context, unread: [], brokenLinks: [] }));
  const text = failoverText({ clusters, unreachable: [], services: survivalOf(services) }, plain, { isRequired: true });
  expect(text).toContain(
    '❌ 1 of 1 global service fails already or would fail:\n   shop/cart: already now for mesh-5 (no connection to mesh-4); without mesh-4',
  );
});

// mesh-1 has no backend, mesh-4 has one, mesh-3 gave no answer.
test.each<[string, peers: string[] | undefined, isProved: boolean]>([
  ['it dials only clusters that were read', ['mesh-4'], true],
  ['it dials one that gave no answer, which may serve it', ['mesh-4', 'mesh-3'], false],
  ['nothing tells whom it dials', undefined, false],
])('a cluster is proved not to be served without another one where %s', (_what, peers, isProved) => {
  const services = [
    { ...oneCluster('none', false), peers },
    { ...oneCluster('local', true), context: 'four', cluster: 'mesh-4', peers: ['mesh-1'] },
  ];
  const unreachable = [{ context: 'three', code: 'Timeout' as const, message: 'context "three": no answer' }];
  const report = { clusters: readClusters(services), services: survivalOf(services, 'mesh-4'), unreachable };
  expect(isProvedToFail({ ...report, drainedOnly: true })).toBe(isProved);
  expect(isSurvivable({ ...report, drainedOnly: true })).toBe(false);
});

describe('clusters that could not be read', () => {
  const refused = { context: 'three', code: 'Forbidden', message: 'context "three": not allowed' } as const;
  const read = { cluster: 'mesh-1', context: 'one', unread: ['mesh-3'] };

  test('a peer of which a context was given that does not answer is not one of which none was given', () => {
    expect(unreadLines({ clusters: [read], unreachable: [refused] }, plain)).toEqual([
      'mesh-1 is also connected to mesh-3, which may be context "three" (could not be read): not counted',
    ]);
    expect(unreadLines({ clusters: [read], unreachable: [] }, plain)[0]).toContain('no context was given');
  });

  test('none that was read says nothing about Services', () => {
    expect(noneLines({ clusters: [], unreachable: [refused] }, plain)).toEqual([
      'No cluster could be read',
      '❌ context "three": not allowed',
    ]);
  });
});

test.each([
  ['one that nothing is wrong with', [], [], true],
  ['one of which a link is broken', [{ peer: 'mesh-2', state: 'disconnected' as const, reason: 'refused' }], [], false],
  [
    'one of which a cluster did not answer',
    [],
    [{ context: 'two', code: 'Timeout' as const, message: 'context "two": no answer' }],
    false,
  ],
])('describe calls well only %s', (_what, brokenLinks, unreachable, isWell) => {
  const cluster = { ...oneCluster('none', true), peers: [] };
  const [service] = joinServices([cluster]);
  if (!service) throw new Error('no service');
  const clusters = [{ cluster: cluster.cluster, context: cluster.context, unread: [], brokenLinks }];
  const text = serviceDescribeText({ service: { ...service, warnings: [] }, clusters, unreachable }, plain);
  expect(text.includes('✅ shop/cart has no warnings')).toBe(isWell);
});
