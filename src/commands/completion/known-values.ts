import type { Kubeconfig } from '../../kube/access/kubeconfig-entries.ts';
import type { ClusterClient } from '../../kube/client.ts';
import { entriesOfList } from '../../mesh/command-line.ts';
import type { CommandContext } from '../command.ts';
import { matchesAny } from '../targets/context-patterns.ts';
import { type Candidate, type CompletionQuestion, named } from './candidates.ts';
import type { TypedLine } from './typed-line.ts';

/** What completing a line needs of the world. */
export interface CompletionWorld extends Pick<CommandContext, 'env' | 'cwd' | 'userAgent'> {
  /** For one answer of the clusters, in milliseconds. */
  withinMs: number;
  /** Aborted when the time is over. */
  signal: AbortSignal;
}

/** So many clusters are asked for one TAB. */
const CLUSTERS_ASKED = 8;

/**
 * All values of a source, as far as the kubeconfig, the checks and the clusters that a line names can tell.
 * @throws whatever keeps them from telling
 */
export async function knownValues(
  world: CompletionWorld,
  { source, line }: CompletionQuestion,
): Promise<readonly Candidate[]> {
  switch (source) {
    case 'context':
    case 'contexts':
      return contextsOf(await kubeconfigOf(world, line));
    case 'peer':
    case 'peers':
      return valuesInClusters(world, line, (client, signal) => peersOf(client, line, signal));
    case 'service':
      return valuesInClusters(world, line, (client, signal) => servicesIn(client, line, signal));
    case 'namespace':
      return valuesInClusters(world, line, (client, signal) =>
        client.collect({ apiVersion: 'v1', kind: 'Namespace' }, ({ metadata }) => [named(metadata.name)], { signal }),
      );
    case 'checks':
    case 'compatibility-checks':
    case 'categories':
      return checksOf(source, line);
    case 'explanations':
      return explainable();
    case 'sandbox':
      return sandboxes(world);
    case 'invitation':
      return valuesInClusters(world, line, (client, signal) => invitationsOf(client, line, signal));
    case 'file':
      return [];
  }
}

/** The kubeconfig that a line names, or the usual one. Of pipes nothing is read: the command itself could not read it any more. */
async function kubeconfigOf({ env, cwd, signal, withinMs }: CompletionWorld, line: TypedLine): Promise<Kubeconfig> {
  const { loadKubeconfig } = await import('../../kube/access/kubeconfig.ts');
  const elsewhere = line.wants.what === 'value' && line.wants.flag === '--destination-context';
  const path = (elsewhere ? lastOf(line, '--destination-kubeconfig') : undefined) ?? lastOf(line, '--kubeconfig');
  const source = { path: path === undefined ? undefined : expanded(path, env), env, cwd };
  return loadKubeconfig({ ...source, signal, timeoutMs: withinMs, plainFilesOnly: true });
}

function contextsOf({ contexts, currentContext }: Kubeconfig): Candidate[] {
  return contexts.map(({ name }) => (name === currentContext ? { value: name, description: 'current' } : named(name)));
}

/** What a shell makes of a path that it has not made yet: `~` and exported variables, and nothing else. */
export function expanded(path: string, env: Readonly<Record<string, string | undefined>>): string {
  return path
    .replace(/^~(?=[\\/]|$)/, () => env.HOME ?? env.USERPROFILE ?? '~')
    .replace(/\$(?:env:(\w+)|\{(\w+)\}|(\w+))/g, (_all, ...names: unknown[]) => {
      const name = names.slice(0, 3).find((one) => one !== undefined);
      return env[String(name)] ?? '';
    });
}

/** What all clusters of a line know that answer in time. */
async function valuesInClusters(
  world: CompletionWorld,
  line: TypedLine,
  ask: (client: ClusterClient, signal: AbortSignal) => Promise<readonly Candidate[]>,
): Promise<Candidate[]> {
  const [kubeconfig, { openCluster }] = await Promise.all([
    kubeconfigOf(world, line),
    import('../../kube/open-cluster.ts'),
  ]);
  const { signal, withinMs, userAgent, env } = world;
  const access = { as: lastOf(line, '--as'), asGroup: line.given.get('--as-group') };
  const retry = { attempts: 1, baseDelayMs: 0, maxDelayMs: 0 };
  const over = new Promise<Candidate[]>((resolve) => {
    signal.addEventListener('abort', () => resolve([]), { once: true });
  });
  const answers = contextsNamed(kubeconfig, line).map(async (context) => {
    const client = openCluster(kubeconfig, {
      ...access,
      context,
      requestTimeoutMs: withinMs,
      userAgent,
      signal,
      env,
      retry,
    });
    try {
      return await Promise.race([ask(client, signal), over]);
    } finally {
      client.close();
    }
  });
  const settled = await Promise.allSettled(answers);
  return settled.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
}

