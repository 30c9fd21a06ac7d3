/** What the connectivity test asks, and how answers are judged. */

export const SCENARIOS = {
  dns: 'DNS',
  'pod-to-pod': 'pod to pod by address',
  'global-service': 'global service',
  spread: 'spread over the clusters (affinity none)',
  'affinity-remote': 'remote preference (affinity remote)',
  'affinity-local': 'local preference (affinity local)',
  failover: 'failover without local backends',
  return: 'return when local backends come back',
  policy: 'policy that allows one cluster only',
  performance: 'pod to pod by address, many requests',
} as const;

export type Scenario = keyof typeof SCENARIOS;

/** One request of a client. */
export interface Sample {
  /** When it began, in milliseconds since whatever the caller counts from. */
  startMs: number;
  totalMs: number;
  /** Of the body. */
  answeredBy?: string | undefined;
  /** The address that was connected to, a Service's or a pod's; absent where there was no connection. */
  address?: string | undefined;
  /** Why there is no good answer. */
  error?: string | undefined;
}

/** Samples counted. */
export interface Tally {
  sent: number;
  answered: number;
  /** Answers by cluster. */
  answeredBy: Record<string, number>;
  /** Failures by reason. */
  errors: Record<string, number>;
}

export interface Percentiles {
  p50: number;
  p90: number;
  p99: number;
  max: number;
}

/** How long a failover took, from what a client saw and what the API server said. */
export interface FailoverTimes {
  /** From scaling to zero until no endpoint was ready in the EndpointSlices; undefined when that did not happen. */
  endpointsGoneMs?: number | undefined;
  /** From scaling to zero until another cluster answered first. */
  firstRemoteAnswerMs?: number | undefined;
  /** The longest time without service: from the beginning of a request that failed to the next good answer. */
  outageMs: number;
  sent: number;
  lost: number;
  /** Of these, requests that began after the endpoints were gone. */
  lostAfterEndpointsGone: number;
}

export interface ScenarioResult {
  scenario: Scenario;
  /** The cluster whose client asks. */
  from: string;
  /** The cluster that is asked, where it is a certain one. */
  to?: string | undefined;
  /** In which IP family it was asked, where the test asks in both. */
  family?: 4 | 6 | undefined;
  result: 'pass' | 'fail' | 'skip';
  /** What was seen, or why it was skipped. */
  evidence: string;
  requests?: Tally | undefined;
  latencyMs?: Percentiles | undefined;
  failover?: FailoverTimes | undefined;
}

/** What could not be removed of the test from a cluster. */
export interface Leftover {
  context: string;
  message: string;
  /** The command that removes it. */
  hint: string;
}

/** The data of `connectivity test -o json`. */
export interface ConnectivityReport {
  /** Nothing failed, something passed, and nothing of the test is left. */
  passed: boolean;
  namespace: string;
  image: string;
  clusters: { context: string; name: string }[];
  scenarios: ScenarioResult[];
  /** Absent where nothing is, or all of it is to stay. */
  left?: Leftover[] | undefined;
  /** What else was said on its way, as that its namespace stays; absent where there is nothing to say. */
  warnings?: string[] | undefined;
}

/** What answers should look like. */
export type Expectation =
  /** Every request is answered by one of these; with `some`, at least one by one of those. */
  | { kind: 'only'; clusters: readonly string[]; some?: readonly string[] }
  /** Every request is answered, and each of these answers some. */
  | { kind: 'each'; clusters: readonly string[] }
  /** Nobody answers. */
  | { kind: 'none' };

/** Counts answers by cluster, and errors by their words. */
export function tally(samples: readonly Sample[]): Tally {
  const answeredBy: Record<string, number> = {};
  const errors: Record<string, number> = {};
  for (const { answeredBy: cluster, error } of samples) {
    if (error !== undefined) errors[error] = (errors[error] ?? 0) + 1;
    else if (cluster !== undefined) answeredBy[cluster] = (answeredBy[cluster] ?? 0) + 1;
  }
  const answered = Object.values(answeredBy).reduce((sum, count) => sum + count, 0);
  return { sent: samples.length, answered, answeredBy, errors };
}

