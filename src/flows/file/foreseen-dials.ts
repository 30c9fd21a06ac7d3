import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { type Direction, planDirection } from '../../mesh/connect/direction.ts';
import { asMember } from '../../mesh/connect/member.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { halfEnabledAmong } from '../../mesh/faults/unready.ts';
import type { MeshSpec } from '../../mesh/file/mesh-spec.ts';
import { dialKey, type NamedDial } from '../../mesh/file/topology.ts';
import { dialsBetween, wishOf } from '../../mesh/file/wishes.ts';
import { dialWarnings } from '../connect/plan-dials.ts';

/**
 * What is known already of dials whose clients are yet to be enabled: how they will dial the servers that are there, which may
 * restart pods. What keeps them from it, the run tells.
 * @param clusters as enable leaves them
 * @param later dials that are planned only then
 */
export function foreseenWarnings(
  clusters: readonly ClusterSnapshot[],
  spec: MeshSpec,
  later: readonly NamedDial[],
  now: Date,
): string[] {
  if (later.length === 0) return [];
  const keys = new Set(later.map(({ from, to }) => dialKey(from, to)));
  const members = clusters.map(asMember);
  const directions = dialsBetween(members, spec.dials).dials.flatMap(({ dial: [client, server], of }): Direction[] => {
    const isLater = keys.has(dialKey(client.identity.name, server.identity.name));
    if (!isLater || server.endpoints.length === 0 || halfEnabledAmong([server.snapshot]).size > 0) return [];
    try {
      return [planDirection(client, server, { ...wishOf(of, client, server), now })];
    } catch (error) {
      if (error instanceof MeshctlError && error.code !== 'Bug') return [];
      throw error;
    }
  });
  return dialWarnings(directions);
}
