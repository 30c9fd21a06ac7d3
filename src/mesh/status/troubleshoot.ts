import { classifyFailure, type FailureClass } from './failure-reason.ts';
import type { FailureReason, StatusProblem, StatusReport } from './status.ts';

/**
 * Agents and KVStoreMesh do not put into their status why a peer cannot be reached: it says "Waiting for initial
 * connection to be established" whatever the cause (Cilium's pkg/clustermesh/common/remote_cluster.go). Their
 * `troubleshoot` command tries the connection and says.
 */
const VAGUE: readonly FailureClass[] = ['starting', 'unknown', 'config-not-retrieved'];

/** The problems whose reason only `troubleshoot` can tell, and no other problem explains. */
export function vagueProblems({ problems }: StatusReport): StatusProblem[] {
  return problems.filter((problem) => VAGUE.includes(problem.class) && !isConsequence(problem, problems));
}

/** What failed, by the `❌` lines of a troubleshoot output; undefined when all went well. */
export function reasonIn(output: string): FailureReason | undefined {
  const failures = output
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('❌'))
    .map((line) => line.replace(/^❌\s*/, ''));
  const reasons = failures.map((message) => ({ class: classifyFailure(message), message }));
  return reasons.find((reason) => reason.class !== 'unknown') ?? reasons[0];
}

/**
 * Why new connections to peers fail, by peer, in a troubleshoot output that covers all of them. One address of several
 * may fail: what counts is that etcd's client gets no connection.
 */
export function failingDials(output: string): Map<string, FailureReason> {
  const sections = output.split(/^Cluster "(.*)":$/m).slice(1);
  const reasons = sections.flatMap((peer, index): [string, FailureReason][] => {
    const section = index % 2 === 0 ? (sections[index + 1] ?? '') : '';
    const [, client = ''] = section.split('Etcd client:');
    const reason = client.includes('❌') ? reasonIn(section) : undefined;
    return reason ? [[peer, reason]] : [];
  });
  return new Map(reasons);
}

/**
 * The serial number of the certificate with which a peer is dialled, in a troubleshoot output on that peer alone: Cilium
 * prints that of the file that is mounted (pkg/kvstore's etcd troubleshooting).
 * @returns as {@link plainSerial}; undefined where it does not say
 */
export function presentedSerial(output: string): string | undefined {
  const [, client = ''] = output.split('TLS client certificates:');
  const [, serial] = /Serial number:\s*([0-9a-f:]+)/i.exec(client) ?? [];
  return serial === undefined ? undefined : plainSerial(serial);
}

/** A serial number in one spelling: hexadecimal, in lower case, without colons and zeros before it. */
export function plainSerial(text: string): string {
  return text.replaceAll(':', '').replace(/^0+/, '').toLowerCase();
}

/**
 * The report with vague reasons replaced. Where KVStoreMesh itself lacks the peer, the agents' waiting is its
 * consequence and is not said a second time.
 */
export function explainStatus(report: StatusReport, reasons: ReadonlyMap<StatusProblem, FailureReason>): StatusReport {
  const causes = report.problems.filter((problem) => !isConsequence(problem, report.problems));
  const problems = causes.map((problem): StatusProblem => {
    const waiting = new Set(
      report.problems
        .filter((other) => other.peer === problem.peer && isConsequence(other, report.problems))
        .flatMap(({ nodes }) => nodes),
    );
    const consequence = problem.component === 'kvstoremesh' && waiting.size > 0 ? { nodesWaiting: waiting.size } : {};
    return { ...problem, ...reasons.get(problem), ...consequence };
  });
  return { ...report, problems };
}

function isConsequence(problem: StatusProblem, all: readonly StatusProblem[]): boolean {
  const cause = all.some(({ component, peer }) => component === 'kvstoremesh' && peer === problem.peer);
  return cause && problem.component === 'agent' && VAGUE.includes(problem.class);
}
