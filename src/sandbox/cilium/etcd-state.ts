/** What a stand-in for etcd holds and whom it lets read that. How it is asked: `etcd-stand-in.ts`. */
import type { X509Certificate } from 'node:crypto';
import { alertFor, commonNameOf, parseCertificates, verifyCertificate } from './certificate-verification.ts';
import { builtInUsers, mayRead } from './etcd-permissions.ts';

/** Where clients watch values: of canaries and heartbeats, which hold times, only that they are there. */
const WATCHED = /^cilium\/(state|cache)\//;

/** Below any prefix. */
export const ANYWHERE = '';

export interface EtcdStateOptions {
  clusterName: string;
  /** PEM as mounted. Client certificates must chain to the CA; as in etcd it is read only here, at the start. */
  ca: string;
  now(): Date;
  /** Hears why a client was refused, with its port, where etcd would send a TLS alert. */
  onRefused(clientPort: number, alert: string): void;
  log(line: string): void;
}

/** A connection that is open. */
export interface EtcdClient {
  /** The common name of its certificate. */
  readonly user: string;
  /**
   * The prefixes that it was allowed to read. Cilium reads a prefix once and then watches it, which here is reading it
   * again; etcd asks for permission when a watch begins, and no more.
   */
  readonly watches: Set<string>;
}

/** Hears below which prefixes something has changed, `ANYWHERE` for all. */
export type ChangeListener = (prefixes: readonly string[]) => void;

export interface EtcdState {
  /** Undefined where etcd refuses the certificate, or that there is none. */
  admit(certificate: X509Certificate | undefined, clientPort: number | undefined): EtcdClient | undefined;
  /** The keys from one on to `end`, which is exclusive, or that one alone; undefined where the client may not read them. */
  range(client: EtcdClient, key: string, end: string | undefined): [string, string][] | undefined;
  /** The names of all users, in order; undefined for whom it does not tell. */
  userNames(client: EtcdClient): string[] | undefined;
  /** Until the returned function is called. */
  onChange(listener: ChangeListener): () => void;
  /**
   * Name to role. Reads of a user that is gone are refused from now on, also over connections that are open; what such a
   * connection watches it goes on hearing of until it ends (as etcd does: measured with 3.5.30 and 3.6's v3rpc/watch.go).
   */
  setUsers(users: ReadonlyMap<string, string>): void;
  put(key: string, value: string): void;
  /** Replaces all keys with the prefix. */
  replacePrefix(prefix: string, entries: ReadonlyMap<string, string>): void;
  /** All keys with the prefix, in order. */
  list(prefix: string): [string, string][];
  /** Tells no one any more. */
  close(): void;
}

/** Throws an Error for a CA that etcd could not load. */
export function createEtcdState({ clusterName, ca, now, onRefused, log }: EtcdStateOptions): EtcdState {
  const roots = parseCertificates(ca);
  if (roots.length === 0) throw new Error('tls: failed to find any PEM data in the trusted CA file');
  const entries = new Map<string, string>();
  const listeners = new Set<ChangeListener>();
  let users: ReadonlyMap<string, string> = builtInUsers(clusterName);
  let telling: NodeJS.Immediate | undefined;
  /** Below which prefixes something has changed since clients were told. */
  const changed = new Set<string>();

  /** Stands in for etcd's watches: every connected client hears where the state has changed, and reads that again. */
  function tellClients(prefix: string) {
    changed.add(WATCHED.test(prefix) ? prefix : ANYWHERE);
    telling ??= setImmediate(() => {
      telling = undefined;
      const prefixes = changed.has(ANYWHERE) ? [ANYWHERE] : [...changed];
      changed.clear();
      for (const listener of listeners) listener(prefixes);
    });
  }

  function put(key: string, value: string, prefix = ANYWHERE) {
    const isNews = WATCHED.test(key) ? entries.get(key) !== value : !entries.has(key);
    entries.set(key, value);
    if (isNews) tellClients(prefix);
  }

  function refusalOf(certificate: X509Certificate): string | undefined {
    const failure = verifyCertificate(certificate, { roots, now: now(), usage: 'client' });
    return failure === undefined ? undefined : alertFor(failure);
  }

  /** Those that a condition holds for, in order. */
  const entriesWhere = (holds: (key: string) => boolean): [string, string][] =>
    [...entries].filter(([key]) => holds(key)).sort(([a], [b]) => (a < b ? -1 : 1));

  return {
    admit(certificate, clientPort) {
      const alert = certificate ? refusalOf(certificate) : 'remote error: tls: certificate required';
      if (certificate && alert === undefined) return { user: commonNameOf(certificate), watches: new Set() };
      log(`level=warning msg="rejected connection" remote-addr=127.0.0.1:${clientPort} error="${alert}"`);
      if (clientPort !== undefined && alert !== undefined) onRefused(clientPort, alert);
      return undefined;
    },
    range({ user, watches }, key, end) {
      const watch = end === undefined ? undefined : `${key}\n${end}`;
      const isOpen = watch !== undefined && watches.has(watch);
      const role = users.get(user);
      if (!isOpen && (role === undefined || !mayRead(role, clusterName)(key, end))) {
        log(`level=warning msg="permission denied" user-name="${user}" key="${key}"`);
        return undefined;
      }
      if (watch !== undefined) watches.add(watch);
      return entriesWhere((entry) => (end === undefined ? entry === key : entry >= key && entry < end));
    },
    userNames: ({ user }) => (users.get(user) === 'root' ? [...users.keys()].sort() : undefined),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    setUsers(next) {
      users = next;
    },
    put: (key, value) => put(key, value),
    replacePrefix(prefix, next) {
      const gone = [...entries.keys()].filter((entry) => entry.startsWith(prefix) && !next.has(entry));
      for (const key of gone) entries.delete(key);
      if (gone.length > 0) tellClients(prefix);
      for (const [key, value] of next) put(key, value, prefix);
    },
    list: (prefix) => entriesWhere((key) => key.startsWith(prefix)),
    close() {
      if (telling) clearImmediate(telling);
      listeners.clear();
    },
  };
}
