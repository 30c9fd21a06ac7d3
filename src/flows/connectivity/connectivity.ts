import {
  type ConnectivityReport,
  type Expectation,
  type Leftover,
  SCENARIOS,
  type Scenario,
  type ScenarioResult,
} from '../../mesh/connectivity/connectivity.ts';
import { NAME_NOT_RESOLVED } from '../../mesh/connectivity/connectivity-requests.ts';
import { type TestedFamily, testedFamilies } from '../../mesh/connectivity/tested-families.ts';
import type { KubeObject } from '../../mesh/objects/kube-object.ts';
import { during, type Flow } from '../flow.ts';
import { besides, noting } from '../noting.ts';
import { allOrFirstError } from '../parallel.ts';
import { beginRun, type RunMark } from '../run-mark.ts';
import type { ServiceCluster } from '../services/read-service-clusters.ts';
import {
  ask,
  cleanUp,
  deploy,
  ECHO_SERVICE,
  prepareClusters,
  SERVICE_PORT,
  setAffinity,
  type TestCluster,
  testedAddressesOf,
} from './connectivity-clusters.ts';
import { testFailover } from './connectivity-failover.ts';
import {
  isInNamespace,
  keepNamespaces,
  leaveNamespace,
  requireFree,
  stayInNamespace,
  takeNamespace,
} from './connectivity-hold.ts';
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
import { requireMutualPeers } from './connectivity-peers.ts';
import { isReached, testPolicies } from './connectivity-policy.ts';

export interface ConnectivityOptions {
  namespace: string;
  image: string;
  /** Leave everything deployed. */
  keep: boolean;
  /** The command line of a test that does not, for a hint. */
  removing: string;
  /** Measure latency with many requests. */
  perf: boolean;
  /** For pods to be ready. */
  waitMs: number;
  /** For a change to take effect everywhere. */
  settleMs: number;
}

const PERF_ROUND = 500;
/** For taking the marks away, also after Ctrl-C. */
const LEAVE_MS = 10_000;

/**
 * Deploys an echo server and a client in each cluster, asks in all the ways that a mesh should answer, and removes
 * everything again, whatever happens.
 * @throws MeshctlError `ClusterMeshNotEnabled` or `NotFound` where the clusters are surely not connected, before anything is
 * deployed; and what kept the test from being made; what it finds wrong is in the report
 */
export async function testConnectivity(
  run: Flow,
  members: readonly ServiceCluster[],
  options: ConnectivityOptions,
): Promise<ConnectivityReport> {
  const { flow, noted } = noting(run);
  await during(
    flow,
    { doing: 'Checking whether the clusters are connected', done: 'Checked whether the clusters are connected' },
    () => requireMutualPeers(members),
  );
  const clusters = await prepareClusters(flow, members, options);
  await requireFree(clusters);
  const mark = beginRun(flow);
  const begun: TestCluster[] = [];
  const made = new Map<TestCluster, KubeObject>();
  const stays: (() => Promise<void>)[] = [];
  const leave = () => Promise.all(stays.map((stop) => stop()));
  const end = async (): Promise<Leftover[]> => {
    if (!options.keep) return removeTest(flow, begun, { mark, made, namespace: options.namespace, leave });
    await leave();
    const signal = AbortSignal.timeout(LEAVE_MS);
    // One that was refused may have made nothing.
    const left = await Promise.all(begun.map((cluster) => isInNamespace(cluster, mark)));
    await Promise.allSettled(begun.map((cluster) => leaveNamespace(cluster, mark, signal)));
    if (left.includes(true))
      flow.progress.warn(
        `what the test put into namespace ${options.namespace} stays (--keep) → a test without that removes it: ${options.removing}`,
      );
    return [];
  };
  let scenarios: ScenarioResult[];
  let left: Leftover[];
  try {
    await during(
      flow,
      {
        doing: `Deploying to namespace ${options.namespace}`,
        done: `Deployed to namespace ${options.namespace}`,
      },
      async () => {
        // Each run takes the clusters in the same order, so of two that begin at once one gets them all.
        for (const cluster of clusters.toSorted((one, other) => (one.name < other.name ? -1 : 1))) {
          begun.push(cluster);
          await takeNamespace(flow, cluster, mark, {
            waitMs: options.waitMs,
            onMade: (namespace) => made.set(cluster, namespace),
          });
          stays.push(stayInNamespace(cluster, mark));
        }
        await allOrFirstError(
          clusters.map((cluster) => deploy(flow, cluster, options.waitMs)),
          flow.progress,
        );
      },
    );
    scenarios = await runScenarios(flow, clusters, mark, options);
  } finally {
    left = await end();
  }
  const warnings = besides(noted(), left);
  return {
    passed: hasPassed(scenarios) && left.length === 0,
    namespace: options.namespace,
    image: options.image,
    clusters: members.map(({ client, cluster }) => ({ context: client.context, name: cluster })),
    scenarios,
    ...(left.length > 0 && { left }),
    ...(warnings.length > 0 && { warnings }),
  };
}

