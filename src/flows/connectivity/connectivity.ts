import type { ConnectivityReport, Leftover, ScenarioResult } from '../../mesh/connectivity/connectivity.ts';
import type { KubeObject } from '../../mesh/objects/kube-object.ts';
import { during, type Flow } from '../flow.ts';
import { besides, noting } from '../noting.ts';
import { awaitFormerGone } from '../own-namespace.ts';
import { allOrFirstError } from '../parallel.ts';
import { beginRun, type RunMark } from '../run-mark.ts';
import type { ServiceCluster } from '../services/read-service-clusters.ts';
import { cleanUp, deploy, prepareClusters, type TestCluster } from './connectivity-clusters.ts';
import { isInNamespace, leaveNamespace, requireFree, stayInNamespace, takeNamespace } from './connectivity-hold.ts';
import { requireMutualPeers } from './connectivity-peers.ts';
import { runScenarios, type ScenarioOptions } from './connectivity-scenarios.ts';

export interface ConnectivityOptions extends ScenarioOptions {
  namespace: string;
  image: string;
  /** Leave everything deployed. */
  keep: boolean;
  /** The command line of a test that does not, for a hint. */
  removing: string;
}

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
  const { waitMs } = options;
  // Before anything is made anywhere: where it does not go, nothing is to be taken back.
  await allOrFirstError(
    clusters.map(({ member, namespace, rights }) =>
      awaitFormerGone(flow, member.client, namespace, { waitMs, rights }),
    ),
    flow.progress,
  );
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

/** A test in which everything was skipped has shown nothing. */
function hasPassed(results: readonly ScenarioResult[]): boolean {
  return results.every(({ result }) => result !== 'fail') && results.some(({ result }) => result === 'pass');
}
