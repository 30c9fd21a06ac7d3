import { sizeOf } from '../apiserver/deployment.ts';
import { apiserverDeployment } from '../apiserver/live.ts';
import { describeSize, outdatedSize, restoreSizeCommand } from '../apiserver/mesh-size.ts';
import { identityOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { counted } from '../counted.ts';
import { ROOM_HINT } from '../objects/secret-data.ts';
import { groupBy } from '../pairs.ts';
import { knownAs } from '../peers/concerned-peers.ts';
import { kibOf, SECRET_LIMIT, secretRooms } from '../peers/file/secret-room.ts';
import { configuredPeers } from '../peers/peers.ts';
import { besideOthers, type Check, type Finding, listed } from './shared/check.ts';
import { configOf, othersKnown } from './shared/subjects.ts';

/** How many clusters a mesh may have. */
export const MESH_SIZE_CHECKS: readonly Check[] = [
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
        const hint = restoreSizeCommand(cluster, outdated);
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
      const names = new Set(clusters.flatMap((cluster) => [knownAs(cluster), ...configuredPeers(cluster)]));
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
  {
    id: 'peer-secret-room',
    category: 'identity',
    title: 'Secrets with peering files have room for more peers, and for a rotation of CAs',
    subject: (cluster) => ({
      things: secretRooms(cluster).map(({ secret }) => secret),
      otherwise: 'it has no Secret with peering files',
    }),
    run: ({ clusters }) =>
      clusters.flatMap(({ context, ...cluster }) =>
        secretRooms(cluster)
          .filter(({ inRotation }) => inRotation > WARN_FROM * SECRET_LIMIT)
          .map(({ secret, peers, bytes, inRotation }): Finding => {
            const args = { context, secret, peers, kib: kibOf(bytes), inRotation: kibOf(inRotation) };
            return { id: 'peer-secret-room', severity: 'warn', cluster: context, args, hint: ROOM_HINT };
          }),
      ),
    says: ({ args }) =>
      `context "${args.context}": Secret ${args.secret} has ${args.kib} KiB for ${counted(Number(args.peers), 'peer')}, or ${args.inRotation} KiB while their CAs are rotated, and cannot have more than ${kibOf(SECRET_LIMIT)} KiB`,
  },
];

/** Of the room that there is: further clusters are to be planned in time. */
const WARN_FROM = 0.8;

/** It is fixed when a cluster is installed; one that still runs with another value can have that back. */
function wayToSize(clusters: readonly ClusterSnapshot[]): string {
  const commands = clusters.flatMap((cluster) => {
    const outdated = outdatedSize(cluster);
    return outdated ? [restoreSizeCommand(cluster, outdated)] : [];
  });
  return commands.length > 0 ? `: ${commands.join(' && ')}` : '. It is set when a cluster is installed.';
}
