import { listEndpoints } from '../../mesh/apiserver/endpoints.ts';
import { requireSettledIdentity } from '../../mesh/apiserver/pod-marks.ts';
import { clockHazards } from '../../mesh/certificates/clock-hazards.ts';
import { clusterNameOf, requireCilium, requireIdentity } from '../../mesh/cilium/identity.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { requireEnabled } from '../../mesh/connect/direction.ts';
import { type Dial, oneWayNote, requireOneWay, wantedDials } from '../../mesh/connect/kept-choices.ts';
import type { Member } from '../../mesh/connect/member.ts';
import { counted } from '../../mesh/counted.ts';
import { type ConnectionMode, dialsOf } from '../../mesh/peers/connection-mode.ts';
import type { CredentialChoice } from '../../mesh/peers/credential-kind.ts';
import { assignOverrides, type EndpointOverride } from '../../mesh/peers/endpoint-overrides.ts';
import { dialsOneWay } from '../../mesh/peers/peer-choices.ts';
import { saysUnreadMarks } from '../../mesh/peers/unread-choices.ts';
import { bothDialByConnect } from '../../mesh/services/unanswered-requests.ts';
import { readSnapshot } from '../../snapshot/read-snapshot.ts';
import { during, type Flow, type Target } from '../flow.ts';
import { withDisablingRun, withRotatingRun } from '../read-runs.ts';
import { firstFailure, whereAccessible } from '../where-it-succeeds.ts';
import { whereUsable } from '../where-usable.ts';
import { drainingNotes, type HeldPeers, readHeld } from './await-drained.ts';
import { judgeMesh, outcomeOfDials, type PreparedConnect, planDialsAmong, type WantedDials } from './plan-dials.ts';

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
  /** This very run with all its flags, for hints: as it is, or in another mode. */
  again?: ((mode?: ConnectionMode) => string) | undefined;
  /** No run follows: a dry run. */
  planOnly?: boolean | undefined;
  /** What etcds still held as it was first planned: they are not asked again. */
  held?: HeldPeers | undefined;
  /** Destinations that cannot be accessed have no part in it. */
  spare?: boolean | undefined;
  /** Reads the clusters that it is not about, of which one may be who is dialled so far. */
  readOthers?: ((targets: readonly Target[]) => Promise<readonly ClusterSnapshot[]>) | undefined;
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
  const read = await readMesh(flow, request, options);
  const judge = (snapshot: ClusterSnapshot) => {
    requireCilium(snapshot);
    requireEnabled([snapshot]);
    requireIdentity(snapshot);
    requireSettledIdentity(snapshot, read.done);
  };
  const needed = source?.client.context;
  const { usable: snapshots, failed } = whereUsable(
    flow,
    read.done,
    judge,
    options.spare ? { least: 2, needed } : undefined,
  );
  const spared = [...read.failed, ...failed];
  const targets = read.targets.filter(({ client }) => snapshots.some(({ context }) => context === client.context));
  const isAsked = (one: ClusterSnapshot) => source === undefined || mode === 'mesh' || one === snapshots[0];
  const findings = await judgeMesh(flow, targets, snapshots, isAsked, options);
  const members = membersOf(snapshots, request, options);
  const [sourceMember, others] = source ? [members[0], members.slice(1)] : [undefined, members];
  const asked = dialsOf(mode, sourceMember, others);
  if (mode === 'unicast') requireOneWay(asked, { again: options.again?.(), planOnly: options.planOnly });
  const dials = wantedDials(asked, request.modeGiven ?? false);
  // Where only one side still has it written down that they are one-way, the other one gets it again.
  const modeOf = ([client, server]: Dial) =>
    request.modeGiven
      ? mode
      : dialsOneWay(client, server) && dials.oneWay.some(([one, other]) => one === server && other === client)
        ? 'unicast'
        : undefined;
  const wanted: WantedDials = {
    members,
    findings,
    wanted: dials.wanted,
    wishOf: (dial) => ({ credentials: options.credentials, mode: modeOf(dial) }),
    notBack: mode === 'unicast' ? asked.map(([client, server]): Dial => [server, client]) : dials.oneWay,
    notes: dials.oneWay.map((dial) =>
      oneWayNote(dial, members.length === 2 ? options.again?.('bidirectional') : undefined),
    ),
    proof: options.proof,
    now: flow.now(),
  };
  const readOthers = async () => (await options.readOthers?.(targets)) ?? [];
  const planned = await planDialsAmong(flow, wanted, { readOthers, targets });
  const shared = planned.directions.map(({ client, server }) => ({ client: client.snapshot, server: server.snapshot }));
  const unread = snapshots.flatMap((snapshot) => saysUnreadMarks(snapshot) ?? []);
  const { hazards, warnings } = outcomeOfDials(shared, bothDialByConnect);
  // It asks as the proof does, and where that is not to be done neither is this.
  const { proof, parallel, planOnly = false } = options;
  const held =
    proof === false ? undefined : (options.held ?? (await readHeld(flow, targets, planned.directions, parallel)));
  const draining = held ? drainingNotes(held, planOnly) : [];
  const steps = [...planned.serve.steps, ...planned.dial.steps];
  return {
    ...{ targets, ...planned, held, spared },
    hazards: [...hazards, ...clockHazards({ snapshots, steps, dials: shared, now: flow.now() })],
    warnings: [...planned.warnings, ...warnings, ...unread, ...draining],
  };
}

/** The snapshots of all, or with `spare` of those that can be read, the source always among them. */
function readMesh(flow: Flow, { source, destinations }: MeshRequest, { parallel, spare }: ConnectOptions) {
  const targets = source ? [source, ...destinations] : destinations;
  const read = async (target: Target) => {
    const { client, namespace } = target;
    const snapshot = await readSnapshot(client, { namespace, purpose: 'connect', services: true });
    return withDisablingRun(flow, target, await withRotatingRun(flow, target, snapshot));
  };
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
      if (lost) throw firstFailure(flow, mesh.failed, lost);
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
