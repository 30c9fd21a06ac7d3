import { randomBytes } from 'node:crypto';
import pLimit from 'p-limit';
import { readProgram, renderProbe } from '../../manifests/probe.ts';
import { nodesForAgents } from '../../mesh/cilium/agents.ts';
import { requireCilium } from '../../mesh/cilium/identity.ts';
import { namesApart } from '../../mesh/cilium/names-apart.ts';
import { kubectlCommand } from '../../mesh/command-line.ts';
import type { Leftover } from '../../mesh/connectivity/connectivity.ts';
import { counted } from '../../mesh/counted.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import type { KubeObject } from '../../mesh/objects/kube-object.ts';
import { PROBER } from '../../mesh/objects/package-roles.ts';
import { chooseNodes, type ProbePlace, probedFamilies } from '../../mesh/probe/places.ts';
import { type ProbeReport, probeReport } from '../../mesh/probe/report.ts';
import { isSent, type ProbedDial, planTests } from '../../mesh/probe/tests.ts';
import { judgeAll } from '../../mesh/probe/verdict.ts';
import { readWatchStart, withMtus } from '../../mesh/probe/words.ts';
import { type UnreachableCluster, unreachableCluster } from '../../mesh/status/mesh-status.ts';
import { readSnapshot } from '../../snapshot/read-snapshot.ts';
import { during, type Flow, type Target } from '../flow.ts';
import { besides, noting } from '../noting.ts';
import { asLackOf, awaitFormerGone, grantingLine, type LackedRole } from '../own-namespace.ts';
import { allOrFirstError } from '../parallel.ts';
import { firstFailure, whereItSucceeds } from '../where-it-succeeds.ts';
import { agentStations } from './agent-stations.ts';
import { gather, MOST_EXECS } from './gather.ts';
import { podStations, type Remains, removeRemains } from './pod-stations.ts';
import { type ProbeRun, type ProbeSite, probedCluster, type Station, type Stations } from './station.ts';

export interface ProbeOptions {
  /** Of each cluster, at most. */
  nodes: number;
  /** `auto`: pods, and agents where they cannot be made. */
  via: 'auto' | 'pods' | 'agents';
  namespace: string;
  /** Of the pods; default: each cluster's agents'. */
  image?: string | undefined;
  /** For pods to run. */
  waitMs: number;
  /** Clusters read at a time. */
  parallel: number;
  /** Who is to dial whom, and where; absent: each each, as they do now. */
  dials?: readonly ProbedDial[] | undefined;
}

/** Longer than any probe: a watch that nobody collects ends by itself. */
const WATCH_SECONDS = 300;
/** For ending watches after Ctrl-C. */
const END_MS = 10_000;

/**
 * Sends packets between nodes (and pods) of each two clusters for all that the mesh needs, sees which arrive, and removes
 * what it made.
 * @param silent clusters that are known not to answer; those that cease to are added
 * @throws MeshctlError `CiliumMissing` for a cluster without Cilium, why a cluster cannot be read where fewer than two can, and
 * why no program can be run in one
 */
export async function probeNetwork(
  run: Flow,
  targets: readonly Target[],
  silent: readonly UnreachableCluster[],
  options: ProbeOptions,
): Promise<ProbeReport> {
  const { flow, noted } = noting(run);
  const { sites, unreachable } = await readSites(flow, targets, silent, options);
  const probe = await startRun(flow);
  const posts = sites.map((site): Post => ({ site, remains: undefined, watches: [] }));
  if (options.via !== 'agents') await awaitFormerNamespaces(flow, posts, options);
  let report: ProbeReport;
  let left: Leftover[];
  try {
    const placed = await during(
      flow,
      {
        doing: `Starting the probe on ${counted(sites.flatMap(({ nodes }) => nodes).length, 'node')}`,
        done: 'Started the probe',
      },
      () =>
        allOrFirstError(
          posts.map(async (post) => ({
            site: post.site,
            stations: await watched(flow, post, probe, options),
          })),
          flow.progress,
        ),
    );
    const clusters = placed.map(({ site, stations }) => probedCluster(site, stations));
    const tests = planTests(clusters, options.dials);
    const stations = placed.flatMap((one) => one.stations.stations);
    // Those in the report: what a cluster asks itself is in no result.
    const sent = tests.filter((test) => !test.isControl && isSent(test));
    const what = `${counted(sent.length, 'test')} between ${counted(clusters.length, 'cluster')}`;
    const evidence = await during(
      flow,
      {
        doing: `Sending ${what}`,
        done: `Sent ${what}`,
      },
      () => gather(stations, tests),
    );
    for (const post of posts) post.watches = [];
    report = probeReport({
      clusters,
      results: judgeAll(tests, evidence),
      unreachable,
      dials: options.dials,
      now: flow.now(),
    });
  } finally {
    left = await cleanUp(flow, posts, probe.token, options);
  }
  const warnings = besides(noted(), [...left, ...report.unreachable]);
  return {
    ...report,
    ...(left.length > 0 ? { passed: false, left } : {}),
    ...(warnings.length > 0 ? { warnings } : {}),
  };
}

