import { outdatedIdentity, settleIdentity } from '../apiserver/pod-marks.ts';
import { recordedIdentity } from '../apiserver/recorded-identity.ts';
import { type AgentIdentity, withAgentsRestarted } from '../cilium/agent-identity.ts';
import {
  clusterNameOf,
  configureCommand,
  identityOf,
  requireIdentity,
  restartCommand,
  wayBack,
} from '../cilium/identity.ts';
import type { CiliumConfigKey } from '../cilium/known-keys.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { connectCommand, ownedElsewhere } from '../command-line.ts';
import { forget } from '../connect/disconnect/dead-cluster.ts';
import { firstOf } from '../counted.ts';
import { MeshctlError } from '../errors.ts';
import { groupBy, pairsOf } from '../pairs.ts';
import { knownAs } from '../peers/concerned-peers.ts';
import { isDialledAt } from '../peers/namesakes.ts';
import { configuredPeers, knownPeers, kvstoremeshDials } from '../peers/peers.ts';
import { peersOutside } from '../peers/peers-outside.ts';
import { renamedPeers, takeUpCommand } from '../peers/renamed-peers.ts';
import {
  besideOthers,
  type Check,
  type CheckInput,
  type Finding,
  listed,
  type Subject,
  theCluster,
  whyAlone,
} from './shared/check.ts';
import { configOf, othersKnown, peersNotCompared } from './shared/subjects.ts';

/** The checks that find a cluster with another name than its certificates, users and files are made for. */
export const IDENTITY_OF_CLUSTERS = ['cluster-identity', 'cluster-name-unique', 'identity-running'] as const;

/**
 * How a cluster gets a value of its own that only the operator knows. Of all that are alike one may keep what it has.
 * @param clusters those that are judged, some of which may dial one of them
 */
function ownValue(
  alike: readonly ClusterSnapshot[],
  clusters: readonly ClusterSnapshot[],
  { key, helm, value }: { key: CiliumConfigKey } & Record<'helm' | 'value', string>,
): string {
  // One that is dialled by that name would be lost to its peers, and one that has peers may be, by some that are not judged.
  const undialled = alike.filter((one) => !clusters.some((other) => isDialledAt(other, knownAs(one), one)));
  const alone = undialled.filter((one) => knownPeers(one).length === 0);
  const cluster = alone.at(-1) ?? undialled.at(-1) ?? alike.at(-1);
  const needs = `Each cluster needs its own ${key} in ConfigMap cilium-config (Helm: --set ${helm}=${value})`;
  if (!cluster) return needs;
  const theirs = ownedElsewhere(cluster.context);
  if (theirs !== undefined) return `${needs}; have the owner of "${theirs}" see to it and start over.`;
  return `${needs}: ${configureCommand(cluster, { [key]: value })} && ${restartCommand(cluster)}`;
}

