import { loadKubeconfig, selectContext } from '../../kube/access/kubeconfig.ts';
import type { Kubeconfig } from '../../kube/access/kubeconfig-entries.ts';
import type { ClusterClient } from '../../kube/client.ts';
import { openCluster } from '../../kube/open-cluster.ts';
import { meshctlCommand } from '../../mesh/command-line.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { groupBy } from '../../mesh/pairs.ts';
import { NETWORK_RULE, networkRuleObject, ruleTextOf } from '../../sandbox/controllers/network-rule.ts';
import { NETWORK_NAME } from '../../sandbox/fixtures/nodes.ts';
import type { NetworkRule } from '../../sandbox/pods/network-rules.ts';
import { networkRulesText } from '../../views/sandbox/sandbox-view.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import { kubeconfigIn, sandboxesInBackground, sandboxNameOf } from './background.ts';

const GROUP: string = NETWORK_RULE.apiVersion.replace(/\/.*/, '');
const REQUEST_TIMEOUT_MS = 30_000;

/** The network of a sandbox in another process, by the API servers of its clusters. */
export interface RunningNetwork {
  /** The names of nodes, by cluster. */
  places(): Promise<Map<string, string[]>>;
  /** What is broken, as texts. */
  rules(): Promise<string[]>;
  /** A rule that is there already stays. */
  add(rule: NetworkRule): Promise<void>;
  remove(text: string): Promise<void>;
}

/**
 * Finds the sandbox that is meant: that of the kubeconfig, else, unless that cannot be read, the only one in the background.
 * @throws MeshctlError `Usage` where there is none, or several
 */
export async function withRunningNetwork<T>(
  context: CommandContext,
  { kubeconfig: path }: { kubeconfig?: string | undefined },
  work: (network: RunningNetwork) => Promise<T>,
): Promise<T> {
  const opened: ClusterClient[] = [];
  const clientsOf = async (kubeconfig: Kubeconfig) => {
    const clients = kubeconfig.contexts.flatMap(({ name }) => openLoopback(context, kubeconfig, name) ?? []);
    opened.push(...clients);
    const groups = await Promise.all(clients.map((client) => client.apiGroups().catch((): string[] => [])));
    return clients.filter((_, index) => groups[index]?.includes(GROUP));
  };
  try {
    const named = await read(context, path).then(clientsOf, (error: unknown) => {
      if (path !== undefined) throw error;
      // A file that is gone was a sandbox's that is: another one, perhaps somebody else's, is not what is meant.
      if (context.env.KUBECONFIG) throw noSandbox(context.env.KUBECONFIG);
      return [];
    });
    const clients = named.length > 0 || path !== undefined ? named : await clientsOf(await inBackground(context));
    if (clients.length === 0) throw noSandbox(path);
    return await work(networkOf(clients));
  } finally {
    for (const client of opened) client.close();
  }
}

function read({ env, cwd, signal }: CommandContext, path: string | undefined): Promise<Kubeconfig> {
  return loadKubeconfig({ path, env, cwd, signal, timeoutMs: REQUEST_TIMEOUT_MS });
}

/** Nothing else than what runs on this machine is asked. */
function openLoopback(context: CommandContext, kubeconfig: Kubeconfig, name: string): ClusterClient | undefined {
  try {
    const { cluster } = selectContext(kubeconfig, name);
    if (new URL(cluster.server).hostname !== '127.0.0.1') return undefined;
    const { userAgent, signal, clock } = context;
    return openCluster(kubeconfig, { context: name, requestTimeoutMs: REQUEST_TIMEOUT_MS, userAgent, signal, clock });
  } catch (error) {
    // An entry that is broken is no sandbox's.
    if (error instanceof MeshctlError || error instanceof TypeError) return undefined;
    throw error;
  }
}

async function inBackground(context: CommandContext): Promise<Kubeconfig> {
  const all = await sandboxesInBackground(context);
  const [first] = all;
  if (!first) throw noSandbox(undefined);
  if (all.length === 1) return read(context, kubeconfigIn(first.folder));
  throw new MeshctlError(
    'Usage',
    `${all.length} sandboxes run in the background: ${all.map(sandboxNameOf).join(', ')}`,
    {
      hint: `Name the kubeconfig of one: ${context.again('--kubeconfig', kubeconfigIn(first.folder))}`,
    },
  );
}

function noSandbox(path: string | undefined): MeshctlError {
  const where = path === undefined ? 'of the kubeconfig, and none runs in the background' : `of ${path}`;
  return new MeshctlError('Usage', `no running sandbox is among the clusters ${where}`, {
    hint: `Start one: ${meshctlCommand('sandbox up', {}, ['--detach'])}`,
  });
}

function networkOf(clients: readonly ClusterClient[]): RunningNetwork {
  const [first] = clients;
  const all = async () => {
    const lists = await Promise.all(clients.map((client) => client.listAll(NETWORK_RULE)));
    return lists.flatMap((objects, index) => objects.map((object) => ({ client: clients[index], object })));
  };
  return {
    async places() {
      const lists = await Promise.all(clients.map((client) => client.listAll({ apiVersion: 'v1', kind: 'Node' })));
      // By what the network calls the clusters: a context is called as its owner likes.
      const nodes = groupBy(lists.flat(), ({ metadata }) => metadata.annotations?.[NETWORK_NAME] ?? '');
      return new Map([...nodes].map(([cluster, those]) => [cluster, those.map(({ metadata }) => metadata.name)]));
    },
    rules: async () => [...new Set((await all()).map(({ object }) => ruleTextOf(object)))].sort(),
    async add({ id }) {
      if ((await all()).some(({ object }) => ruleTextOf(object) === id)) return;
      await first?.create(networkRuleObject(id));
    },
    async remove(text) {
      const there = (await all()).filter(({ object }) => ruleTextOf(object) === text);
      for (const { client, object } of there) await client?.delete({ ...NETWORK_RULE, name: object.metadata.name });
    },
  };
}

/** What is broken now, as the result of a command. */
export function networkResult(rules: readonly string[]): CommandResult {
  return {
    kind: 'SandboxNetwork',
    data: { rules },
    text: (theme) => networkRulesText(rules, theme),
  };
}
