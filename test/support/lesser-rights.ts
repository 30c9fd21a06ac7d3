import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { PACKAGE_ROOT } from './schemas.ts';

const RBAC = 'rbac.authorization.k8s.io/v1';

interface Role extends KubeObject {
  rules: { apiGroups: string[]; resources: string[]; verbs: string[]; resourceNames?: string[] }[];
}

/**
 * Gives the user ann all rights of the operator in clusters; in mesh-2 without a resource, or with some Secrets only, of all of which
 * none is listed. What she had before is taken away.
 */
export function grantAnn(
  clusters: readonly SandboxCluster[],
  without: string | undefined,
  secrets: readonly string[] | 'all' = [],
): void {
  for (const { store, name } of clusters) {
    for (const [file, binding] of [
      ['role', 'RoleBinding'],
      ['cluster-role', 'ClusterRoleBinding'],
    ] as const) {
      const role = parse(readFileSync(new URL(`templates/rbac/${file}.yaml`, PACKAGE_ROOT), 'utf8')) as Role;
      const { namespace } = role.metadata;
      const rules = role.rules.map((rule) => ({
        ...rule,
        resources: rule.resources.filter((one) => name !== 'mesh-2' || one !== without),
      }));
      if (name === 'mesh-2' && namespace && secrets.length > 0)
        rules.push({
          ...{ apiGroups: [''], resources: ['secrets'], verbs: ['get'] },
          ...(secrets === 'all' ? {} : { resourceNames: [...secrets] }),
        });
      const metadata = { name: 'ann', namespace };
      for (const kind of [role.kind, binding]) {
        const ref = { apiVersion: RBAC, kind, name: 'ann', namespace };
        if (store.get(ref)) store.delete(ref);
      }
      store.create({ ...role, metadata, rules: rules.filter(({ resources }) => resources.length > 0) } as KubeObject);
      store.create({
        apiVersion: RBAC,
        kind: binding,
        metadata,
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: role.kind, name: 'ann' },
        subjects: [{ kind: 'User', name: 'ann' }],
      } as unknown as KubeObject);
    }
  }
}