/** Names, ids and ranges: what tells the clusters of a mesh apart. Those already connected count too. */
export const IDENTITY_CHECKS: readonly Check[] = [
  {
    id: 'cluster-identity',
    category: 'identity',
    title: 'each cluster has a name and an id that can be used in a mesh',
    subject: theCluster,
    run: ({ clusters }) => clusters.flatMap(unusableIdentity),
    says: ({ args }) => String(args.reason),
  },
  {
    id: 'cluster-name-unique',
    category: 'identity',
    title: 'cluster names are unique',
    needs: ['cluster-identity'],
    subject: besideOthers(configOf),
    run: (input) =>
      [...groupBy(input.clusters, clusterNameOf)]
        .filter(([, same]) => same.length > 1)
        .map(([name, same]): Finding => {
          const own = ownValue(same, input.clusters, { key: 'cluster-name', helm: 'cluster.name', value: '<name>' });
          const hint = `Do these contexts lead to one cluster? ${own}`;
          const contexts = same.map(({ context }) => context);
          const changed = changedAmong(same, input);
          const args = { name, contexts, ...changed?.args };
          return { id: 'cluster-name-unique', severity: 'fail', hint, ...changed, args };
        }),
    says: ({ args }) => `contexts ${listed(args.contexts)}: the clusters are all named "${args.name}"${wasWords(args)}`,
  },
  {
    id: 'cluster-id-unique',
    category: 'identity',
    title: 'cluster ids are unique',
    needs: ['cluster-identity'],
    subject: idsKnown,
    run: (input) =>
      pairsOf(knownClusters(input))
        .filter(([one, other]) => one.id === other.id && one.name !== other.name)
        .map(([one, other]): Finding => {
          const named = input.clusters.filter((cluster) => [one.name, other.name].includes(clusterNameOf(cluster)));
          const hint = ownValue(named, input.clusters, { key: 'cluster-id', helm: 'cluster.id', value: '<id>' });
          // A cluster with another name than before is taken for another one.
          const changed = changedAmong(named, input);
          const args = { clusterId: one.id, clusters: [one.label, other.label], ...changed?.args };
          return { id: 'cluster-id-unique', severity: 'fail', hint, ...changed, args };
        }),
    says: ({ args }) => `${listed(args.clusters)}: both clusters have the id ${args.clusterId}${wasWords(args)}`,
  },
  {
    id: 'peer-identity',
    category: 'identity',
    title: 'connected peers still have the name and id they were connected with',
    needs: ['cluster-identity'],
    saidBy: ['cluster-name-unique', 'cluster-id-unique'],
    subject: (cluster, { clusters, peerIds, peerIdsUntold }) => {
      const known = peerIds?.get(cluster.context);
      const dialled = configuredPeers(cluster).filter((peer) => peer !== knownAs(cluster));
      const unrecorded = dialled.filter((peer) => !known?.has(peer));
      const missing = known
        ? saysUnrecorded(cluster, unrecorded)
        : 'its record of the other clusters could not be read from its etcd, where KVStoreMesh keeps it';
      const [notCompared] = peersNotCompared(peersOutside(cluster, clusters).filter((peer) => known?.has(peer)));
      return {
        things: clusters.map(clusterNameOf).filter((name) => known?.has(name)),
        otherwise: dialled.length > 0 ? (notCompared ?? missing) : 'it dials no cluster',
        isBlind: !known && dialled.length > 0 && peerIdsUntold?.has(cluster.context),
        unseen: [
          ...(unrecorded.length > 0 ? [saysUnrecorded(cluster, unrecorded)] : []),
          ...[notCompared ?? []].flat(),
        ],
      };
    },
    run: differentPeers,
    says: ({ args }) =>
      `context "${args.context}" is connected to a cluster "${args.name}" with the id ${args.known}, but context "${args.named}" has that name with the id ${args.id}${wasWords(args)}`,
  },
  {
    id: 'peer-renamed',
    category: 'identity',
    title: 'peers are known by the names that they have now',
    needs: ['cluster-identity'],
    subject: (cluster, input) => {
      const { clusters } = input;
      const alone = whyAlone(input, 'there is no other cluster to compare it with');
      return {
        things: clusters.length > 1 ? configuredPeers(cluster) : [],
        otherwise: clusters.length > 1 ? 'it dials no cluster' : alone,
        unseen: peersNotCompared(peersOutside(cluster, clusters)),
      };
    },
    run: ({ clusters }, all) =>
      clusters.flatMap((cluster) =>
        renamedPeers(cluster, othersThan(cluster, all)).map((renamed): Finding => {
          const { context } = cluster;
          const { former, cluster: other } = renamed;
          const args = { context, former, name: clusterNameOf(other), named: other.context };
          return {
            id: 'peer-renamed',
            severity: 'fail',
            cluster: context,
            args,
            hint: takeUpCommand(cluster, renamed),
          };
        }),
      ),
    says: ({ args }) =>
      `context "${args.context}" has a peer "${args.former}", which is the former name of ${args.name} (context "${args.named}")`,
  },
];

