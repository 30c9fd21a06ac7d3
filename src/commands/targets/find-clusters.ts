import { createAdaptiveLimit } from '../../flows/adaptive-limit.ts';
import { during } from '../../flows/flow.ts';
import { firstOfErrors } from '../../flows/parallel.ts';
import { expectedNamespace, type FirstLook, lookAtCluster } from '../../flows/targets/first-look.ts';
import { lateWords, untilQuiet } from '../../flows/until-quiet.ts';
import { toldInFull } from '../../flows/where-it-succeeds.ts';
import { configCommand, type Kubeconfig } from '../../kube/access/kubeconfig-entries.ts';
import type { ClusterClient } from '../../kube/client.ts';
import { type CiliumNamespaces, parseCiliumNamespaces } from '../../mesh/cilium/namespaces.ts';
import { firstOf } from '../../mesh/counted.ts';
import { MeshctlError, mayAnswerLater, warningOf } from '../../mesh/errors.ts';
import type { CommandContext } from '../command.ts';
import { noCilium } from './absent-cilium.ts';
import { type ClusterFlags, kubeconfigOf, type OfOneSide, opener, serverOf } from './cluster-flags.ts';
import { isGlob, matchesAny } from './context-patterns.ts';
import { eachOnce, type Found, isNone, type SilentCluster } from './each-cluster.ts';

/** Which contexts a command is about. */
export interface Choice {
  /** Names and globs; undefined is the current context. */
  names?: readonly string[] | undefined;
  /** All that run Cilium. */
  all?: boolean | undefined;
  /** With `all`: contexts that are used rather than others of the same clusters. */
  first?: readonly string[] | undefined;
  /** A context that globs leave out. */
  except?: string | undefined;
  /** There are other clusters, from which these are to be told apart. */
  besides?: boolean | undefined;
  /** One that is late is taken for silent, and is asked again: for whoever watches. */
  isWatched?: boolean | undefined;
}

/**
 * Opens the clusters of a choice, looks at each of them, runs `work` with them and closes them whatever happens. Contexts
 * that lead to one cluster are one: the first that works is used. Whatever is left out is said.
 * @throws MeshctlError `ContextUnknown` for a name or glob that fits nothing, `CiliumMissing` for `all` without any, `Usage`
     where Cilium is not in the namespace that was given
 */
export async function withFoundClusters<T>(
  context: CommandContext,
  flags: ClusterFlags & { parallel?: number } & OfOneSide,
  choice: Choice,
  work: (found: Found) => Promise<T>,
): Promise<T> {
  const [kubeconfig, open] = await Promise.all([kubeconfigOf(context, flags), opener(context, flags)]);
  const clients: ClusterClient[] = [];
  const torn: SilentCluster[] = [];
  const unknown: MeshctlError[] = [];
  const looked: FirstLook[] = [];
  try {
    for (const name of contextsOf(kubeconfig, choice)) {
      try {
        clients.push(open(kubeconfig, name));
      } catch (error) {
        if (name === undefined || !(error instanceof MeshctlError)) throw error;
        if (choice.all) torn.push(tornContext(kubeconfig, name, error));
        else unknown.push(error);
      }
    }
    const [first, ...others] = unknown;
    // What is wrong with a flag is so for each of them.
    const different = others.filter(({ message }) => message !== first?.message);
    if (first) throw firstOfErrors(context, first, different);
    // What no context can be used with is no fault of any of them.
    const unusable = torn.find(({ error }) => error.code === 'Usage');
    if (unusable && clients.length === 0) throw unusable.error;
    const alone = clients.length === 1 && !choice.all && !choice.besides;
    const limit = createAdaptiveLimit({
      most: flags.parallel ?? LOOKS_AT_A_TIME,
      slowAfterMs: SLOW_LOOK_MS,
      isOverload: () => false,
    });
    const looking = clients.map((client) => limit(() => look(context, flags, client, alone)));
    const looks = choice.isWatched
      ? await lookWatched(context, flags, clients, looking)
      : await awaitLooks(context, clients, looking);
    const found = eachOnce(context, [...looks, ...torn], choice.all === true);
    if (isNone(found)) throw noCilium(kubeconfig, looks);
    looked.push(...found.answered);
    return await work(found);
  } catch (error) {
    throw await withRights(context, flags, error, { clients, looked });
  } finally {
    for (const client of clients) client.close();
  }
}

