import type { ClusterClient } from '../kube/client.ts';
import { MeshctlError } from '../mesh/errors.ts';
import type { KubeObject, ObjectRef } from '../mesh/objects/kube-object.ts';

/** What is put into a namespace by hand, or by a tool: the rest comes from these, and goes with them. */
const KINDS: readonly Pick<ObjectRef, 'apiVersion' | 'kind'>[] = [
  ...['ConfigMap', 'PersistentVolumeClaim', 'Pod', 'Secret', 'Service', 'ServiceAccount'].map((kind) => ({
    apiVersion: 'v1',
    kind,
  })),
  ...['DaemonSet', 'Deployment', 'ReplicaSet', 'StatefulSet'].map((kind) => ({ apiVersion: 'apps/v1', kind })),
  ...['CronJob', 'Job'].map((kind) => ({ apiVersion: 'batch/v1', kind })),
  ...['Role', 'RoleBinding'].map((kind) => ({ apiVersion: 'rbac.authorization.k8s.io/v1', kind })),
  { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' },
  { apiVersion: 'cilium.io/v2', kind: 'CiliumNetworkPolicy' },
];

/** What Kubernetes, a distribution of it, or Istio (pilot/pkg/serviceregistry/kube/controller) puts into every namespace. */
const OF_EVERY_NAMESPACE: Readonly<Record<string, RegExp>> = {
  ConfigMap: /^((kube-root-ca|openshift-service-ca)\.crt|istio-ca-root-cert)$/,
  ServiceAccount: /^(default|builder|deployer|pipeline)$/,
  RoleBinding: /^system:/,
};
const TOKENS: readonly unknown[] = ['kubernetes.io/service-account-token', 'kubernetes.io/dockercfg'];

/** What of a namespace is not whoever's that asks. */
interface OthersInNamespace {
  others: readonly KubeObject[];
  /** Kinds that may not be listed: somebody may have some. */
  unseen: readonly string[];
}

/**
 * What else is in a namespace that is to go, and would go with it. What has an owner is its owner's.
 * @param isOwn whether an object is one of those that may go
 */
export async function othersInNamespace(
  client: ClusterClient,
  namespace: string,
  isOwn: (object: KubeObject) => boolean,
  signal: AbortSignal,
): Promise<OthersInNamespace> {
  const unseen: string[] = [];
  const found = await Promise.all(
    KINDS.map(async (type) => {
      const isOthers = (object: KubeObject) =>
        !isOwn(object) &&
        !(object.metadata.ownerReferences ?? []).length &&
        !OF_EVERY_NAMESPACE[type.kind]?.test(object.metadata.name) &&
        !TOKENS.includes(object.type);
      try {
        // Of a Secret no more is kept than its name.
        return await client.collect(
          { ...type, namespace },
          (object) => (isOthers(object) ? [{ ...type, metadata: { name: object.metadata.name, namespace } }] : []),
          { signal },
        );
      } catch (error) {
        if (!(error instanceof MeshctlError) || !['Forbidden', 'NotFound'].includes(error.code)) throw error;
        if (error.code === 'Forbidden') unseen.push(type.kind);
        return [];
      }
    }),
  );
  return { others: found.flat(), unseen };
}

/** Why a namespace stays; undefined where all in it may go. */
export function whyNamespaceStays({ others, unseen }: OthersInNamespace): string | undefined {
  const [first] = others;
  if (first) {
    const more = others.length > 1 ? ` and ${others.length - 1} more that are others'` : ", which is another's";
    return `it has ${first.kind} ${first.metadata.name}${more}`;
  }
  return unseen.length > 0 ? `whether others have a ${unseen.join(', ')} there may not be looked at` : undefined;
}
