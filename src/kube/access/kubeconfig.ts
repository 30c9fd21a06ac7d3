import { delimiter, join, resolve } from 'node:path';
import type { Cluster, Context } from '@kubernetes/client-node/dist/config_types.js';
import { contextList, meshctlCommand, shellWord } from '../../mesh/command-line.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { byNearness } from '../../mesh/nearest.ts';
import { inClusterKubeconfig } from './in-cluster.ts';
import {
  configCommand,
  isOfOneSide,
  type Kubeconfig,
  type KubeconfigUser,
  type NamedBy,
  type SelectedContext,
  type ShadowedEntry,
} from './kubeconfig-entries.ts';
import { type KubeconfigFile, readKubeconfigFile } from './kubeconfig-file.ts';
import { isProxyUrl, isUrl } from './proxy-url.ts';
import type { ReadLimits } from './read-text-file.ts';

export type { KubeconfigUser } from './kubeconfig-entries.ts';

export interface KubeconfigSource extends ReadLimits {
  /** `--kubeconfig`; must exist. */
  path?: string | undefined;
  /** Default: `--kubeconfig` and `--context`. */
  namedBy?: NamedBy | undefined;
  env: Readonly<Record<string, string | undefined>>;
  /** What relative paths start from. */
  cwd: string;
  /** Where a pod has its service account; default: where Kubernetes mounts it. */
  serviceAccount?: string | undefined;
}

/**
 * Reads `--kubeconfig`, else the files that KUBECONFIG lists (missing ones are passed over, as kubectl does), else
 * `~/.kube/config`, else, in a pod, takes its service account. Entries that are broken in themselves are passed over too; using one is the error.
 * Throws `KubeconfigMissing` and `KubeconfigInvalid`.
 */
export async function loadKubeconfig(source: KubeconfigSource): Promise<Kubeconfig> {
  const paths = candidatePaths(source);
  const read = await Promise.all(paths.map((path) => readKubeconfigFile(path, source)));
  const files = read.filter((file) => file !== undefined);
  if (files.length === 0) {
    const own = source.path ? undefined : await inClusterKubeconfig(source.env, source.serviceAccount);
    if (own) return own;
    const withoutAny = ` To try meshctl without clusters: ${meshctlCommand('sandbox up', {}, ['--detach'])}`;
    throw new MeshctlError(
      'KubeconfigMissing',
      paths.length === 0
        ? 'no kubeconfig: there is no home directory to look in'
        : `no kubeconfig: ${paths.join(', ')} ${paths.length > 1 ? 'do' : 'does'} not exist`,
      {
        hint: isOfOneSide(source)
          ? `Give ${source.namedBy?.file} FILE, or leave it out where the destinations are in the kubeconfig of the source.`
          : `Give --kubeconfig FILE or set KUBECONFIG.${source.path || source.env.KUBECONFIG ? '' : withoutAny}`,
        details: { paths },
      },
    );
  }
  return {
    files: files.map((file) => file.path),
    namedBy: source.namedBy,
    currentContext: files.find((file) => file.currentContext)?.currentContext,
    contexts: firstOfEachName(files.flatMap((file) => file.contexts)),
    clusters: firstOfEachName(files.flatMap((file) => file.clusters)),
    users: firstOfEachName(files.flatMap((file) => file.users)),
    shadowed: [
      ...shadowedIn(files, 'context', (file) => file.contexts.map((entry) => leadsTo(file, entry))),
      ...shadowedIn(files, 'cluster', (file) => file.clusters),
      ...shadowedIn(files, 'user', (file) => file.users),
    ],
    contextFiles: new Map(
      files.flatMap(({ path, contexts }) => contexts.map(({ name }) => [name, path] as const)).reverse(),
    ),
  };
}

/** Equal entries, e.g. of a file that is listed twice, shadow nothing. */
function shadowedIn(
  files: readonly KubeconfigFile[],
  kind: ShadowedEntry['kind'],
  entriesOfFile: (file: KubeconfigFile) => readonly { name: string }[],
): ShadowedEntry[] {
  const first = new Map<string, { file: string; text: string }>();
  return files.flatMap((file) =>
    entriesOfFile(file).flatMap((entry): ShadowedEntry[] => {
      const known = first.get(entry.name);
      const text = JSON.stringify(entry);
      if (!known) first.set(entry.name, { file: file.path, text });
      return known && known.text !== text ? [{ kind, name: entry.name, file: known.file, other: file.path }] : [];
    }),
  );
}

