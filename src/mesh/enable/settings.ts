import {
  CONTAINERS,
  type ContainerResources,
  type EtcdStorage,
  etcdStorageOf,
  imageOf,
  pullSecretsOf,
  replicasOf,
  resourcesOf,
  tolerationsOf,
} from '../apiserver/deployment.ts';
import { apiserverDeployment, apiserverService } from '../apiserver/live.ts';
import { lackOfService } from '../apiserver/service-lack.ts';
import { bundleBeside, type CaBundle } from '../certificates/ca-bundle.ts';
import { canonicalIp } from '../cilium/cidr.ts';
import type { ClusterIdentity } from '../cilium/identity.ts';
import { type CiliumVersion, parseImage } from '../cilium/versions/versions.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand } from '../command-line.ts';
import { MeshctlError } from '../errors.ts';
import { helmEntry } from '../objects/helm-fields.ts';
import { describeRef, type KubeObject, keyOf, type ObjectRef } from '../objects/kube-object.ts';
import {
  AGENT_PEERS_SECRET,
  APISERVER,
  apiserverDeploymentRef,
  apiserverServiceRef,
  configMapRef,
  KVSTOREMESH_PEERS_SECRET,
  REMOTE_USERS_CONFIGMAP,
  SERVER_CERT_SECRET,
  secretRef,
} from '../objects/names.ts';
import { secretTexts } from '../objects/secret-data.ts';
import { serviceSpec } from '../objects/service.ts';
import { isSameToleration, type Toleration } from '../objects/taints.ts';
import { addressesIn } from '../peers/file/peer-file.ts';
import { knownPeers, kvstoremeshDials } from '../peers/peers.ts';
import { FIELD_MANAGER } from '../plan/plan.ts';
import { defaultNodePort } from './exposure/node-port.ts';
import {
  detectServiceExposure,
  idleChoices,
  type ServiceChoices,
  type ServiceExposure,
  type ServiceOptions,
  type ServiceType,
  withChosenAnnotations,
} from './exposure/service-type.ts';
import { isDigestFor } from './kept-image.ts';
import { notedExposure, withLostChoices } from './kept-service.ts';
import { flagOf, type OptionPlace, optionName } from './option-name.ts';

/** What the objects of a clustermesh-apiserver depend on, beside its Service's type. */
export interface ApiserverSettings extends ServiceOptions {
  replicas: number;
  kvstoremesh: boolean;
  /** Requests and limits by container; absent containers have none. */
  resources?: ContainerResources | undefined;
  /** Names of Secrets with credentials for the image's registry. */
  pullSecrets?: readonly string[] | undefined;
  /** Taints of nodes that may have its pods all the same; what is chosen is added, and none takes all away. */
  tolerations?: readonly Toleration[] | undefined;
  /** Where etcd keeps its data; default `disk`, the node's. */
  etcdStorage?: EtcdStorage | undefined;
  podDisruptionBudget?: boolean | undefined;
  serviceMonitor?: boolean | undefined;
}

type Optional<T> = { [K in keyof T]?: T[K] | undefined };

/**
 * What the operator may choose; absent means: as it is in the cluster, else the default. In a file, that is to be mended where they
 * cannot be, and no flag would do it.
 */
export interface EnableChoices extends Optional<ApiserverSettings>, ServiceChoices, OptionPlace {}

/** The choices as they come out for one cluster. */
export interface EnableSettings extends ApiserverSettings {
  exposure: ServiceExposure;
  /** By which its programs verify, where that is not the file beside their certificates. */
  caBundle?: CaBundle | undefined;
}

/**
 * Choices, then what is in the cluster, then defaults: a run without flags never turns back what an earlier run with flags
 * made, and never moves a Service that peers already dial.
 * @param given by this run
 * @throws MeshctlError `Usage` for a node port that another Service has
 */
export function settleEnable(
  snapshot: ClusterSnapshot,
  identity: ClusterIdentity,
  given: EnableChoices,
): EnableSettings {
  const { namespace } = snapshot;
  const choices = withLostChoices(snapshot, given);
  const deployment = apiserverDeployment(snapshot);
  const service = serviceSpec(apiserverService(snapshot));
  const typeFrom = given.serviceType ? optionName('serviceType', given) : 'chosen for the Service that is missing now';
  const exposure = settleExposure(snapshot, choices, typeFrom);
  requireServiceChoices(snapshot, exposure, choices);
  const isThere = (kind: string, apiVersion: string) =>
    snapshot.objects.has(keyOf({ apiVersion, kind, namespace, name: APISERVER } satisfies ObjectRef));
  return {
    exposure,
    caBundle: bundleBeside(snapshot, SERVER_CERT_SECRET),
    ...(exposure.type === 'NodePort' ? { nodePort: settleNodePort(snapshot, identity, choices) } : {}),
    loadBalancerClass: choices.loadBalancerClass ?? service.loadBalancerClass,
    // As the Service has it written, where that is the very address.
    loadBalancerIp: isOther(choices.loadBalancerIp, service.loadBalancerIP)
      ? choices.loadBalancerIp
      : service.loadBalancerIP,
    loadBalancerSourceRanges: choices.loadBalancerSourceRanges ?? service.loadBalancerSourceRanges,
    externalTrafficPolicy: choices.externalTrafficPolicy ?? service.externalTrafficPolicy,
    replicas: choices.replicas ?? replicasOf(deployment) ?? 1,
    kvstoremesh: choices.kvstoremesh ?? kvstoremeshDials(snapshot) ?? true,
    resources: mergeResources(resourcesOf(deployment), choices.resources),
    pullSecrets: choices.pullSecrets ?? pullSecretsOf(deployment),
    tolerations: mergeTolerations(tolerationsOf(deployment), choices.tolerations),
    etcdStorage: choices.etcdStorage ?? etcdStorageOf(deployment),
    podDisruptionBudget: choices.podDisruptionBudget ?? isThere('PodDisruptionBudget', 'policy/v1'),
    serviceMonitor: choices.serviceMonitor ?? isThere('ServiceMonitor', 'monitoring.coreos.com/v1'),
  };
}

