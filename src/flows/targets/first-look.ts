import type { ClusterClient } from '../../kube/client.ts';
import { unlessForbidden } from '../../kube/unless-refused.ts';
import type { MeshRemains } from '../../mesh/cilium/cilium-missing.ts';
import { identityOf } from '../../mesh/cilium/identity.ts';
import type { CiliumNamespaces } from '../../mesh/cilium/namespaces.ts';
import { shellWord } from '../../mesh/command-line.ts';
import { type ErrorCode, MeshctlError } from '../../mesh/errors.ts';
import type { KubeObject, ObjectRef } from '../../mesh/objects/kube-object.ts';
import { CILIUM_CONFIG, configMapRef } from '../../mesh/objects/names.ts';
import { findMeshRemains } from '../../snapshot/mesh-remains.ts';
import { findCiliumNamespaces } from '../../snapshot/read-snapshot.ts';
import { rememberReads } from '../../snapshot/remember-reads.ts';
import type { Target } from '../flow.ts';

/** Where Cilium runs unless it was installed elsewhere. */
const USUAL_NAMESPACE = 'kube-system';

/** Where Cilium of a context is, as far as that is known before anything is read. */
export function expectedNamespace({ of, others }: CiliumNamespaces, context: string): string {
  return of.get(context) ?? others ?? USUAL_NAMESPACE;
}

/** By its UID clusters are told apart: it is as old as the cluster, and no other has it. */
const OLDEST_NAMESPACE: ObjectRef = { apiVersion: 'v1', kind: 'Namespace', name: 'kube-system' };

/** What is known of a cluster before anything is done with it. */
export interface FirstLook extends Target {
  /** Its name in the mesh; undefined where no Cilium was found. */
  cluster: string | undefined;
  /** Cilium's ConfigMap; undefined where no Cilium was found. */
  config?: KubeObject | undefined;
  /** The same for all contexts that lead to this cluster; undefined where it may not be read. */
  uid: string | undefined;
  /** Where Cilium is instead, where a namespace was given and it is not there; as far as that may be seen. */
  elsewhere?: readonly string[] | undefined;
  /** Cilium's agents are in the namespace, and its ConfigMap is not. */
  isConfigLost?: boolean | undefined;
  /** No Cilium was found, and something of a mesh. */
  remains?: MeshRemains | undefined;
  /** No Cilium was found, and nobody could look for its agents: why. */
  unseen?: MeshctlError | undefined;
}

/**
 * Finds Cilium's namespace, in kube-system first, and by what the cluster is told apart from others.
 * @param alone there are no others from which it must be told apart; of one without Cilium the command then says what it has
 * @throws MeshctlError what keeps the cluster from being asked, and `Usage` where Cilium is in several namespaces
 */
export async function lookAtCluster(client: ClusterClient, given: CiliumNamespaces, alone = false): Promise<FirstLook> {
  const [location, uid] = await Promise.all([locateCilium(client, given), alone ? undefined : uidOf(client)]);
  const { config } = location;
  const cluster = config && clusterNameIn(config);
  // A namespace can be given by the name of a cluster, which is known only once Cilium is found.
  const namespace = (cluster === undefined ? undefined : given.of.get(cluster)) ?? location.namespace;
  const look = { client, namespace, cluster, config, uid };
  if (namespace !== location.namespace) return { ...look, elsewhere: [location.namespace] };
  const isGiven = given.of.has(client.context) || given.others === namespace;
  if (config) return look;
  if (!isGiven) {
    const { hasAgents: isConfigLost, unseen } = location;
    const isGone = !isConfigLost && !unseen && !alone;
    return { ...look, isConfigLost, unseen, ...(isGone ? { remains: await findMeshRemains(client, namespace) } : {}) };
  }
  const found = await findCiliumNamespaces(client);
  if (found instanceof MeshctlError) return { ...look, unseen: found };
  if (found.includes(namespace)) return { ...look, isConfigLost: true };
  if (found.length > 0) return { ...look, elsewhere: found };
  return alone ? look : { ...look, remains: await findMeshRemains(client, namespace) };
}

/**
 * Whether two contexts lead to one cluster: by the UID of kube-system, where one of them may not read that by Cilium's
 * ConfigMap or the cluster's name in it, else by the server's address, which other clusters behind the same proxy may have too.
 */
