import { readFile } from 'node:fs/promises';
import { delimiter, dirname, isAbsolute, join, resolve } from 'node:path';
import type { Cluster, Context, User } from '@kubernetes/client-node/dist/config_types.js';
import { newClusters, newContexts, newUsers } from '@kubernetes/client-node/dist/config_types.js';
import { parse } from 'yaml';
import { kubectlCommand } from '../mesh/command-line.ts';
import { MeshctlError } from '../mesh/errors.ts';

/** A kubeconfig user with the fields that client-node passes over. */
export interface KubeconfigUser extends User {
  /** `tokenFile`, absolute. */
  tokenFile?: string | undefined;
  /** `as-groups`. */
  impersonateGroups?: readonly string[] | undefined;
  /** `as-uid`. */
  impersonateUid?: string | undefined;
}

/** One or several kubeconfig files, merged as kubectl does: whoever names something first keeps it. */
export interface Kubeconfig {
  /** The files that were read. */
  files: readonly string[];
  currentContext?: string | undefined;
  contexts: readonly Context[];
  clusters: readonly Cluster[];
  users: readonly KubeconfigUser[];
}

/** A context with the cluster and user that it names. */
export interface SelectedContext {
  name: string;
  namespace?: string | undefined;
  cluster: Cluster;
  /** Without a name in the context, an anonymous user. */
  user: KubeconfigUser;
  files: readonly string[];
}

export interface KubeconfigSource {
  /** `--kubeconfig`; must exist. */
  path?: string | undefined;
  env: Readonly<Record<string, string | undefined>>;
  /** What relative paths start from. */
  cwd: string;
}

/**
 * Reads `--kubeconfig`, else the files that KUBECONFIG lists (missing ones are passed over, as kubectl does), else
 * `~/.kube/config`. Entries that are broken in themselves are passed over too; using one is the error.
 * Throws `KubeconfigMissing` and `KubeconfigInvalid`.
 */
export async function loadKubeconfig(source: KubeconfigSource): Promise<Kubeconfig> {
  const paths = candidatePaths(source);
  const read = await Promise.all(paths.map((path) => readKubeconfigFile(path)));
  const files = read.filter((file) => file !== undefined);
  if (files.length === 0) {
    throw new MeshctlError(
      'KubeconfigMissing',
      `no kubeconfig: ${paths.join(', ') || 'no home directory'} does not exist`,
      {
        hint: 'give --kubeconfig FILE or set KUBECONFIG',
        details: { paths },
      },
    );
  }
  return {
    files: files.map((file) => file.path),
    currentContext: files.find((file) => file.currentContext)?.currentContext,
    contexts: firstOfEachName(files.flatMap((file) => file.contexts)),
    clusters: firstOfEachName(files.flatMap((file) => file.clusters)),
    users: firstOfEachName(files.flatMap((file) => file.users)),
  };
}

function candidatePaths({ path, env, cwd }: KubeconfigSource): string[] {
  if (path) return [resolve(cwd, path)];
  const listed = (env.KUBECONFIG ?? '').split(delimiter).filter((entry) => entry !== '');
  if (listed.length > 0) return listed.map((entry) => resolve(cwd, entry));
  const home = env.HOME ?? env.USERPROFILE;
  return home ? [join(home, '.kube', 'config')] : [];
}

interface KubeconfigFile {
  path: string;
  currentContext?: string | undefined;
  contexts: Context[];
  clusters: Cluster[];
  users: KubeconfigUser[];
}

/** Undefined when the file does not exist. */
async function readKubeconfigFile(path: string): Promise<KubeconfigFile | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    const why = code === 'EACCES' ? 'permission denied' : code === 'EISDIR' ? 'it is a directory' : String(code);
    throw new MeshctlError('KubeconfigInvalid', `cannot read kubeconfig ${path}: ${why}`, {
      cause: error,
      details: { path },
    });
  }
  let content: unknown;
  try {
    content = parse(text);
  } catch (error) {
    // The parser quotes the offending lines, which may hold credentials: only the position goes out.
    const position = (error as { linePos?: { line: number; col: number }[] }).linePos?.[0];
    const where = position ? ` at line ${position.line}, column ${position.col}` : '';
    throw new MeshctlError('KubeconfigInvalid', `kubeconfig ${path} is not valid YAML${where}`, { details: { path } });
  }
  // An empty file is an empty kubeconfig, as for kubectl.
  if (content === null) content = {};
  if (typeof content !== 'object' || Array.isArray(content)) {
    throw new MeshctlError('KubeconfigInvalid', `kubeconfig ${path} is not a kubeconfig: no mapping at the top`, {
      details: { path },
    });
  }
  return entriesOf(path, content as Record<string, unknown>);
}

