import { listEndpoints } from '../../mesh/apiserver/endpoints.ts';
import { requireIdentity } from '../../mesh/cilium/identity.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { isEnabled, requireEnabled } from '../../mesh/connect/direction.ts';
import type { Dial } from '../../mesh/connect/kept-choices.ts';
import type { Member } from '../../mesh/connect/member.ts';
import { enumerated } from '../../mesh/counted.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import type { MeshSpec } from '../../mesh/file/mesh-spec.ts';
import { dialKey, groupsOf, type NamedDial } from '../../mesh/file/topology.ts';
import { dialsBetween, wishOf } from '../../mesh/file/wishes.ts';
import { judgeMesh, type PreparedConnect, planDials } from '../connect/plan-dials.ts';
import type { Flow } from '../flow.ts';
import type { FileMember } from './file-member.ts';

/** How the clusters of a file come to dial each other. */
export interface MeshConnections {
  /** What can be planned now. */
  now: PreparedConnect;
  /** Dials of clusters that are to be enabled first: at which addresses, only their Services tell then. */
  later: readonly NamedDial[];
}

/**
 * The plan of all connections. Clusters that are connected with each other, directly or not, are judged as one mesh.
 * @throws MeshctlError `Incompatible`, and `ClusterMeshNotEnabled` for clusters that nobody is going to enable
 */
export async function planConnections(
  flow: Flow,
  spec: MeshSpec,
  members: readonly (FileMember & { snapshot: ClusterSnapshot })[],
  options: { parallel: number; skipChecks?: readonly string[] | undefined; proof: boolean; enabled?: boolean },
): Promise<MeshConnections> {
  const names = members.map(({ wanted }) => wanted.name);
  const others = members.filter(({ wanted }) => wanted.connectOnly);
  requireEnabled(
    others.map(({ snapshot }) => snapshot),
    (contexts) => {
      const lacking = others.filter(({ snapshot }) => contexts.includes(snapshot.context));
      const whose = enumerated(lacking.map(({ wanted }) => wanted.name));
      return `By the file something else makes the clustermesh-apiserver of ${whose} (connectOnly): make it with that, as before. To have meshctl make it, take connectOnly out of the file.`;
    },
  );
  requireEnabled(
    members
      .filter(({ wanted, snapshot }) => !wanted.connectOnly && (options.enabled || isEnabled(snapshot)))
      .map(({ snapshot }) => snapshot),
  );
  const parts: PreparedConnect[] = [];
  for (const group of groupsOf(spec.dials, names)) {
    if (group.length < 2) continue;
    const own = members.filter(({ wanted }) => group.includes(wanted.name));
    const targets = own.map(({ target }) => target);
    const findings = await judgeMesh(
      flow,
      targets,
      own.map(({ snapshot }) => snapshot),
      options,
    );
    const ready = own.filter(({ snapshot }) => isEnabled(snapshot));
    const peers = ready.map(({ snapshot }): Member => {
      return { snapshot, identity: requireIdentity(snapshot), endpoints: listEndpoints(snapshot) };
    });
    const { dials, notBack } = dialsBetween(peers, spec.dials);
    const wishes = new Map<Dial, ReturnType<typeof wishOf>>(dials.map(({ dial, of }) => [dial, wishOf(of, ...dial)]));
    const planned = planDials({
      members: peers,
      findings,
      wanted: [...wishes.keys()],
      wishOf: (dial) => wishes.get(dial) ?? {},
      notBack,
      notes: [],
      proof: options.proof,
      now: flow.now(),
    });
    parts.push({ ...planned, targets: ready.map(({ target }) => target), spared: [] });
  }
  const planned = new Set(
    parts.flatMap(({ directions }) =>
      directions.map(({ client, server }) => dialKey(client.identity.name, server.identity.name)),
    ),
  );
  const isOf = ({ from, to }: NamedDial) => names.includes(from) && names.includes(to);
  const later = spec.dials.filter((dial) => isOf(dial) && !planned.has(dialKey(dial.from, dial.to)));
  if (options.enabled && later.length > 0) throw new MeshctlError('Bug', 'a connection of the file was not planned');
  return { now: joined(parts), later };
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
