/** Users and roles of a clustermesh-apiserver's etcd (Cilium's pkg/kvstore/etcdinit and clustermesh users_mgmt). */
import { parseAllDocuments } from 'yaml';

/** Decides what a user may read. `rangeEnd` is exclusive, absent for the one key. */
export type MayRead = (key: string, rangeEnd: string | undefined) => boolean;

interface KeyRange {
  start: string;
  /** Exclusive; absent for the one key. */
  end?: string;
}

function prefix(start: string): KeyRange {
  return { start, end: prefixEnd(start) };
}

/** The first key after all that start with `start` (etcd's GetPrefixRangeEnd, for plain text). */
export function prefixEnd(start: string): string {
  return start.slice(0, -1) + String.fromCharCode(start.charCodeAt(start.length - 1) + 1);
}

/** After all keys. */
const END_OF_KEYS = '\uffff';

/** The exclusive end that a request means; undefined where it asks for one key. In etcd a zero byte stands for the end. */
export function rangeEndOf(bytes: Uint8Array | undefined): string | undefined {
  const text = bytes && Buffer.from(bytes).toString();
  return text === '\0' ? END_OF_KEYS : text || undefined;
}

function rangesOf(role: string, cluster: string): KeyRange[] {
  if (role === 'root') return [{ start: '', end: END_OF_KEYS }];
  if (role === 'local') {
    return ['cilium/.heartbeat', 'cilium/cache/', 'cilium/cluster-config/', 'cilium/synced/'].map(prefix);
  }
  if (role === 'remote') {
    return [
      prefix('cilium/.heartbeat'),
      prefix('cilium/state/'),
      { start: `cilium/cluster-config/${cluster}` },
      prefix(`cilium/synced/${cluster}/`),
    ];
  }
  return [];
}

/** The users that etcd-init makes: the admin, the local agents, and peers that share the CA. */
export function builtInUsers(cluster: string): Map<string, string> {
  return new Map([
    ['root', 'root'],
    [`admin-${cluster}`, 'root'],
    [`local-${cluster}`, 'local'],
    ['remote', 'remote'],
  ]);
}

/** The users of a `users.yaml`, name to role, without the cluster itself; undefined for text that cannot be read. */
export function parseUsers(text: string, cluster: string): Map<string, string> | undefined {
  let document: { users?: { name?: unknown; role?: unknown }[] | null } | null | undefined;
  try {
    // As go.yaml.in/yaml/v3 does: merge keys count, and documents after the first do not.
    const [first] = parseAllDocuments(text, { merge: true });
    if (first?.errors.length) return undefined;
    document = first?.toJS() as typeof document;
  } catch {
    return undefined;
  }
  const users = new Map<string, string>();
  for (const { name, role } of document?.users ?? []) {
    if (typeof name === 'string' && typeof role === 'string' && name !== cluster) users.set(name, role);
  }
  return users;
}

/** What a role of a cluster's etcd may read. */
export function mayRead(role: string, cluster: string): MayRead {
  const ranges = rangesOf(role, cluster);
  return (key, rangeEnd) =>
    ranges.some(({ start, end }) =>
      rangeEnd === undefined
        ? end === undefined
          ? key === start
          : key >= start && key < end
        : end !== undefined && key >= start && rangeEnd <= end,
    );
}
