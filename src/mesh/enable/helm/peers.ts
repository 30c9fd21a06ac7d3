import { isIpAddress, splitHostPort } from '../../apiserver/endpoints.ts';
import type { CiliumInstall } from '../../cilium/install.ts';
import { compareVersions, parseVersion } from '../../cilium/versions/versions.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { keyOf } from '../../objects/kube-object.ts';
import { configMapRef, meshHostname, REMOTE_USERS_CONFIGMAP, secretRef } from '../../objects/names.ts';
import { type ToolKind, toolOf } from '../../objects/ownership.ts';
import type { JoiningPeer } from '../../objects/source-advice.ts';
import { dialledAddresses } from '../../peers/file/dialled-addresses.ts';
import { COMMON_PREFIX } from '../../peers/file/peer-config.ts';
import { choicesFor } from '../../peers/peer-choices.ts';
import { configuredPeers, dialingFile, isLetIn, knownPeers, PEER_SECRETS } from '../../peers/peers.ts';

/** The peers of a cluster as values of the chart, `clustermesh.config`. */
export interface HelmPeers {
  /** Whether the chart makes the Secrets with the peers (`enabled`), instead of connect. */
  areMade: boolean;
  /** Whether the chart makes the list of their users, ConfigMap clustermesh-remote-users. */
  usersAreMade: boolean;
  clusters: readonly Record<string, unknown>[];
  /** What the values cannot say of peers, for people. */
  notes: readonly string[];
}

/**
 * The chart makes the peers where it has done so before, or where no peer has a certificate of its own, whose key would have to
 * be a value; it would delete its own with `enabled: false`. Each cluster that is named gets a user: until 1.18 always, since
 * then only with the Secrets (its users-configmap.yaml).
 * @param handed peers whose certificates Helm is handed beside these values
 * @param joining clusters that are to be connected yet: they are named too
 */
export function helmPeers(
  snapshot: ClusterSnapshot,
  install: CiliumInstall,
  handed: readonly string[] = [],
  joining: readonly JoiningPeer[] = [],
): HelmPeers {
  const dialled = configuredPeers(snapshot);
  const withOwn = dialled.filter((peer) => !sharesCertificate(snapshot, peer));
  const areMade = (dialled.length > 0 && withOwn.length === 0) || madeByHelm(snapshot, install);
  const usersAreMade = areMade || !leavesUsersOut(install);
  const known = [...new Set([...knownPeers(snapshot), ...joining.map(({ name }) => name)])];
  const shutOut = known.filter((peer) => choicesFor(snapshot, peer).mode === 'unicast' && !isLetIn(snapshot, peer));
  if (!areMade) {
    const clusters = known.filter((peer) => !shutOut.includes(peer)).map((name) => ({ name }));
    const kept = `${knownPeers(snapshot).join(', ')}: their Secrets stay as meshctl connect wrote them (clustermesh.config.enabled: false)`;
    return { areMade, usersAreMade, clusters, notes: withOwn.length > 0 ? [kept] : [] };
  }
  const addressesOf = (name: string) => {
    const dialled = dialledAddresses(snapshot, name);
    return dialled.length > 0 ? dialled : joining.flatMap((peer) => (peer.name === name ? peer.addresses : []));
  };
  const clusters = known.map((name) => ({ name, ...addressValues(name, addressesOf(name)) }));
  const unaddressed = clusters.flatMap((one) => ('address' in one || 'ips' in one ? [] : [one.name]));
  return {
    areMade,
    usersAreMade,
    clusters,
    notes: [
      ...noteOf(
        withOwn.filter((peer) => !handed.includes(peer)),
        'the chart keeps certificates of their own only by values that have them, with their keys, as clustermesh.config.clusters[].tls; these have none',
      ),
      ...noteOf(
        unaddressed,
        'no address is known here, and Helm refuses these values until each has one (address or ips); it is dialled then. Whoever is taken out may not log in here any more',
      ),
      ...noteOf(
        shutOut,
        'chosen to be dialled and not to be let in, which the chart cannot say: these values let each log in here',
      ),
    ],
  };
}

/** The peers with a certificate of their own whose files the chart makes: by values without it they name that for all peers. */
export function peersRewritten(snapshot: ClusterSnapshot, install: CiliumInstall): string[] {
  if (!madeByHelm(snapshot, install)) return [];
  return configuredPeers(snapshot).filter((peer) => dialingFile(snapshot, peer) && !sharesCertificate(snapshot, peer));
}

function noteOf(peers: readonly string[], says: string): string[] {
  return peers.length > 0 ? [`${peers.join(', ')}: ${says}`] : [];
}

/** Whether a peer is dialled with the certificate that the chart makes for all. */
function sharesCertificate(snapshot: ClusterSnapshot, peer: string): boolean {
  return dialingFile(snapshot, peer)?.text.includes(`/${COMMON_PREFIX}etcd-client`) ?? false;
}

/** Where a peer is dialled: at its name in the mesh, which means these addresses, or at a name of its own. */
function addressValues(peer: string, addresses: readonly string[]): Record<string, unknown> {
  const endpoints = addresses.map(splitHostPort);
  const hosts = endpoints.map(({ host }) => host);
  const ips = hosts.filter(isIpAddress);
  const address = hosts.find((host) => !isIpAddress(host) && host !== meshHostname(peer));
  return {
    ...(endpoints[0] ? { port: endpoints[0].port } : {}),
    ...(address === undefined ? {} : { address }),
    ...(ips.length > 0 ? { ips } : {}),
  };
}

/** Whether the objects that hold the peers are made from a chart: by Helm, or by what renders it for Git's sake. */
function madeByHelm({ objects, namespace }: ClusterSnapshot, install: CiliumInstall): boolean {
  const refs = [
    // Before that it has them whether it makes the peers or not.
    ...(leavesUsersOut(install) ? [configMapRef(namespace, REMOTE_USERS_CONFIGMAP)] : []),
    ...PEER_SECRETS.map((name) => secretRef(namespace, name)),
  ];
  return refs.some((ref) => RENDERERS.has(toolOf(objects.get(keyOf(ref)))?.kind));
}

const RENDERERS: ReadonlySet<ToolKind | undefined> = new Set<ToolKind>([
  'helm',
  'flux-helm',
  'terraform-helm',
  'argo-cd',
]);

/** Since 1.19 the chart makes the users only where it makes the peers. */
function leavesUsersOut({ version }: CiliumInstall): boolean {
  const since = parseVersion('1.19.0-pre.0');
  return since !== undefined && compareVersions(version, since) >= 0;
}
