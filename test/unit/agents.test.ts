import { describe, expect, it } from 'vitest';
import { unconnected } from '../../src/mesh/checks/shared/unconnected.ts';
import {
  lackOfAgents,
  mayLeaveOut,
  nodesForAgents,
  nodesLeftOut,
  nodesWithoutAgent,
} from '../../src/mesh/cilium/agents.ts';
import type { ClusterSnapshot, NodeFacts } from '../../src/mesh/cluster-snapshot.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { judgeStanding } from '../../src/mesh/status/standing-status.ts';
import { createTally } from '../../src/mesh/status/status-tally.ts';
import { statusText } from '../../src/views/status/status-view.ts';
import type { Theme } from '../../src/views/theme.ts';
import { apiserverDeployment, loadBalancerService, NOW, snapshotOf } from '../support/snapshots.ts';

const IMAGE = 'quay.io/cilium/cilium:v1.20.0';
const KEY = 'DaemonSet/kube-system/cilium';
const daemonSet = (nodeSelector: Record<string, string> = {}, more: object = {}): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'cilium', namespace: 'kube-system' },
  spec: { template: { spec: { nodeSelector, ...more } } },
});
const wanting = (desired: number, ready = 0) => ({ agent: { image: IMAGE, desired, ready } });
const KUBECTL = 'kubectl --context one -n kube-system';

describe('why no agent runs', () => {
  it.each<[string, Partial<ClusterSnapshot>, KubeObject[], string | undefined, string, boolean?]>([
    ['one does', wanting(2, 1), [], undefined, ''],
    ['nobody has looked', { agent: undefined, unread: new Set([KEY]) }, [], undefined, ''],
    [
      'none is there',
      { agent: undefined },
      [],
      'there is no DaemonSet cilium',
      `${KUBECTL} get daemonsets,deployments`,
    ],
    [
      'no node has its labels',
      wanting(0),
      [daemonSet({ no: 'where' })],
      'its DaemonSet wants none on any of 2 nodes (nodeSelector no=where)',
      `${KUBECTL} describe daemonset/cilium`,
    ],
    [
      'no node is right',
      wanting(0),
      [daemonSet()],
      'its DaemonSet wants none on any of 2 nodes',
      `${KUBECTL} describe daemonset/cilium`,
    ],
    [
      'there are no nodes',
      { ...wanting(0), nodes: [] },
      [],
      'no node was found',
      `${KUBECTL} describe daemonset/cilium`,
      true,
    ],
    [
      'none is ready',
      wanting(2),
      [],
      'none of the 2 Cilium agents is ready',
      `${KUBECTL} get pods -l k8s-app=cilium -o wide`,
      true,
    ],
  ])('%s', (_what, overrides, live, says, hint, mayPass = false) => {
    const lack = lackOfAgents(snapshotOf({ ...overrides, live }));
    if (says === undefined) return expect(lack).toBeUndefined();
    expect(lack?.says).toContain(says);
    expect(lack).toMatchObject({ hint, mayPass });
  });
});

const same = (text: string) => text;
const PLAIN: Theme = { bold: same, dim: same, ok: same, warn: same, fail: same };

it('a status without any agent has the reason and the next step, and so has check', () => {
  const tally = createTally({
    ...{ context: 'one', namespace: 'kube-system', clusterName: 'mesh-1', clusterId: 1 },
    ...{ peers: ['mesh-2'], enabled: true, kvstoremesh: true },
  });
  tally.add('kvstoremesh', { name: 'pod-1', clusters: [{ name: 'mesh-2', ready: true, connected: true }] });
  const live = [apiserverDeployment({ users: false }), loadBalancerService('10.0.0.9'), daemonSet({ no: 'where' })];
  const snapshot = snapshotOf({ context: 'one', ...wanting(0), live });
  const [report] = judgeStanding([{ report: tally.report(), snapshot }], NOW);
  if (!report) throw new Error('no report');
  expect(report.healthy).toBe(false);
  expect(report.faults).toContainEqual(expect.objectContaining({ id: 'agents-missing', outage: true }));
  const text = statusText(report, PLAIN);
  expect(text).toContain('❌ No Cilium agent runs in mesh-1');
  expect(text).toContain(
    'mesh-1: no Cilium agent runs: its DaemonSet wants none on any of 2 nodes (nodeSelector no=where)',
  );
  expect(text).toContain(`→ ${KUBECTL} describe daemonset/cilium`);
  expect(text).not.toMatch(/(not after a restart|would not reconnect): no Cilium agent/);
  expect(unconnected([report]).map(({ args, hint }) => [args.foundBy, hint])).toContainEqual([
    'agents-run',
    `${KUBECTL} describe daemonset/cilium`,
  ]);
});

const node = (number: number, more: Partial<NodeFacts> = {}): NodeFacts => ({
  ...{ name: `node-${number}`, ready: true, labels: {}, addresses: [], podCidrs: [] },
  ...more,
});
const affinityTo = (...matchExpressions: object[]) => ({
  affinity: {
    nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions }] } },
  },
});
/** As Cilium's chart has them. */
const USUAL = { tolerations: [{ operator: 'Exists' }] };

