import { clockHazards } from '../../mesh/certificates/clock-hazards.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { lackOfServer, requireEnabled } from '../../mesh/connect/direction.ts';
import type { Dial } from '../../mesh/connect/kept-choices.ts';
import { asMember } from '../../mesh/connect/member.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { halfEnabledAmong } from '../../mesh/faults/unready.ts';
import { droppedEndpoints } from '../../mesh/file/dropped-endpoints.ts';
import { requireServed, type UnservedCluster } from '../../mesh/file/made-elsewhere.ts';
import type { MeshSpec } from '../../mesh/file/mesh-spec.ts';
import { dialKey, groupsOf, type NamedDial } from '../../mesh/file/topology.ts';
import { dialsBetween, wishOf } from '../../mesh/file/wishes.ts';
import { mergeEffects } from '../../mesh/plan/peer-effects.ts';
import { bothDialByFile } from '../../mesh/services/unanswered-requests.ts';
import {
  judgeMesh,
  outcomeOfDials,
  type PreparedConnect,
  planDialsAmong,
  type WantedDials,
} from '../connect/plan-dials.ts';
import type { Flow } from '../flow.ts';
import type { FileMember } from './file-member.ts';

/** How the clusters of a file come to dial each other. */
export interface MeshConnections {
  /** What can be planned now. */
  now: PreparedConnect;
  /** Dials of clusters that are to be enabled first: at which addresses, only their Services tell then. */
  later: readonly NamedDial[];
  /** Clusters that something else is to make first. */
  unserved: readonly UnservedCluster[];
}

/**
 * The plan of all connections. Clusters that are connected with each other, directly or not, are judged as one mesh.
 * @param options `enabled`: all that are to be enabled have been; `readOthers`: reads clusters that no file has
 * @throws MeshctlError `Incompatible`, and `ClusterMeshNotEnabled` for clusters that are not enabled by then
 */
export async function planConnections(
  flow: Flow,
  spec: MeshSpec,
  members: readonly (FileMember & { snapshot: ClusterSnapshot })[],
  options: {
    parallel: number;
    skipChecks?: readonly string[] | undefined;
    proof: boolean;
    enabled?: boolean;
    readOthers: () => Promise<readonly ClusterSnapshot[]>;
  },
): Promise<MeshConnections> {
  const names = members.map(({ wanted }) => wanted.name);
  const snapshots = members.map(({ snapshot }) => snapshot);
  const unserved = members.flatMap(({ wanted: { name, connectOnly }, snapshot }): UnservedCluster[] => {
    const says = connectOnly ? lackOfServer(snapshot) : undefined;
    return says === undefined ? [] : [{ name, context: snapshot.context, says }];
  });
  if (options.enabled) {
    requireServed(unserved);
    requireEnabled(members.map(({ snapshot }) => snapshot));
  }
  // What enable is yet to mend is connected after that, as what it is yet to make.
  const unready = halfEnabledAmong(members.filter(({ wanted }) => !wanted.connectOnly).map(({ snapshot }) => snapshot));
  const isReady = ({ wanted: { name } }: FileMember) =>
    options.enabled === true || !(unready.has(name) || unserved.some((one) => one.name === name));
  const parts: PreparedConnect[] = [];
  for (const group of groupsOf(spec.dials, names)) {
    if (group.length < 2) continue;
    const own = members.filter(({ wanted }) => group.includes(wanted.name));
    const targets = own.map(({ target }) => target);
    const nameOf = new Map(own.map(({ snapshot, wanted }) => [snapshot, wanted.name]));
    const isAsked = (one: ClusterSnapshot, other: ClusterSnapshot) =>
      spec.dials.some(({ from, to }) => from === nameOf.get(one) && to === nameOf.get(other));
    const findings = await judgeMesh(flow, targets, [...nameOf.keys()], isAsked, options);
    const ready = own.filter(isReady);
    const peers = ready.map(({ snapshot }) => asMember(snapshot));
    const { dials, notBack } = dialsBetween(peers, spec.dials);
    const wishes = new Map<Dial, ReturnType<typeof wishOf>>(dials.map(({ dial, of }) => [dial, wishOf(of, ...dial)]));
    const wanted: WantedDials = {
      members: peers,
      findings,
      wanted: [...wishes.keys()],
      wishOf: (dial) => wishes.get(dial) ?? {},
      notBack,
      notes: [],
      proof: options.proof,
      now: flow.now(),
    };
    const besides = snapshots.filter((snapshot) => !ready.some((one) => one.snapshot === snapshot));
    const readOthers = async () => [...besides, ...(await options.readOthers())];
    const planned = await planDialsAmong(flow, wanted, { readOthers, targets });
    const effects = mergeEffects([...planned.effects, ...droppedEndpoints(planned.directions)]);
    parts.push({ ...planned, effects, targets: ready.map(({ target }) => target), spared: [] });
  }
  const planned = new Set(
    parts.flatMap(({ directions }) =>
      directions.map(({ client, server }) => dialKey(client.identity.name, server.identity.name)),
    ),
  );
  const isOf = ({ from, to }: NamedDial) => names.includes(from) && names.includes(to);
  const later = spec.dials.filter((dial) => isOf(dial) && !planned.has(dialKey(dial.from, dial.to)));
  if (options.enabled && later.length > 0) throw new MeshctlError('Bug', 'a connection of the file was not planned');
  const snapshotOf = (name: string) => members.find(({ wanted }) => wanted.name === name)?.snapshot;
  const all = spec.dials.flatMap(({ from, to }) => {
    const [client, server] = [snapshotOf(from), snapshotOf(to)];
    return client && server ? [{ client, server }] : [];
  });
  const now = joined(parts);
  // Also of what is dialled only later.
  const { hazards: ofDials, warnings } = outcomeOfDials(all, bothDialByFile);
  const hazards = [
    ...ofDials,
    ...clockHazards({ snapshots, steps: [...now.serve.steps, ...now.dial.steps], dials: all, now: flow.now() }),
  ];
  return { now: { ...now, hazards, warnings: [...now.warnings, ...warnings] }, later, unserved };
}

/** The plans of separate meshes as one: none of them has a cluster of another. */
function joined(parts: readonly PreparedConnect[]): PreparedConnect {
  return {
    targets: parts.flatMap(({ targets }) => targets),
    members: parts.flatMap(({ members }) => members),
    directions: parts.flatMap(({ directions }) => directions),
    serve: { steps: parts.flatMap(({ serve }) => serve.steps) },
    dial: { steps: parts.flatMap(({ dial }) => dial.steps) },
    effects: parts.flatMap(({ effects }) => effects),
    warnings: [...new Set(parts.flatMap(({ warnings }) => warnings))],
    spared: [],
  };
}
