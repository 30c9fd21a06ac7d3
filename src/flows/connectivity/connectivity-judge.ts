import {
  describeMiss,
  describeTally,
  type Expectation,
  meets,
  percentiles,
  type Sample,
  type Scenario,
  type ScenarioResult,
  tally,
} from '../../mesh/connectivity/connectivity.ts';
import type { TestedFamily } from '../../mesh/connectivity/tested-families.ts';
import type { Flow } from '../flow.ts';
import {
  ask,
  ECHO_PORT,
  ECHO_SERVICE,
  echoAddresses,
  SERVICE_PORT,
  type TestCluster,
} from './connectivity-clusters.ts';

/** For one request. */
export const TIMEOUT_MS = 2000;
/** Enough that each of a few clusters answers some: with two, one misses out once in a million. */
const ROUND = 20;
const ROUND_PER_CLUSTER_SPREAD = 20;
/** To show more of what is not as it should be, where each request may take its whole time. */
const FAILED_ROUND = 5;
/** Requests that should not be answered. */
const DENIED_ROUND = 2;
const LOOK_INTERVAL_MS = 500;

/** Where requests go. */
export interface Destination {
  host: string;
  port: number;
}

/** The echo pods of a cluster. @param family of their addresses; default: whichever comes first */
export async function podsAt(cluster: TestCluster, family?: 4 | 6): Promise<Destination[]> {
  return (await echoAddresses(cluster, family)).map((host) => ({ host, port: ECHO_PORT }));
}

/** The Service, as a cluster's clients ask it in a family. */
export function serviceAt({ address }: TestedFamily): Destination {
  return { host: address ?? ECHO_SERVICE, port: SERVICE_PORT };
}

/** Beside a result, where requests of both families are sent. */
export function inFamily({ family }: Pick<TestedFamily, 'family'>): Pick<ScenarioResult, 'family'> {
  return family === undefined ? {} : { family };
}

/** What is not asked in a family that only one end has. */
export function withoutFamily(
  about: Pick<ScenarioResult, 'scenario' | 'from' | 'to'>,
  tested: TestedFamily,
  who: string,
): ScenarioResult {
  return { ...about, ...inFamily(tested), result: 'skip', evidence: `${who} IPv${tested.family} addresses` };
}

/** What to ask, and what the answers should be. */
export interface Question {
  scenario: Scenario;
  /** Requests go to each of them. */
  destinations: readonly Destination[];
  expected: Expectation;
  /** Of all clusters. */
  names: readonly string[];
  /** For a change to reach all agents. */
  settleMs: number;
}

/** Asks until the answers are as expected and stay so, or for good when a change has had time to take effect. */
export async function judge(flow: Flow, from: TestCluster, question: Question): Promise<ScenarioResult> {
  return resultOf({ scenario: question.scenario, from: from.name }, await askToTheEnd(flow, from, question), question);
}

/** What answers show. */
export function resultOf(
  about: Pick<ScenarioResult, 'scenario' | 'from' | 'to'>,
  samples: readonly Sample[],
  { destinations, expected }: Pick<Question, 'destinations' | 'expected'>,
): ScenarioResult {
  const counted = tally(samples);
  const met = meets(counted, expected);
  return {
    ...about,
    result: met ? 'pass' : 'fail',
    evidence:
      destinations.length === 0
        ? 'no echo pod is ready'
        : `${describeTally(counted)}${met ? '' : describeMiss(counted, expected)}`,
    requests: counted,
    latencyMs: percentiles(samples),
  };
}

/** The samples by which the verdict is given: what comes after them never makes a failure among them good. */
async function askToTheEnd(flow: Flow, from: TestCluster, question: Question): Promise<Sample[]> {
  const deadline = flow.clock.ms() + question.settleMs;
  const isMet = (samples: readonly Sample[]) => meets(tally(samples), question.expected);
  let samples = await askRound(flow, from, question, true);
  let isProved = isMet(samples);
  while (!isProved && flow.clock.ms() < deadline) {
    await flow.clock.sleep(LOOK_INTERVAL_MS, flow.signal);
    samples = await askRound(flow, from, question, true);
    if (!isMet(samples)) continue;
    // After others that failed, one round that does not may be luck: what has settled stays so.
    samples = [...samples, ...(await askRound(flow, from, question, true))];
    isProved = isMet(samples);
  }
  // What ended at the first failure says too little.
  const isCutShort = !isProved && samples.some(({ error }) => error !== undefined);
  return isCutShort ? [...samples, ...(await askRound(flow, from, question, false))] : samples;
}

async function askRound(
  { clock }: Pick<Flow, 'clock'>,
  from: TestCluster,
  question: Question,
  failEarly: boolean,
): Promise<Sample[]> {
  const { destinations, expected, names } = question;
  const counts = { only: ROUND, each: ROUND_PER_CLUSTER_SPREAD * names.length, none: DENIED_ROUND };
  const count = failEarly ? counts[expected.kind] : Math.min(FAILED_ROUND, counts[expected.kind]);
  const rounds = await Promise.all(
    destinations.map((destination) =>
      ask(
        clock,
        from,
        { ...destination, count, timeoutMs: TIMEOUT_MS, failEarly: failEarly && expected.kind !== 'none' },
        names,
      ),
    ),
  );
  return rounds.flat();
}
