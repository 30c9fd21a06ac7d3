import type { Target } from '../../flows/flow.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { leadToNamesakes, maybeNamesakes, tellApart } from '../../mesh/peers/namesakes.ts';
import { grantFor, maybeSilent, mayLeadTo } from '../../mesh/peers/silent-peers.ts';
import { unreachableCluster } from '../../mesh/status/mesh-status.ts';
import { withReachableAddresses } from '../../snapshot/nodes.ts';
import { readForParting } from '../../snapshot/read-for-parting.ts';
import { readSnapshot } from '../../snapshot/read-snapshot.ts';
import type { CommandContext } from '../command.ts';
import { isWithoutCilium } from './absent-cilium.ts';
import type { ClusterFlags } from './cluster-flags.ts';
import { isElsewhere, quietly, type SilentCluster } from './each-cluster.ts';
import { withFoundClusters } from './find-clusters.ts';

/** The clusters of a kubeconfig that are the peers of others. */
export interface PeerClusters {
  /** Cluster to context. */
  known: Map<string, string>;
  /** Contexts of which any may lead to a cluster that is not known: they did not answer. */
  silent: readonly Pick<SilentCluster, 'context' | 'error'>[];
  /** Of peers that are not known, why: several clusters may be it. */
  doubts: readonly MeshctlError[];
}

/** A peer, by its name, and the clusters that know it by that. */
export interface WantedPeer {
  name: string;
  knownBy: readonly ClusterSnapshot[];
}

/**
 * Finds the contexts that lead to peers of clusters, for who is to change something there: one that leads to another cluster of that
 * name, or may lead to one as nothing is there that tells, is left out with a warning.
 * @param read clusters that the run has read by contexts of this kubeconfig: what leads to one of another name is none of those that may lead to a peer
 */
export async function findPeerClusters(
  context: CommandContext,
  flags: ClusterFlags,
  wanted: readonly WantedPeer[],
  read: readonly ClusterSnapshot[] = [],
): Promise<PeerClusters> {
  if (wanted.length === 0) return NONE;
  const names = wanted.map(({ name }) => name);
  try {
    return await withFoundClusters(quietly(context), flags, { all: true }, async ({ answered, silent }) => {
      const named = answered.filter(({ cluster }) => cluster !== undefined && names.includes(cluster));
      const unread: Pick<SilentCluster, 'context' | 'error'>[] = [];
      const reading = named.map(async (target): Promise<Candidate[]> => {
        try {
          return [{ name: target.cluster ?? '', snapshot: await readCandidate(target) }];
        } catch (error) {
          context.signal.throwIfAborted();
          if (!(error instanceof MeshctlError)) throw error;
          unread.push({ context: target.client.context, error });
          return [];
        }
      });
      const candidates = (await Promise.all(reading)).flat();
      const found = wanted.map((peer) => [peer.name, theOne(context, peer, candidates)] as const);
      return {
        known: new Map(
          found.flatMap(([name, one]): [string, string][] => (typeof one === 'string' ? [[name, one]] : [])),
        ),
        // They answer: whether they are meant, the namespace that was given says.
        silent: mayLeadTo(names, [...silent.filter((one) => !isElsewhere(one)), ...unread], read),
        doubts: found.flatMap(([, one]) => (one instanceof MeshctlError ? [one] : [])),
      };
    });
  } catch (error) {
    if (isWithoutCilium(error)) return NONE;
    throw error;
  }
}

const NONE: PeerClusters = { known: new Map(), silent: [], doubts: [] };

interface Candidate {
  name: string;
  snapshot: ClusterSnapshot;
}

/** Its CA tells more than its peers do, and not everybody may read it. */
async function readCandidate({ client, namespace }: Target): Promise<ClusterSnapshot> {
  try {
    const snapshot = await readSnapshot(client, { namespace, purpose: 'certificates' });
    return await withReachableAddresses(client, snapshot);
  } catch (error) {
    if (!(error instanceof MeshctlError) || error.code !== 'Forbidden') throw error;
    return readForParting(client, namespace);
  }
}

/** The context of a peer, or why it cannot be told; undefined where none leads there. */
function theOne(
  context: CommandContext,
  { name, knownBy }: WantedPeer,
  all: readonly Candidate[],
): string | MeshctlError | undefined {
  const { peer, several, namesakes, doubtful } = tellApart(
    all.filter((candidate) => candidate.name === name),
    knownBy,
  );
  const contextsOf = (clusters: readonly { snapshot: ClusterSnapshot }[]) =>
    clusters.map(({ snapshot }) => snapshot.context);
  const quoted = (contexts: readonly string[]) => contexts.map((one) => `"${one}"`).join(', ');
  const knowers = knownBy.map((snapshot) => snapshot.context);
  if (several.length > 0) {
    const contexts = contextsOf(several);
    return new MeshctlError(
      'Usage',
      `contexts ${quoted(contexts)} lead to different clusters "${name}": which of them is the peer of context ${quoted(knowers)} cannot be told`,
      {
        hint: 'Give a kubeconfig without the contexts of other meshes (--kubeconfig).',
        details: { cluster: name, contexts },
      },
    );
  }
  if (!peer && namesakes.length > 0) {
    context.progress.warn(`${leadToNamesakes(contextsOf(namesakes), name, knowers)}: left as it is`);
  }
  if (!peer && doubtful.length > 0) {
    context.progress.warn(`${maybeNamesakes(contextsOf(doubtful), name, knowers)}, so it is left as it is`);
  }
  return peer?.snapshot.context;
}

/**
 * A peer that is to be changed too, and whose cluster may only be away for now, would go on dialling one that is gone.
 * @param names of the peers
 * @param hint what else can be done
 * @throws MeshctlError why the first silent context gave no answer; `Usage` where several clusters may be one
 */
export function requireAnswers(names: readonly string[], { known, silent, doubts }: PeerClusters, hint: string): void {
  const [doubt] = doubts;
  if (doubt) throw doubt;
  const unknown = names.filter((name) => !known.has(name));
  const [first] = silent;
  if (unknown.length === 0 || !first) return;
  const contexts = silent.map((one) => one.context);
  const unread = silent.map((one) => unreachableCluster(one.context, one.error));
  const grant = grantFor(unread);
  throw new MeshctlError(first.error.code, `${maybeSilent(unknown, unread)}: ${first.error.message}`, {
    cause: first.error,
    hint: grant === undefined ? `Retry once all contexts reply. ${hint}` : `${grant}. ${hint}`,
    details: { contexts },
  });
}
