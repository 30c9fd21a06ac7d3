/** Pod Security admission (Kubernetes' docs, "Pod Security Standards"), as far as pods of the sandbox can offend it. */
import type { KubeObject } from '../../../mesh/objects/kube-object.ts';
import { ApiError } from '../errors.ts';
import type { ClusterState } from './lifecycle.ts';

const LABEL = 'pod-security.kubernetes.io/enforce';

/** What `baseline` lets a container add. */
const BASELINE_CAPABILITIES = new Set(
  'AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT'.split(
    ' ',
  ),
);

interface SecurityContext {
  privileged?: boolean;
  allowPrivilegeEscalation?: boolean;
  runAsNonRoot?: boolean;
  capabilities?: { add?: string[]; drop?: string[] };
  seccompProfile?: { type?: string };
}

interface SecuredContainer {
  name: string;
  securityContext?: SecurityContext;
}

interface SecuredPod {
  hostNetwork?: boolean;
  hostPID?: boolean;
  hostIPC?: boolean;
  securityContext?: SecurityContext;
  initContainers?: SecuredContainer[];
  containers?: SecuredContainer[];
  volumes?: { name: string; hostPath?: unknown }[];
}

/** Throws 403, in the words of the API server, for a pod that the level of its namespace does not allow. */
export function enforcePodSecurity(state: ClusterState, { kind, metadata, spec }: KubeObject): void {
  if (kind !== 'Pod') return;
  const namespaces = state.kinds.require('v1', 'Namespace');
  const labels = state.log.get(namespaces, undefined, metadata.namespace ?? '')?.metadata.labels ?? {};
  const level = labels[LABEL];
  if (level !== 'baseline' && level !== 'restricted') return;
  const pod = spec as SecuredPod;
  const violations = level === 'baseline' ? baselineOf(pod) : [...hostOf(pod), ...restrictedOf(pod)];
  if (violations.length === 0) return;
  const version = labels[`${LABEL}-version`] ?? 'latest';
  const message = `pods "${metadata.name}" is forbidden: violates PodSecurity "${level}:${version}": ${violations.join(', ')}`;
  throw new ApiError(403, 'Forbidden', message, { name: metadata.name, kind: 'pods' });
}

const containersOf = ({ initContainers = [], containers = [] }: SecuredPod) => [...initContainers, ...containers];

function hostOf(pod: SecuredPod): string[] {
  const shared = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((field) => pod[field]);
  const paths = (pod.volumes ?? []).filter(({ hostPath }) => hostPath !== undefined).map(({ name }) => name);
  const privileged = containersOf(pod).filter(({ securityContext }) => securityContext?.privileged);
  return [
    shared.length > 0 ? `host namespaces (${shared.map((field) => `${field}=true`).join(', ')})` : [],
    paths.length > 0 ? `hostPath volumes (${counted('volume', paths)})` : [],
    privileged.length > 0 ? `privileged (${who(privileged)} must not set securityContext.privileged=true)` : [],
  ].flat();
}

function baselineOf(pod: SecuredPod): string[] {
  const adding = addingOf(pod, (capability) => !BASELINE_CAPABILITIES.has(capability));
  return [...hostOf(pod), adding ? `non-default capabilities (${adding})` : []].flat();
}

function restrictedOf(pod: SecuredPod): string[] {
  const lacking = (holds: (own: SecurityContext) => boolean) =>
    containersOf(pod).filter(({ securityContext = {} }) => !holds(securityContext));
  const isProfile = ({ seccompProfile }: SecurityContext) =>
    /^(RuntimeDefault|Localhost)$/.test(seccompProfile?.type ?? '');
  const ofPod = pod.securityContext ?? {};
  const escalating = lacking(({ allowPrivilegeEscalation }) => allowPrivilegeEscalation === false);
  const undropped = lacking(({ capabilities }) => capabilities?.drop?.includes('ALL') ?? false);
  const root = lacking(({ runAsNonRoot }) => (runAsNonRoot ?? ofPod.runAsNonRoot) === true);
  const unconfined = lacking((own) => isProfile(own.seccompProfile ? own : ofPod));
  const capabilities = [
    undropped.length > 0 ? `${who(undropped)} must set securityContext.capabilities.drop=["ALL"]` : [],
    addingOf(pod, (capability) => capability !== 'NET_BIND_SERVICE') ?? [],
  ].flat();
  return [
    escalating.length > 0
      ? `allowPrivilegeEscalation != false (${who(escalating)} must set securityContext.allowPrivilegeEscalation=false)`
      : [],
    capabilities.length > 0 ? `unrestricted capabilities (${capabilities.join('; ')})` : [],
    root.length > 0 ? `runAsNonRoot != true (pod or ${who(root)} must set securityContext.runAsNonRoot=true)` : [],
    unconfined.length > 0
      ? `seccompProfile (pod or ${who(unconfined)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")`
      : [],
  ].flat();
}

function addingOf(pod: SecuredPod, isRefused: (capability: string) => boolean): string | undefined {
  const added = (container: SecuredContainer) =>
    (container.securityContext?.capabilities?.add ?? []).filter((capability) => isRefused(capability));
  const adding = containersOf(pod).filter((container) => added(container).length > 0);
  if (adding.length === 0) return undefined;
  const names = [...new Set(adding.flatMap(added))].sort().map((capability) => `"${capability}"`);
  return `${who(adding)} must not include ${names.join(', ')} in securityContext.capabilities.add`;
}

const who = (containers: readonly SecuredContainer[]) =>
  counted(
    'container',
    containers.map(({ name }) => name),
  );

/** `container "a"`, `containers "a", "b"`. */
function counted(what: string, names: readonly string[]): string {
  return `${what}${names.length > 1 ? 's' : ''} ${names.map((name) => `"${name}"`).join(', ')}`;
}
