import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand } from '../command-line.ts';
import type { KubeObject } from '../objects/kube-object.ts';
import { toolOwner } from '../objects/ownership.ts';
import { dataKeys } from '../objects/secret-data.ts';
import { knownAs } from '../peers/concerned-peers.ts';
import { peerCertificateKeys } from '../peers/file/peer-config.ts';
import { peerSecretsOf, unusedKeys } from '../peers/unused-keys.ts';
import { IDENTITY_OF_CLUSTERS } from './identity.ts';
import { type Finding, listed, type Subject } from './shared/check.ts';
import { findingOf, type MeshCheck } from './shared/mesh-input.ts';

const subject = (cluster: ClusterSnapshot): Subject => ({
  things: peerSecretsOf(cluster).map(({ metadata }) => metadata.name),
  otherwise: 'it has no Secret with peering files',
});

/** What the Secrets of peers hold that is for no peer. */
export const PEER_SECRET_CHECKS: readonly MeshCheck[] = [
  {
    id: 'peers-itself',
    category: 'peers',
    title: 'no cluster has keys for dialling itself',
    saidBy: IDENTITY_OF_CLUSTERS,
    subject,
    run: ({ clusters }) => clusters.flatMap(leftForItself),
    says: saysLeftForItself,
  },
  {
    id: 'peers-unused-keys',
    category: 'peers',
    title: 'Secrets with peering files have nothing that Cilium ignores',
    subject: (cluster, { clusters }) => ({ ...subject(cluster), unseen: keysOfClusters(cluster, clusters) }),
    run: ({ clusters }, all) => clusters.flatMap((cluster) => unused(cluster, all)),
    says: ({ args }) =>
      `context "${args.context}": Secret ${listed(args.secrets)} has ${listed(args.keys)}, which Cilium ignores: it is no peering file`,
  },
];

/**
 * What is there for a cluster's own name: Cilium passes over it (pkg/clustermesh/common), but it may be another cluster's
 * private key. A tool may have one list of clusters for all of them.
 */
function leftForItself(cluster: ClusterSnapshot): Finding[] {
  const own = knownAs(cluster);
  const names = [own, ...Object.values(peerCertificateKeys(own))];
  const secrets = peerSecretsOf(cluster).filter((secret) => toolOwner(secret) === undefined);
  return foundKeys(
    'peers-itself',
    cluster,
    secrets,
    (secret) => dataKeys(secret).filter((key) => names.includes(key)),
    [own],
  );
}

/** But for keys that are names of clusters, which may be what has become of a peering file all the same. */
function unused(cluster: ClusterSnapshot, all: readonly ClusterSnapshot[]): Finding[] {
  return foundKeys(
    'peers-unused-keys',
    cluster,
    peerSecretsOf(cluster),
    (secret) => unusedKeys(cluster, secret, all).ofNobody,
  );
}

function keysOfClusters(cluster: ClusterSnapshot, all: readonly ClusterSnapshot[]): string[] {
  const found = [...new Set(peerSecretsOf(cluster).flatMap((secret) => unusedKeys(cluster, secret, all).ofClusters))];
  if (found.length === 0) return [];
  return [`Cilium ignores ${listed(found)}, which may have been a peering file: a cluster has that name`];
}

/** @param peers by which disconnect takes the keys out, where they are not the keys themselves */
function foundKeys(
  id: string,
  cluster: ClusterSnapshot,
  secrets: readonly KubeObject[],
  keysIn: (secret: KubeObject) => readonly string[],
  peers?: readonly string[],
): Finding[] {
  const { context } = cluster;
  const left = secrets
    .map((secret) => ({ secret: secret.metadata.name, keys: keysIn(secret) }))
    .filter(({ keys }) => keys.length > 0);
  if (left.length === 0) return [];
  const keys = [...new Set(left.flatMap((one) => one.keys))];
  const hint = meshctlCommand('clustermesh disconnect', { context }, ['--peer', (peers ?? keys).join(',')]);
  return [findingOf(id, 'warn', context, { secrets: left.map(({ secret }) => secret), keys }, hint)];
}

function saysLeftForItself({ args }: Finding): string {
  return `context "${args.context}": Secret ${listed(args.secrets)} has ${listed(args.keys)}, for the cluster itself`;
}

/** The same as a warning of commands that compare a cluster with its file, which cannot say it. */
export function keptForItself(cluster: ClusterSnapshot): string[] {
  return leftForItself(cluster).map((finding) => `${saysLeftForItself(finding)} → ${finding.hint}`);
}
