import type { RemoteUser } from '../../cluster-snapshot.ts';
import { CONFIG_DIRECTORY, ETCD_PORT, meshHostname, serviceHostname } from '../../objects/names.ts';
import type { CertificateKeys } from '../../plan/plan.ts';

/** Prefix of the certificate files by which clusters with one CA log in to each other. */
export const COMMON_PREFIX = 'common-';
/** Prefix of the certificate files by which agents log in to their own cluster's KVStoreMesh cache. */
export const LOCAL_PREFIX = 'local-';

/** How a cluster dials a peer's etcd. */
export interface PeerEndpoint {
  /** `host:port` of each address, IPv6 in brackets. */
  addresses: readonly string[];
  /** Set when the certificate does not cover the addresses: these IPs answer to `<peer>.mesh.cilium.io`. */
  alias?: PeerAlias | undefined;
}

export interface PeerAlias {
  ips: readonly string[];
  ports: readonly number[];
  /** Where the name is resolved: by the peering file itself (Cilium 1.20 and later), or by the pods' hostAliases. */
  in: 'file' | 'pods';
}

/**
 * The file by which a cluster dials a peer: an etcd client configuration. Cilium takes a key of the Secret for a peer if
 * its value contains `endpoints:` (pkg/clustermesh/common/config.go).
 * @param prefix of the certificate files: `common-` or `<peer>.`
 */
export function remotePeerFile(peer: string, endpoint: PeerEndpoint, prefix: string): string {
  const lines = [
    'endpoints:',
    ...dialled(peer, endpoint).map((host) => `- https://${host}`),
    ...certificateLines(prefix),
  ];
  if (endpoint.alias?.in === 'file') {
    lines.push('cilium-host-aliases:', `- hostname: ${meshHostname(peer)}`, '  ips:');
    lines.push(...endpoint.alias.ips.map((ip) => `  - ${quoteIfNeeded(ip)}`));
  }
  return `${lines.join('\n')}\n`;
}

/**
 * A peering file with a text of its own, for a peer whose CA is another one than before: who has begun to dial with the former
 * CA would wait for 15 minutes (initialConnectionTimeout in Cilium's pkg/kvstore/etcd.go).
 */
export function withNewText(file: string, now: Date): string {
  const line = `# The CA of the peer changed ${now.toISOString()}; Cilium reads it together with this file only.\n`;
  return withLine(file, CHANGED_CA, line);
}

const CHANGED_CA = /^# The CA of the peer changed .*\n/m;

/**
 * A peering file with a comment in the place of a former one. It changes nothing but the text, and that is what it is for:
 * Cilium reads the CAs that a file names only when it begins to dial, and begins anew where the file's own text has changed
 * (pkg/clustermesh/common/config.go).
 */
export function withLine(file: string, former: RegExp, line: string): string {
  return `${file.replace(former, '').replace(/(?<=[^\n])$/, '\n')}${line}`;
}

/** What a peering file's endpoints are: `host:port` each. */
function dialled(peer: string, endpoint: PeerEndpoint): readonly string[] {
  return endpoint.alias?.ports.map((port) => `${meshHostname(peer)}:${port}`) ?? endpoint.addresses;
}

/** The file by which agents read a peer's data from their own cluster's KVStoreMesh cache. */
export function cachedPeerFile(namespace: string): string {
  const endpoint = `- https://${serviceHostname(namespace)}:${ETCD_PORT}`;
  return `${['endpoints:', endpoint, ...certificateLines(LOCAL_PREFIX)].join('\n')}\n`;
}

/** The Secret keys of a peer's own client certificate, for the prefix `<peer>.`. */
export function peerCertificateKeys(peer: string): CertificateKeys {
  return {
    ca: `${peer}.etcd-client-ca.crt`,
    certificate: `${peer}.etcd-client.crt`,
    privateKey: `${peer}.etcd-client.key`,
  };
}

/**
 * The peers that a Secret's data names, by Cilium's own rule: whatever the key is (`isEtcdConfigFile`, pkg/clustermesh/common/config.go).
 * @param data decoded values by key
 */
export function peersIn(data: Readonly<Record<string, string>>): string[] {
  return Object.entries(data)
    .filter(([, value]) => isTakenForPeer(value))
    .map(([peer]) => peer)
    .sort();
}

/** Whether Cilium takes a file beside the peering files for one of them. */
export function isTakenForPeer(text: string): boolean {
  return text.includes('endpoints:');
}

/** `users.yaml` of ConfigMap clustermesh-remote-users; the clustermesh-apiserver follows it live. */
export function remoteUsersFile(users: readonly RemoteUser[]): string {
  return `users:\n${users.map(({ name, role }) => `- name: ${name}\n  role: ${role}\n`).join('')}`;
}

/** The etcd user as which a peer logs in: the CN of its client certificate. */
export function remoteUserName(peer: string): string {
  return `remote-${peer}`;
}

/** The peer that logs in as a user; undefined for one that {@link remoteUserName} gives to nobody, as `remote`, which peers share. */
export function peerOfUser(user: string): string | undefined {
  const prefix = remoteUserName('');
  return user.startsWith(prefix) && user !== prefix ? user.slice(prefix.length) : undefined;
}

function certificateLines(prefix: string): string[] {
  return [
    `trusted-ca-file: ${CONFIG_DIRECTORY}/${prefix}etcd-client-ca.crt`,
    `key-file: ${CONFIG_DIRECTORY}/${prefix}etcd-client.key`,
    `cert-file: ${CONFIG_DIRECTORY}/${prefix}etcd-client.crt`,
  ];
}

/** An IPv6 address may end in a colon, which YAML would take for a key. */
function quoteIfNeeded(ip: string): string {
  return ip.includes(':') ? `"${ip}"` : ip;
}
