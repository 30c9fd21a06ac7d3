import { describe, expect, it } from 'vitest';
import { unconnected } from '../../src/mesh/checks/unconnected.ts';
import { lackOfAgents, nodesWithoutAgent } from '../../src/mesh/cilium/agents.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { judgeStanding } from '../../src/mesh/status/standing-status.ts';
import { createTally } from '../../src/mesh/status/status-tally.ts';
import { statusText } from '../../src/views/status/status-view.ts';
import type { Theme } from '../../src/views/theme.ts';
import { apiserverDeployment, loadBalancerService, NOW, snapshotOf } from '../support/snapshots.ts';

const IMAGE = 'quay.io/cilium/cilium:v1.20.0';
const KEY = 'DaemonSet/kube-system/cilium';
const daemonSet = (nodeSelector: Record<string, string> = {}): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'cilium', namespace: 'kube-system' },
  spec: { template: { spec: { nodeSelector } } },
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
      'the nodeSelector of its DaemonSet (no=where) matches none of 2 nodes',
      `${KUBECTL} describe daemonset/cilium`,
    ],
    [
      'no node is right',
      wanting(0),
      [daemonSet()],
      'wants none on any of 2 nodes',
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
  expect(text).toContain('mesh-1: no Cilium agent runs: the nodeSelector of its DaemonSet (no=where)');
  expect(text).toContain(`→ ${KUBECTL} describe daemonset/cilium`);
  expect(text).not.toContain('would not come back: no Cilium agent');
  expect(unconnected([report]).map(({ args, hint }) => [args.foundBy, hint])).toEqual([
    ['agents-run', `${KUBECTL} describe daemonset/cilium`],
  ]);
});

describe('nodes without an agent that is wanted there', () => {
  const on = new Set(['node-1']);
  const node = (number: number, more: object = {}) => ({
    ...{ name: `node-${number}`, ready: true, labels: {}, addresses: [], podCidrs: [] },
    ...more,
  });
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
    const snapshot = snapshotOf({ ...wanting(desired, pods), nodes: nodes as never, live: [daemonSet(nodeSelector)] });
    expect(nodesWithoutAgent(snapshot, { pods, on })).toEqual(expected);
  });
});
