import { recordedIdentity } from '../apiserver/recorded-identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { kubectlCommand, meshctlCommand } from '../command-line.ts';
import { capital } from '../counted.ts';
import { MeshctlError } from '../errors.ts';
import { keyOf } from '../objects/kube-object.ts';
import { apiserverDeploymentRef, CILIUM_CONFIG } from '../objects/names.ts';
import { ciliumMissing } from './cilium-missing.ts';
import { checkClusterName, NAME_MAX_LENGTH } from './cluster-name.ts';
import type { CiliumConfig } from './known-keys.ts';
import { requireStateInCrds } from './kvstore.ts';
import { type AgentsPlace, restartAgents, saysAtOnce } from './restart-agents.ts';
import { markedIdRefusal, marksByInterface, UNMARKED_IDS, WITHOUT_ZTUNNEL, ztunnelRefusal } from './start-refusals.ts';

/** What identifies a cluster in a mesh: ConfigMap cilium-config's `cluster-name`, `cluster-id`, `max-connected-clusters`. */
export interface ClusterIdentity {
  name: string;
  id: number;
  /** How many clusters the mesh can have, which fixes the id range: 255 or 511. All members must agree. */
  maxConnectedClusters: number;
}

const DEFAULT_MAX_CONNECTED_CLUSTERS = 255;

/** Why a cluster id cannot be used in a mesh; undefined when it can. */
export function checkClusterId(id: number, maxConnectedClusters: number): string | undefined {
  if (!Number.isInteger(id)) return 'it is not a whole number';
  if (id === 0) return 'the id is 0, which means that none was given';
  if (id < 1 || id > maxConnectedClusters) return `ids go from 1 to ${maxConnectedClusters} (max-connected-clusters)`;
  return undefined;
}

/** Why a value of max-connected-clusters cannot be; undefined when it can. Cilium knows two layouts of the identity. */
function checkMaxConnectedClusters(max: number): string | undefined {
  return max === 255 || max === 511 ? undefined : 'max-connected-clusters is 255 or 511';
}

/** The identity as cilium-config states it, with Cilium's defaults for absent keys; not checked. */
export function identityOf(ciliumConfig: CiliumConfig): ClusterIdentity {
  return {
    name: ciliumConfig['cluster-name'] ?? 'default',
    id: wholeNumber(ciliumConfig['cluster-id'] ?? '0'),
    maxConnectedClusters: wholeNumber(ciliumConfig['max-connected-clusters'] ?? String(DEFAULT_MAX_CONNECTED_CLUSTERS)),
  };
}

/**
 * Digits and nothing else: agents trim what a ConfigMap has (Cilium's pkg/option, ReadDirConfig), the clustermesh-apiserver gets
 * it from its environment as it is, and does not start with a blank in it.
 */
function wholeNumber(text: string): number {
  return /^\d*$/.test(text) ? Number(text) : Number.NaN;
}

/** The name of a cluster as its cilium-config has it. */
export function clusterNameOf({ ciliumConfig }: Pick<ClusterSnapshot, 'ciliumConfig'>): string {
  return identityOf(ciliumConfig ?? {}).name;
}

/**
 * Refuses a cluster without Cilium.
 * @returns its cilium-config
 * @throws MeshctlError `CiliumMissing`
 */
export function requireCilium(snapshot: ClusterSnapshot): CiliumConfig {
  const { ciliumConfig, agent } = snapshot;
  if (ciliumConfig && agent) return ciliumConfig;
  throw ciliumMissing(snapshot);
}

/**
 * The command line that restarts everything which reads name and id only at its start: agents, operator, and where there
 * is one the clustermesh-apiserver, whose certificates and users are named for the cluster: `enable` sees to both.
 */
export function restartCommand({
  context,
  namespace,
  objects,
}: Pick<ClusterSnapshot, 'context' | 'namespace' | 'objects'>): string {
  const restart = restartAgentsCommand({ context, namespace, objects });
  if (!objects.has(keyOf(apiserverDeploymentRef(namespace)))) return restart;
  return `${restart} && ${meshctlCommand('clustermesh enable', { context })}`;
}

/** The command line that restarts the agents and the operator, which know the name and the id with which they were started. */
export function restartAgentsCommand(place: AgentsPlace): string {
  return restartAgents(place, ['deployment/cilium-operator']);
}

/** Whether name and id can be used in a mesh. */
export function isUsable(ciliumConfig: CiliumConfig = {}): boolean {
  const { name, id, maxConnectedClusters } = identityOf(ciliumConfig);
  return checkClusterName(name) === undefined && checkClusterId(id, maxConnectedClusters) === undefined;
}

type Recorded = ReturnType<typeof recordedIdentity>;

/**
 * How cilium-config gets back the name and the id with which the cluster was set up: a sentence that ends with its command.
 * Undefined where it has them, or nothing tells them.
 * @param former as far as more is known of it than the cluster itself tells
 */
