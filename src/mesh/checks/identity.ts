import { sizeOf } from '../apiserver/deployment.ts';
import { apiserverDeployment } from '../apiserver/live.ts';
import { describeSize, outdatedSize, putSizeBack } from '../apiserver/mesh-size.ts';
import { outdatedIdentity, settleIdentity } from '../apiserver/pod-marks.ts';
import { clusterNameOf, configureCommand, identityOf, requireIdentity, restartCommand } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand } from '../command-line.ts';
import { MeshctlError } from '../errors.ts';
import { groupBy, pairsOf } from '../pairs.ts';
import { configuredPeers } from '../peers/peers.ts';
import { besideOthers, type Check, type CheckInput, type Finding, listed, type Subject, theCluster } from './check.ts';
import { NO_CONFIG } from './config.ts';

/**
 * How a cluster gets a value of its own: the one that it still runs with, else one that the operator knows. Of all that are
 * alike one may keep what it has.
 */
function ownValue(
  alike: readonly ClusterSnapshot[],
  { key, helm, value, comesFrom }: Record<'key' | 'helm' | 'value', string> & { comesFrom: readonly string[] },
): string {
  const [drifted] = alike.flatMap((cluster) => {
    const outdated = outdatedIdentity(cluster);
    return outdated && comesFrom.some((one) => one in outdated.before) ? [settleIdentity(cluster, outdated)] : [];
  });
  if (drifted) return drifted;
  const cluster = alike.at(-1);
  const needs = `Each cluster needs its own ${key} in ConfigMap cilium-config (Helm: --set ${helm}=${value})`;
  return cluster ? `${needs}: ${configureCommand(cluster, { [key]: value })} && ${restartCommand(cluster)}` : needs;
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
    run: ({ clusters }) =>
      [...groupBy(clusters, clusterNameOf)]
        .filter(([, same]) => same.length > 1)
        .map(([name, same]) => ({
          id: 'cluster-name-unique',
          severity: 'fail',
          args: { name, contexts: same.map(({ context }) => context) },
          hint: `Do these contexts lead to one cluster? ${ownValue(same, { key: 'cluster-name', helm: 'cluster.name', value: '<name>', comesFrom: ['cluster-name'] })}`,
        })),
    says: ({ args }) => `contexts ${listed(args.contexts)}: the clusters are all named "${args.name}"`,
  },
  {
    id: 'cluster-id-unique',
    category: 'identity',
    title: 'cluster ids are unique',
    needs: ['cluster-identity'],
    subject: othersKnown,
    run: (input) =>
      pairsOf(knownClusters(input))
        .filter(([one, other]) => one.id === other.id && one.name !== other.name)
        .map(([one, other]) => ({
          id: 'cluster-id-unique',
          severity: 'fail',
          args: { clusterId: one.id, clusters: [one.label, other.label] },
          hint: ownValue(
            input.clusters.filter((cluster) => [one.name, other.name].includes(clusterNameOf(cluster))),
            // A cluster with another name than before is taken for another one.
            { key: 'cluster-id', helm: 'cluster.id', value: '<id>', comesFrom: ['cluster-id', 'cluster-name'] },
          ),
        })),
    says: ({ args }) => `${listed(args.clusters)}: both clusters have the id ${args.clusterId}`,
  },
  {
    id: 'peer-identity',
    category: 'identity',
    title: 'connected peers still have the name and id they were connected with',
    needs: ['cluster-identity'],
    subject: ({ context }, { clusters, peerIds }) => ({
      things: clusters.map(clusterNameOf).filter((name) => peerIds?.get(context)?.has(name)),
      otherwise: 'it has no record of the other clusters',
    }),
    run: differentPeers,
    says: ({ args }) =>
      `context "${args.context}" is connected to a cluster "${args.name}" with the id ${args.known}, but context "${args.named}" has that name with the id ${args.id}`,
  },
  {
    id: 'max-connected-clusters-running',
    category: 'identity',
    title: 'the clustermesh-apiserver runs with the max-connected-clusters of cilium-config',
    needs: ['cluster-identity'],
    subject: (cluster) => ({
      things: sizeOf(apiserverDeployment(cluster)) === undefined ? [] : ['clustermesh-apiserver'],
      otherwise: 'it has no clustermesh-apiserver that tells',
    }),
    run: ({ clusters }) =>
      clusters.flatMap((cluster): Finding[] => {
        const outdated = outdatedSize(cluster);
        if (!outdated) return [];
        const { context } = cluster;
        const args = { context, reason: describeSize(outdated) };
        const hint = putSizeBack(cluster, outdated);
        return [{ id: 'max-connected-clusters-running', severity: 'fail', cluster: context, args, hint }];
      }),
    says: ({ args }) => `context "${args.context}": ${args.reason}`,
  },
  {
    id: 'max-connected-clusters-equal',
    category: 'identity',
    title: 'max-connected-clusters is the same everywhere',
    needs: ['cluster-identity'],
    subject: besideOthers(configOf),
    run: ({ clusters }) => {
      const values = [...groupBy(clusters, (cluster) => identityOf(cluster.ciliumConfig ?? {}).maxConnectedClusters)];
      if (values.length < 2) return [];
      const settings = values.map(([max, same]) => `${same.map(({ context }) => context).join(', ')}: ${max}`);
      return [
        {
          id: 'max-connected-clusters-equal',
          severity: 'fail',
          args: { settings },
          hint: `All clusters of a mesh need the same max-connected-clusters, because it is part of the identity layout${wayToSize(clusters)}`,
        },
      ];
    },
    says: ({ args }) => `max-connected-clusters differs (${listed(args.settings, '; ')})`,
  },
  {
    id: 'mesh-size',
    category: 'identity',
    title: 'the mesh is not larger than max-connected-clusters',
    needs: ['cluster-identity'],
    subject: (cluster, input) => {
      const { things, otherwise } = othersKnown(cluster, input);
      return { things: cluster.ciliumConfig ? [...things, ...configuredPeers(cluster)] : [], otherwise };
    },
    run: ({ clusters }) => {
      const names = new Set(clusters.flatMap((cluster) => [clusterNameOf(cluster), ...configuredPeers(cluster)]));
      const max = Math.min(...clusters.map((cluster) => identityOf(cluster.ciliumConfig ?? {}).maxConnectedClusters));
      if (names.size <= max) return [];
      return [
        {
          id: 'mesh-size',
          severity: 'fail',
          args: { clusters: names.size, max },
          hint: 'A mesh of up to 511 clusters needs max-connected-clusters: "511" in all of them, set when they are installed.',
        },
      ];
    },
    says: ({ args }) => `the mesh would have ${args.clusters} clusters, and max-connected-clusters is ${args.max}`,
  },
];

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
        args: { reason: error.message },
        hint: error.hint,
      },
    ];
  }
}