async function startRun({ installation }: Flow): Promise<ProbeRun> {
  const token = randomBytes(4).toString('hex');
  let watches = 0;
  const [watch, send, collect] = await Promise.all([
    readProgram(installation, 'watch'),
    readProgram(installation, 'send'),
    readProgram(installation, 'collect'),
  ]);
  return { token, programs: { watch, send, collect }, nextToken: () => `${token}.${watches++}` };
}

async function readSites(
  flow: Flow,
  targets: readonly Target[],
  silent: readonly UnreachableCluster[],
  options: ProbeOptions,
): Promise<{ sites: ProbeSite[]; unreachable: UnreachableCluster[] }> {
  const names = targets.map(({ client }) => client.context).join(', ');
  const read = async ({ client, namespace }: Target) => ({
    client,
    snapshot: await readSnapshot(client, { namespace, purpose: 'connect' }),
  });
  const { done, failed } = await during(flow, { doing: `Reading ${names}`, done: `Read ${names}` }, () =>
    whereItSucceeds(flow, targets, read, options.parallel),
  );
  if (failed.length > 0 && done.length < 2) throw firstFailure(flow, failed);
  const snapshots = done.map(({ snapshot }) => snapshot);
  for (const snapshot of snapshots) requireCilium(snapshot);
  const families = probedFamilies(snapshots);
  const nameOf = namesApart(snapshots);
  const gone = failed.map(({ context, error }) => unreachableCluster(context, error));
  return {
    sites: done.map(({ client, snapshot }) => ({
      ...{ client, snapshot, name: nameOf(snapshot), families },
      nodes: chooseNodes(nodesForAgents(snapshot), options.nodes, families),
    })),
    unreachable: [...silent, ...gone],
  };
}

/** What grants pods of the probe in a cluster. */
function proberAt({ installation }: Flow, { client, snapshot }: ProbeSite, { namespace }: ProbeOptions): LackedRole {
  const { context } = client;
  return { role: PROBER, installation, context, namespace, ciliumNamespace: snapshot.namespace };
}

interface Post {
  site: ProbeSite;
  /** What was, or may have been, made there. */
  remains: Remains | undefined;
  /** Agents that watch, or may. */
  watches: readonly Station[];
  /** Why no pods can be made there: an earlier namespace of theirs does not go. */
  held?: unknown;
}

/** Before anything is made anywhere: where pods must be used, nothing is to be taken back then. */
async function awaitFormerNamespaces(flow: Flow, posts: readonly Post[], options: ProbeOptions): Promise<void> {
  const { namespace, waitMs } = options;
  const waits = posts.map(async (post) => {
    const { site } = post;
    await awaitFormerGone(flow, site.client, namespace, { waitMs, rights: proberAt(flow, site, options) }).catch(
      (error: unknown) => {
        flow.signal.throwIfAborted();
        if (options.via === 'pods') throw error;
        post.held = error;
      },
    );
  });
  await allOrFirstError(waits, flow.progress);
}

