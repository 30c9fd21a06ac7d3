import { clusterNameOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { connectCommand, meshctlCommand } from '../command-line.ts';
import { SHARED_USER } from '../objects/names.ts';
import { remoteUserName } from './file/peer-config.ts';
import { configuredPeers, knownPeers } from './peers.ts';

/**
 * Whether a cluster has parted with another one by itself (`disconnect --peer`): it neither dials it nor lets it in, whatever
 * the other one still holds. False where its list of users is not known, or has the user that the other one logs in as.
 */
export function hasPartedWith(cluster: ClusterSnapshot, other: ClusterSnapshot): boolean {
  const { remoteUsers } = cluster;
  const name = clusterNameOf(other);
  if (!remoteUsers || knownPeers(cluster).includes(name)) return false;
  const held = other.peerCertificates.get(clusterNameOf(cluster))?.certificate;
  const user = held?.commonName ?? remoteUserName(name);
  return user !== SHARED_USER && !remoteUsers.some((one) => one.name === user);
}

/** What a cluster's connection with another one has come to that has parted with it, and what mends that. */
export interface Parted {
  /** As a clause. */
  why: string;
  mend: string;
}

/** What is to be decided before a mesh is written down that has it: a file can only have a dial, or not. */
export function beforeExport({ mend }: Parted): string {
  return `before the mesh is exported, ${mend}`;
}

/**
 * Of a cluster that still dials another one which has parted with it; undefined where it does not, or is let in. Whether they
 * are to be connected only the operator knows.
 */
export function partedBy(server: ClusterSnapshot, client: ClusterSnapshot): Parted | undefined {
  const [name, context] = [clusterNameOf(server), client.context];
  if (!configuredPeers(client).includes(name) || !hasPartedWith(server, client)) return undefined;
  const join = connectCommand(context, server.context);
  const part = meshctlCommand('clustermesh disconnect', { context }, ['--peer', name]);
  return {
    why: `${clusterNameOf(client)} dials ${name}, which does not let it in any more`,
    mend: `connect them again: ${join}; or part them on that side too: ${part}`,
  };
}
