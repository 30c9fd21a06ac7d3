import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import type { KubeObject } from '../objects/kube-object.ts';
import { ADMIN_CERT_SECRET } from '../objects/names.ts';
import { workloadSpec } from '../objects/workload.ts';
import { apiserverDeployment } from './live.ts';

/** Annotation on pods, `<name>/<id>` of the cluster, which all of its programs, and the name of etcd's root user, are made from. */
export const POD_CLUSTER_ANNOTATION = 'meshctl.io/cluster';

/** The annotations of a Deployment's pods. */
export function podAnnotations(deployment: KubeObject | undefined): Readonly<Record<string, string>> {
  return workloadSpec(deployment).template?.metadata?.annotations ?? {};
}

/** The name and id under which a Deployment's pods run, as far as they are marked with it. */
export function podIdentity(deployment: KubeObject | undefined): { name: string; id: number } | undefined {
  const [, name, id] = /^(.*)\/(\d+)$/.exec(podAnnotations(deployment)[POD_CLUSTER_ANNOTATION] ?? '') ?? [];
  return name === undefined ? undefined : { name, id: Number(id) };
}

/**
 * The name and the id that a cluster had when its clustermesh-apiserver was set up, whatever cilium-config says by now: by
 * the mark of the pods, else the name by the certificate of its administrator (`admin-<name>`). Empty where nothing tells.
 */
export function recordedIdentity(
  snapshot: Pick<ClusterSnapshot, 'objects' | 'namespace' | 'tlsSecrets'>,
): Readonly<{ name?: string; id?: number }> {
  const deployment = apiserverDeployment(snapshot);
  if (!deployment) return {};
  const administrator = snapshot.tlsSecrets.get(ADMIN_CERT_SECRET)?.certificate.commonName;
  const [, name] = /^admin-(.+)$/.exec(administrator ?? '') ?? [];
  return podIdentity(deployment) ?? (name === undefined ? {} : { name });
}
