import { expect, it } from 'vitest';
import { podsLeft, podsRemain } from '../../src/mesh/enable/remaining-pods.ts';

const PLACE = { context: 'gke', namespace: 'kube-system' };
const pod = (name: string, metadata: object) => ({
  ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'kube-system', ...metadata } },
  spec: { nodeName: 'node-1' },
});
const GOING = { deletionTimestamp: '2026-01-01T00:00:00Z' };

it.each([
  ['a node that is cut off', GOING, 'delete pods a --grace-period=0 --force', 'get nodes -o wide'],
  [
    'a finalizer',
    { ...GOING, finalizers: ['example.com/held'] },
    'wait --for=delete pod/a --timeout=5m',
    'They are held',
  ],
  ['that nobody deletes it', {}, 'delete pods a', 'No one deletes them any more'],
])('a pod that is left because of %s is told with what ends it', (_why, metadata, command, says) => {
  const { message, hint, code, details } = podsRemain(PLACE, [pod('a', metadata)], 5000);
  expect([code, details.pods]).toEqual(['Timeout', ['a']]);
  expect(message).toContain('a on node node-1');
  expect(hint).toContain(says);
  expect(hint?.endsWith(`kubectl --context gke -n kube-system ${command}`)).toBe(true);
});

it.each([
  ['none', [], undefined, undefined],
  ['some that end', [pod('a', GOING), pod('b', GOING)], 'wait --for=delete pod/a pod/b --timeout=5m', false],
  ['one that stays among them', [pod('a', GOING), pod('b', {})], 'delete pods b', true],
])('without a Deployment there are left: %s', (_which, pods, command, areStaying) => {
  const left = podsLeft(PLACE, pods);
  expect(left?.areStaying).toBe(areStaying);
  if (command) expect(left?.hint.endsWith(`kubectl --context gke -n kube-system ${command}`)).toBe(true);
  else expect(left).toBeUndefined();
});
