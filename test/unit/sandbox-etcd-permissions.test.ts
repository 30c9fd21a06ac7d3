import { describe, expect, it } from 'vitest';
import { builtInUsers, mayRead, parseUsers, prefixEnd, rangeEndOf } from '../../src/sandbox/cilium/etcd-permissions.ts';

const key = (name: string) => [name, undefined] as const;
const prefix = (name: string) => [name, prefixEnd(name)] as const;

describe('the role remote', () => {
  const may = mayRead('remote', 'mesh-2');

  it.each([
    key('cilium/cluster-config/mesh-2'),
    key('cilium/state/nodes/v1/mesh-2/n1'),
    prefix('cilium/state/nodes/v1/mesh-2/'),
    prefix('cilium/.heartbeat'),
    key('cilium/.heartbeat'),
    prefix('cilium/synced/mesh-2/'),
  ])('reads %j to %j', (start, end) => {
    expect(may(start, end)).toBe(true);
  });

  it.each([
    key('cilium/cluster-config/mesh-1'),
    prefix('cilium/cluster-config/'),
    prefix('cilium/cluster-config/mesh-2'),
    key('cilium/synced/mesh-1/x'),
    prefix('cilium/cache/'),
    prefix('cilium/'),
    ['cilium/state/', rangeEndOf(Buffer.from('\0'))] as const,
  ])('does not read %j to %j', (start, end) => {
    expect(may(start, end)).toBe(false);
  });
});

it('the role local reads the cache and all configurations, not the state', () => {
  const may = mayRead('local', 'mesh-1');
  expect(may(...key('cilium/cluster-config/mesh-2'))).toBe(true);
  expect(may(...prefix('cilium/cache/nodes/v1/mesh-2/'))).toBe(true);
  expect(may(...prefix('cilium/state/nodes/v1/mesh-1/'))).toBe(false);
});

it('root reads everything, an unknown role nothing', () => {
  expect(mayRead('root', 'mesh-1')(...prefix('cilium/'))).toBe(true);
  expect(mayRead('peers', 'mesh-1')(...key('cilium/.heartbeat'))).toBe(false);
});

it('etcd-init makes the users of the chart’s certificates', () => {
  expect(Object.fromEntries(builtInUsers('mesh-1'))).toEqual({
    root: 'root',
    'admin-mesh-1': 'root',
    'local-mesh-1': 'local',
    remote: 'remote',
  });
});

describe('users.yaml', () => {
  it('names users with roles; the cluster itself is passed over', () => {
    const text = 'users:\n- name: remote-mesh-2\n  role: remote\n- name: mesh-1\n  role: remote\n';
    expect(parseUsers(text, 'mesh-1')).toEqual(new Map([['remote-mesh-2', 'remote']]));
  });

  it.each(['users:\n', '', 'users: []'])('may be empty: %j', (text) => {
    expect(parseUsers(text, 'mesh-1')).toEqual(new Map());
  });

  it('that cannot be read changes nothing', () => {
    expect(parseUsers('users: [', 'mesh-1')).toBeUndefined();
  });
});
