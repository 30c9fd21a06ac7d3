import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { type KubeObject, keyOf } from './kube-object.ts';
import { apiserverDeploymentRef } from './names.ts';

const ENFORCE = 'pod-security.kubernetes.io/enforce';

interface SecurityContext {
  runAsNonRoot?: boolean;
  allowPrivilegeEscalation?: boolean;
  capabilities?: { drop?: string[] };
  seccompProfile?: { type?: string };
}

interface PodSpec {
  securityContext?: SecurityContext;
  containers?: { name: string; securityContext?: SecurityContext }[];
  initContainers?: { name: string; securityContext?: SecurityContext }[];
}

/** The level of Pod Security that Cilium's namespace enforces; undefined where none, or its labels may not be read. */
export function enforcedLevel({ namespaceLabels }: Pick<ClusterSnapshot, 'namespaceLabels'>): string | undefined {
  return namespaceLabels?.[ENFORCE];
}

/**
 * What the level `restricted` refuses in the Deployment's pods (Kubernetes' docs, "Pod Security Standards"), as far as a
 * clustermesh-apiserver can differ in it.
 */
export function restrictedViolations({ objects, namespace }: Pick<ClusterSnapshot, 'objects' | 'namespace'>): string[] {
  const deployment: KubeObject | undefined = objects.get(keyOf(apiserverDeploymentRef(namespace)));
  const pod = (deployment?.spec as { template?: { spec?: PodSpec } } | undefined)?.template?.spec ?? {};
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
