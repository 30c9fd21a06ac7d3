import { unlessForbidden } from '../../kube/unless-refused.ts';
import { ciliumMissing } from '../../mesh/cilium/cilium-missing.ts';
import {
  heededDistributions,
  INTERNAL_POLICY,
  ipFamilies,
  isOn,
  isTunnel,
  leftToKubeProxy,
  obeysInternalPolicyOption,
} from '../../mesh/cilium/datapath.ts';
import { identityOf } from '../../mesh/cilium/identity.ts';
import type { CiliumConfig } from '../../mesh/cilium/known-keys.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { keyOf, refOf } from '../../mesh/objects/kube-object.ts';
import { agentDaemonSetRef, apiserverDeploymentRef, CILIUM_CONFIG, configMapRef } from '../../mesh/objects/names.ts';
import { dataOf } from '../../mesh/objects/secret-data.ts';
import { isGlobalByDefault, mirrorsOthers } from '../../mesh/services/annotations.ts';
import type { ClusterServices } from '../../mesh/services/service-facts.ts';
import { keptFor } from '../../mesh/services/silence.ts';
import { readAgents } from '../../snapshot/agents.ts';
import type { Target } from '../flow.ts';
import type { Unanswered } from '../where-it-succeeds.ts';
import { soundlyNamed } from './misnamed-clusters.ts';

/** A cluster that takes part, with what its cilium-config says. */
export interface ServiceCluster extends Target {
  /** Its name in the mesh. */
  cluster: string;
  globalByDefault: boolean;
  /** Of its agents; undefined where they may not be read. */
  image: string | undefined;
  /** Whether its agents heed the internalTrafficPolicy of Services. */
  heedsInternalPolicy: boolean;
  /** What else it is set to, as far as its Services hang on it. */
  settings: Pick<
    ClusterServices,
    'podFamilies' | 'tunnels' | 'keptFor' | 'kubeProxyServes' | 'heedsDistributions' | 'mirrors'
  >;
}

/** Hears of a cluster that cannot be read, and is left out then. */
export type OnFailure = (context: string, error: MeshctlError) => void;

/**
 * The clusters of these contexts.
 * @param onFailure without it the error of a cluster that cannot be read is thrown
 * @throws MeshctlError `CiliumMissing` for a context without Cilium, `Incompatible` for two that are the same cluster
 */
export async function readServiceClusters(
  targets: readonly Target[],
  onFailure?: OnFailure,
): Promise<ServiceCluster[]> {
  const read = (
    await Promise.all(targets.map((target) => orNone(target, readServiceCluster(target), onFailure)))
  ).flat();
  const members = await soundlyNamed(read, onFailure);
  members.forEach((member, index) => {
    const twin = members.slice(0, index).find(({ cluster }) => cluster === member.cluster);
    if (!twin) return;
    throw new MeshctlError(
      'Incompatible',
      `contexts "${twin.client.context}" and "${member.client.context}" both are cluster "${member.cluster}"`,
      { hint: 'Name each cluster once; the clusters of a mesh have different names.' },
    );
  });
  return members;
}

/** Says of a cluster that could not be read what is not known by that, and why. @param says a clause */
export function unseenOf({ context, error: { message, hint } }: Unanswered, says: string): string {
  const words = `context "${context}": ${says}: ${message.replace(`context "${context}": `, '')}`;
  return hint === undefined ? words : `${words} → ${hint}`;
}

/** What was read of a cluster, or nothing where it cannot be, of which `onFailure` hears. */
export async function orNone<T>(
  { client }: Target,
  reading: Promise<T>,
  onFailure: OnFailure | undefined,
): Promise<T[]> {
  try {
    return [await reading];
  } catch (error) {
    if (!onFailure || !(error instanceof MeshctlError)) throw error;
    onFailure(client.context, error);
    return [];
  }
}

/** A cluster as its Services are read. @throws MeshctlError `CiliumMissing` */
export async function readServiceCluster(target: Target): Promise<ServiceCluster> {
  const { client, namespace } = target;
  const [config, agents] = await Promise.all([
    client.get(configMapRef(namespace, CILIUM_CONFIG)),
    unlessForbidden(readDaemonSet(target)),
  ]);
  if (!config) {
    const objects = new Map(agents ? [[keyOf(refOf(agents.daemonSet)), agents.daemonSet]] : []);
    throw ciliumMissing({ context: client.context, namespace, objects }, '--cilium-namespace');
  }
  const data = dataOf(config);
  const image = agents?.image;
  return {
    ...target,
    cluster: identityOf(data).name,
    globalByDefault: isGlobalByDefault(data, image),
    image,
    // Agents that may not be read are taken to heed it.
    heedsInternalPolicy: isOn(data, INTERNAL_POLICY, true) || image === undefined || !obeysInternalPolicyOption(image),
    settings: {
      podFamilies: ipFamilies(data),
      tunnels: isTunnel({ ciliumConfig: data }),
      keptFor: await readKeptFor(target, data, image),
      kubeProxyServes: leftToKubeProxy(data, image),
      heedsDistributions: heededDistributions(data, image),
      ...(mirrorsOthers(data) ? { mirrors: true } : {}),
    },
  };
}

async function readDaemonSet({ client, namespace }: Target) {
  const daemonSet = await client.get(agentDaemonSetRef(namespace));
  return daemonSet && { daemonSet, image: (await readAgents(client, namespace, daemonSet)).image };
}

/** {@link keptFor}; it is looked at what dials only where that is set at all. */
async function readKeptFor(
  { client, namespace }: Target,
  config: CiliumConfig,
  image: string | undefined,
): Promise<string | undefined> {
  if (keptFor(config, undefined, undefined) === undefined) return undefined;
  return keptFor(config, image, await unlessForbidden(client.get(apiserverDeploymentRef(namespace))));
}
