import { parseAllDocuments } from 'yaml';
import { canonicalIp } from '../../cilium/cidr.ts';
import { ETCD_PORT, serviceHostname } from '../../objects/names.ts';
import { isRecord } from '../../record.ts';
import { remembered } from '../../remembered.ts';

/** What an endpoint without a port means: gRPC's default for TLS. */
const DEFAULT_PORT = '443';
/** Peering files of one run that are known by their text: those of some meshes of the largest size. */
const MOST_FILES = 2000;

/** In place of a document's content. */
const NOT_YAML = Symbol('not YAML');

/** What a peering file says, whoever wrote it. */
export interface PeerFile {
  /** As written, scheme and all: `https://203.0.113.7:2379`; of an IPv6 address in the one spelling of `canonicalIp`. */
  endpoints: readonly string[];
  /** The files of the client certificate; a peer without TLS has none. */
  trustedCaFile?: string | undefined;
  certFile?: string | undefined;
  keyFile?: string | undefined;
  /** `cilium-host-aliases` (Cilium 1.20 and later). */
  hostAliases: readonly { hostname: string; ips: readonly string[] }[];
}

/** What is wrong with a file that Cilium would not connect with. */
export interface UnreadablePeerFile {
  /** In words, without the file's content. */
  unreadable: string;
}

/**
 * Reads a peering file as Cilium does: an etcd client configuration in YAML (pkg/kvstore/etcd.go, `clientyaml`), with
 * the host aliases of pkg/clustermesh/common. Unknown fields are passed over.
 */
export const readPeerFile: (text: string) => PeerFile | UnreadablePeerFile = remembered(readAnew, MOST_FILES);

function readAnew(text: string): PeerFile | UnreadablePeerFile {
  const content = firstDocument(text);
  if (content === NOT_YAML) return { unreadable: 'it is not valid YAML' };
  if (!isRecord(content)) return { unreadable: 'it is not a mapping of settings' };
  const { endpoints } = content;
  if (!Array.isArray(endpoints) || endpoints.length === 0) return { unreadable: 'it names no endpoints' };
  const odd = endpoints.find((endpoint) => typeof endpoint !== 'string' || hostPortOf(endpoint) === undefined);
  if (odd !== undefined) return { unreadable: 'an endpoint in it is not a URL with a host' };
  const textOf = (key: string) => (typeof content[key] === 'string' ? (content[key] as string) : undefined);
  return {
    endpoints: (endpoints as string[]).map((endpoint) =>
      endpoint.replace(/\[(.+?)\]/, (_, address: string) => `[${canonicalIp(address)}]`),
    ),
    trustedCaFile: textOf('trusted-ca-file'),
    certFile: textOf('cert-file'),
    keyFile: textOf('key-file'),
    hostAliases: aliasesIn(content['cilium-host-aliases']),
  };
}

/**
 * Etcd's `clientyaml` reads by sigs.k8s.io/yaml `Unmarshal`, and that by go-yaml v2: the first document alone, with merge keys,
 * and of a key that is there twice the last one.
 */
function firstDocument(text: string): unknown {
  try {
    const [first] = parseAllDocuments(text, { merge: true, uniqueKeys: false, logLevel: 'error' });
    return first === undefined || first.errors.length === 0 ? first?.toJS() : NOT_YAML;
  } catch {
    // An anchor that there is not.
    return NOT_YAML;
  }
}

/** `host:port` of each endpoint of a peering file, IPv6 in brackets; none for a file that cannot be read. */
export function addressesIn(text: string): string[] {
  const file = readPeerFile(text);
  return 'unreadable' in file ? [] : file.endpoints.flatMap((endpoint) => hostPortOf(endpoint) ?? []);
}

/**
 * The same with the addresses that host names have: by the file itself (its host aliases), else as given.
 * @param ipsOf what the pods that dial make of a host name
 */
export function addressesMeant(text: string, ipsOf: (hostname: string) => readonly string[]): string[] {
  const file = readPeerFile(text);
  if ('unreadable' in file) return [];
  return addressesIn(text).flatMap((address) => {
    const at = address.lastIndexOf(':');
    const host = address.slice(0, at);
    const inFile = file.hostAliases.filter(({ hostname }) => hostname === host).flatMap((alias) => alias.ips);
    const ips = inFile.length > 0 ? inFile : ipsOf(host);
    const written = (ip: string) => (ip.includes(':') ? `[${ip}]` : ip);
    return ips.length > 0 ? ips.map((ip) => `${written(ip)}${address.slice(at)}`) : [address];
  });
}

/** Whether a peering file is for the own KVStoreMesh cache and not for the peer itself: it dials the own Service. */
export function dialsOwnCache(text: string, namespace: string): boolean {
  return addressesIn(text).includes(`${serviceHostname(namespace)}:${ETCD_PORT}`);
}

/** etcd's client takes `https://host:port`, and a bare `host:port`. `URL.host` would leave a default port out. */
function hostPortOf(endpoint: string): string | undefined {
  const url = endpoint.includes('://') ? endpoint : `https://${endpoint}`;
  const match = /^[a-z]+:\/\/(\[[0-9A-Fa-f:.]+\]|[^/:\s]+)(?::(\d{1,5}))?\/?$/.exec(url);
  const [, host, port] = match ?? [];
  return host === undefined ? undefined : `${host}:${port ?? DEFAULT_PORT}`;
}

function aliasesIn(value: unknown): { hostname: string; ips: string[] }[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((entry: unknown) => {
    if (!isRecord(entry) || typeof entry.hostname !== 'string') return [];
    const ips = Array.isArray(entry.ips) ? entry.ips.filter((ip) => typeof ip === 'string').map(canonicalIp) : [];
    return [{ hostname: entry.hostname, ips }];
  });
}