export function wayBack(
  snapshot: Pick<ClusterSnapshot, 'context' | 'namespace' | 'ciliumConfig' | 'objects' | 'tlsSecrets'>,
  former: Recorded = recordedIdentity(snapshot),
): string | undefined {
  const { context, namespace, ciliumConfig = {} } = snapshot;
  const now = identityOf(ciliumConfig);
  const name = former.name !== now.name && checkClusterName(former.name ?? '') === undefined ? former.name : undefined;
  const id = former.id === now.id ? undefined : former.id;
  if (name === undefined && id === undefined) return undefined;
  const data = {
    ...(name === undefined ? {} : { 'cluster-name': name }),
    ...(id === undefined ? {} : { 'cluster-id': String(id) }),
  };
  const what = [...(name === undefined ? [] : [`the name "${name}"`]), ...(id === undefined ? [] : [`the id ${id}`])];
  return `Restore ${what.join(' and ')}, with which it was set up: ${configureCommand({ context, namespace }, data)}`;
}

/** The command line that sets keys of a cluster's cilium-config. */
export function configureCommand(place: { context: string; namespace: string }, settings: CiliumConfig): string {
  const { context, namespace } = place;
  const patch = JSON.stringify({ data: settings });
  return kubectlCommand({ context, namespace }, [
    'patch',
    'configmap',
    CILIUM_CONFIG,
    '--type',
    'merge',
    '--patch',
    patch,
  ]);
}

/**
 * The identity of a cluster that can join a mesh.
 * @throws MeshctlError `CiliumMissing` without Cilium, `ClusterIdentity` for a name, id or mode that cannot be meshed, and where
 *   agents would not start.
 */
export function requireIdentity(snapshot: ClusterSnapshot): ClusterIdentity {
  const { context, namespace } = snapshot;
  const ciliumConfig = requireCilium(snapshot);
  const identity = identityOf(ciliumConfig);
  const where = `ConfigMap ${namespace}/cilium-config`;
  const refuse = (what: string, reason: string, key: string, example: string): never => {
    const anew = `Set ${key} in ${where} (Helm: --set ${example}) and restart what reads it only at its start${saysAtOnce(snapshot)}: ${restartCommand(snapshot)}`;
    throw new MeshctlError('ClusterIdentity', `context "${context}": ${what} cannot be used in a mesh: ${reason}`, {
      hint: (key === 'max-connected-clusters' ? undefined : wayBack(snapshot)) ?? anew,
      details: { context, object: where, key },
    });
  };

  // Before any advice to set an id: with one, no agent would start any more.
  const ztunnel = ztunnelRefusal(snapshot);
  if (ztunnel) {
    const { reason, key, check } = ztunnel;
    throw new MeshctlError('ClusterIdentity', `context "${context}": ${reason}`, {
      hint: capital(WITHOUT_ZTUNNEL),
      details: { context, object: where, key, check },
    });
  }
  requireStateInCrds(snapshot);
  const badMax = checkMaxConnectedClusters(identity.maxConnectedClusters);
  if (badMax) {
    const value = ciliumConfig['max-connected-clusters'];
    refuse(`max-connected-clusters ${value}`, badMax, 'max-connected-clusters', 'clustermesh.maxConnectedClusters=255');
  }
  const badName = checkClusterName(identity.name);
  if (badName) refuse(`cluster name "${identity.name}"`, badName, 'cluster-name', `cluster.name=${nameLike(context)}`);
  const badId = checkClusterId(identity.id, identity.maxConnectedClusters);
  const ids = marksByInterface(ciliumConfig) ? UNMARKED_IDS : `an ID from 1 to ${identity.maxConnectedClusters}`;
  const anyId = `cluster.id=ID, with ${ids} that no other cluster has`;
  if (badId) refuse(`cluster id ${shownId(ciliumConfig)}`, badId, 'cluster-id', anyId);
  const marked = markedIdRefusal(ciliumConfig, identity.id);
  if (marked) {
    const says = `context "${context}": ${marked.reason}`;
    const anew = `Set cluster-id in ${where} (Helm: --set ${anyId}) and restart what reads it only at its start${saysAtOnce(snapshot)}: ${restartCommand(snapshot)}`;
    throw new MeshctlError('ClusterIdentity', says, {
      hint: wayBack(snapshot) ?? anew,
      details: { context, object: where, key: marked.key, check: marked.check },
    });
  }
  return identity;
}

/** The id as cilium-config has it, in quotes where blanks in it would not be seen. */
export function shownId({ 'cluster-id': id = '0' }: CiliumConfig): string {
  return /^\d+$/.test(id) ? id : JSON.stringify(id);
}

/** A name for an example, which is no other cluster's: made of that of the context. */
function nameLike(context: string): string {
  const name = context
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(-NAME_MAX_LENGTH)
    .replace(/^-+|-+$/g, '');
  return checkClusterName(name) === undefined ? name : 'NAME';
}