/** It is fixed when a cluster is installed; one that still runs with another value can have that back. */
function wayToSize(clusters: readonly ClusterSnapshot[]): string {
  const commands = clusters.flatMap((cluster) => {
    const outdated = outdatedSize(cluster);
    return outdated ? [putSizeBack(cluster, outdated)] : [];
  });
  return commands.length > 0 ? `: ${commands.join(' && ')}` : '. It is set when a cluster is installed.';
}

function configOf({ ciliumConfig }: ClusterSnapshot): Subject {
  return { things: ciliumConfig ? ['cilium-config'] : [], otherwise: NO_CONFIG };
}

/** The clusters beside this one: those of the question, and those that it is connected to. */
function othersKnown(cluster: ClusterSnapshot, { clusters, peerIds }: CheckInput): Subject {
  if (!cluster.ciliumConfig) return configOf(cluster);
  const others = clusters.filter((other) => other !== cluster && other.ciliumConfig).map(({ context }) => context);
  const peers = peerIds?.get(cluster.context)?.keys() ?? [];
  return { things: [...others, ...peers], otherwise: 'no other cluster is known' };
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
  const names = new Set(own.map(({ name }) => name));
  const peers = clusters.flatMap(({ context }) =>
    [...(peerIds?.get(context) ?? [])]
      .filter(([name]) => !names.has(name))
      .map(([name, id]) => ({ name, id, label: `"${name}" (connected to context "${context}")` })),
  );
  return [...own, ...new Map(peers.map((peer) => [`${peer.name}/${peer.id}`, peer])).values()];
}

function differentPeers({ clusters, peerIds }: CheckInput, all: readonly ClusterSnapshot[]): Finding[] {
  return clusters.flatMap(({ context }) =>
    all.flatMap((named): Finding[] => {
      const { name, id } = identityOf(named.ciliumConfig ?? {});
      const known = peerIds?.get(context)?.get(name);
      if (known === undefined || known === id) return [];
      return [
        {
          id: 'peer-identity',
          severity: 'fail',
          cluster: context,
          args: { context, name, known, named: named.context, id },
          hint: `If that cluster was replaced, forget the former one: ${meshctlCommand('clustermesh disconnect', { context }, ['--peer', name])}`,
        },
      ];
    }),
  );
}