describe('nodes without an agent that is wanted there', () => {
  const on = new Set(['node-1']);
  const taints = [{ key: 'dedicated', value: 'db', effect: 'NoSchedule' }];
  it.each([
    ['as many pods as are wanted', 1, 1, [node(1), node(2)], {}, []],
    ['one pod too few', 2, 1, [node(1), node(2)], {}, ['node-2']],
    [
      'only of a node that the nodeSelector takes',
      2,
      1,
      [node(1), node(2), node(3, { labels: { kind: 'x' } })],
      { kind: 'x' },
      ['node-3'],
    ],
    ['only of a node whose taints it tolerates', 2, 1, [node(1), node(2, { taints }), node(3)], {}, ['node-3']],
    [
      'a taint of Kubernetes, which its controller tolerates',
      2,
      1,
      [node(1), node(2, { taints: [{ key: 'node.kubernetes.io/not-ready', effect: 'NoExecute' }] })],
      {},
      ['node-2'],
    ],
    ['a node that has gone since', 2, 1, [node(1)], {}, []],
    ['nodes that may not be read', 2, 1, [], {}, ['unknown node']],
  ])('%s', (_what, desired, pods, nodes, nodeSelector, expected) => {
    const snapshot = snapshotOf({ ...wanting(desired, pods), nodes, live: [daemonSet(nodeSelector)] });
    expect(nodesWithoutAgent(snapshot, { pods, on })).toEqual(expected);
  });
});

describe('nodes that the DaemonSet leaves out', () => {
  const tainted = (key: string, effect = 'NoSchedule') => ({ taints: [{ key, effect }] });
  const POOL = { labels: { pool: 'mesh' } };

  it.each<[string, NodeFacts[], KubeObject, [string, string[]][]]>([
    ['none', [node(1), node(2)], daemonSet(), []],
    [
      'by its nodeSelector, those of one reason together',
      [node(1, POOL), node(2), node(3)],
      daemonSet({ pool: 'mesh' }),
      [['nodeSelector pool=mesh', ['node-2', 'node-3']]],
    ],
    [
      'by its affinity',
      [node(1, POOL), node(2)],
      daemonSet({}, affinityTo({ key: 'pool', operator: 'Exists' })),
      [['node affinity pool', ['node-2']]],
    ],
    [
      'by taints, of whichever effect but a wish',
      [node(1, tainted('a')), node(2, tainted('b', 'NoExecute')), node(3, tainted('c', 'PreferNoSchedule'))],
      daemonSet(),
      [
        ['taint a:NoSchedule', ['node-1']],
        ['taint b:NoExecute', ['node-2']],
      ],
    ],
    ['no taint that it tolerates', [node(1, tainted('a'))], daemonSet({}, USUAL), []],
    [
      'no cordon, and no taint of what passes',
      ['unschedulable', 'disk-pressure', 'network-unavailable'].map((name, index) =>
        node(index, { unschedulable: true, ...tainted(`node.kubernetes.io/${name}`) }),
      ),
      daemonSet(),
      [],
    ],
    [
      'but one of Kubernetes that its controller does not tolerate',
      [node(1, tainted('node.kubernetes.io/out-of-service'))],
      daemonSet(),
      [['taint node.kubernetes.io/out-of-service:NoSchedule', ['node-1']]],
    ],
    ['no node that is not ready', [node(1, { ready: false })], daemonSet({ pool: 'mesh' }), []],
    [
      'none that is never meant to have Cilium',
      [
        node(1, { labels: { 'kubernetes.io/os': 'windows' } }),
        node(2, { labels: { 'eks.amazonaws.com/compute-type': 'fargate' } }),
        node(3, tainted('virtual-kubelet.io/provider')),
        node(4, { labels: { type: 'virtual-kubelet' } }),
        node(5, { labels: { 'cilium.io/no-schedule': 'true' } }),
      ],
      daemonSet({ pool: 'mesh' }),
      [],
    ],
  ])('%s', (_what, nodes, agents, expected) => {
    const snapshot = snapshotOf({ nodes, live: [agents] });
    expect(nodesLeftOut(snapshot).map(({ by, nodes: names }) => [by, names])).toEqual(expected);
  });

  it('is none whose agent goes on running', () => {
    const snapshot = snapshotOf({ nodes: [node(1), node(2)], live: [daemonSet({ pool: 'mesh' })] });
    expect(nodesLeftOut(snapshot, new Set(['node-1']))).toEqual([{ by: 'nodeSelector pool=mesh', nodes: ['node-2'] }]);
  });

  it.each<[string, KubeObject, boolean]>([
    ["as Cilium's chart has it", daemonSet({ 'kubernetes.io/os': 'linux' }, USUAL), false],
    ['for a pool', daemonSet({ pool: 'mesh' }, USUAL), true],
    ['by affinity', daemonSet({}, { ...USUAL, ...affinityTo({ key: 'pool', operator: 'Exists' }) }), true],
    ['by a wish alone', daemonSet({}, { ...USUAL, affinity: { nodeAffinity: {} } }), false],
    ['without tolerations', daemonSet(), true],
    ['that is evicted', daemonSet({}, { tolerations: [{ operator: 'Exists', effect: 'NoSchedule' }] }), true],
  ])('are looked for only where there may be any: %s', (_what, agents, expected) => {
    expect(mayLeaveOut(agents)).toBe(expected);
  });

  it('take no part where agents are needed', () => {
    const windows = node(3, { labels: { 'kubernetes.io/os': 'windows' } });
    const tainted = node(4, { taints: [{ key: 'team', value: 'a', effect: 'NoSchedule' }] });
    const nodes = [node(1, POOL), node(2), windows, tainted];
    const names = (live: KubeObject[]) => nodesForAgents(snapshotOf({ nodes, live })).map(({ name }) => name);
    expect(names([daemonSet({ pool: 'mesh' })])).toEqual(['node-1']);
    // Of a DaemonSet that was not read nobody knows what it tolerates.
    expect(names([])).toEqual(['node-1', 'node-2', 'node-4']);
  });
});