/** What a context of a file means in that file: names alone tell no two clusters apart. */
function leadsTo({ clusters, users }: KubeconfigFile, { name, cluster, user }: Context) {
  return {
    name,
    cluster: { ...(clusters.find((entry) => entry.name === cluster) ?? { by: cluster }), name: undefined },
    user: { ...(users.find((entry) => entry.name === user) ?? { by: user }), name: undefined },
  };
}

function candidatePaths({ path, env, cwd }: KubeconfigSource): string[] {
  if (path) return [resolve(cwd, path)];
  const listed = (env.KUBECONFIG ?? '').split(delimiter).filter((entry) => entry !== '');
  if (listed.length > 0) return listed.map((entry) => resolve(cwd, entry));
  const home = env.HOME ?? env.USERPROFILE;
  return home ? [join(home, '.kube', 'config')] : [];
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
        hint: `See what the kubeconfig holds: ${configCommand(kubeconfig, ['view'])}`,
        details: { context: wanted, files: kubeconfig.files },
      },
    );
  }
  requireUsable(wanted, cluster, user, kubeconfig.files);
  const warnings = shadowWarnings(kubeconfig, context);
  return { name: wanted, namespace: context.namespace, cluster, user, files: kubeconfig.files, warnings };
}

/** @throws MeshctlError `KubeconfigInvalid` for a server, a proxy or a plugin that nothing can be done with */
function requireUsable(name: string, cluster: Cluster, user: KubeconfigUser, files: readonly string[]): void {
  const fail = (why: string): never => {
    throw new MeshctlError('KubeconfigInvalid', `context "${name}" of kubeconfig ${files.join(', ')}: ${why}`, {
      details: { context: name, files },
    });
  };
  if (!isUrl(cluster.server, ['http:', 'https:']))
    fail(`cluster "${cluster.name}" has no server with an http or https URL`);
  if (cluster.proxyUrl && !isProxyUrl(cluster.proxyUrl))
    fail(`the proxy-url of cluster "${cluster.name}" is not an http, https or socks5 URL`);
  if (user.plugin && user.plugin.command === '') fail(`the exec entry of user "${user.name}" names no command`);
}

/**
 * A context of a later file gets the cluster and the user of an earlier one that has the same names, and is left out itself
 * where an earlier file has another one of its name.
 */
function shadowWarnings({ shadowed = [], contextFiles, namedBy }: Kubeconfig, context: Context): string[] {
  const own = contextFiles?.get(context.name);
  const entries = shadowed
    .filter(({ kind, name, other }) => kind !== 'context' && other === own && name === context[kind])
    .map(
      ({ kind, name, file, other }) => `context "${context.name}" of ${other} uses the ${kind} "${name}" of ${file}`,
    );
  const contexts = shadowed
    .filter(({ kind, name }) => kind === 'context' && name === context.name)
    .map(({ name, file, other }) => `context "${name}" of ${file} is used, and another one of ${other} is not`);
  return [...entries, ...contexts].map(
    (says) =>
      `${says}: of two with one name, the first in KUBECONFIG counts. Rename one of them, or use the file alone with ${namedBy?.contexts === '--destination-context' ? '--destination-kubeconfig' : '--kubeconfig'}`,
  );
}

const MAX_CONTEXTS_IN_HINT = 10;

function contextsHint(kubeconfig: Kubeconfig, wanted: string): string {
  const names = kubeconfig.contexts.map((context) => context.name);
  if (names.length === 0) return 'the kubeconfig holds no contexts';
  const whole = names.find((name) => name.includes(',') && name.split(',').includes(wanted));
  if (whole !== undefined)
    return `A comma within the name of a context is written \\,: ${kubeconfig.namedBy?.contexts ?? '--context'} ${shellWord(contextList([whole]))}`;
  const listed = wanted.split(',');
  if (listed.length > 1 && listed.every((name) => names.includes(name))) {
    return `This takes one context: ${listed.slice(0, -1).join(', ')} or ${listed.at(-1)}.`;
  }
  const shown = byNearness(wanted, names).slice(0, MAX_CONTEXTS_IN_HINT);
  const rest = names.length - shown.length;
  return `contexts: ${shown.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}