function entriesOf(path: string, content: Record<string, unknown>): KubeconfigFile {
  const folder = dirname(path);
  const filter = { onInvalidEntry: 'filter' as const };
  const current = content['current-context'];
  const rawUsers = Array.isArray(content.users) ? content.users : [];
  return {
    path,
    currentContext: typeof current === 'string' && current !== '' ? current : undefined,
    contexts: newContexts(content.contexts, filter),
    clusters: newClusters(content.clusters, filter).map((cluster) =>
      cluster.caFile ? { ...cluster, caFile: absolute(folder, cluster.caFile) } : cluster,
    ),
    users: newUsers(rawUsers, filter).map((user) => completeUser(user, rawUserNamed(rawUsers, user.name), folder)),
  };
}

function rawUserNamed(rawUsers: unknown[], name: string): Record<string, unknown> {
  const entry = rawUsers.find((raw) => (raw as { name?: unknown } | null)?.name === name);
  return (entry as { user?: Record<string, unknown> | null } | undefined)?.user ?? {};
}

function completeUser(user: User, raw: Record<string, unknown>, folder: string): KubeconfigUser {
  const { tokenFile, 'as-groups': groups, 'as-uid': uid } = raw;
  const exec = user.exec as { command?: string } | null | undefined;
  return {
    ...user,
    ...(user.certFile ? { certFile: absolute(folder, user.certFile) } : {}),
    ...(user.keyFile ? { keyFile: absolute(folder, user.keyFile) } : {}),
    // A plugin named by a path is relative to the kubeconfig; a bare name is looked up in PATH.
    ...(exec?.command && /[\\/]/.test(exec.command)
      ? { exec: { ...exec, command: absolute(folder, exec.command) } }
      : {}),
    ...(typeof tokenFile === 'string' && tokenFile !== '' ? { tokenFile: absolute(folder, tokenFile) } : {}),
    ...(Array.isArray(groups) ? { impersonateGroups: groups.map(String) } : {}),
    ...(typeof uid === 'string' && uid !== '' ? { impersonateUid: uid } : {}),
  };
}

function absolute(folder: string, file: string): string {
  return isAbsolute(file) ? file : join(folder, file);
}

function firstOfEachName<T extends { name: string }>(entries: readonly T[]): T[] {
  const byName = new Map<string, T>();
  for (const entry of entries) if (!byName.has(entry.name)) byName.set(entry.name, entry);
  return [...byName.values()];
}

/**
 * Finds a context (default: the current one) with its cluster and user.
 * Throws `ContextUnknown`, listing what exists, and `KubeconfigInvalid` when the context names a missing cluster or user.
 */
export function selectContext(kubeconfig: Kubeconfig, name?: string): SelectedContext {
  const where = kubeconfig.files.join(', ');
  const wanted = name ?? kubeconfig.currentContext;
  if (wanted === undefined) {
    throw new MeshctlError('ContextUnknown', `no context was given and kubeconfig ${where} sets no current-context`, {
      hint: contextsHint(kubeconfig, ''),
      details: { files: kubeconfig.files },
    });
  }
  const context = kubeconfig.contexts.find((entry) => entry.name === wanted);
  if (!context) {
    throw new MeshctlError('ContextUnknown', `context "${wanted}" is not in kubeconfig ${where}`, {
      hint: contextsHint(kubeconfig, wanted),
      details: { context: wanted, files: kubeconfig.files },
    });
  }
  const cluster = kubeconfig.clusters.find((entry) => entry.name === context.cluster);
  const user = context.user
    ? kubeconfig.users.find((entry) => entry.name === context.user)
    : { name: '', authProvider: undefined };
  const missing = !cluster ? `cluster "${context.cluster}"` : !user ? `user "${context.user}"` : undefined;
  if (!cluster || !user) {
    throw new MeshctlError(
      'KubeconfigInvalid',
      `context "${wanted}" names ${missing}, which is not in kubeconfig ${where}`,
      {
        hint: `see what the kubeconfig holds: ${kubectlCommand({}, ['config', 'view'])}`,
        details: { context: wanted, files: kubeconfig.files },
      },
    );
  }
  return { name: wanted, namespace: context.namespace, cluster, user, files: kubeconfig.files };
}

const MAX_CONTEXTS_IN_HINT = 10;

function contextsHint(kubeconfig: Kubeconfig, wanted: string): string {
  const names = kubeconfig.contexts.map((context) => context.name);
  if (names.length === 0) return 'the kubeconfig holds no contexts';
  const distances = new Map(names.map((name) => [name, editDistance(wanted.toLowerCase(), name.toLowerCase())]));
  const near = [...names].sort((a, b) => (distances.get(a) ?? 0) - (distances.get(b) ?? 0) || a.localeCompare(b));
  const shown = near.slice(0, MAX_CONTEXTS_IN_HINT);
  const rest = names.length - shown.length;
  return `contexts: ${shown.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

/** Levenshtein's distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitute = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitute, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
