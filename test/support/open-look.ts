/**
 * Looks at clusters by the flows that the commands run, over connections that stay open. A command line opens and closes them
 * each time, which takes longer than the look itself; that is for tests that are about the command.
 */
import { checkClusters } from '../../src/flows/checks/check.ts';
import type { Flow, Target } from '../../src/flows/flow.ts';
import { isHealthy, lookAtClusters } from '../../src/flows/status/status.ts';
import type { CheckEntry } from '../../src/mesh/checks/catalogue.ts';
import { briskClock } from './brisk-clock.ts';
import { eventually, found, type TestSandbox } from './sandbox-mesh.ts';
import { CHECKOUT } from './schemas.ts';

const quietTask = { update() {}, tick() {}, done() {}, fail() {}, stop() {} };
const flow: Flow = {
  progress: { start: () => quietTask, warn() {}, info() {} },
  now: () => new Date(),
  clock: briskClock(),
  signal: new AbortController().signal,
  installation: CHECKOUT,
};
const POLL = { parallel: 10, nodeTimeoutMs: 10_000 };

function targetsOf(sandbox: TestSandbox, contexts: readonly string[]): Target[] {
  return contexts.map((context) => {
    const { namespace } = found(
      sandbox.clusters.find((cluster) => cluster.context === context),
      context,
    );
    return { client: sandbox.client(context), namespace };
  });
}

/** The entries of `clustermesh check`. @param categories all when empty */
export async function lookByChecks(
  sandbox: TestSandbox,
  contexts: readonly string[],
  categories: readonly string[] = [],
): Promise<CheckEntry[]> {
  const options = { pre: false, categories, suppress: [], ...POLL };
  return (await checkClusters(flow, targetsOf(sandbox, contexts), options)).entries;
}

/** Whether `clustermesh status` would exit 0. */
export async function lookByStatus(sandbox: TestSandbox, contexts: readonly string[]): Promise<boolean> {
  return isHealthy(await lookAtClusters(flow, targetsOf(sandbox, contexts), POLL));
}

/** Waits until `clustermesh status` would exit 0, as `status --wait` does. */
export async function untilHealthy(sandbox: TestSandbox, contexts: readonly string[]): Promise<void> {
  await eventually(
    () => lookByStatus(sandbox, contexts),
    (isHealthyNow) => isHealthyNow,
    `the status of ${contexts.join(' and ')} is healthy`,
    // A look takes about as long as what is waited for.
    { pollMs: 100 },
  );
}
