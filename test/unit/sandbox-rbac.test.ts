import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import type { AccessRequest } from '../../src/sandbox/apiserver/api.ts';
import { authorizeByRoles } from '../../src/sandbox/apiserver/auth/rbac.ts';
import { createStore } from '../../src/sandbox/apiserver/storage/store.ts';

const API = 'rbac.authorization.k8s.io/v1';

function storeWith(...objects: KubeObject[]) {
  const store = createStore();
  for (const object of [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'one' } }, ...objects]) {
    store.create(object);
  }
  return store;
}

const role = (kind: string, name: string, rule: Record<string, unknown>, namespace?: string): KubeObject => ({
  apiVersion: API,
  kind,
  metadata: { name, ...(namespace ? { namespace } : {}) },
  rules: [rule],
});

const binding = (kind: string, roleKind: string, subject: Record<string, unknown>, namespace?: string): KubeObject => ({
  apiVersion: API,
  kind,
  metadata: { name: 'binding', ...(namespace ? { namespace } : {}) },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: roleKind, name: 'role' },
  subjects: [subject],
});

const ask = (access: Partial<AccessRequest>): AccessRequest => ({
  user: 'ann',
  groups: ['ops'],
  verb: 'get',
  apiGroup: '',
  resource: 'pods',
  namespace: 'one',
  ...access,
});

const ann = { kind: 'User', name: 'ann' };
const PODS = { verbs: ['get'], apiGroups: [''], resources: ['pods'] };

describe('authorizeByRoles', () => {
  it.each<[string, KubeObject[], Partial<AccessRequest>, boolean]>([
    [
      'a cluster role everywhere',
      [role('ClusterRole', 'role', PODS), binding('ClusterRoleBinding', 'ClusterRole', ann)],
      {},
      true,
    ],
    [
      'another verb',
      [role('ClusterRole', 'role', PODS), binding('ClusterRoleBinding', 'ClusterRole', ann)],
      { verb: 'list' },
      false,
    ],
    [
      'another user',
      [role('ClusterRole', 'role', PODS), binding('ClusterRoleBinding', 'ClusterRole', ann)],
      { user: 'bob' },
      false,
    ],
    [
      'a group',
      [role('ClusterRole', 'role', PODS), binding('ClusterRoleBinding', 'ClusterRole', { kind: 'Group', name: 'ops' })],
      { user: 'bob' },
      true,
    ],
    [
      'a service account',
      [
        role('ClusterRole', 'role', PODS),
        binding('ClusterRoleBinding', 'ClusterRole', { kind: 'ServiceAccount', name: 'ci', namespace: 'one' }),
      ],
      { user: 'system:serviceaccount:one:ci' },
      true,
    ],
    [
      'a role in its namespace',
      [role('Role', 'role', PODS, 'one'), binding('RoleBinding', 'Role', ann, 'one')],
      {},
      true,
    ],
    [
      'a role in another namespace',
      [role('Role', 'role', PODS, 'one'), binding('RoleBinding', 'Role', ann, 'one')],
      { namespace: 'two' },
      false,
    ],
    [
      'a cluster role bound in a namespace',
      [role('ClusterRole', 'role', PODS), binding('RoleBinding', 'ClusterRole', ann, 'one')],
      {},
      true,
    ],
    [
      'a subresource that was not named',
      [role('ClusterRole', 'role', PODS), binding('ClusterRoleBinding', 'ClusterRole', ann)],
      { subresource: 'exec' },
      false,
    ],
    [
      'a subresource that was named',
      [
        role('ClusterRole', 'role', { ...PODS, resources: ['pods/exec'] }),
        binding('ClusterRoleBinding', 'ClusterRole', ann),
      ],
      { subresource: 'exec' },
      true,
    ],
    [
      'a name that was named',
      [
        role('ClusterRole', 'role', { ...PODS, resourceNames: ['a'] }),
        binding('ClusterRoleBinding', 'ClusterRole', ann),
      ],
      { name: 'a' },
      true,
    ],
    [
      'no name where names were named',
      [
        role('ClusterRole', 'role', { ...PODS, resourceNames: ['a'] }),
        binding('ClusterRoleBinding', 'ClusterRole', ann),
      ],
      {},
      false,
    ],
    ['what everyone may', [], { resource: 'selfsubjectaccessreviews' }, true],
    ['nothing without a role', [], {}, false],
  ])('decides on %s', (_case, objects, access, allowed) => {
    expect(authorizeByRoles(storeWith(...objects), ask(access)) === undefined).toBe(allowed);
  });
});