/** The contexts of the clusters that a line is about so far. */
function contextsNamed({ contexts, currentContext }: Kubeconfig, line: TypedLine): (string | undefined)[] {
  const patterns = (line.given.get('--context') ?? []).flatMap(entriesOfList);
  const names = contexts.map(({ name }) => name);
  if (patterns.length > 0) return names.filter((name) => matchesAny(name, patterns)).slice(0, CLUSTERS_ASKED);
  return line.given.has('--all') ? names.slice(0, CLUSTERS_ASKED) : [currentContext];
}

/** The clusters that a cluster dials, or lets in. */
async function peersOf(client: ClusterClient, line: TypedLine, signal: AbortSignal): Promise<Candidate[]> {
  const { readPeerNames } = await import('../../flows/connect/read-peer-names.ts');
  const { cluster, found } = await inCiliumNamespace(client, line, (namespace) =>
    readPeerNames(client, namespace, signal),
  );
  return found.filter((name) => name !== cluster).map(named);
}

/** The invitations that a cluster keeps, with how far each has come, and with whom. */
async function invitationsOf(client: ClusterClient, line: TypedLine, signal: AbortSignal): Promise<Candidate[]> {
  const { readInvitations } = await import('../../flows/invitation/read-invitations.ts');
  const { found } = await inCiliumNamespace(client, line, async (namespace): Promise<Candidate[]> => {
    const { kept, unreadable } = await readInvitations({ client, namespace }, signal);
    return [
      ...kept.map(({ record: { id, state, peer } }) => ({
        value: id,
        description: [state, ...(peer ? [peer.name] : [])].join(', '),
      })),
      ...unreadable.map(({ id }) => ({ value: id, description: 'unreadable' })),
    ];
  });
  return [...found];
}

/** What is read in the namespace in which a cluster has Cilium, and the cluster's name. */
async function inCiliumNamespace<T>(
  client: ClusterClient,
  line: TypedLine,
  read: (namespace: string) => Promise<readonly T[]>,
): Promise<{ cluster: string | undefined; found: readonly T[] }> {
  const [{ expectedNamespace, lookAtCluster }, { parseCiliumNamespaces }] = await Promise.all([
    import('../../flows/targets/first-look.ts'),
    import('../../mesh/cilium/namespaces.ts'),
  ]);
  const text = lastOf(line, '--namespace') ?? lastOf(line, '--cilium-namespace');
  const given = text === undefined ? { of: new Map<string, string>() } : parseCiliumNamespaces(text);
  // Where it is nearly always: one answer less to wait for.
  const guess = expectedNamespace(given, client.context);
  const [look, there] = await Promise.all([lookAtCluster(client, given, true), read(guess).catch(() => [])]);
  return { cluster: look.cluster, found: look.namespace === guess ? there : await read(look.namespace) };
}

/** NAMESPACE/NAME, or the names in the namespace that the line gives. */
async function servicesIn(client: ClusterClient, line: TypedLine, signal: AbortSignal): Promise<Candidate[]> {
  const { readSharing } = await import('../../mesh/services/annotations.ts');
  const given = lastOf(line, '--namespace');
  const [typed, rest] = line.current.split('/', 2);
  const namespace = rest === undefined ? given : typed;
  return client.collect(
    { apiVersion: 'v1', kind: 'Service', namespace },
    ({ metadata }) => {
      const value =
        rest === undefined && given !== undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;
      return [readSharing(metadata.annotations).global ? { value, description: 'global' } : named(value)];
    },
    { signal },
  );
}

async function checksOf(
  source: 'checks' | 'compatibility-checks' | 'categories',
  line: TypedLine,
): Promise<Candidate[]> {
  const { ALL_ANSWER, CLUSTER_ANSWERS, MESH_CHECKS, NO_RUN_AT_WORK, PRE_CHECKS, RUN_AT_WORK, categoriesOf } =
    await import('../../mesh/checks/catalogue.ts');
  const { COMPATIBILITY_CHECKS } = await import('../../mesh/checks/compatibility.ts');
  if (source === 'categories') return categoriesOf(line.given.has('--pre') ? PRE_CHECKS : MESH_CHECKS).map(named);
  const checks = source === 'checks' ? MESH_CHECKS : COMPATIBILITY_CHECKS;
  const found = checks.map(({ id, title }) => ({ value: id, description: title }));
  const run = { value: RUN_AT_WORK, description: NO_RUN_AT_WORK };
  const answers = { value: CLUSTER_ANSWERS, description: ALL_ANSWER };
  return source === 'checks' ? [...found, run, answers] : found;
}

async function explainable(): Promise<Candidate[]> {
  const { explainableIds } = await import('../../mesh/explain.ts');
  return explainableIds().map(({ id, title }) => ({ value: id, description: title }));
}

async function sandboxes(world: CompletionWorld): Promise<Candidate[]> {
  const { sandboxesInBackground, sandboxNameOf } = await import('../sandbox/background.ts');
  const running = await sandboxesInBackground(world);
  return running.map((sandbox) => ({ value: sandboxNameOf(sandbox), description: sandbox.contexts.join(', ') }));
}

function lastOf({ given }: TypedLine, flag: string): string | undefined {
  return given.get(flag)?.at(-1);
}
