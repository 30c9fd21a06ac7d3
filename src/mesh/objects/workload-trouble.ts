import type { KubeObject } from './kube-object.ts';
import { type ContainerStatus, podSpec, podStatus, templateSpec, workloadStatus } from './workload.ts';

/** What keeps a workload from becoming ready, and what to do about it. */
export interface WorkloadTrouble {
  /** e.g. `pod x: container etcd: ImagePullBackOff: …`. */
  says: string;
  hint?: string;
}

/** Reasons that every container has for a moment. */
const PASSING = new Set(['ContainerCreating', 'PodInitializing']);

/** An image's name may be anything that somebody has typed. */
const WITHOUT_IMAGE_SAID = /image .* cannot be pulled/;

const HINTS: readonly [pattern: RegExp, hint: string][] = [
  [
    WITHOUT_IMAGE_SAID,
    'Give an image that the nodes can pull (--image, or image in a mesh file), or credentials for its registry (--pull-secret, or pullSecrets in a mesh file).',
  ],
  [
    /untolerated taint/,
    'Let it tolerate a taint (--toleration, written key=value:effect, or tolerations in a mesh file); clustermesh check --pre names them.',
  ],
  [/Unschedulable.*were unschedulable/, 'Nodes are cordoned: uncordon one that can take the pods.'],
  [/Unschedulable/, 'Make room on the nodes, or ask for less (--resources, or resources in a mesh file).'],
  [
    /quota|exceeded/i,
    'Raise the quota of the namespace, or say what the containers need (--resources, or resources in a mesh file).',
  ],
  [/PodSecurity|forbidden/i, 'The policy of the namespace refuses the pods.'],
];

/** What keeps the pods of a Deployment from becoming ready, the most telling first. */
export function workloadTroubles(deployment: KubeObject | undefined, pods: readonly KubeObject[]): WorkloadTrouble[] {
  const said = [...pods.flatMap(podTroubles), refusedPods(deployment) ?? []].flat();
  return [...new Set(said)].map((says) => {
    const hint = HINTS.find(([pattern]) => pattern.test(says))?.[1];
    return hint === undefined ? { says } : { says, hint };
  });
}

/** Whether it is that no node takes a pod. */
export function isUnschedulable({ says }: WorkloadTrouble): boolean {
  return /Unschedulable/.test(says);
}

/** Whether it is that a node cannot have an image. */
export function isWithoutImage({ says }: WorkloadTrouble): boolean {
  return WITHOUT_IMAGE_SAID.test(says);
}

/** What a node waits for that cannot have an image (kubelet, pkg/kubelet/images/types.go). */
const WITHOUT_IMAGE = /^(ErrImagePull|ImagePullBackOff|InvalidImageName|ErrImageNeverPull|ImageInspectError)$/;
/** What a registry, or the kubelet, says of an image that will not be there a minute later either. */
const FOR_GOOD =
  /not found|manifest unknown|repository does not exist|name unknown|denied|unauthorized|authorization failed|invalid reference format|couldn't parse image name|no match for platform|InvalidImageName|ErrImageNeverPull/i;

/**
 * How hopeless the pods of the newest template are: `now`, they will not come up; `if-it-lasts`, what they do may pass.
 * @param deployment as it is now; a pod that was made of another template is about to be replaced
 */
export function hopelessness(
  pods: readonly KubeObject[],
  deployment: KubeObject | undefined,
): 'now' | 'if-it-lasts' | undefined {
  const waits = newest(pods).flatMap((pod) => {
    const { containerStatuses = [], initContainerStatuses = [] } = podStatus(pod);
    const current = deployment !== undefined && pullsAs(pod, deployment);
    return [...initContainerStatuses, ...containerStatuses].flatMap(({ state }) =>
      state?.waiting ? { ...state.waiting, current } : [],
    );
  });
  const isForGood = ({ reason = '', message = '' }: { reason?: string; message?: string }) =>
    WITHOUT_IMAGE.test(reason) && FOR_GOOD.test(`${reason} ${message}`);
  if (waits.some((wait) => wait.current && isForGood(wait))) return 'now';
  // Before Kubernetes 1.32 the back-off does not say why; a registry that answers late or not at all says so.
  const mayLast = ({ reason = '', message = '' }: { reason?: string; message?: string }) =>
    reason === 'CrashLoopBackOff' || (reason === 'ImagePullBackOff' && !message.includes('ErrImagePull'));
  return waits.some((wait) => isForGood(wait) || mayLast(wait)) ? 'if-it-lasts' : undefined;
}

/** Whether a pod gets its images as the Deployment wants it now: the same ones, by the same credentials. */
function pullsAs(pod: KubeObject, deployment: KubeObject): boolean {
  const has = podSpec(pod);
  const wanted = templateSpec(deployment);
  const images = ({ initContainers = [], containers = [] }: typeof has) =>
    [...initContainers, ...containers].map(({ image }) => image).join(' ');
  const secrets = ({ imagePullSecrets = [] }: typeof has) => imagePullSecrets.map(({ name }) => name).join(' ');
  // Without any of its own, a pod gets those of its account.
  return images(has) === images(wanted) && (secrets(wanted) === '' || secrets(has) === secrets(wanted));
}

/** The pods of the newest template; what older ones do will end with them. */
function newest(pods: readonly KubeObject[]): KubeObject[] {
  const createdAt = ({ metadata }: KubeObject) => String(metadata.creationTimestamp ?? '');
  const templateOf = ({ metadata }: KubeObject) => metadata.labels?.['pod-template-hash'];
  const [youngest] = [...pods].sort((a, b) => createdAt(b).localeCompare(createdAt(a)));
  return pods.filter((pod) => youngest !== undefined && templateOf(pod) === templateOf(youngest));
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

function containerTrouble({ image, state, lastState }: ContainerStatus): string | undefined {
  const { reason, message } = state?.waiting ?? {};
  if (reason !== undefined && WITHOUT_IMAGE.test(reason) && image) {
    return `image ${image} cannot be pulled (${reason}${message ? `: ${message}` : ''})`;
  }
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

/** Why the API server takes no pods of a Deployment, in its words (Kubernetes, DeploymentConditionType `ReplicaFailure`). */
export function refusedPods(deployment: KubeObject | undefined): string | undefined {
  const { conditions = [] } = workloadStatus(deployment);
  return conditions.find(({ type, status }) => type === 'ReplicaFailure' && status === 'True')?.message || undefined;
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
