/**
 * Looks at clusters by the flows that the commands run, over connections that stay open. A command line opens and closes them
 * each time, which takes longer than the look itself; that is for tests that are about the command.
 */
import { checkClusters } from '../../src/flows/checks/check.ts';
import type { Flow, Target } from '../../src/flows/flow.ts';
import { isHealthy, lookAtClusters } from '../../src/flows/status/look-at-clusters.ts';
import type { ClusterClient } from '../../src/kube/client.ts';
import type { ExecResult } from '../../src/kube/exec.ts';
import type { CheckEntry } from '../../src/mesh/checks/catalogue.ts';
import type { StatusReport } from '../../src/mesh/status/status.ts';
import { rememberReads } from '../../src/snapshot/remember-reads.ts';
import { briskClock } from './brisk-clock.ts';
import { clusterAt, eventually, found, type TestSandbox } from './sandbox-mesh.ts';
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
    const { namespace } = clusterAt(sandbox, context);
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

/** Whether `clustermesh status` would exit 0 and no check would fail, both by what is seen in one moment. */
export async function lookByStatusAndChecks(sandbox: TestSandbox, contexts: readonly string[]): Promise<boolean> {
  const targets = targetsOf(sandbox, contexts).map(({ client, namespace }) => ({
    client: ofOneLook(client),
    namespace,
  }));
  if (!isHealthy(await lookAtClusters(flow, targets, POLL))) return false;
  const { entries } = await checkClusters(flow, targets, { pre: false, categories: [], suppress: [], ...POLL });
  return entries.every(({ severity }) => severity !== 'fail');
}

/** Reads each object and asks each program once. */
function ofOneLook(client: ClusterClient): ClusterClient {
  const answers = new Map<string, Promise<ExecResult>>();
  return {
    ...rememberReads(client),
    exec(options) {
      const { namespace, pod, container, command } = options;
      const key = JSON.stringify([namespace, pod, container, command]);
      const answer = answers.get(key) ?? client.exec(options);
      answers.set(key, answer);
      return answer;
    },
  };
}

/** The report of `clustermesh status -o json` of one cluster. @param laterMs as it would be after that time, if nothing changed */
export async function lookAtStatus(sandbox: TestSandbox, context: string, laterMs = 0): Promise<StatusReport> {
  const later = { ...flow, now: () => new Date(Date.now() + laterMs) };
  const { reports } = await lookAtClusters(later, targetsOf(sandbox, [context]), POLL);
  return found(reports[0], `the status of ${context}`);
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