/** A refusal with all rights that are lacking; it is asked for while the client is open. */
async function withRights(
  context: CommandContext,
  flags: ClusterFlags,
  error: unknown,
  { clients, looked }: { clients: readonly ClusterClient[]; looked: readonly FirstLook[] },
): Promise<unknown> {
  if (!(error instanceof MeshctlError)) return error;
  const client = clients.find((one) => one.context === error.details.context);
  if (!client) return error;
  const found = looked.find((look) => look.client === client)?.namespace;
  const namespace = found ?? expectedNamespace(namespacesOf(flags), client.context);
  return toldInFull(context, { client, namespace }, error);
}

/** Clusters that are looked at at a time, where the command has no flag for it. */
const LOOKS_AT_A_TIME = 16;
/** One that takes longer gives its place to others, so that those that hang cost one wait together. Milliseconds. */
const SLOW_LOOK_MS = 2000;

const LOOK_INTERVAL_MS = 500;

/**
 * Looks again at the clusters that have not answered, until all have or time is up. Of a cluster that does not let the user in, or of
 * which the kubeconfig is wrong, nothing is waited for: that is said at once. Those that come late are held against those that are
 * there, as if they had come at once.
 * @param deadline on the context's clock
 */
export async function awaitAnswers(
  context: CommandContext,
  flags: ClusterFlags & Pick<Choice, 'all'>,
  found: Found,
  deadline: number,
): Promise<Found> {
  const passing = ({ silent }: Found) => silent.filter(({ error }) => mayAnswerLater(error));
  const isTimeUp = () => context.clock.ms() + LOOK_INTERVAL_MS > deadline;
  const isOver = (now: Found) => passing(now).length === 0 || isTimeUp();
  const lasting = found.silent.filter(({ error }) => !mayAnswerLater(error));
  // Where it is all that there is, it is the result.
  if (!isTimeUp() && found.answered.length + passing(found).length > 0 && !flags.all)
    for (const { error } of lasting) context.progress.warn(warningOf(error));
  if (isOver(found)) return found;
  const waited = new Set(passing(found).map((cluster) => cluster.context));
  const words = { doing: awaitingWords(passing(found)), done: (now: Found) => awaitedWords(now, waited) };
  const good = (now: Found) => leftOf(now, waited).length === 0;
  return during(context, { ...words, good }, async (task) => {
    let now = found;
    while (!isOver(now)) {
      await context.clock.sleep(LOOK_INTERVAL_MS, context.signal);
      const waiting = passing(now);
      const clients = waiting.flatMap(({ target }) => target?.client ?? []);
      const next = await Promise.all(clients.map((client) => look(context, flags, client)));
      const before = { answered: now.answered, silent: now.silent.filter((one) => !waiting.includes(one)) };
      now = eachOnce(context, next, flags.all === true, before);
      if (isNone(now)) throw noCilium(await kubeconfigOf(context, flags), next);
      if (!isOver(now)) task.update(awaitingWords(passing(now)));
    }
    return now;
  });
}

/** Whom one waits for, and why the first of them did not answer. */
function awaitingWords(waiting: readonly SilentCluster[]): string {
  const [first] = waiting;
  const why = first?.error.message.replace(/^context "[^"]*": /, '');
  return `Waiting for ${waiting.map((cluster) => cluster.context).join(', ')} to answer${why === undefined ? '' : `: ${why}`}`;
}

/** Those that were waited for and still cannot be asked. */
function leftOf({ silent }: Found, waited: ReadonlySet<string>): string[] {
  return silent.map((cluster) => cluster.context).filter((name) => waited.has(name));
}

function awaitedWords(now: Found, waited: ReadonlySet<string>): string {
  const left = leftOf(now, waited);
  return left.length > 0
    ? `No answer from ${left.join(', ')}`
    : `${[...waited].join(', ')} ${waited.size === 1 ? 'answers' : 'answer'}`;
}

