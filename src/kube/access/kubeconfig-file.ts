import { dirname, isAbsolute, join } from 'node:path';
import type { Context, User } from '@kubernetes/client-node/dist/config_types.js';
import { newClusters, newContexts, newUsers } from '@kubernetes/client-node/dist/config_types.js';
import { parse } from 'yaml';
import { MeshctlError } from '../../mesh/errors.ts';
import { isRecord } from '../../mesh/record.ts';
import { EACH, type Shape, shaped } from '../shape.ts';
import type { ExecEntry, KubeconfigCluster, KubeconfigUser } from './kubeconfig-entries.ts';
import { type ReadLimits, readTextFile } from './read-text-file.ts';

/** What one file has. Entries that are broken in themselves are not among it. */
export interface KubeconfigFile {
  path: string;
  currentContext?: string | undefined;
  contexts: Context[];
  clusters: KubeconfigCluster[];
  users: KubeconfigUser[];
}

/**
 * Reads a kubeconfig file; undefined when it does not exist.
 * @throws MeshctlError `KubeconfigInvalid`, quoting nothing of the file: it may hold credentials
 */
export async function readKubeconfigFile(path: string, limits: ReadLimits): Promise<KubeconfigFile | undefined> {
  const text = await readTextFile(path, `kubeconfig ${path}`, limits);
  if (text === undefined) return undefined;
  let content: unknown;
  try {
    // Warnings, e.g. of an unknown tag, would quote the lines, and go past the host to stderr.
    content = parse(text, { logLevel: 'error' });
  } catch (error) {
    // The parser quotes the offending lines, which may hold credentials: only the position goes out.
    const position = (error as { linePos?: { line: number; col: number }[] }).linePos?.[0];
    const where = position ? ` at line ${position.line}, column ${position.col}` : '';
    throw new MeshctlError('KubeconfigInvalid', `kubeconfig ${path} is not valid YAML${where}`, { details: { path } });
  }
  // An empty file is an empty kubeconfig, as for kubectl.
  if (content === null || content === undefined) content = {};
  if (!isRecord(content)) {
    throw new MeshctlError('KubeconfigInvalid', `kubeconfig ${path} is not a kubeconfig: no mapping at the top`, {
      details: { path },
    });
  }
  return entriesOf(path, content);
}

const USER: Shape = {
  'client-certificate': 'text',
  'client-certificate-data': 'text',
  'client-key': 'text',
  'client-key-data': 'text',
  token: 'text',
  tokenFile: 'text',
  username: 'text',
  password: 'text',
  as: 'text',
  'as-uid': 'text',
  'as-groups': ['text'],
  'auth-provider': { name: 'text', config: { [EACH]: 'text' } },
  exec: {
    command: 'text',
    args: ['text'],
    env: [{ name: 'text', value: 'text' }],
    apiVersion: 'text',
    provideClusterInfo: 'truth',
    installHint: 'text',
  },
};

/** What is read of a kubeconfig (client-go, tools/clientcmd/api/v1). */
const KUBECONFIG: Shape = {
  'current-context': 'text',
  contexts: [{ name: 'text', context: { cluster: 'text', user: 'text', namespace: 'text' } }],
  clusters: [
    {
      name: 'text',
      cluster: {
        server: 'text',
        'certificate-authority': 'text',
        'certificate-authority-data': 'text',
        'insecure-skip-tls-verify': 'truth',
        'tls-server-name': 'text',
        'proxy-url': 'text',
        extensions: [{ name: 'text', extension: 'any' }],
      },
    },
  ],
  users: [{ name: 'text', user: USER }],
};

/** Reserved for what a credential plugin is to know of a cluster (client-go, tools/clientcmd, `clusterExtensionKey`). */
const EXEC_EXTENSION = 'client.authentication.k8s.io/exec';

interface RawCluster {
  name?: string;
  cluster?: { extensions?: { name?: string; extension?: unknown }[] };
}

