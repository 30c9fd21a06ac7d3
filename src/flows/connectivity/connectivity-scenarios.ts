import {
  type Expectation,
  SCENARIOS,
  type Scenario,
  type ScenarioResult,
} from '../../mesh/connectivity/connectivity.ts';
import { NAME_NOT_RESOLVED } from '../../mesh/connectivity/connectivity-requests.ts';
import { type TestedFamily, testedFamilies } from '../../mesh/connectivity/tested-families.ts';
import type { Flow } from '../flow.ts';
import type { RunMark } from '../run-mark.ts';
import {
  ask,
  ECHO_SERVICE,
  SERVICE_PORT,
  setAffinity,
  type TestCluster,
  testedAddressesOf,
} from './connectivity-clusters.ts';
import { testFailover } from './connectivity-failover.ts';
import { keepNamespaces } from './connectivity-hold.ts';
import {
  inFamily,
  judge,
  podsAt,
  type Question,
  resultOf,
  serviceAt,
  TIMEOUT_MS,
  withoutFamily,
} from './connectivity-judge.ts';
import { isReached, testPolicies } from './connectivity-policy.ts';

/** How a test asks. */
export interface ScenarioOptions {
  /** Measure latency with many requests. */
  perf: boolean;
  /** For pods to be ready. */
  waitMs: number;
  /** For a change to take effect everywhere. */
  settleMs: number;
}

const PERF_ROUND = 500;

/**
 * Asks from the clients of a test, which are deployed, in all the ways that a mesh should answer.
 * @param mark of the run, which is seen to be still there before each
 * @throws MeshctlError what kept it from asking, also that another run has taken a namespace; what it finds wrong is in the results
 */
export async function runScenarios(
  flow: Flow,
  clusters: readonly TestCluster[],
  mark: RunMark,
  options: ScenarioOptions,
): Promise<ScenarioResult[]> {
  const names = clusters.map(({ name }) => name);
  const { settleMs } = options;
  const common = { names, settleMs };
  const results: ScenarioResult[] = [];
  const run = async (scenario: Scenario, work: () => Promise<ScenarioResult[]>, where = '') => {
    flow.signal.throwIfAborted();
    await keepNamespaces(clusters, mark);
    const task = flow.progress.start(`${SCENARIOS[scenario]}${where}`);
    try {
      results.push(...(await work()));
      // What came out is in the report.
      task.stop();
    } catch (error) {
      task.fail();
      throw error;
    }
  };
  const each = (work: (cluster: TestCluster) => Promise<ScenarioResult>) => () => Promise.all(clusters.map(work));
  const families = testedFamilies(await Promise.all(clusters.map(testedAddressesOf)));
  const familiesOf = ({ name }: TestCluster) => families.get(name) ?? [];
  // One family after the other: both at once would take turns on the network that is measured.
  const inTurn = async (cluster: TestCluster, work: (family: TestedFamily) => Promise<ScenarioResult>) => {
    const seen: ScenarioResult[] = [];
    for (const family of familiesOf(cluster)) seen.push({ ...(await work(family)), ...inFamily(family) });
    return seen;
  };
  const askService = (scenario: Scenario, cluster: TestCluster, expected: Expected) =>
    inTurn(cluster, (family) => {
      const others = family.clusters.filter((name) => name !== cluster.name);
      const about = { scenario, from: cluster.name };
      if (others.length === 0 && !isAlone(scenario))
        return Promise.resolve(withoutFamily(about, family, 'pods of no other cluster have'));
      const expectation = expected(cluster.name, family.clusters, others);
      return judge(flow, cluster, { scenario, destinations: [serviceAt(family)], expected: expectation, ...common });
    });
  const service = (scenario: Scenario, expected: Expected) => async () =>
    (await Promise.all(clusters.map((cluster) => askService(scenario, cluster, expected)))).flat();
  const affinity = async (value: 'none' | 'local' | 'remote') => {
    await Promise.all(clusters.map((cluster) => setAffinity(cluster, value)));
  };

  await affinity('none');
  await run(
    'dns',
    each((cluster) => resolveNames(flow, cluster, names)),
  );
  const pairs = clusters.flatMap((from) => clusters.map((to) => ({ from, to })));
  await run('pod-to-pod', async () => {
    const reach = ({ from, to }: (typeof pairs)[number]) =>
      inTurn(from, (family) => reachPods(flow, { from, to, family }, common));
    return (await Promise.all(pairs.map(reach))).flat();
  });
  await run(
    'global-service',
    service('global-service', (_own, able, others) => ({ kind: 'only', clusters: able, some: others })),
  );
  await run(
    'spread',
    service('spread', (_own, able) => ({ kind: 'each', clusters: able })),
  );
  await affinity('remote');
  await run(
    'affinity-remote',
    service('affinity-remote', (_own, _able, others) => ({ kind: 'only', clusters: others })),
  );
  await affinity('local');
  const localOnly: Expected = (own) => ({ kind: 'only', clusters: [own] });
  await run('affinity-local', service('affinity-local', localOnly));
  for (const cluster of clusters) {
    const where = `, from ${cluster.name}`;
    const failover = { names, families: familiesOf(cluster), ...options };
    await run('failover', () => testFailover(flow, cluster, failover), where);
    await run('return', () => askService('return', cluster, localOnly), where);
  }
  // One path at a time, so that they do not disturb each other; before the policies, which agents lift some time after they are gone.
  for (const { from, to } of options.perf ? pairs : []) {
    await run(
      'performance',
      () => measurePath(flow, from, to, { before: results, names }),
      `, ${from.name} to ${to.name}`,
    );
  }
  await run('policy', () => testPolicies(flow, clusters, { before: results, settleMs, familiesOf }));
  // What was seen in a place that another run has taken over is not told.
  await keepNamespaces(clusters, mark);
  return results;
}

