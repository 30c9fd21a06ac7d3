import { listEndpoints } from '../../mesh/apiserver/endpoints.ts';
import { provenRotation, unfinishedWarning } from '../../mesh/certificates/unfinished-rotation.ts';
import { type Finding, runChecks } from '../../mesh/checks/check.ts';
import { COMPATIBILITY_CHECKS, forConnect } from '../../mesh/checks/compatibility.ts';
import { clusterNameOf, requireCilium, requireIdentity } from '../../mesh/cilium/identity.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { planDial } from '../../mesh/connect/dial-plan.ts';
import {
  type Direction,
  dialsThroughKvstoremesh,
  planDirection,
  requireEnabled,
} from '../../mesh/connect/direction.ts';
import { connectEffects } from '../../mesh/connect/effects.ts';
import { choiceNotes, type Dial, oneWayNote, requireOneWay, wantedDials } from '../../mesh/connect/kept-choices.ts';
import type { Member } from '../../mesh/connect/member.ts';
import { requireReadyServers, requireSoundServers } from '../../mesh/connect/provable.ts';
import { planServe } from '../../mesh/connect/serve-plan.ts';
import { counted } from '../../mesh/counted.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { type ConnectionMode, dialsOf } from '../../mesh/peers/connection-mode.ts';
import type { CredentialChoice } from '../../mesh/peers/credential-kind.ts';
import { assignOverrides, type EndpointOverride } from '../../mesh/peers/endpoint-overrides.ts';
import { foreignHomeNotes } from '../../mesh/peers/foreign-homes.ts';
import type { PeerEffect } from '../../mesh/plan/peer-effects.ts';
import type { Plan } from '../../mesh/plan/plan.ts';
import { readSnapshot } from '../../snapshot/read-snapshot.ts';
import { during, type Flow, type Target } from '../flow.ts';
import { type Unanswered, whereAccessible } from '../where-it-succeeds.ts';
import { peerIdsIn, readDescribed } from './read-peer-ids.ts';

/** Who is to be connected with whom. */
export interface MeshRequest {
  mode: ConnectionMode;
  /** Whether the operator asked for the mode; else connections that are one-way on purpose stay so. */
  modeGiven?: boolean | undefined;
  /** Absent when there are only destinations, which mode `mesh` joins with each other. */
  source?: Target | undefined;
  destinations: readonly Target[];
}

export interface ConnectOptions {
  credentials?: CredentialChoice | undefined;
  sourceEndpoints?: readonly EndpointOverride[] | undefined;
  destinationEndpoints?: readonly EndpointOverride[] | undefined;
  /** Ids of checks that do not count. */
  skipChecks?: readonly string[] | undefined;
  /** Clusters at a time. */
  parallel: number;
  /** False where port-forward is forbidden: credentials are handed out untried. */
  proof?: boolean | undefined;
  /** How long a remote etcd may take to let a new peer in. */
  proofMs: number;
  /** False leaves what stands when something fails. */
  rollback?: boolean | undefined;
  /** Destinations that cannot be accessed have no part in it. */
  spare?: boolean | undefined;
}

/** A connect that has been thought through; nothing is written yet. */
export interface PreparedConnect {
  targets: readonly Target[];
  members: readonly Member[];
  directions: readonly Direction[];
  /** First every serving side, then, after the proofs, every file. */
  serve: Plan;
  dial: Plan;
  /** What becomes of the connections that there are. */
  effects: readonly PeerEffect[];
  warnings: readonly string[];
  /** What was left out of it. */
  spared: readonly Unanswered[];
}

/**
 * Reads every cluster once, validates the whole mesh and plans.
 * @throws MeshctlError what keeps a cluster from taking part; `Incompatible` with all findings in its details
 */
export async function prepareConnect(
  flow: Flow,
  request: MeshRequest,
  options: ConnectOptions,
): Promise<PreparedConnect> {
  const { source, mode } = request;
  const { targets, done: snapshots, failed: spared } = await readMesh(flow, request, options);
  for (const snapshot of snapshots) requireCilium(snapshot);
  requireEnabled(snapshots);
  const peerIds = peerIdsIn(await readDescribed(flow, targets, snapshots, { parallel: options.parallel }));
  const input = { clusters: snapshots, now: flow.now(), peerIds };
  const findings = forConnect(runChecks(COMPATIBILITY_CHECKS, input, options.skipChecks));
  refuseIncompatible(findings);
  const members = membersOf(snapshots, request, options);
  const [sourceMember, others] = source ? [members[0], members.slice(1)] : [undefined, members];
  const now = flow.now();
  const asked = dialsOf(mode, sourceMember, others);
  if (mode === 'unicast') requireOneWay(asked);
  const dials = wantedDials(asked, request.modeGiven ?? false);
  // Where only one side still has it written down that they are one-way, the other one gets it again.
  const modeOf = ([client, server]: Dial) =>
    request.modeGiven
      ? mode
      : dials.oneWay.some(([one, other]) => one === server && other === client)
        ? 'unicast'
        : undefined;
  const directions = dials.wanted.map((dial) =>
    planDirection(...dial, { credentials: options.credentials, mode: modeOf(dial), now }),
  );
  if (options.proof !== false) requireReadyServers([...new Set(directions.map(({ server }) => server.snapshot))]);
  const serve = planServe(directions, now);
  if (options.proof !== false) requireSoundServers(directions, serve.steps, now);
  const notBack = mode === 'unicast' ? asked.map(([client, server]): Dial => [server, client]) : dials.oneWay;
  const dial = planDial(directions, now, notBack);
  const warnings = new Set([
    ...findings.filter(({ severity }) => severity === 'warn').map(sentenceOf),
    ...unfinishedWarnings(snapshots),
    ...directions.flatMap(({ credential }) => credential.warnings),
    ...aliasWarnings(directions),
    ...dials.oneWay.map(oneWayNote),
    ...directions.flatMap(choiceNotes),
    ...foreignHomeNotes([...serve.steps, ...dial.steps]),
  ]);
  return {
    targets,
    members,
    directions,
    serve,
    dial,
    effects: connectEffects(snapshots, directions, [...serve.steps, ...dial.steps]),
    warnings: [...warnings],
    spared,
  };
}

