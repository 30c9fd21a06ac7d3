import { unnamedIn, withNamedContexts } from '../../mesh/command-line.ts';
import { forgetIfSilent } from '../../mesh/peers/silent-peers.ts';
import type { PeerEffect } from '../../mesh/plan/peer-effects.ts';
import type { CommandContext } from '../command.ts';
import { isWithoutCilium } from './absent-cilium.ts';
import type { ClusterFlags } from './cluster-flags.ts';
import { quietly, type SilentCluster, withFoundClusters } from './find-clusters.ts';

/**
 * The contexts of the kubeconfig that lead to the clusters of these names, as their cilium-config tells; names that no
 * context leads to are absent.
 */
export async function contextsOfClusters(
  context: CommandContext,
  flags: ClusterFlags,
  names: readonly string[],
): Promise<Map<string, string>> {
  return (await lookUpContexts(context, flags, names)).known;
}

/** What a kubeconfig tells of clusters. */
export interface KnownContexts {
  /** Cluster to context. */
  known: Map<string, string>;
  /** Contexts that did not answer, of which any may lead to a cluster that is not known. */
  silent: readonly SilentCluster[];
}

/** {@link contextsOfClusters}, with the contexts that did not answer, for who must not take one of them for no context at all. */
export async function lookUpContexts(
  context: CommandContext,
  flags: ClusterFlags,
  names: readonly string[],
): Promise<KnownContexts> {
  if (names.length === 0) return { known: new Map(), silent: [] };
  const { known, silent } = await clustersOfKubeconfig(context, flags);
  return { known: new Map([...known].filter(([cluster]) => names.includes(cluster))), silent };
}

/** A context that hangs is not worth a longer wait: it is only for a name in a next step. Milliseconds. */
const LONGEST_LOOK_UP_MS = 3000;

/** {@link contextsOfClusters} for hints: briefly, since nothing but a name hangs on it. */
export function contextsFor(
  context: CommandContext,
  flags: ClusterFlags,
): (names: readonly string[]) => Promise<Map<string, string>> {
  const briefly = { ...flags, requestTimeout: Math.min(flags.requestTimeout, LONGEST_LOOK_UP_MS) };
  return (names) => contextsOfClusters(context, briefly, names);
}

/** Texts whose command lines name the contexts of clusters that the run has not read; looked up only where one is missing. */
export async function namingContexts(
  context: CommandContext,
  flags: ClusterFlags,
  texts: readonly string[],
): Promise<string[]> {
  const unnamed = [...new Set(texts.flatMap(unnamedIn))];
  if (unnamed.length === 0) return [...texts];
  const contexts = await contextsFor(context, flags)(unnamed);
  return texts.map((text) => withNamedContexts(text, contexts));
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
  silent: readonly { context: string }[] = [],
): Promise<T[]> {
  const hints = await namingContexts(
    context,
    flags,
    entries.map(({ hint = '' }) => hint),
  );
  const dead = silent.map((one) => one.context);
  return entries.map((entry, index) => {
    const hint = forgetIfSilent(hints[index] ?? '', holdersOf(entry), dead);
    return hint === '' ? entry : { ...entry, hint };
  });
}

/** What becomes of peers by a plan, where what brings them back names their contexts, as {@link withContextsNamed}. */
export async function withMendsNamed(
  context: CommandContext,
  flags: ClusterFlags,
  effects: readonly PeerEffect[],
  silent: readonly { context: string }[] = [],
): Promise<PeerEffect[]> {
  const entries = effects.map(({ mend, cluster }) => ({ hint: mend, cluster }));
  const named = await withContextsNamed(context, flags, entries, silent);
  return effects.map((effect, index) => ({ ...effect, mend: named[index]?.hint }));
}

/** The clusters that an entry is about, by context. */
function holdersOf({ cluster, context = cluster, args }: Advised): string[] {
  if (context !== undefined) return [context];
  return Array.isArray(args?.contexts) ? args.contexts.map(String) : [];
}

/**
 * Every cluster with Cilium that a context of the kubeconfig leads to, by its name. Contexts that cannot be used are
 * passed over without a word: they are not what the command is about.
 */
async function clustersOfKubeconfig(context: CommandContext, flags: ClusterFlags): Promise<KnownContexts> {
  try {
    return await withFoundClusters(quietly(context), flags, { all: true }, async ({ answered, silent }) => {
      const known = answered.flatMap(({ cluster, client }) =>
        cluster === undefined ? [] : [[cluster, client.context] as const],
      );
      // Several contexts may lead to one cluster: the first one counts.
      return { known: new Map(known.reverse()), silent };
    });
  } catch (error) {
    if (isWithoutCilium(error)) return { known: new Map(), silent: [] };
    throw error;
  }
}