export function isSameCluster(one: FirstLook, other: FirstLook): boolean {
  if (one.uid !== undefined && other.uid !== undefined) return one.uid === other.uid;
  const [config, otherConfig] = [one.config?.metadata.uid, other.config?.metadata.uid];
  if (config !== undefined && otherConfig !== undefined && one.namespace === other.namespace)
    return config === otherConfig;
  if (one.cluster !== undefined && other.cluster !== undefined && one.cluster !== other.cluster) return false;
  return one.client.server === other.client.server;
}

/** With which a server answers, or would, if another login were sent. */
const OF_THE_LOGIN: readonly ErrorCode[] = ['KubeconfigInvalid', 'Unauthenticated', 'Forbidden'];

/**
 * The cluster that a context leads to which cannot be asked, by the server's address: where that is of one cluster alone, and where
 * it answers all but this login. A proxy that has several clusters at one address tells of one that is down.
 * @param answered what was seen of each context that could be asked
 */
export function sameButForLogin(
  { server, error }: { server: string | undefined; error: MeshctlError },
  answered: readonly FirstLook[],
): FirstLook | undefined {
  if (!OF_THE_LOGIN.includes(error.code)) return undefined;
  const [first, ...others] = answered.filter(({ client }) => client.server === server);
  return first && others.every((other) => isSameCluster(first, other)) ? first : undefined;
}

/** A cluster for the one pass that follows the look at once: what that has read is not asked for again. */
export function asLooked({ client, namespace, config }: FirstLook): Target {
  return { client: rememberReads(client, config ? [config] : []), namespace };
}

interface Location {
  namespace: string;
  config: KubeObject | undefined;
  /** It was found by Cilium's agents. */
  hasAgents?: boolean;
  /** Why nobody could look for them. */
  unseen?: MeshctlError;
}

async function locateCilium(client: ClusterClient, { of, others }: CiliumNamespaces): Promise<Location> {
  const read = async (namespace: string): Promise<Location> => ({
    namespace,
    config: await client.get(configMapRef(namespace, CILIUM_CONFIG)),
  });
  const own = of.get(client.context);
  if (own !== undefined) return read(own);
  for (const [name, namespace] of of) {
    const found = await unlessForbidden(read(namespace));
    if (found?.config && clusterNameIn(found.config) === name) return found;
  }
  if (others !== undefined) return read(others);
  try {
    const usual = await read(USUAL_NAMESPACE);
    if (usual.config) return usual;
    const found = await locateByAgents(client, read);
    return found instanceof MeshctlError ? { ...usual, unseen: found } : (found ?? usual);
  } catch (error) {
    // Whoever has rights in Cilium's namespace alone.
    if (!(error instanceof MeshctlError) || error.code !== 'Forbidden') throw error;
    const found = await locateByAgents(client, read);
    if (found && !(found instanceof MeshctlError)) return found;
    throw error;
  }
}

/** The namespace of the DaemonSet of Cilium's agents; the refusal where nobody may look for it. */
async function locateByAgents(
  client: ClusterClient,
  read: (namespace: string) => Promise<Location>,
): Promise<Location | MeshctlError | undefined> {
  const namespaces = await findCiliumNamespaces(client);
  if (namespaces instanceof MeshctlError) return namespaces;
  const [namespace, ...more] = namespaces;
  if (namespace === undefined) return undefined;
  if (more.length === 0) return { ...(await read(namespace)), hasAgents: true };
  const { context } = client;
  throw new MeshctlError(
    'Usage',
    `context "${context}": Cilium is in several namespaces: ${[namespace, ...more].join(', ')}`,
    {
      hint: `Name one, in service commands with --cilium-namespace: -n ${shellWord(`${context}=${namespace}`)}`,
      details: { context, namespaces: [namespace, ...more] },
    },
  );
}

async function uidOf(client: ClusterClient): Promise<string | undefined> {
  return (await unlessForbidden(client.get(OLDEST_NAMESPACE)))?.metadata.uid;
}

function clusterNameIn({ data }: KubeObject): string {
  return identityOf((data ?? {}) as Record<string, string>).name;
}