function isOther(asked: string | undefined, live = ''): boolean {
  return asked !== undefined && canonicalIp(asked) !== canonicalIp(live);
}

/**
 * That nothing tells any more what was chosen of a Deployment that is lost, as a clause: it is made anew as it would come out if
 * nobody chose. Undefined where there is one, or there never was, as where the first enable was interrupted, which makes it last; and
 * where all is chosen anew.
 * @param chosen by this run
 */
export function lostChoices(
  snapshot: ClusterSnapshot,
  chosen: Partial<Record<keyof typeof RECORDED_AT_DEPLOYMENT, unknown>>,
): string | undefined {
  const { objects, namespace } = snapshot;
  const has = (ref: ObjectRef) => objects.has(keyOf(ref));
  const left = [apiserverServiceRef(namespace), secretRef(namespace, SERVER_CERT_SECRET)];
  const wasComplete = has(configMapRef(namespace, REMOTE_USERS_CONFIGMAP)) || knownPeers(snapshot).length > 0;
  const isLost = left.every(has) && wasComplete && !apiserverDeployment(snapshot);
  const lost = Object.entries(RECORDED_AT_DEPLOYMENT).filter(
    ([name]) => chosen[name as keyof typeof chosen] === undefined,
  );
  if (!isLost || lost.length === 0) return undefined;
  const deployment = describeRef(apiserverDeploymentRef(namespace));
  return `${deployment} is missing, and nothing else tells what was chosen of ${lost.map(([, what]) => what).join(', ')}: what was has to be chosen again`;
}

/** What nothing but the Deployment tells, in words. */
const RECORDED_AT_DEPLOYMENT = {
  replicas: 'replicas',
  resources: 'resources',
  tolerations: 'tolerations',
  image: 'the image',
  pullSecrets: 'pull secrets',
  etcdStorage: 'where etcd keeps its data',
  settings: 'fields that were set',
} as const;

/**
 * Refuses what the type of the Service leaves no room for. The class of a load balancer can be chosen only when a Service
 * becomes one (Kubernetes' API reference, ServiceSpec: "Once set, it can not be changed").
 * @throws MeshctlError `Usage`, with the way there
 */
function requireServiceChoices(snapshot: ClusterSnapshot, { type }: ServiceExposure, choices: EnableChoices): void {
  const { context } = snapshot;
  const enable = (...words: string[]) => meshctlCommand('clustermesh enable', { context }, words);
  const refuse = (message: string, hint: string) =>
    new MeshctlError('Usage', `context "${context}": ${message}`, { hint, details: { context } });
  const idle = idleChoices(type).find(([field]) => choices[field] !== undefined);
  if (idle) {
    const [field, of] = idle;
    const name = optionName(field, choices);
    throw refuse(
      `${name} is for Services of type ${of}, and this one is of type ${type}`,
      choices.inFile
        ? `In the file, leave ${field} out for this cluster, or say its serviceType: with ${type}, one of the defaults does not hold for it; with ${of}, its type is changed.`
        : `To change the type: ${enable('--service-type', of, flagOf(field), String(choices[field]))}`,
    );
  }
  const live = serviceSpec(apiserverService(snapshot));
  const { loadBalancerClass: asked } = choices;
  if (asked === undefined || live.type !== 'LoadBalancer' || live.loadBalancerClass === asked) return;
  const steps = [
    enable('--service-type', 'NodePort'),
    enable('--service-type', 'LoadBalancer', '--load-balancer-class', asked),
  ];
  throw refuse(
    `the class of a load balancer cannot be changed (it is ${live.loadBalancerClass ?? "the cluster's default"})`,
    `Change the type and back, which gives up its address, so that peers have to be reconnected: ${steps.join(' && ')}`,
  );
}

/**
 * The clustermesh-apiserver's image: as chosen, else the one that runs if it is of the agents' version (it may be pinned
 * or mirrored), else the one beside the agents'.
 * @param derived the image beside the agents'; @param version of the agents, as far as it is known
 */