/** The names of a Service that pods of its own namespace may use. */
async function resolveNames(
  { clock }: Pick<Flow, 'clock'>,
  cluster: TestCluster,
  names: readonly string[],
): Promise<ScenarioResult> {
  const hosts = [ECHO_SERVICE, `${ECHO_SERVICE}.${cluster.namespace}`, `${ECHO_SERVICE}.${cluster.namespace}.svc`];
  const samples = await Promise.all(
    hosts.map((host) => ask(clock, cluster, { host, port: SERVICE_PORT, count: 1, timeoutMs: TIMEOUT_MS }, names)),
  );
  const unresolved = hosts.filter((_host, index) => samples[index]?.some(({ error }) => error === NAME_NOT_RESOLVED));
  const addresses = [...new Set(samples.flat().flatMap(({ address }) => address ?? []))];
  return {
    scenario: 'dns',
    from: cluster.name,
    result: unresolved.length === 0 ? 'pass' : 'fail',
    evidence:
      unresolved.length > 0
        ? `no address for ${unresolved.join(', ')}`
        : `${hosts.join(', ')} resolve${addresses.length > 0 ? ` to ${addresses.join(', ')}` : ''}`,
  };
}

/** What answers in a family should look like. */
type Expected = (own: string, able: readonly string[], others: readonly string[]) => Expectation;

/** Whether a cluster passes it without any other. */
function isAlone(scenario: Scenario): boolean {
  return scenario === 'affinity-local' || scenario === 'return';
}

async function reachPods(
  flow: Flow,
  { from, to, family }: { from: TestCluster; to: TestCluster; family: TestedFamily },
  common: Pick<Question, 'names' | 'settleMs'>,
): Promise<ScenarioResult> {
  const scenario = 'pod-to-pod';
  const destinations = await podsAt(to, family.family);
  const about = { scenario, from: from.name, to: to.name } as const;
  if (destinations.length === 0 && (await podsAt(to)).length > 0) {
    return withoutFamily(about, family, `pods of ${to.name} have no`);
  }
  const expected: Expectation = { kind: 'only', clusters: [to.name] };
  return { ...(await judge(flow, from, { scenario, destinations, expected, ...common })), to: to.name };
}

/** Many requests from a cluster to a pod of each; where its pods are not reached, each would take its whole time. */
async function measurePath(
  { clock }: Pick<Flow, 'clock'>,
  from: TestCluster,
  to: TestCluster,
  { before, names }: { before: readonly ScenarioResult[]; names: readonly string[] },
): Promise<ScenarioResult[]> {
  const about = { scenario: 'performance', from: from.name, to: to.name } as const;
  if (!isReached(before, about)) {
    const evidence = `pods of ${to.name} cannot be reached from ${from.name} even with fewer requests`;
    return [{ ...about, result: 'skip', evidence }];
  }
  const destinations = (await podsAt(to)).slice(0, 1);
  const rounds = destinations.map((pod) =>
    ask(clock, from, { ...pod, count: PERF_ROUND, timeoutMs: TIMEOUT_MS }, names),
  );
  const expected: Expectation = { kind: 'only', clusters: [to.name] };
  return [resultOf(about, (await Promise.all(rounds)).flat(), { destinations, expected })];
}
