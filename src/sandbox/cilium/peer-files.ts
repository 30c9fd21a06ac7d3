/** The peering files that an agent or KVStoreMesh finds in its configuration directory. */
import { parseAllDocuments } from 'yaml';
import { remembered } from '../../mesh/remembered.ts';
import { type ClientFiles, ConnectionFailure } from './etcd-session.ts';

/** Mounted files by absolute path. */
export type Files = ReadonlyMap<string, Buffer>;

export interface PeerFile {
  /** `host:port` of each endpoint. */
  endpoints: { host: string; port: number }[];
  /** All of them are dialled without TLS: the first one is of `http` (etcd's client/v3, internal/endpoint and client.go). */
  plain: boolean;
  /** Paths of the certificate files. */
  ca: string;
  certificate: string;
  privateKey: string;
  /** `cilium-host-aliases`: addresses by host name. */
  aliases: Map<string, string[]>;
}

/** The peers configured in a directory, by Cilium's rule: a file that contains `endpoints:`. */
export function peersIn(files: Files, directory: string): Map<string, string> {
  const peers = new Map<string, string>();
  for (const [path, content] of files) {
    const name = path.startsWith(`${directory}/`) ? path.slice(directory.length + 1) : '';
    const text = content.toString();
    if (name !== '' && !name.includes('/') && text.includes('endpoints:')) peers.set(name, text);
  }
  return peers;
}

/** Every dial of every agent reads its file anew: by go-yaml v2, which takes the first document, and the last of equal keys. */
const documentIn = remembered((text: string) => {
  const [first] = parseAllDocuments(text, { merge: true, uniqueKeys: false, logLevel: 'error' });
  if (first?.errors[0] !== undefined) throw first.errors[0];
  return Object(first?.toJS()) as Record<string, unknown>;
}, 100);

/** Reads an etcd client configuration. Throws ConnectionFailure for one that Cilium could not use. */
export function parsePeerFile(text: string): PeerFile {
  let document: Record<string, unknown>;
  try {
    document = documentIn(text);
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    throw new ConnectionFailure('config', `error converting YAML to JSON: yaml: ${reason}`, error);
  }
  const endpoints = Array.isArray(document.endpoints) ? document.endpoints.map(String) : [];
  if (endpoints.length === 0) throw new ConnectionFailure('config', 'etcdclient: no available endpoints');
  const path = (field: string) => String(document[field] ?? '');
  return {
    endpoints: endpoints.map(parseEndpoint),
    plain: /^http:\/\//i.test(endpoints[0] ?? ''),
    ca: path('trusted-ca-file'),
    certificate: path('cert-file'),
    privateKey: path('key-file'),
    aliases: parseAliases(document['cilium-host-aliases']),
  };
}

/** One without a scheme is dialled as one of `https`, if there are certificates. */
function parseEndpoint(endpoint: string): PeerFile['endpoints'][number] {
  try {
    const url = new URL(endpoint.includes('://') ? endpoint.replace(/^http:/i, 'https:') : `https://${endpoint}`);
    return { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 443) };
  } catch (error) {
    throw new ConnectionFailure('config', `parse "${endpoint}": invalid endpoint`, error);
  }
}

function parseAliases(value: unknown): Map<string, string[]> {
  const aliases = new Map<string, string[]>();
  for (const entry of Array.isArray(value) ? (value as { hostname?: unknown; ips?: unknown }[]) : []) {
    const ips = Array.isArray(entry.ips) ? entry.ips.map(String) : [];
    if (typeof entry.hostname !== 'string' || ips.length === 0) {
      throw new ConnectionFailure(
        'config',
        'failed to parse config file: cilium-host-aliases entry has no hostname or no IPs',
      );
    }
    aliases.set(entry.hostname, ips);
  }
  return aliases;
}

/** The certificate files that a peering file names; all three must be there. Throws ConnectionFailure. */
export function readClientFiles(file: PeerFile, files: Files): ClientFiles {
  const read = (path: string) => {
    const content = files.get(path);
    if (!content) throw new ConnectionFailure('config', `open ${path}: no such file or directory`);
    return content.toString();
  };
  return { ca: read(file.ca), certificate: read(file.certificate), privateKey: read(file.privateKey) };
}
