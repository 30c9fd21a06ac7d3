import type { CliResult } from './cli.ts';

export const textOf = ({ stdout, stderr, exitCode }: CliResult): string => `exit ${exitCode}\n${stderr}\n${stdout}`;

interface Problem {
  class: string;
  cause?: { id: string };
}
interface Cluster {
  problems?: Problem[];
  faults?: { id: string }[];
}

/** Classes of problems and ids of faults in `status -o json` of several clusters; the codes of those that do not answer. */
export function idsOf({ stdout }: CliResult): string[] {
  const {
    clusters = [],
    unreachable = [],
    error,
  } = JSON.parse(stdout) as {
    clusters?: Cluster[];
    unreachable?: { code: string }[];
    error?: { code: string };
  };
  const ids = clusters.flatMap(({ problems = [], faults = [] }) => [
    ...problems.flatMap(({ class: kind, cause }) => (cause ? [kind, cause.id] : [kind])),
    ...faults.map(({ id }) => id),
  ]);
  return [...new Set([...ids, ...unreachable.map(({ code }) => code), ...(error ? [error.code] : [])])];
}

/** Ids of what does not pass in the text of `check`, those of warnings after a `‼`. */
export function findingsOf({ stdout }: CliResult): string[] {
  const findings = stdout.matchAll(/^([×‼]) .*\n {4}.*\((\S+)\)$/gm);
  return [...new Set([...findings].map(([, mark, id]) => (mark === '×' ? `${id}` : `‼${id}`)))];
}

interface CertificateFault {
  context: string;
  role: string;
  id: string;
}

/** What `certs list -o json` says is not there or of no use: `context role id`. */
export function certificateFaultsOf({ stdout }: CliResult): string[] {
  const { faults = [] } = JSON.parse(stdout) as { faults?: CertificateFault[] };
  return faults.map(({ context, role, id }) => `${context} ${role} ${id}`);
}

/** What `connect --dry-run -o json` says: `keeps`, `changes`, or the code of its error. */
export function verdictOf({ stdout }: CliResult): string {
  const { summary = {}, error } = JSON.parse(stdout) as { summary?: Record<string, number>; error?: { code: string } };
  if (error) return error.code;
  return Object.entries(summary).every(([action, count]) => action === 'keep' || count === 0) ? 'keeps' : 'changes';
}