interface RawUser {
  name?: string;
  user?: { tokenFile?: string; 'as-groups'?: string[]; 'as-uid'?: string; exec?: Partial<ExecEntry> };
}

function entriesOf(path: string, content: Record<string, unknown>): KubeconfigFile {
  const folder = dirname(path);
  const filter = { onInvalidEntry: 'filter' as const };
  const sound = shaped(content, KUBECONFIG) as Record<string, unknown>;
  const current = sound['current-context'];
  const rawClusters = (sound.clusters ?? []) as RawCluster[];
  const rawUsers = (sound.users ?? []) as RawUser[];
  for (const kind of ['contexts', 'clusters', 'users'] as const) refuseTwins(path, kind, sound[kind]);
  return {
    path,
    currentContext: typeof current === 'string' && current !== '' ? current : undefined,
    contexts: newContexts(sound.contexts, filter),
    clusters: newClusters(sound.clusters, filter).map((cluster) =>
      completeCluster(cluster, rawClusters.find(({ name }) => name === cluster.name)?.cluster ?? {}, folder),
    ),
    users: newUsers(rawUsers, filter).map((user) =>
      completeUser(user, rawUsers.find(({ name }) => name === user.name)?.user ?? {}, folder),
    ),
  };
}

/**
 * Of entries with one name in one file nobody can tell which is meant; kubectl reads no such file (client-go,
 * tools/clientcmd/api/v1, conversion.go).
 * @throws MeshctlError `KubeconfigInvalid`
 */
function refuseTwins(path: string, kind: 'contexts' | 'clusters' | 'users', entries: unknown): void {
  const names = Array.isArray(entries) ? entries.flatMap(nameIn) : [];
  const twin = names.find((name, index) => names.indexOf(name) !== index);
  if (twin === undefined) return;
  throw new MeshctlError('KubeconfigInvalid', `kubeconfig ${path} has two ${kind} named "${twin}"`, {
    hint: `Rename or remove one of them in ${path}: kubectl does not read such a file either.`,
    details: { path },
  });
}

function nameIn(entry: unknown): string[] {
  return isRecord(entry) && typeof entry.name === 'string' && entry.name !== '' ? [entry.name] : [];
}

function completeCluster(
  cluster: KubeconfigCluster,
  { extensions = [] }: NonNullable<RawCluster['cluster']>,
  folder: string,
): KubeconfigCluster {
  const execConfig = extensions.find(({ name }) => name === EXEC_EXTENSION)?.extension;
  return {
    ...cluster,
    ...(cluster.caFile ? { caFile: absolute(folder, cluster.caFile) } : {}),
    ...(execConfig === undefined ? {} : { execConfig }),
  };
}

function completeUser(user: User, raw: NonNullable<RawUser['user']>, folder: string): KubeconfigUser {
  const { tokenFile, 'as-groups': groups, 'as-uid': uid, exec } = raw;
  return {
    ...user,
    ...(user.certFile ? { certFile: absolute(folder, user.certFile) } : {}),
    ...(user.keyFile ? { keyFile: absolute(folder, user.keyFile) } : {}),
    ...(exec ? { plugin: pluginOf(exec, folder) } : {}),
    ...(tokenFile ? { tokenFile: absolute(folder, tokenFile) } : {}),
    ...(groups ? { impersonateGroups: groups } : {}),
    ...(uid ? { impersonateUid: uid } : {}),
  };
}

/** A plugin named by a path is relative to the kubeconfig; a bare name is looked up in PATH. */
function pluginOf({ command = '', env = [], ...rest }: Partial<ExecEntry>, folder: string): ExecEntry {
  return {
    ...rest,
    command: /[\\/]/.test(command) ? absolute(folder, command) : command,
    env: env.map(({ name = '', value = '' }) => ({ name, value })).filter(({ name }) => name !== ''),
  };
}

function absolute(folder: string, file: string): string {
  return isAbsolute(file) ? file : join(folder, file);
}
