import { type KubeObject, refOf } from '../../src/mesh/objects/kube-object.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';

/** The pods in Cilium's namespace. @param app only those of an app of Cilium's */
export function podsOf({ store, namespace }: SandboxCluster, app?: string): KubeObject[] {
  return store.list({ apiVersion: 'v1', kind: 'Pod', namespace, ...(app && { labels: { 'k8s-app': app } }) });
}

/** Lets the cluster's pods of Cilium see their Secrets and ConfigMaps as they are now, soon. */
export function nudge(cluster: SandboxCluster): void {
  for (const pod of ['clustermesh-apiserver', 'cilium'].flatMap((app) => podsOf(cluster, app))) {
    const { annotations } = pod.metadata;
    const nudges = Number(annotations?.nudges ?? 0) + 1;
    cluster.store.update(refOf(pod), ({ metadata }) => {
      metadata.annotations = { ...annotations, nudges: String(nudges) };
    });
  }
}
