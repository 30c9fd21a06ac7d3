import { waitForList } from '../../kube/wait.ts';
import {
  describeTally,
  measureFailover,
  type Sample,
  type ScenarioResult,
  tally,
} from '../../mesh/connectivity/connectivity.ts';
import type { TestedFamily } from '../../mesh/connectivity/tested-families.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { NOT_MIRRORED, SERVICE_NAME_LABEL } from '../../mesh/services/endpoint-slices.ts';
import type { Flow } from '../flow.ts';
import { ask, ECHO_SERVICE, replicasOfEcho, scaleEcho, type TestCluster } from './connectivity-clusters.ts';
import { type Destination, inFamily, serviceAt, TIMEOUT_MS, withoutFamily } from './connectivity-judge.ts';

const PER_SECOND = 20;
/** Of one exec: about a second, so that news come in often. */
const BATCH = 20;
/** So many good answers in a row from elsewhere: the others have taken over. */
const STEADY = 20;
/** For the endpoints to go: the pods may take their time to end. */
const LONGEST_MS = 60_000;

export interface FailoverOptions {
  /** Of all clusters. */
  names: readonly string[];
  /** In which the cluster's clients ask. */
  families: readonly TestedFamily[];
  waitMs: number;
  settleMs: number;
}

/**
 * Scales a cluster's echo pods to zero under steady requests from that cluster, whose Service prefers local backends, and
 * measures until the other clusters answer, in each family by itself. The pods are there again at the end.
 */
export async function testFailover(
  flow: Flow,
  cluster: TestCluster,
  { names, families, waitMs, settleMs }: FailoverOptions,
): Promise<ScenarioResult[]> {
  const about = { scenario: 'failover', from: cluster.name } as const;
  const hasOthers = ({ clusters }: TestedFamily) => clusters.some((name) => name !== cluster.name);
  const probers = families
    .filter(hasOthers)
    .map((family) => ({ family, prober: startProber(flow, cluster, serviceAt(family), names) }));
  try {
    await Promise.all(probers.map(({ prober }) => prober.until((samples) => samples.length >= BATCH, LONGEST_MS)));
    const scaledAt = flow.clock.ms();
    await scaleEcho(flow, cluster, 0, waitMs);
    const goneAt = await endpointsGone(flow, cluster);
    const since = goneAt ?? scaledAt;
    const results = probers.map(async ({ family, prober }): Promise<ScenarioResult> => {
      await prober.until((seen) => isSteady(seen, cluster.name), settleMs, since);
      const samples = await prober.stop();
      // What was under way when the time was up counts too.
      const taken = isSteady(startedSince(samples, since), cluster.name);
      const failover = measureFailover(samples, { own: cluster.name, scaledAt, goneAt });
      const seen = describeTally(tally(samples));
      const outage = failover.lost === 0 ? 'no request lost' : `${failover.outageMs} ms without service`;
      const took =
        failover.firstRemoteAnswerMs === undefined ? '' : `taken over after ${failover.firstRemoteAnswerMs} ms, `;
      return {
        ...about,
        ...inFamily(family),
        result: taken && goneAt !== undefined ? 'pass' : 'fail',
        evidence: `${took}${outage}; ${seen}`,
        requests: tally(samples),
        failover,
      };
    });
    const alone = families.filter((family) => !hasOthers(family));
    return [
      ...(await Promise.all(results)),
      ...alone.map((family) => withoutFamily(about, family, 'pods of no other cluster have')),
    ];
  } finally {
    await Promise.allSettled(probers.map(({ prober }) => prober.stop()));
    if (!flow.signal.aborted) await scaleEcho(flow, cluster, replicasOfEcho(cluster), waitMs);
  }
}

/** Whether the last answers all came from elsewhere. */
function isSteady(samples: readonly Sample[], own: string): boolean {
  const last = samples.slice(-STEADY);
  return last.length === STEADY && last.every(({ answeredBy }) => answeredBy !== undefined && answeredBy !== own);
}

function startedSince(samples: readonly Sample[], ms: number): Sample[] {
  return samples.filter(({ startMs }) => startMs >= ms);
}

/** When no endpoint was ready any more; undefined where that takes too long. */
async function endpointsGone(flow: Flow, { member, namespace }: TestCluster): Promise<number | undefined> {
  const selection = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    namespace,
    labelSelector: `${SERVICE_NAME_LABEL}=${ECHO_SERVICE},${NOT_MIRRORED}`,
  };
  const isReady = (slice: unknown) =>
    ((slice as { endpoints?: { conditions?: { ready?: boolean } }[] | null }).endpoints ?? []).some(
      ({ conditions }) => conditions?.ready !== false,
    );
  const options = { timeoutMs: LONGEST_MS, signal: flow.signal, waitingFor: 'the endpoints to go' };
  try {
    return await waitForList(
      member.client,
      selection,
      (slices) => (slices.some(isReady) ? undefined : flow.clock.ms()),
      options,
    );
  } catch (error) {
    if (error instanceof MeshctlError && error.code === 'Timeout') return undefined;
    throw error;
  }
}

interface Prober {
  /** Waits until the samples are so, or the time is up; with `since`, only those that began later count. */
  until(accept: (samples: readonly Sample[]) => boolean, timeoutMs: number, since?: number): Promise<void>;
  /** @returns all samples. Rejects with what kept the client from asking. */
  stop(): Promise<Sample[]>;
}

/** Asks the echo Service from a cluster's client, at a steady rate, until it is stopped. */
function startProber(
  { clock }: Pick<Flow, 'clock'>,
  cluster: TestCluster,
  service: Destination,
  names: readonly string[],
): Prober {
  const samples: Sample[] = [];
  const requests = {
    ...service,
    count: BATCH,
    timeoutMs: TIMEOUT_MS,
    perSecond: PER_SECOND,
  };
  let stopped = false;
  let news = () => {};
  const running = (async () => {
    while (!stopped) {
      samples.push(...(await ask(clock, cluster, requests, names)));
      news();
    }
  })();
  // Told to whoever waits next.
  running.catch(() => news());

  return {
    async until(accept, timeoutMs, since = 0) {
      const deadline = clock.ms() + timeoutMs;
      for (;;) {
        const more = new Promise<void>((done) => {
          news = done;
        });
        if (accept(startedSince(samples, since)) || clock.ms() > deadline) return;
        await Promise.race([more, running]);
      }
    },
    async stop() {
      stopped = true;
      await running;
      return samples;
    },
  };
}