/** Whether what was counted is as expected; never where nothing was sent. */
export function meets({ sent, answered, answeredBy }: Tally, expectation: Expectation): boolean {
  if (expectation.kind === 'none') return sent > 0 && answered === 0;
  const { clusters } = expectation;
  const whole = sent > 0 && answered === sent && Object.keys(answeredBy).every((cluster) => clusters.includes(cluster));
  const answers = (cluster: string) => (answeredBy[cluster] ?? 0) > 0;
  if (expectation.kind === 'each') return whole && clusters.every(answers);
  return whole && (expectation.some?.some(answers) ?? true);
}

/** e.g. `20 of 20 answered (mesh-1 11, mesh-2 9)`, `8 of 20 answered (mesh-1 8); 12 failed: timed out`. */
export function describeTally({ sent, answered, answeredBy, errors }: Tally): string {
  const by = Object.entries(answeredBy)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([cluster, count]) => `${cluster} ${count}`)
    .join(', ');
  const failures = Object.entries(errors).map(([error, count]) => `; ${count} failed: ${error}`);
  return `${answered} of ${sent} answered${by && ` (${by})`}${failures.join('')}`;
}

/** What answered requests lack of what was expected, to follow {@link describeTally}; empty where the failures say it all. */
export function describeMiss({ answeredBy }: Tally, expectation: Expectation): string {
  if (expectation.kind === 'none') return '';
  const { kind, clusters } = expectation;
  const answering = Object.keys(answeredBy);
  const missing = kind === 'each' ? clusters.filter((cluster) => !answering.includes(cluster)) : [];
  if (missing.length > 0) return `; none by ${missing.join(', ')}`;
  if (!answering.every((cluster) => clusters.includes(cluster))) return `; expected only ${clusters.join(', ')}`;
  const some = kind === 'only' ? expectation.some : undefined;
  if (answering.length === 0 || !some || some.some((cluster) => answering.includes(cluster))) return '';
  return `; none by ${some.join(' or ')}`;
}

/** By the nearest rank, in milliseconds with three decimals; undefined without good answers. */
export function percentiles(samples: readonly Sample[]): Percentiles | undefined {
  const sorted = samples
    .filter(({ error }) => error === undefined)
    .map(({ totalMs }) => totalMs)
    .sort((a, b) => a - b);
  const last = sorted.at(-1);
  if (last === undefined) return undefined;
  const rank = (share: number) => rounded(sorted[Math.ceil(share * sorted.length) - 1] ?? last);
  return { p50: rank(0.5), p90: rank(0.9), p99: rank(0.99), max: rounded(last) };
}

function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

/**
 * Measures a failover.
 * @param samples all requests of a client from before the scaling on, in the order of their beginnings
 * @param scaledAt when the local backends were scaled to zero, on the samples' clock
 * @param goneAt when no ready endpoint was left
 */
export function measureFailover(
  samples: readonly Sample[],
  { own, scaledAt, goneAt }: { own: string; scaledAt: number; goneAt: number | undefined },
): FailoverTimes {
  const failed = samples.filter(({ error }) => error !== undefined);
  // What another cluster answered before is no takeover.
  const since = samples.filter(({ startMs, error }) => error === undefined && startMs >= scaledAt);
  const remote = since.find(({ answeredBy }) => answeredBy !== own);
  return {
    endpointsGoneMs: goneAt === undefined ? undefined : Math.round(goneAt - scaledAt),
    firstRemoteAnswerMs: remote && Math.round(remote.startMs + remote.totalMs - scaledAt),
    outageMs: Math.round(longestOutageMs(samples)),
    sent: samples.length,
    lost: failed.length,
    lostAfterEndpointsGone:
      goneAt === undefined ? failed.length : failed.filter(({ startMs }) => startMs > goneAt).length,
  };
}

function longestOutageMs(samples: readonly Sample[]): number {
  let longest = 0;
  let since: number | undefined;
  for (const { startMs, totalMs, error } of samples) {
    if (error !== undefined) since ??= startMs;
    if (since === undefined) continue;
    longest = Math.max(longest, startMs + totalMs - since);
    if (error === undefined) since = undefined;
  }
  return longest;
}
