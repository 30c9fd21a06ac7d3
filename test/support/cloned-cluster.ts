import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';

/** What a restore brings back of Cluster Mesh: the namespace, by name, and what is not bound to any. */
const RESTORED = [
  ['v1', 'ServiceAccount'],
  ['rbac.authorization.k8s.io/v1', 'ClusterRole'],
  ['rbac.authorization.k8s.io/v1', 'ClusterRoleBinding'],
  ['rbac.authorization.k8s.io/v1', 'Role'],
  ['rbac.authorization.k8s.io/v1', 'RoleBinding'],
  ['v1', 'Secret'],
  ['v1', 'ConfigMap'],
  ['v1', 'Service'],
  // Last: its pods mount the others.
  ['apps/v1', 'Deployment'],
] as const;

/**
 * Restores the Cluster Mesh of a living cluster into another one, as from its backup: the same CA, certificates, users and peers. Only
 * the address of the Service is its own.
 */
export function restoreInto(clone: SandboxCluster, living: SandboxCluster): void {
  for (const [apiVersion, kind] of RESTORED) {
    const namespace = kind.startsWith('Cluster') ? undefined : living.namespace;
    for (const object of living.store.list({ apiVersion, kind, ...(namespace ? { namespace } : {}) })) {
      if (!/clustermesh|kvstoremesh|cilium-ca/.test(object.metadata.name)) continue;
      const { name, labels, annotations } = object.metadata;
      const metadata = {
        name,
        ...(namespace ? { namespace } : {}),
        ...(labels ? { labels } : {}),
        ...(annotations ? { annotations } : {}),
      };
      const { status: _, ...rest } = structuredClone(object) as KubeObject & { status?: unknown };
      const copy = { ...rest, metadata } as KubeObject;
      if (kind === 'Service' && (copy.spec as { clusterIP?: string }).clusterIP !== 'None') {
        const { clusterIP: _ip, clusterIPs: _ips, ...spec } = copy.spec as Record<string, unknown>;
        copy.spec = spec;
      }
      const ref = { apiVersion, kind, name, ...(namespace ? { namespace } : {}) };
      if (clone.store.get(ref)) clone.store.delete(ref);
      clone.store.create(copy, 'meshctl');
    }
  }
}
