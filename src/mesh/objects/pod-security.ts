import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import type { KubeObject } from './kube-object.ts';
import { type SecurityContext, templateSpec } from './workload.ts';

const ENFORCE = 'pod-security.kubernetes.io/enforce';

/** The level of Pod Security that Cilium's namespace enforces; undefined where none, or its labels may not be read. */
export function enforcedLevel({ namespaceLabels }: Pick<ClusterSnapshot, 'namespaceLabels'>): string | undefined {
  return namespaceLabels?.[ENFORCE];
}

/**
 * What the level `restricted` refuses in the Deployment's pods (Kubernetes' docs, "Pod Security Standards"), as far as a
 * clustermesh-apiserver can differ in it.
 */
export function restrictedViolations(deployment: KubeObject | undefined): string[] {
  const pod = templateSpec(deployment);
  const containers = [...(pod.initContainers ?? []), ...(pod.containers ?? [])];
  const lacking = (holds: (own: SecurityContext) => boolean) =>
    containers.filter(({ securityContext = {} }) => !holds(securityContext)).map(({ name }) => name);
  const isProfile = ({ seccompProfile }: SecurityContext = {}) =>
    seccompProfile?.type === 'RuntimeDefault' || seccompProfile?.type === 'Localhost';
  const needs: [what: string, names: string[]][] = [
    ['seccompProfile', lacking((own) => isProfile(own) || (!own.seccompProfile && isProfile(pod.securityContext)))],
    ['runAsNonRoot', lacking((own) => (own.runAsNonRoot ?? pod.securityContext?.runAsNonRoot) === true)],
    ['allowPrivilegeEscalation: false', lacking((own) => own.allowPrivilegeEscalation === false)],
    ['capabilities.drop: ALL', lacking((own) => own.capabilities?.drop?.includes('ALL') ?? false)],
  ];
  return needs.filter(([, names]) => names.length > 0).map(([what, names]) => `${what} (${names.join(', ')})`);
}