/** The namespaces of Cilium by the flags. */
export function namespacesOf({ namespace }: ClusterFlags): CiliumNamespaces {
  return namespace === undefined ? { of: new Map() } : parseCiliumNamespaces(namespace);
}

/** Names as they are; globs stand for what the kubeconfig has. */
function contextsOf(kubeconfig: Kubeconfig, { names, all, first = [], except }: Choice): (string | undefined)[] {
  const known = kubeconfig.contexts.map(({ name }) => name);
  if (all) return [...new Set([...first.filter((name) => known.includes(name)), ...known])];
  if (names === undefined) return [undefined];
  const expanded = names.flatMap((pattern) => {
    if (!isGlob(pattern) || known.includes(pattern)) return [pattern];
    const fitting = known.filter((name) => matchesAny(name, [pattern]));
    if (fitting.length > 0) return fitting.filter((name) => name !== except);
    throw new MeshctlError(
      'ContextUnknown',
      `no context of kubeconfig ${kubeconfig.files.join(', ')} matches "${pattern}"`,
      { hint: `See them: ${configCommand(kubeconfig, ['get-contexts'])}` },
    );
  });
  return [...new Set(expanded)];
}

/**
 * A context that cannot be opened: where it leads to cannot be asked, as with a cluster that does not answer. One that is not complete
 * may as well go; what is wrong with a flag or variable says how that is put right.
 */
function tornContext(kubeconfig: Kubeconfig, name: string, cause: MeshctlError): SilentCluster {
  const { code, message, details } = cause;
  const hint = `Put that right, or take the context out: ${configCommand(kubeconfig, ['delete-context', name])}`;
  return {
    context: name,
    error: code === 'KubeconfigInvalid' ? new MeshctlError(code, message, { hint, details }) : cause,
    server: serverOf(kubeconfig, name),
  };
}

async function look(
  context: CommandContext,
  flags: ClusterFlags,
  client: ClusterClient,
  alone = false,
): Promise<FirstLook | SilentCluster> {
  const given = namespacesOf(flags);
  try {
    return await lookAtCluster(client, given, alone);
  } catch (cause) {
    context.signal.throwIfAborted();
    if (!(cause instanceof MeshctlError)) throw cause;
    const namespace = expectedNamespace(given, client.context);
    // Of several clusters each is told of all that is lacking there.
    const error = await toldInFull(context, { client, namespace }, cause);
    return silentCluster(context, flags, client, error);
  }
}

/** All looks. Whoever sits at a terminal and waits for one that hangs is told for which. */
async function awaitLooks<T>(
  { progress }: Pick<CommandContext, 'progress'>,
  clients: readonly ClusterClient[],
  looking: readonly Promise<T>[],
): Promise<T[]> {
  const awaited = new Set(clients.map((client) => client.context));
  const words = () => `Waiting for an answer of ${firstOf([...awaited])}`;
  const task = progress.start(words(), 'only-long');
  const tellingWhenDone = looking.map(async (one, index) => {
    const look = await one;
    awaited.delete(clients[index]?.context ?? '');
    if (awaited.size > 0) task.update(words());
    return look;
  });
  try {
    return await Promise.all(tellingWhenDone);
  } finally {
    task.stop();
  }
}

/** The looks of which nobody waits for one that hangs. */
async function lookWatched(
  context: CommandContext,
  flags: ClusterFlags,
  clients: readonly ClusterClient[],
  looking: readonly Promise<FirstLook | SilentCluster>[],
): Promise<(FirstLook | SilentCluster)[]> {
  const looks = await untilQuiet(context, looking, (one) => !('error' in one));
  return clients.map(
    (client, index) =>
      looks[index] ?? silentCluster(context, flags, client, new MeshctlError('Timeout', lateWords(client.context))),
  );
}

/** One that gave no answer is not waited for as long where it is asked again in this run. */
function silentCluster(
  context: CommandContext,
  flags: ClusterFlags,
  client: ClusterClient,
  error: MeshctlError,
): SilentCluster {
  if (mayAnswerLater(error)) context.silentServers.add(client.server);
  const namespace = expectedNamespace(namespacesOf(flags), client.context);
  const target = { client, namespace, cluster: undefined, uid: undefined };
  return { context: client.context, error, server: client.server, target };
}
