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

/** What etcd's client ends with whatever keeps it from its connection: it tries again until then. */
const DEADLINE = /^Failed to establish connection: context deadline exceeded/;

/** What failed, by the `❌` lines of a troubleshoot output; undefined when all went well. */
export function reasonIn(output: string): FailureReason | undefined {
  const failures = output
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('❌'))
    .map((line) => line.replace(/^❌\s*/, ''));
  const reasons = failures.map((message) => ({ class: classifyFailure(message), message }));
  const telling = reasons.filter(({ message }) => !DEADLINE.test(message));
  return telling.find((reason) => reason.class !== 'unknown') ?? telling[0] ?? reasons[0];
}

/** What came of a new connection to a peer. */
export type DialOutcome = 'works' | FailureReason;

/** Cilium up to 1.16 calls it a remote cluster (cilium-dbg's troubleshoot_clustermesh.go). */
const SECTION = /^(?:Remote c|C)luster "(.*)":$/m;

/**
 * What came of new connections to peers, by peer, in a troubleshoot output that covers several. One address of several may
 * fail: what counts is what etcd's client says at the end of a section. Of a peer that has none, or whose section was cut
 * off before that, nothing is known.
 */
export function dialOutcomes(output: string): Map<string, DialOutcome> {
  const sections = output.split(SECTION).slice(1);
  const outcomes = sections.flatMap((peer, index): [string, DialOutcome][] => {
    const outcome = index % 2 === 0 ? outcomeIn(sections[index + 1] ?? '') : undefined;
    return outcome ? [[peer, outcome]] : [];
  });
  return new Map(outcomes);
}

function outcomeIn(section: string): DialOutcome | undefined {
  const [, client = ''] = section.split('Etcd client:');
  // What keeps it from dialling at all stands at the beginning of a line, and nothing follows.
  if (client.includes('❌') || /^❌/m.test(section)) return reasonIn(section);
  return client.includes('✅') ? 'works' : undefined;
}

/**
 * Whether a program is too old to know the command that it was given: it says so, or, of a command below another one, only
 * lists those that it knows (spf13/cobra).
 */
export function isTooOld({ stdout, stderr }: Record<'stdout' | 'stderr', string>): boolean {
  return /unknown command|^Available Commands:/im.test(`${stdout}\n${stderr}`);
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
