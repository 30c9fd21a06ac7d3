import { expect, it } from 'vitest';
import type { NodeFacts } from '../../src/mesh/cluster-snapshot.ts';
import { agentsThatLack, lookAtNodes } from '../../src/mesh/status/agentless-node.ts';

const node = (name: string, more: Partial<NodeFacts> = {}): NodeFacts => ({
  ...{ name, ready: true, labels: {}, addresses: [], podCidrs: [] },
  ...more,
});
const mute = (name: string, pod = `cilium-${name}`) => ({ name, pod, error: `pod ${pod} is not running` });

const NODES = [
  node('n1'),
  node('n2', { ready: false }),
  node('fargate', { labels: { 'eks.amazonaws.com/compute-type': 'fargate' } }),
  node('virtual', { ready: false, taints: [{ key: 'virtual-kubelet.io/provider', effect: 'NoSchedule' }] }),
];

it.each<[what: string, name: string, pod: string, nodes: NodeFacts[] | undefined, error: string | undefined]>([
  ['a node that is there', 'n1', 'p', NODES, 'pod p is not running'],
  ['a node that is not ready', 'n2', 'p', NODES, 'node n2 is not ready: pod p is not running'],
  ['a node that is gone', 'n3', 'p', NODES, undefined],
  ['a node of Fargate', 'fargate', 'p', NODES, undefined],
  ['a virtual node, ready or not', 'virtual', 'p', NODES, undefined],
  ['no node as yet', 'p', 'p', NODES, 'pod p is not running'],
  ['a node that is gone, with all others that were asked for', 'n3', 'p', [], undefined],
  ['any node where none may be read', 'n3', 'p', undefined, 'pod p is not running'],
])('an agent that did not answer, on %s', (_, name, pod, nodes, error) => {
  const results = agentsThatLack([mute(name, pod)], nodes);
  expect(results.map((one) => one.error)).toEqual(error === undefined ? [] : [error]);
  const look = lookAtNodes({ context: 'c' }, error ?? '');
  expect(look).toBe(error?.startsWith('node ') ? 'kubectl --context c get nodes -o wide' : undefined);
});
