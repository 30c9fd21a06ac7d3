import type { Unanswered } from '../../flows/where-it-succeeds.ts';
import { unnamedIn, withNamedContexts } from '../../mesh/command-line.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { groupBy } from '../../mesh/pairs.ts';
import { inWordsWhereUnled } from '../../mesh/peers/peers-of-others.ts';
import { forgetIfSilent } from '../../mesh/peers/silent-peers.ts';
import type { PeerEffect } from '../../mesh/plan/peer-effects.ts';
import { silentContexts } from '../../mesh/status/mesh-status.ts';
import type { CommandContext } from '../command.ts';
import { isWithoutCilium } from './absent-cilium.ts';
import { type ClusterFlags, kubeconfigOf } from './cluster-flags.ts';
import { quietly } from './each-cluster.ts';
import { withFoundClusters } from './find-clusters.ts';
import { unreachableData } from './several-clusters.ts';

/** Contexts that hang are not worth a longer wait: it is only for a name in a next step. Milliseconds. */
const LONGEST_LOOK_UP_MS = 3000;
/**
 * So many are looked at side by side, however many agents a command asks at a time: mostly all of them, so that those that hang
 * cost one wait together. Beyond that, the programs by which a kubeconfig logs in would be too many at once.
 */
const LOOK_UPS_AT_ONCE = 64;

/**
 * The contexts of the kubeconfig that lead to the clusters of these names, as their cilium-config tells, for hints: briefly, since
 * nothing but a name hangs on it. Names that no context leads to, or several to different clusters, are absent. Who is to change
 * something there asks `findPeerClusters`.
 * @param asked contexts of clusters that are none of those that are looked for, whatever their names
 */
export function contextsFor(
  context: CommandContext,
  flags: ClusterFlags,
  asked: readonly string[] = [],
): (names: readonly string[]) => Promise<Map<string, string>> {
  return async (names) => {
    if (names.length === 0) return new Map();
    const known = await clustersOfKubeconfig(context, flags, { first: asked, without: asked });
    return new Map([...known].filter(([cluster]) => names.includes(cluster)));
  };
}

/**
 * The context that a lone cluster can be connected to, where the kubeconfig has just one more that leads to another cluster with
 * Cilium: for a hint, as {@link contextsFor}.
 * @param own the cluster's, by which it was asked
 */
export async function onlyOther(context: CommandContext, flags: ClusterFlags, own: string): Promise<string[]> {
  const { contexts } = await kubeconfigOf(context, flags);
  if (contexts.length !== 2) return [];
  const known = await clustersOfKubeconfig(context, flags, { first: [own] });
  return [...known.values()].filter((name) => name !== own);
}

/**
 * Texts whose command lines name the contexts of clusters that the run has not read, and say in words what cannot be typed, as no context
 * leads there; looked up only where one is missing.
 * @param astray as in {@link namingThoseKnown}
 */
export async function namingContexts(
  context: CommandContext,
  flags: ClusterFlags,
  texts: readonly string[],
  astray: readonly string[] = [],
): Promise<string[]> {
  return (await namingThoseKnown(context, flags, texts, astray)).map(inWordsWhereUnled);
}

/**
 * The same, where what stands for a context to which none leads stays.
 * @param astray names that are left open: what contexts lead to by them is known to be another cluster, or may be one
 */
export async function namingThoseKnown(
  context: CommandContext,
  flags: ClusterFlags,
  texts: readonly string[],
  astray: readonly string[] = [],
): Promise<string[]> {
  const unnamed = [...new Set(texts.flatMap(unnamedIn))].filter((name) => !astray.includes(name));
  if (unnamed.length === 0) return [...texts];
  const contexts = await contextsFor(context, flags)(unnamed);
  return texts.map((text) => withNamedContexts(text, contexts));
}

/**
 * An error whose next step is as in {@link namingContexts}; as it is where that cannot be looked up.
 * @param options of the command
 */
export async function namingInError(
  context: CommandContext,
  options: object,
  error: MeshctlError,
): Promise<MeshctlError> {
  const { hint, code, message, details } = error;
  if (hint === undefined || context.signal.aborted) return error;
  try {
    const [named] = await namingContexts(context, { requestTimeout: 0, ...options }, [hint]);
    return new MeshctlError(code, message, { hint: named, details, cause: error.cause });
  } catch {
    return error;
  }
}

/** Something with a next step, and whose it is. */
export interface Advised {
  hint?: string | undefined;
  /** The context that it is about. */
  cluster?: string | undefined;
  context?: string | undefined;
  args?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Entries whose next steps name the contexts of the clusters that they are about, as far as a kubeconfig tells.
 * @param silent clusters that this run could not ask: a peer that no context is known for is likely among them
 */
export async function withContextsNamed<T extends Advised>(
  context: CommandContext,
  flags: ClusterFlags,
  entries: readonly T[],
  silent: readonly Unanswered[] = [],
): Promise<T[]> {
  const hints = await namingThoseKnown(
    context,
    flags,
    entries.map(({ hint = '' }) => hint),
  );
  const dead = silentContexts(unreachableData(silent));
  return entries.map((entry, index) => {
    const hint = inWordsWhereUnled(forgetIfSilent(hints[index] ?? '', holdersOf(entry), dead));
    return hint === '' ? entry : { ...entry, hint };
  });
}

/** What becomes of peers by a plan, where what brings them back names their contexts, as {@link withContextsNamed}. */
export async function withMendsNamed(
  context: CommandContext,
  flags: ClusterFlags,
  effects: readonly PeerEffect[],
  silent: readonly Unanswered[] = [],
): Promise<PeerEffect[]> {
  // The context of who takes a peer's place is not the one by which the peer comes back.
  const entries = effects.map(({ mend, cluster, replacedBy }) => ({ hint: replacedBy ? undefined : mend, cluster }));
  const named = await withContextsNamed(context, flags, entries, silent);
  return effects.map((effect, index) => ({ ...effect, mend: named[index]?.hint ?? effect.mend }));
}

/** The clusters that an entry is about, by context. */
function holdersOf({ cluster, context = cluster, args }: Advised): string[] {
  if (context !== undefined) return [context];
  return Array.isArray(args?.contexts) ? args.contexts.map(String) : [];
}

/**
 * Every cluster with Cilium that a context of the kubeconfig leads to, by its name. Contexts that cannot be used are
 * passed over without a word: they are not what the command is about.
 * @param first contexts that are named rather than others of the same clusters
 * @param without contexts whose clusters are left out
 */
async function clustersOfKubeconfig(
  context: CommandContext,
  flags: ClusterFlags,
  { first = [], without = [] }: { first?: readonly string[]; without?: readonly string[] } = {},
): Promise<Map<string, string>> {
  const requestTimeout = Math.min(flags.requestTimeout || LONGEST_LOOK_UP_MS, LONGEST_LOOK_UP_MS);
  const briefly = { ...flags, requestTimeout, parallel: LOOK_UPS_AT_ONCE };
  try {
    return await withFoundClusters(quietly(context), briefly, { all: true, first }, async ({ answered }) => {
      const sought = answered.filter(({ client }) => !without.includes(client.context));
      const byName = groupBy(sought, ({ cluster = '' }) => cluster);
      // Two clusters of one name are of two meshes: which of them is meant, a name does not tell.
      const known = [...byName].flatMap(([name, [one, ...more]]): [string, string][] =>
        name !== '' && one && more.length === 0 ? [[name, one.client.context]] : [],
      );
      return new Map(known);
    });
  } catch (error) {
    if (isWithoutCilium(error)) return new Map();
    throw error;
  }
}
