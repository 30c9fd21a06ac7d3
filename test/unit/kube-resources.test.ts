import { expect, test } from 'vitest';
import { collectionPath, groupOf, objectPath, pluralOf } from '../../src/kube/resources.ts';

test.each([
  [
    { apiVersion: 'v1', kind: 'Secret', namespace: 'kube-system', name: 'x' },
    '/api/v1/namespaces/kube-system/secrets/x',
  ],
  [{ apiVersion: 'apps/v1', kind: 'DaemonSet', namespace: 'n', name: 'x' }, '/apis/apps/v1/namespaces/n/daemonsets/x'],
  [
    { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', name: 'system:x' },
    '/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Ax',
  ],
  [{ apiVersion: 'cilium.io/v2', kind: 'CiliumNode', name: 'node-1' }, '/apis/cilium.io/v2/ciliumnodes/node-1'],
])('%o', (ref, path) => {
  expect(objectPath(ref)).toBe(path);
});

test('a subresource follows the name', () => {
  const ref = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'n', name: 'x' };
  expect(objectPath(ref, 'scale')).toBe('/apis/apps/v1/namespaces/n/deployments/x/scale');
});

test('a collection is of one namespace or of all', () => {
  const pods = { apiVersion: 'v1', kind: 'Pod' };
  expect(collectionPath({ ...pods, namespace: 'n' })).toBe('/api/v1/namespaces/n/pods');
  expect(collectionPath(pods)).toBe('/api/v1/pods');
});

test('groups and plurals as RBAC writes them', () => {
  expect([groupOf('v1'), groupOf('apps/v1')]).toEqual(['', 'apps']);
  expect(pluralOf('NetworkPolicy')).toBe('networkpolicies');
  expect(pluralOf('ServiceCIDR')).toBe('servicecidrs');
  expect(pluralOf('CiliumPodIPPool')).toBe('ciliumpodippools');
});

test('a kind out of the table, or a namespaced object without its namespace, is a bug', () => {
  expect(() => pluralOf('Widget')).toThrow(expect.objectContaining({ code: 'Bug' }));
  expect(() => pluralOf('toString')).toThrow(expect.objectContaining({ code: 'Bug' }));
  expect(() => objectPath({ apiVersion: 'v1', kind: 'Secret', name: 'x' })).toThrow(
    expect.objectContaining({ code: 'Bug' }),
  );
});