/** The snapshots of all, or with `spare` of those that can be read, the source always among them. */
function readMesh(flow: Flow, { source, destinations }: MeshRequest, { parallel, spare }: ConnectOptions) {
  const targets = source ? [source, ...destinations] : destinations;
  const read = ({ client, namespace }: Target) => readSnapshot(client, { namespace, purpose: 'connect' });
  return during(
    flow,
    {
      doing: `Reading ${counted(targets.length, 'cluster')}`,
      done: `Read ${counted(targets.length, 'cluster')}`,
    },
    async () => {
      const least = spare ? 2 : targets.length;
      const mesh = await whereAccessible(flow, targets, read, { parallel, least });
      const lost = mesh.failed.find(({ context }) => context === source?.client.context);
      if (lost) throw lost.error;
      return mesh;
    },
  );
}

function membersOf(snapshots: readonly ClusterSnapshot[], request: MeshRequest, options: ConnectOptions): Member[] {
  const named = snapshots.map((snapshot) => ({ context: snapshot.context, name: clusterNameOf(snapshot) }));
  const { sourceEndpoints = [], destinationEndpoints = [] } = options;
  const sources = request.source ? named.slice(0, 1) : [];
  const overrides = [
    ...assignOverrides(sourceEndpoints, sources, '--source-endpoint'),
    ...assignOverrides(destinationEndpoints, named.slice(sources.length), '--destination-endpoint'),
  ];
  return snapshots.map((snapshot, index) => {
    const given = overrides[index];
    const identity = requireIdentity(snapshot);
    if (given === undefined || given === 'service')
      return { snapshot, identity, endpoints: listEndpoints(snapshot), given };
    return { snapshot, identity, endpoints: given, given: 'addresses' };
  });
}

/** In the middle of a rotation a new peer trusts both CAs, and has to take part in what is left of it. */
function unfinishedWarnings(snapshots: readonly ClusterSnapshot[]): string[] {
  return snapshots.flatMap((snapshot) => {
    const rotation = provenRotation(snapshot, snapshots);
    return rotation
      ? [
          `context "${snapshot.context}": ${unfinishedWarning(rotation, snapshot, snapshots, snapshots.map(clusterNameOf))}`,
        ]
      : [];
  });
}

function sentenceOf(finding: Finding): string {
  const check = COMPATIBILITY_CHECKS.find(({ id }) => id === finding.id);
  const words = `${check?.says(finding) ?? finding.id} [${finding.id}]`;
  return finding.hint ? `${words} → ${finding.hint}` : words;
}

function refuseIncompatible(findings: readonly Finding[]): void {
  const failed = findings.filter(({ severity }) => severity === 'fail');
  const [first] = failed;
  if (!first) return;
  const words = failed.map((finding) => COMPATIBILITY_CHECKS.find(({ id }) => id === finding.id)?.says(finding));
  throw new MeshctlError('Incompatible', `these clusters cannot be of one mesh: ${words.join('; ')}`, {
    // A hint may be a command, or end with one, which nothing follows.
    hint: `${failed.length > 1 ? 'Checks' : 'Check'}: ${[...new Set(failed.map(({ id }) => id))].join(', ')} (--skip-checks leaves checks out)${first.hint ? `: ${first.hint}` : ''}`,
    details: { findings: failed },
  });
}

function aliasWarnings(directions: readonly Direction[]): string[] {
  return directions
    .filter(({ endpoint }) => endpoint.alias?.in === 'pods')
    .map(({ client: { snapshot }, server }) => {
      const restarted = dialsThroughKvstoremesh(snapshot) ? 'the clustermesh-apiserver' : 'every agent';
      return (
        `context "${snapshot.context}": the certificate of "${server.identity.name}" does not cover its address, and Cilium ` +
        `before 1.20 needs hostAliases for that: ${restarted} will be restarted`
      );
    });
}
