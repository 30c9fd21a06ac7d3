import type { KubeObject } from './kube-object.ts';
import { type ContainerStatus, podSpec, podStatus, workloadStatus } from './workload.ts';

/** What keeps a workload from becoming ready, and what to do about it. */
export interface WorkloadTrouble {
  /** e.g. `pod x: container etcd: ImagePullBackOff: …`. */
  says: string;
  hint?: string;
}

/** Reasons that every container has for a moment. */
const PASSING = new Set(['ContainerCreating', 'PodInitializing']);

const HINTS: readonly [pattern: RegExp, hint: string][] = [
  [
    /ImagePull|ErrImage|InvalidImageName/,
    'Give an image that the nodes can pull with --image, or credentials for its registry with --pull-secret.',
  ],
  [
    /untolerated taint/,
    'Let it tolerate a taint with --toleration, written key=value:effect; clustermesh check --pre names them.',
  ],
  [/Unschedulable.*were unschedulable/, 'Nodes are cordoned: uncordon one that can take the pods.'],
  [/Unschedulable/, 'Make room on the nodes, or ask for less with --resources.'],
  [/quota|exceeded/i, 'Raise the quota of the namespace, or say with --resources what the containers need.'],
  [/PodSecurity|forbidden/i, 'The policy of the namespace refuses the pods.'],
];

/** What keeps the pods of a Deployment from becoming ready, the most telling first. */
export function workloadTroubles(deployment: KubeObject | undefined, pods: readonly KubeObject[]): WorkloadTrouble[] {
  const said = [...pods.flatMap(podTroubles), ...deploymentTroubles(deployment)];
  return [...new Set(said)].map((says) => {
    const hint = HINTS.find(([pattern]) => pattern.test(says))?.[1];
    return hint === undefined ? { says } : { says, hint };
  });
}

/** Whether it is that no node takes a pod. */
export function isUnschedulable({ says }: WorkloadTrouble): boolean {
  return /Unschedulable/.test(says);
}

/** Whether a pod of the newest template is in a crash loop; what older ones do will end with them. */
export function crashesAnew(pods: readonly KubeObject[]): boolean {
  const createdAt = ({ metadata }: KubeObject) => String(metadata.creationTimestamp ?? '');
  const templateOf = ({ metadata }: KubeObject) => metadata.labels?.['pod-template-hash'];
  const [youngest] = [...pods].sort((a, b) => createdAt(b).localeCompare(createdAt(a)));
  return pods.some((pod) => {
    const { containerStatuses = [], initContainerStatuses = [] } = podStatus(pod);
    const isNew = youngest !== undefined && templateOf(pod) === templateOf(youngest);
    const loops = ({ state }: ContainerStatus) => state?.waiting?.reason === 'CrashLoopBackOff';
    return isNew && [...initContainerStatuses, ...containerStatuses].some(loops);
  });
}

function podTroubles(pod: KubeObject): string[] {
  const { metadata } = pod;
  const { conditions = [], containerStatuses = [], initContainerStatuses = [] } = podStatus(pod);
  const containers = [...initContainerStatuses, ...containerStatuses].flatMap((container) => {
    const trouble = containerTrouble(container);
    return trouble ? [`pod ${metadata.name}: container ${container.name}: ${trouble}`] : [];
  });
  const unscheduled = conditions.find(({ type, status: is }) => type === 'PodScheduled' && is === 'False');
  return unscheduled
    ? [`pod ${metadata.name}: ${unscheduled.reason ?? 'not scheduled'}: ${unscheduled.message ?? ''}`]
    : containers;
}

function containerTrouble({ state, lastState }: ContainerStatus): string | undefined {
  const { reason, message } = state?.waiting ?? {};
  if (reason === undefined || PASSING.has(reason)) return message && reason ? `${reason}: ${message}` : undefined;
  const last = lastState?.terminated;
  const end = last ? `, last ended with ${last.reason ?? 'exit code'} ${last.exitCode ?? ''}`.trimEnd() : '';
  return `${reason}${message ? `: ${message}` : ''}${end}`;
}

/** What can be said of a pod that runs into no trouble and still is not ready. */
export function unreadiness(pod: KubeObject): string[] {
  const { metadata } = pod;
  const { containerStatuses } = podStatus(pod);
  if (!containerStatuses) {
    const { nodeName } = podSpec(pod);
    return nodeName ? [`pod ${metadata.name}: the kubelet of node ${nodeName} has not started it`] : [];
  }
  const unready = containerStatuses.filter(({ ready, state }) => !ready && !state?.waiting).map(({ name }) => name);
  return unready.length > 0 ? [`pod ${metadata.name}: not ready: ${unready.join(', ')}`] : [];
}

function deploymentTroubles(deployment: KubeObject | undefined): string[] {
  const { conditions = [] } = workloadStatus(deployment);
  return conditions.flatMap(({ type, status, message }) =>
    type === 'ReplicaFailure' && status === 'True' && message ? [message] : [],
  );
}

/** The newest events about an object, warnings before others, as sentences. */
export function eventSentences(events: readonly KubeObject[], most = 3): string[] {
  const timeOf = (event: KubeObject) => String(event.lastTimestamp ?? event.eventTime ?? '');
  const warnings = (event: KubeObject) => Number(event.type === 'Warning');
  return [...events]
    .sort((a, b) => warnings(b) - warnings(a) || timeOf(b).localeCompare(timeOf(a)))
    .slice(0, most)
    .map(({ reason, message }) => `${String(reason ?? '')}: ${String(message ?? '').trim()}`);
}