/**
 * Why a cluster's etcd does not describe peers that it dials. KVStoreMesh writes down how a peer describes itself each time that it has
 * connected to it (Cilium's pkg/clustermesh/kvstoremesh), agents by themselves do not.
 */
function saysUnrecorded(cluster: ClusterSnapshot, peers: readonly string[]): string {
  const names = peers.length > 0 ? firstOf(peers) : 'the other clusters';
  return kvstoremeshDials(cluster) === false
    ? `only KVStoreMesh keeps a record of ${names}, and it is off`
    : `its KVStoreMesh has no record of ${names} yet: it makes one once it is connected`;
}

function unusableIdentity(cluster: ClusterSnapshot): Finding[] {
  try {
    requireIdentity(cluster);
    return [];
  } catch (error) {
    if (!(error instanceof MeshctlError)) throw error;
    return [
      {
        id: 'cluster-identity',
        severity: 'fail',
        cluster: cluster.context,
        args: {
          reason: error.message,
          // Another check has it for its own.
          ...(typeof error.details.check === 'string'
            ? { foundBy: error.details.check, foundIn: cluster.context }
            : {}),
        },
        hint: error.hint,
      },
    ];
  }
}

function othersThan(cluster: ClusterSnapshot, all: readonly ClusterSnapshot[]): ClusterSnapshot[] {
  return all.filter((other) => other !== cluster);
}

/** An id that nobody can tell may be that of another cluster. */
function idsKnown(cluster: ClusterSnapshot, input: CheckInput): Subject {
  const { things, otherwise } = othersKnown(cluster, input);
  const told = [...(input.peerIds?.values() ?? [])].flatMap((ids) => [...ids.keys()]);
  const untold = peersOutside(cluster, input.clusters).filter((peer) => !told.includes(peer));
  const unseen = untold.length === 0 ? [] : [`the ids of its peers ${untold.join(', ')} are not known`];
  const isBlind = unseen.length > 0 && (input.peerIdsUntold?.size ?? 0) > 0;
  return { things, otherwise: unseen[0] ?? otherwise, unseen, isBlind };
}

interface KnownCluster {
  name: string;
  id: number;
  /** For words. */
  label: string;
}

/** The clusters themselves, and peers of theirs whose ids are known. */
function knownClusters({ clusters, peerIds }: CheckInput): KnownCluster[] {
  const own = clusters.map((cluster) => ({
    name: clusterNameOf(cluster),
    id: identityOf(cluster.ciliumConfig ?? {}).id,
    label: `context "${cluster.context}"`,
  }));
  // A cluster that has another name by now is known by its former one, and is no other for it.
  const former = clusters.flatMap((cluster) => [
    ...[recordedIdentity(cluster).name ?? []].flat(),
    ...renamedPeers(cluster, othersThan(cluster, clusters)).map((renamed) => renamed.former),
  ]);
  const names = new Set([...own.map(({ name }) => name), ...former]);
  const peers = clusters.flatMap(({ context }) =>
    [...(peerIds?.get(context) ?? [])]
      .filter(([name]) => !names.has(name))
      .map(([name, id]) => ({ name, id, label: `"${name}" (connected to context "${context}")` })),
  );
  return [...own, ...new Map(peers.map((peer) => [`${peer.name}/${peer.id}`, peer])).values()];
}

/**
 * The one of several clusters with the same name or id whose cilium-config has been changed since it was set up, as a part of
 * the finding: it is the one to put back. What peers know of it counts first: the cluster itself may have followed already.
 */
