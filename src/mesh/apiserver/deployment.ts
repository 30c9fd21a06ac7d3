import { type CommandPlace, kubectlCommand } from '../command-line.ts';
import { keptSettingsOf, takeBackCommand } from '../enable/kept-settings.ts';
import type { KubeObject } from '../objects/kube-object.ts';
import { APISERVER, KVSTOREMESH_CONTAINER } from '../objects/names.ts';
import type { Toleration } from '../objects/taints.ts';
import {
  type Container,
  type ResourceRequirements,
  templateSpec,
  workloadSpec,
  workloadStatus,
} from '../objects/workload.ts';

/** The containers of the clustermesh-apiserver's pods. */
export const CONTAINERS = ['etcd', 'apiserver', 'kvstoremesh'] as const;
/** What only KVStoreMesh mounts, and what only is there for etcd users of peers (Cilium's chart, as the template here). */
const KVSTOREMESH_VOLUME = 'kvstoremesh-secrets';
const USERS_VOLUME = 'etcd-users-config';
export type ContainerName = (typeof CONTAINERS)[number];
export type ContainerResources = Readonly<Partial<Record<ContainerName, ResourceRequirements>>>;

/** Where etcd keeps its data: on the node's disk, or in its memory, which counts against the container's limit. */
export type EtcdStorage = 'disk' | 'memory';

/**
 * Whether the clustermesh-apiserver is to run KVStoreMesh: a Deployment that mounts its Secrets and has lost its container
 * was not switched off. Undefined when there is no Deployment to tell.
 */
export function runsKvstoremesh(deployment: KubeObject | undefined): boolean | undefined {
  const isMounted = mounts(deployment, KVSTOREMESH_VOLUME);
  return containersOf(deployment)?.some(({ name }) => name === KVSTOREMESH_CONTAINER || isMounted);
}

/** Whether it makes an etcd user per peer (Cilium's authMode other than `legacy`). */
export function makesRemoteUsers(deployment: KubeObject | undefined): boolean {
  const flag = '--cluster-users-enabled';
  const containers = containersOf(deployment);
  // Without the container that would say so, what is mounted for it does.
  if (containers && !containers.some(({ name }) => name === 'apiserver')) return mounts(deployment, USERS_VOLUME);
  return containers?.some(({ args }) => args?.some((arg) => arg.startsWith(flag))) ?? false;
}

/** The replicas asked for; undefined when there is no Deployment to tell. */
export function replicasOf(deployment: KubeObject | undefined): number | undefined {
  return deployment && (workloadSpec(deployment).replicas ?? 1);
}

/** How many replicas serve now. */
export function availableReplicasOf(deployment: KubeObject): number {
  return workloadStatus(deployment).availableReplicas ?? 0;
}

/**
 * The command line that brings it back from 0 replicas, whoever scaled it down: what an operator has `--set` to 0 would
 * come again with the next enable.
 */
export function scaleUpCommand(place: CommandPlace & { context: string }, deployment: KubeObject | undefined): string {
  const isSet = keptSettingsOf(deployment).some(([path, value]) => path === REPLICAS && value === 0);
  const takeBack = isSet && deployment ? takeBackCommand(place.context, deployment, REPLICAS) : undefined;
  return takeBack ?? kubectlCommand(place, ['scale', `deployment/${APISERVER}`, '--replicas=1']);
}

/** What to say of a Deployment of 0 replicas, with the command that brings it back; undefined where it is not at 0. */
export function servesNobody(place: CommandPlace & { context: string }, deployment: KubeObject | undefined) {
  if (replicasOf(deployment) !== 0) return undefined;
  return `the clustermesh-apiserver has 0 replicas, so this cluster serves no peer: ${scaleUpCommand(place, deployment)}`;
}

const REPLICAS = 'spec.replicas';

/** The `--max-connected-clusters` that it runs with; undefined where nothing tells. */
export function sizeOf(deployment: KubeObject | undefined): number | undefined {
  const args = containersOf(deployment)?.flatMap((container) => container.args ?? []) ?? [];
  const [, size] = args.flatMap((arg) => /^--max-connected-clusters=(\d+)$/.exec(arg) ?? []);
  return size === undefined ? undefined : Number(size);
}

/** The `--clustermesh-cache-ttl` that its KVStoreMesh runs with; undefined where it has none, as before Cilium 1.19. */
export function cacheTtlOf(deployment: KubeObject | undefined): string | undefined {
  const args = containersOf(deployment)?.flatMap((container) => container.args ?? []) ?? [];
  return args.flatMap((arg) => /^--clustermesh-cache-ttl=(.*)$/.exec(arg)?.[1] ?? [])[0];
}

/** The image that it runs; undefined when there is no Deployment to tell. */
export function imageOf(deployment: KubeObject | undefined): string | undefined {
  return containerOf(deployment, 'apiserver')?.image;
}

/** The image and the program of a container; undefined where there is none. */
export function containerOf(
  deployment: KubeObject | undefined,
  name: ContainerName,
): Pick<Container, 'image' | 'command'> | undefined {
  return containersOf(deployment)?.find((container) => container.name === name);
}

/** Requests and limits of the containers that have some. */
export function resourcesOf(deployment: KubeObject | undefined): ContainerResources {
  const known = containersOf(deployment)?.filter(({ resources }) => Object.keys(resources ?? {}).length > 0) ?? [];
  return Object.fromEntries(known.map(({ name, resources }) => [name, resources]));
}

/** Names of the Secrets with which its image is pulled; undefined when there are none. */
export function pullSecretsOf(deployment: KubeObject | undefined): string[] | undefined {
  return templateSpec(deployment).imagePullSecrets?.map(({ name }) => name);
}

/** What its pods tolerate; undefined when that is nothing. */
export function tolerationsOf(deployment: KubeObject | undefined): readonly Toleration[] | undefined {
  const { tolerations = [] } = templateSpec(deployment);
  return tolerations.length > 0 ? tolerations : undefined;
}

/** Where its etcd keeps its data; undefined when there is no Deployment to tell. */
export function etcdStorageOf(deployment: KubeObject | undefined): EtcdStorage | undefined {
  const volume = templateSpec(deployment).volumes?.find(({ name }) => name === 'etcd-data-dir');
  return volume && (volume.emptyDir?.medium === 'Memory' ? 'memory' : 'disk');
}

/**
 * Whether a rollout is done: all replicas are of the newest template and available, and there are no others. Without any
 * replica nobody is served, so that is not done.
 */
export function isRolledOut(deployment: KubeObject): boolean {
  const wanted = replicasOf(deployment) ?? 1;
  const {
    observedGeneration = 0,
    replicas = 0,
    updatedReplicas = 0,
    availableReplicas = 0,
  } = workloadStatus(deployment);
  const seen = observedGeneration >= (deployment.metadata.generation ?? 0);
  return wanted > 0 && seen && updatedReplicas >= wanted && availableReplicas >= wanted && replicas <= wanted;
}

function mounts(deployment: KubeObject | undefined, volume: string): boolean {
  return templateSpec(deployment).volumes?.some(({ name }) => name === volume) ?? false;
}

function containersOf(deployment: KubeObject | undefined): Container[] | undefined {
  return templateSpec(deployment).containers;
}
