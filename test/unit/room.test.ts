/** Where no node takes a pod of the clustermesh-apiserver: why, and by which command one does. */
import { describe, expect, it } from 'vitest';
import { lackOfRoom } from '../../src/mesh/apiserver/room.ts';
import type { NodeFacts } from '../../src/mesh/cluster-snapshot.ts';
import { requireReadyServers } from '../../src/mesh/connect/provable.ts';
import { faultsOf } from '../../src/mesh/faults/faults-of.ts';
import { apiserverDeployment, NOW, serviceObject, snapshotOf } from '../support/snapshots.ts';

const node = (name: string, more: Partial<NodeFacts> = {}): NodeFacts => ({
  name,
  ready: true,
  labels: { 'kubernetes.io/os': 'linux' },
  addresses: [],
  podCidrs: [],
  ...more,
});
const taint = (effect: string, value?: string) => ({ key: 'team', effect, ...(value === undefined ? {} : { value }) });
/** As kube-controller-manager marks a cordoned node too. */
const CORDON = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };
const cordoned = (name: string) => node(name, { unschedulable: true, taints: [CORDON] });
const tolerate = (text: string) =>
  `Let it tolerate a taint: meshctl clustermesh enable --context one --toleration ${text}`;
const UNCORDON = 'Let one of them take pods: kubectl --context one uncordon n1';

describe('room for a pod', () => {
  it.each<[string, NodeFacts[], string[], string]>([
    [
      'a taint',
      [node('n1', { taints: [taint('NoSchedule', 'a')] })],
      ['tainted: team=a:NoSchedule'],
      tolerate('team=a:NoSchedule'),
    ],
    [
      'a taint without a value',
      [node('n1', { taints: [taint('NoSchedule')] })],
      ['tainted: team:NoSchedule'],
      tolerate('team:NoSchedule'),
    ],
    [
      'a taint that evicts what runs',
      [node('n1', { taints: [taint('NoExecute', 'a')] })],
      ['tainted: team=a:NoExecute'],
      tolerate('team=a:NoExecute'),
    ],
    ['a cordon, which a toleration would not be for', [cordoned('n1')], ['cordoned: n1'], UNCORDON],
    [
      'a cordon here and a taint there',
      [cordoned('n1'), node('n2', { taints: [taint('NoSchedule')] })],
      ['cordoned: n1', 'tainted: team:NoSchedule'],
      tolerate('team:NoSchedule'),
    ],
    [
      'many cordons',
      [1, 2, 3, 4, 5].map((number) => cordoned(`n${number}`)),
      ['cordoned: n1, n2, n3 and 2 more'],
      UNCORDON,
    ],
    [
      'no node of the system that it runs on',
      [node('n1', { labels: {} })],
      ['not chosen: nodeSelector kubernetes.io/os=linux'],
      'kubectl --context one get nodes --show-labels',
    ],
  ])('lacks by %s', (_what, nodes, reasons, hint) => {
    expect(lackOfRoom(snapshotOf({ nodes }))).toEqual({ reasons, hint });
  });

  it.each<[string, NodeFacts[]]>([
    ['one node is free', [node('n1', { taints: [taint('NoSchedule')] }), node('n2')]],
    ['a taint is only a wish', [node('n1', { taints: [taint('PreferNoSchedule')] })]],
    ['no node was read', []],
  ])('is there, or not known to lack, where %s', (_what, nodes) => {
    expect(lackOfRoom(snapshotOf({ nodes }))).toBeUndefined();
  });

  it('is why pods are not ready: status and connect say so, with its command', () => {
    const nodes = [cordoned('n1')];
    const live = [{ ...apiserverDeployment({ users: false }), status: {} }, serviceObject({ ports: [{ port: 2379 }] })];
    const apiserverPods = [{ name: 'pod-1', node: undefined, ready: false }];
    const cluster = snapshotOf({ nodes, live, apiserverPods });
    expect(faultsOf(cluster, { now: NOW })).toMatchObject([
      {
        id: 'apiserver-not-ready',
        says: 'the only replica of its clustermesh-apiserver is not ready, and no node takes a new one (cordoned: n1)',
        hint: UNCORDON,
      },
    ]);
    expect(() => requireReadyServers([cluster])).toThrow(
      expect.objectContaining({
        code: 'CredentialRefused',
        message: expect.stringContaining('not ready: pod-1, cordoned: n1'),
        hint: UNCORDON,
      }),
    );
  });
});
