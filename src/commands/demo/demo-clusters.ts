import { prepareDemo } from '../../flows/demo/demo-objects.ts';
import { readDisturbance, readSharedOnceConnected } from '../../flows/demo/read-demo.ts';
import { readServiceClusters } from '../../flows/services/read-service-clusters.ts';
import { CONNECTIVITY_IMAGE } from '../../manifests/connectivity.ts';
import { contextList, meshctlCommand } from '../../mesh/command-line.ts';
import {
  cleanUpCommand,
  type DemoPair,
  type DemoPlan,
  demoNamespaces,
  planDemo,
  recordFor,
  requireNoneShared,
  requireOwnPlace,
} from '../../mesh/demo/plan-demo.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { demoPlanText, leftoversText } from '../../views/demo/demo-plan-view.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import { storyOnClusters } from './clusters-story.ts';
import { type DemoFlags, demoLines } from './lines.ts';
import { playScene } from './scene.ts';
import { readPair, takeAway, withPair } from './take-away.ts';

const NOTHING_CHANGED = 'Nothing was changed (--dry-run).';

/**
 * `meshctl demo --context a,b`: the story on the operator's own clusters. What it makes is written down at its namespace
 * before it is made, so that it is taken away at the end, or by a later run.
 */
export async function runOnClusters(context: CommandContext, flags: DemoFlags, paceMs: number): Promise<CommandResult> {
  if (flags.cleanUp) return cleanUp(context, flags);
  const { plan, disturbance } = await withPair(context, flags, async (pair) => {
    const planned = planDemo(await readPair(context, pair, flags.namespace), flags.namespace);
    return { plan: planned, disturbance: await readDisturbance(context, pair, planned) };
  });
  const { keep, image = CONNECTIVITY_IMAGE } = flags;
  const text = demoPlanText(plan, disturbance, { keep, image }, context.theme);
  // What would be refused anyway is not worth the check before it.
  if (!flags.dryRun && !context.canAsk) await agree(context, flags, text);
  const contexts = contextList(plan.clusters.map(({ context: name }) => name));
  const tells = 'Before anything is changed: can these clusters become a mesh?';
  const { meshctl } = demoLines(context, flags);
  await playScene(context, meshctl(tells, 'clustermesh', 'check', '--pre', '--context', contexts), paceMs);
  if (plan.connect) {
    const shared = await withPair(context, flags, (pair) => readSharedOnceConnected(pair));
    requireNoneShared(plan, shared);
  }
  if (flags.dryRun) return resultOf(`\n${text}\n${NOTHING_CHANGED}`);
  if (flags.yes) context.print(`\n${text}\n`);
  else await agree(context, flags, text);
  if (plan.formerly) await takeAway(context, flags, demoNamespaces(plan.clusters));
  context.signal.throwIfAborted();
  return tellAndTakeAway(context, flags, plan, { image, paceMs });
}

async function tellAndTakeAway(
  context: CommandContext,
  flags: DemoFlags,
  plan: DemoPlan,
  { image, paceMs }: { image: string; paceMs: number },
): Promise<CommandResult> {
  const { namespace, keep } = flags;
  const goesOn = cleanUpCommand(
    plan.clusters.map(({ context: name }) => name),
    namespace,
  );
  const namespaces: string[] = [];
  let isTold = false;
  let isGone = true;
  const takeAll = async () => {
    isGone = await takeAway(context, flags, namespaces);
    if (isGone) return;
    const look = meshctlCommand('clustermesh status', { context: plan.clusters.map(({ context: name }) => name) });
    context.progress.warn(
      `someone else has removed namespace ${namespace}, and with it what said which of Cluster Mesh the demo had made: that stays → see it: ${look}`,
    );
  };
  try {
    await withPair(context, flags, async (pair) => {
      const recorded = (name: string) => {
        const cluster = plan.clusters.find((one) => one.name === name);
        if (!cluster) throw new MeshctlError('Conflict', `cluster "${name}" had another name when the demo began`);
        return recordFor(plan, cluster);
      };
      const [near, far] = await prepareDemo(context, await readServiceClusters(pair), { namespace, image }, recorded);
      if (!near || !far) throw new MeshctlError('Bug', 'a pair is of two');
      const readAgain = () => readPair(context, pair, namespace);
      const onNamespace = (uid: string) => namespaces.push(uid);
      for (const scene of storyOnClusters(context, flags, plan, [near, far], { readAgain, onNamespace })) {
        context.signal.throwIfAborted();
        await playScene(context, scene, paceMs);
      }
    });
    isTold = true;
  } finally {
    if (keep && !isTold && namespaces.length > 0)
      context.progress.warn(`what the demo made stays (--keep) → ${goesOn}`);
    if (!keep && namespaces.length > 0) await orWarn(context, !isTold, takeAll);
  }
  if (keep) return resultOf(`\nThe demo is over. Everything stays until it is removed: ${goesOn}`);
  if (isGone) return resultOf('\nThe demo is over, and everything that it made is gone.');
  return { ...resultOf('\nThe demo is over, and not everything that it made is gone.'), exitCode: 1 };
}

/** Why the story failed is more than what then could not be taken away. */
async function orWarn(context: CommandContext, hasFailed: boolean, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!hasFailed || !(error instanceof MeshctlError)) throw error;
    context.progress.warn(`${error.message} → ${error.hint}`);
  }
}

/** `--clean-up`: what a demo left, e.g. one with `--keep` or one that was killed. */
async function cleanUp(context: CommandContext, flags: DemoFlags): Promise<CommandResult> {
  const clusters: DemoPair = await withPair(context, flags, (pair) => readPair(context, pair, flags.namespace));
  if (!clusters.some(({ taken }) => taken?.record)) {
    return resultOf(`No demo has left anything in namespace ${flags.namespace} of these clusters.`);
  }
  // Refuses what is another demo's.
  requireOwnPlace(clusters, flags.namespace);
  const text = leftoversText(clusters, flags.namespace, context.theme);
  if (flags.dryRun) return resultOf(`${text}\n${NOTHING_CHANGED}`);
  await agree(context, flags, text);
  await takeAway(context, flags, demoNamespaces(clusters));
  return resultOf('\nWhat the demo left is gone.');
}

/** @throws MeshctlError `Usage` where nobody can be asked, `Declined` when the answer is no */
async function agree(context: CommandContext, { yes, cleanUp: only }: DemoFlags, about: string): Promise<void> {
  if (yes) return;
  const question = only ? 'Remove it?' : 'Run the demo in these clusters?';
  if (!(await context.confirm(question, about))) {
    throw new MeshctlError('Declined', 'nothing was changed: the plan was not confirmed');
  }
}

function resultOf(text: string): CommandResult {
  return { kind: 'Demo', data: {}, text: () => text };
}
