import pLimit from 'p-limit';
import { livingPods, nodeOf } from '../../mesh/objects/pods.ts';
import type { FailureReason, StatusProblem, StatusReport } from '../../mesh/status/status.ts';
import { explainStatus, reasonIn, vagueProblems } from '../../mesh/status/troubleshoot.ts';
import type { Flow, Target } from '../flow.ts';
import { orWithout } from '../where-it-succeeds.ts';
import { AGENTS, REPLICAS, TROUBLESHOOT_TIMEOUT_MS, TROUBLESHOOTS_AT_A_TIME } from './status-programs.ts';

/**
 * Finds out why, where the status only says that a peer is waited for: one `troubleshoot` for each problem, in one of the
 * pods that have it. What cannot be found out stays as it was.
 */
export async function explainProblems(flow: Flow, target: Target, report: StatusReport): Promise<StatusReport> {
  const reasons = new Map<StatusProblem, FailureReason>();
  const limit = pLimit(TROUBLESHOOTS_AT_A_TIME);
  await Promise.all(
    vagueProblems(report).map((problem) =>
      limit(async () => {
        const reason = await troubleshoot(flow, target, problem);
        if (reason) reasons.set(problem, reason);
      }),
    ),
  );
  return explainStatus(report, reasons);
}

async function troubleshoot(flow: Flow, { client, namespace }: Target, problem: StatusProblem) {
  const { selector, container, troubleshoot: command } = problem.component === 'agent' ? AGENTS : REPLICAS;
  const [example] = problem.nodes;
  const asking = async () => {
    const pods = await client.listAll(livingPods(namespace, selector));
    const pod = pods.find((candidate) => candidate.metadata.name === example || nodeOf(candidate) === example);
    if (!pod) return undefined;
    const { stdout } = await client.exec({
      namespace,
      pod: pod.metadata.name,
      container,
      command: command.concat(problem.peer ?? []),
      timeoutMs: TROUBLESHOOT_TIMEOUT_MS,
      signal: flow.signal,
    });
    return reasonIn(stdout);
  };
  return orWithout(flow, asking(), undefined);
}
