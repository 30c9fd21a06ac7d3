/** The requests of the connectivity test: a curl command line for a client's container, and what its output says. */
import type { Sample } from './connectivity.ts';

export interface Requests {
  /** A name or an address. */
  host: string;
  port: number;
  /** Default `/hostname`. */
  path?: string | undefined;
  count: number;
  /** For each. */
  timeoutMs: number;
  /** At most so many a second; absent: one after the other. */
  perSecond?: number | undefined;
  /** Ends at the first that fails. */
  failEarly?: boolean | undefined;
}

/** The error of a sample whose host has no address. */
export const NAME_NOT_RESOLVED = 'name not resolved';

const MARK = 'meshctl-sample:';
const FIELDS = ['exitcode', 'http_code', 'time_total', 'remote_ip', 'errormsg'];

/**
 * One curl for all requests, each over a connection of its own: Cilium chooses a backend for each connection. `--rate` is
 * in curl from 7.84 on, `exitcode` and `errormsg` from 7.75 on.
 */
export function requestCommand({ path = '/hostname', ...requests }: Requests): string[] {
  const { host, port, count, timeoutMs, perSecond, failEarly } = requests;
  const authority = host.includes(':') ? `[${host}]` : host;
  return [
    'curl',
    '-s',
    ...(failEarly ? ['--fail-early'] : []),
    ...(perSecond === undefined ? [] : ['--rate', `${perSecond}/s`]),
    ...['-m', String(timeoutMs / 1000), '-H', 'Connection: close'],
    ...['-w', `\\n${MARK}${FIELDS.map((field) => `%{${field}}`).join('|')}\\n`],
    `http://${authority}:${port}${path}?[1-${count}]`,
  ];
}

export interface ReadOptions {
  answererOf(body: string): string | undefined;
  perSecond?: number | undefined;
}

/**
 * Reads curl's output.
 * @param answererOf the cluster that a body is from; undefined where it tells none
 * @param perSecond as in the command: with it, times of beginnings are known
 */
export function readSamples(output: string, { answererOf, perSecond }: ReadOptions): Sample[] {
  const samples: Sample[] = [];
  const intervalMs = perSecond === undefined ? 0 : 1000 / perSecond;
  let next = 0;
  let body: string[] = [];
  for (const line of output.split('\n')) {
    if (!line.startsWith(MARK)) {
      body.push(line);
      continue;
    }
    const sample = { startMs: next, ...readSample(line.slice(MARK.length), body.join('\n'), answererOf) };
    samples.push(sample);
    next = sample.startMs + Math.max(intervalMs, sample.totalMs);
    body = [];
  }
  return samples;
}

/** The same samples on the clock by which the last one ended at `endMs`. */
export function endedAt(samples: readonly Sample[], endMs: number): Sample[] {
  const last = samples.at(-1);
  const offset = last ? endMs - (last.startMs + last.totalMs) : 0;
  return samples.map((sample) => ({ ...sample, startMs: sample.startMs + offset }));
}

function readSample(line: string, body: string, answererOf: ReadOptions['answererOf']): Omit<Sample, 'startMs'> {
  const [exitCode, status, total, address, ...message] = line.split('|');
  const measured = { totalMs: Number(total) * 1000, ...(address && { address }) };
  if (exitCode !== '0') return { ...measured, error: reasonOf(Number(exitCode), message.join('|')) };
  if (status !== '200') return { ...measured, error: `HTTP ${status}` };
  const answeredBy = answererOf(body);
  return answeredBy === undefined
    ? { ...measured, error: 'answered by no pod of this test' }
    : { ...measured, answeredBy };
}

/** Tells clusters by their echo pods: the name of one, `echo-<cluster>-…`, is in the body. */
export function echoPodsOf(clusters: readonly string[]): ReadOptions['answererOf'] {
  return (body) => clusters.find((cluster) => podOf(cluster).test(body));
}

/** A cluster's echo pod by name, not part of a longer one. */
function podOf(cluster: string): RegExp {
  return new RegExp(`(?<![a-z0-9-])echo-${cluster}-[a-z0-9]+-[a-z0-9]+(?![a-z0-9-])`);
}

/** Reasons that are the same for all requests of a kind, without the numbers that curl adds. */
function reasonOf(exitCode: number, message: string): string {
  // A server that gives no answer is how DNS fails most: curl then ends before the resolver does.
  if (exitCode === 6 || (exitCode === 28 && /^Resolving/.test(message))) return NAME_NOT_RESOLVED;
  if (exitCode === 7) return 'connection refused or unreachable';
  if (exitCode === 28) return 'timed out';
  if (exitCode === 52 || exitCode === 56) return 'connection broke';
  return `curl ${exitCode}${message && ` (${message})`}`;
}