/** The stations of a cluster, all of them watching. */
async function watched(flow: Flow, post: Post, probe: ProbeRun, options: ProbeOptions): Promise<Stations> {
  const { site } = post;
  const { context } = site.client;
  if (site.nodes.length === 0) {
    throw new MeshctlError(
      'NotFound',
      `context "${context}": none of its nodes is ready and has an InternalIP of ${site.families.map((family) => `IPv${family}`).join(' or ')}`,
      {
        hint: `Its nodes: ${kubectlCommand({ context }, ['get', 'nodes', '-o', 'wide'])}`,
        details: { context },
      },
    );
  }
  const rights = proberAt(flow, site, options);
  let grant: string | undefined;
  const agents = async () => {
    const found = await agentStations(flow, site, probe);
    post.watches = found.stations;
    return { ...(await watching(found, context)), grant };
  };
  if (options.via === 'agents') return agents();
  try {
    if (post.held !== undefined) throw post.held;
    const { namespace, image = site.snapshot.agent?.image ?? '', waitMs } = options;
    const objects = await renderProbe(flow.installation, { namespace, image, ...probe });
    post.remains = { objects };
    const onNoPods = (remains: Remains | undefined) => {
      post.remains = remains;
    };
    const onMade = (made: KubeObject) => {
      post.remains = { objects, made };
    };
    const placed = await podStations(flow, site, objects, { waitMs, rights, onMade, onNoPods, ...probe });
    const stations = await watching(placed, context);
    const outside = stations.stations.find(({ place }) => place.kind === 'node' && place.deviceMtu === undefined);
    if (!outside || options.via === 'pods') return stations;
    flow.progress.warn(
      `context "${context}": a pod with hostNetwork on node ${outside.place.node} does not have the node's address; its agents are used instead`,
    );
  } catch (refusal) {
    flow.signal.throwIfAborted();
    const error = asLackOf(rights, refusal);
    if (options.via === 'pods' || !(error instanceof MeshctlError)) throw error;
    if (error.code === 'Forbidden') grant = grantingLine(rights, error);
    flow.progress.warn(`${error.message}; its agents are used instead`);
  }
  return agents();
}

/** Starts a watch at each station; where it cannot be, that is no station. */
async function watching({ via, stations, failed }: Stations, context: string): Promise<Stations> {
  const limit = pLimit(MOST_EXECS);
  const errors: MeshctlError[] = [];
  const started = await Promise.all(
    stations.map(({ place, run }) =>
      limit(async (): Promise<Station | ProbePlace> => {
        try {
          const start = readWatchStart(await run('watch', [String(WATCH_SECONDS)]));
          if (!start) return { ...place, failed: `the probe on node ${place.node} is not listening` };
          return { place: withMtus(place, start), run };
        } catch (error) {
          if (!(error instanceof MeshctlError) || error.code === 'Interrupted') throw error;
          errors.push(error);
          return { ...place, failed: error.message.replace(`context "${context}": `, '') };
        }
      }),
    ),
  );
  const able = started.flatMap((one) => ('run' in one ? [one] : []));
  const unable = started.flatMap((one) => ('run' in one ? [] : [one]));
  if (able.length === 0) {
    const { code = 'ExecFailed', hint = undefined, details = {} } = errors[0] ?? {};
    throw new MeshctlError(code, `context "${context}": ${unable[0]?.failed ?? 'the probe runs nowhere'}`, {
      ...(hint === undefined ? {} : { hint }),
      details: { ...details, context },
    });
  }
  return { via, stations: able, failed: [...failed, ...unable] };
}

/** Ends watches that nobody collected, and removes what was made. @returns what could not be removed */
async function cleanUp(flow: Flow, posts: readonly Post[], token: string, options: ProbeOptions): Promise<Leftover[]> {
  const limit = pLimit(MOST_EXECS);
  const signal = AbortSignal.timeout(END_MS);
  const end = ({ run }: Station) => limit(() => run('collect', [], signal).catch(() => undefined));
  await Promise.all(posts.flatMap(({ watches }) => watches.map(end)));
  const made = posts.flatMap(({ site, remains }) => (remains ? [{ site, remains }] : []));
  if (made.length === 0) return [];
  const task = flow.progress.start('Removing the probe');
  const removed = await Promise.all(
    made.map(({ site, remains }) =>
      removeRemains(flow, site.client, remains, { token, rights: proberAt(flow, site, options) }),
    ),
  );
  const left = removed.flatMap((one) => one ?? []);
  if (left.length === 0) task.done('Removed the probe');
  else task.fail('The probe is not removed everywhere');
  return left;
}