/** Removes the test from the clusters in which it began, and leaves their namespaces to others. @returns what could not be removed */
async function removeTest(
  flow: Flow,
  begun: readonly TestCluster[],
  {
    mark,
    made,
    namespace,
    leave,
  }: {
    mark: RunMark;
    /** The namespaces that this run has made. */
    made: ReadonlyMap<TestCluster, KubeObject>;
    namespace: string;
    leave: () => Promise<unknown>;
  },
): Promise<Leftover[]> {
  const task = flow.progress.start(`Removing namespace ${namespace}`);
  const removed = await Promise.all(begun.map((cluster) => cleanUp(flow, cluster, mark.run, made.get(cluster))));
  await leave();
  const left = removed.filter((one) => typeof one !== 'string');
  if (left.length > 0) task.fail(`Not all of the test is removed from namespace ${namespace}`);
  else if (removed.includes('objects')) task.done(`Removed what the test put into namespace ${namespace}`);
  else if (removed.includes('namespace')) task.done(`Removed namespace ${namespace}`);
  // A run that came to its end had it everywhere; one that was refused may have made it nowhere.
  else task.done(`Nothing to remove: nothing of the test is in namespace ${namespace}`);
  return left;
}

async function runScenarios(
  flow: Flow,
  clusters: readonly TestCluster[],
  mark: RunMark,
  options: ConnectivityOptions,
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
    each((cluster) => resolveNames(cluster, names)),
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
    await run('performance', () => measurePath(from, to, { before: results, names }), `, ${from.name} to ${to.name}`);
  }
  await run('policy', () => testPolicies(flow, clusters, { before: results, settleMs, familiesOf }));
  // What was seen in a place that another run has taken over is not told.
  await keepNamespaces(clusters, mark);
  return results;
}

/** A test in which everything was skipped has shown nothing. */
function hasPassed(results: readonly ScenarioResult[]): boolean {
  return results.every(({ result }) => result !== 'fail') && results.some(({ result }) => result === 'pass');
}

/** The names of a Service that pods of its own namespace may use. */
async function resolveNames(cluster: TestCluster, names: readonly string[]): Promise<ScenarioResult> {
  const hosts = [ECHO_SERVICE, `${ECHO_SERVICE}.${cluster.namespace}`, `${ECHO_SERVICE}.${cluster.namespace}.svc`];
  const samples = await Promise.all(
    hosts.map((host) => ask(cluster, { host, port: SERVICE_PORT, count: 1, timeoutMs: TIMEOUT_MS }, names)),
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
  const rounds = destinations.map((pod) => ask(from, { ...pod, count: PERF_ROUND, timeoutMs: TIMEOUT_MS }, names));
  const expected: Expectation = { kind: 'only', clusters: [to.name] };
  return [resultOf(about, (await Promise.all(rounds)).flat(), { destinations, expected })];
}