export function settleImage(
  snapshot: ClusterSnapshot,
  chosen: string | undefined,
  derived: string,
  version: CiliumVersion | undefined,
): string {
  const live = imageOf(apiserverDeployment(snapshot));
  if (chosen !== undefined) return chosen;
  const stays =
    live !== undefined && (parseImage(live).tag === parseImage(derived).tag || isDigestFor(snapshot, version));
  return stays ? live : derived;
}

function settleExposure(snapshot: ClusterSnapshot, choices: EnableChoices, typeFrom: string): ServiceExposure {
  const live = apiserverService(snapshot);
  const { type: keptType } = serviceSpec(live);
  const lack = lackOfService(snapshot, live);
  if (lack && keptType !== 'ExternalName') {
    const { context, namespace } = snapshot;
    const object = `Service ${namespace}/${APISERVER}`;
    const says = `context "${context}": the ${object} is ${lack.is}, which cannot be changed, so peers have no address to dial`;
    throw new MeshctlError('Conflict', says, { hint: lack.hint, details: { context, object } });
  }
  // An ExternalName was never meant for it.
  const liveType: ServiceType | undefined = keptType === 'ExternalName' ? undefined : keptType;
  const detected = detectServiceExposure(snapshot, choices);
  const base: ServiceExposure =
    choices.serviceType && choices.serviceType !== liveType
      ? {
          type: choices.serviceType,
          // The cloud's annotations keep a load balancer private however its type was chosen.
          annotations: choices.serviceType === 'LoadBalancer' ? detected.annotations : {},
          evidence: [typeFrom],
        }
      : live && liveType
        ? { type: liveType, annotations: ownAnnotations(live), evidence: ['the Service exists with this type'] }
        : detected;
  return withChosenAnnotations(base, choices.serviceAnnotations, choices);
}

/** Annotations to go on applying: those that an earlier run set and still belong to meshctl, or to Helm by now. Its own notes are made anew. */
function ownAnnotations(live: KubeObject): Readonly<Record<string, string>> {
  const { managedFields = [] } = live.metadata;
  const applied = managedFields.find(({ manager, operation }) => manager === FIELD_MANAGER && operation === 'Apply');
  const names = [applied, helmEntry(live)].flatMap((entry) => {
    const fields = (entry?.fieldsV1?.['f:metadata'] as Record<string, Record<string, unknown>> | undefined)?.[
      'f:annotations'
    ];
    return Object.keys(fields ?? {}).map((field) => field.replace(/^f:/, ''));
  });
  const present = live.metadata.annotations ?? {};
  const isChoice = (name: string) => present[name] !== undefined && !/^(meshctl\.io|meta\.helm\.sh)\//.test(name);
  return Object.fromEntries(names.filter(isChoice).map((name) => [name, present[name] ?? '']));
}

function settleNodePort(snapshot: ClusterSnapshot, identity: ClusterIdentity, choices: EnableChoices): number {
  const live = serviceSpec(apiserverService(snapshot));
  const livePort = live.type === 'NodePort' ? live.ports?.[0]?.nodePort : undefined;
  const used = snapshot.usedNodePorts ?? [];
  if (choices.nodePort !== undefined && used.includes(choices.nodePort)) {
    throw new MeshctlError(
      'Usage',
      `context "${snapshot.context}": another Service has the node port ${choices.nodePort}`,
      {
        hint: choices.inFile
          ? 'In the file, choose another nodePort for this cluster, or leave it out to get one that is free.'
          : 'Choose another one with --node-port, or leave the flag out to get one that is free.',
      },
    );
  }
  const { nodePort: noted } = notedExposure(snapshot);
  const taken = new Set([...used, ...peerPorts(snapshot)]);
  // Somebody may have made it of another type, which has none.
  const formerPort = noted !== undefined && taken.has(noted) ? undefined : noted;
  const free = () => defaultNodePort(identity.id, taken);
  return choices.nodePort ?? livePort ?? formerPort ?? free();
}

/**
 * The ports at which this cluster dials its peers. With kube-proxy replacement a node port of one's own that is the same
 * leads back to oneself (cilium/cilium#24692).
 */
export function peerPorts({ objects, namespace }: ClusterSnapshot): number[] {
  const files = [KVSTOREMESH_PEERS_SECRET, AGENT_PEERS_SECRET].flatMap((name) =>
    Object.values(secretTexts(objects.get(keyOf(secretRef(namespace, name))))),
  );
  return files.flatMap(addressesIn).map((address) => Number(address.slice(address.lastIndexOf(':') + 1)));
}

function mergeTolerations(
  live: readonly Toleration[] = [],
  chosen: readonly Toleration[] = live,
): readonly Toleration[] | undefined {
  if (chosen.length === 0) return undefined;
  const added = chosen.filter((one) => !live.some((other) => isSameToleration(one, other)));
  return [...live, ...added];
}

function mergeResources(
  live: ContainerResources,
  chosen: ContainerResources | undefined,
): ContainerResources | undefined {
  const merged = { ...live, ...chosen };
  return CONTAINERS.some((name) => merged[name] !== undefined) ? merged : undefined;
}
