import { describe, expect, it } from 'vitest';
import { checkClusterId, checkClusterName, requireIdentity } from '../../src/mesh/cilium/identity.ts';
import { MeshctlError } from '../../src/mesh/errors.ts';
import { snapshotOf } from '../support/snapshots.ts';

function errorOf(work: () => unknown): MeshctlError {
  try {
    work();
  } catch (error) {
    if (error instanceof MeshctlError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('checkClusterName', () => {
  it.each(['a', 'mesh-1', '1', 'a'.repeat(32)])('accepts %s', (name) => {
    expect(checkClusterName(name)).toBeUndefined();
  });

  it.each(['default', '', '-a', 'a-', 'Mesh', 'a.b', 'a'.repeat(33)])('refuses "%s"', (name) => {
    expect(checkClusterName(name)).toEqual(expect.any(String));
  });
});

describe('checkClusterId', () => {
  it.each([
    [1, 255],
    [255, 255],
    [511, 511],
  ])('accepts %i of %i', (id, max) => {
    expect(checkClusterId(id, max)).toBeUndefined();
  });

  it.each([
    [0, 255],
    [256, 255],
    [512, 511],
    [-1, 255],
    [1.5, 255],
    [Number.NaN, 255],
  ])('refuses %d of %i', (id, max) => {
    expect(checkClusterId(id, max)).toEqual(expect.any(String));
  });
});

describe('requireIdentity', () => {
  it('reads name, id and size with their defaults', () => {
    expect(requireIdentity(snapshotOf())).toEqual({ name: 'mesh-1', id: 1, maxConnectedClusters: 255 });
  });

  it.each([
    ['the default name', { 'cluster-id': '1' }, 'ClusterIdentity', 'cluster name "default"'],
    ['no id', { 'cluster-name': 'mesh-1' }, 'ClusterIdentity', 'cluster id 0'],
    ['an id that is no number', { 'cluster-name': 'mesh-1', 'cluster-id': 'x' }, 'ClusterIdentity', 'cluster id x'],
    ['an id out of range', { 'cluster-name': 'mesh-1', 'cluster-id': '300' }, 'ClusterIdentity', 'from 1 to 255'],
    [
      'an external kvstore',
      { 'cluster-name': 'mesh-1', 'cluster-id': '1', 'identity-allocation-mode': 'kvstore' },
      'ClusterIdentity',
      'external kvstore',
    ],
    [
      'an impossible size',
      { 'cluster-name': 'mesh-1', 'cluster-id': '1', 'max-connected-clusters': '300' },
      'ClusterIdentity',
      'max-connected-clusters is 255 or 511',
    ],
  ])('refuses %s, naming the context and the fix', (_case, ciliumConfig, code, says) => {
    const error = errorOf(() => requireIdentity(snapshotOf({ ciliumConfig })));
    expect(error.code).toBe(code);
    expect(error.message).toContain('context "one"');
    expect(error.message).toContain(says);
    expect(error.hint).toBeTruthy();
  });

  it('refuses a cluster without Cilium', () => {
    const error = errorOf(() => requireIdentity(snapshotOf({ ciliumConfig: undefined, agent: undefined })));
    expect(error.code).toBe('CiliumMissing');
    expect(error.message).toContain('ConfigMap cilium-config');
  });
});