function changedAmong(
  same: readonly ClusterSnapshot[],
  { clusters, peerIds = new Map(), agents }: Pick<CheckInput, 'clusters' | 'peerIds' | 'agents'>,
): Pick<Finding, 'cluster' | 'args' | 'hint'> | undefined {
  for (const cluster of same) {
    const recorded = recordedIdentity(cluster);
    const now = identityOf(cluster.ciliumConfig ?? {});
    const { name = now.name } = recorded;
    // An id that another one of them has is known of that one.
    const isAnothers = (id: number) =>
      same.some((other) => other !== cluster && identityOf(other.ciliumConfig ?? {}).id === id);
    const known = [...peerIds]
      .flatMap(([context, ids]) => (context === cluster.context ? [] : (ids.get(name) ?? [])))
      .filter((id) => id === now.id || !isAnothers(id));
    const { id = now.id } = { ...recorded, ...(known[0] === undefined ? {} : { id: known[0] }) };
    // With a name that is its own, it may also be renamed for good.
    const hint =
      id === now.id && name !== now.name
        ? settleIdentity(cluster, clusters, agents?.get(cluster.context))
        : backFrom(cluster, { name, id }, agents?.get(cluster.context));
    if (hint && (id !== now.id || name !== now.name)) {
      return { cluster: cluster.context, args: { changed: cluster.context, was: `"${name}", id ${id}` }, hint };
    }
  }
  return undefined;
}

/** The way back to an identity of which others know more than the cluster itself. */
function backFrom(
  cluster: ClusterSnapshot,
  former: { name: string; id: number },
  agents: readonly AgentIdentity[] | undefined,
): string | undefined {
  const back = wayBack(cluster, former);
  return back && withAgentsRestarted(back, cluster, agents);
}

function wasWords({ changed, was }: Finding['args']): string {
  return changed === undefined ? '' : `, and context "${changed}" was set up as ${was}`;
}

/** Whether a cluster is the one that peers know by a name and an id. */
function isKnownBy(cluster: ClusterSnapshot, known: { name: string; id: number }): boolean {
  return knownAs(cluster) === known.name && identityOf(cluster.ciliumConfig ?? {}).id === known.id;
}

function differentPeers(input: CheckInput, all: readonly ClusterSnapshot[]): Finding[] {
  const { clusters, peerIds, agents } = input;
  const knowersOf = (name: string, id: number) =>
    clusters.filter(({ context }) => ![undefined, id].includes(peerIds?.get(context)?.get(name)));
  return clusters.flatMap(({ context }) =>
    all.flatMap((named): Finding[] => {
      const { name, id } = identityOf(named.ciliumConfig ?? {});
      const known = peerIds?.get(context)?.get(name);
      if (known === undefined || known === id) return [];
      // It is the cluster that was connected, and its cilium-config has changed.
      const isSame = recordedIdentity(named).id === known;
      const changed = changedAmong([named], { clusters: all });
      // The one that is known by the name is there, and is not to be forgotten for another one that has it too.
      const isThere = all.some((other) => other !== named && isKnownBy(other, { name, id: known }));
      return [
        {
          id: 'peer-identity',
          severity: 'fail',
          cluster: context,
          args: {
            ...{ context, name, peer: name, known, named: named.context, id, ...(isSame ? {} : changed?.args) },
            // What its programs run with tells more than that it may be another cluster.
            ...(isSame ? {} : { foundBy: 'identity-running', foundIn: named.context }),
          },
          hint: outdatedIdentity(named)
            ? settleIdentity(named, all, agents?.get(named.context))
            : isThere
              ? ownValue([named], [], { key: 'cluster-name', helm: 'cluster.name', value: '<name>' })
              : input.areStanding
                ? `If that cluster was replaced, forget the former one, then connect this one: ${forget(context, [name])} && ${connectCommand(context, named.context)}`
                : // Whoever asks before they are connected does so next.
                  `If that cluster was replaced, forget the former one: ${forget(
                    knowersOf(name, id).map((knower) => knower.context),
                    [name],
                  )}`,
        },
      ];
    }),
  );
}
