import { hostPort, listEndpoints, requireEndpoints, splitHostPort } from '../../mesh/apiserver/endpoints.ts';
import { requireSettledIdentity } from '../../mesh/apiserver/pod-marks.ts';
import { requireSigner } from '../../mesh/certificates/foreign-authority.ts';
import { requireCilium, requireIdentity } from '../../mesh/cilium/identity.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { requireEnabled } from '../../mesh/connect/direction.ts';
import type { Member } from '../../mesh/connect/member.ts';
import { provenRotation, requireSettledAuthority } from '../../mesh/rotation/unfinished-rotation.ts';
import { readSnapshot, type SnapshotOptions } from '../../snapshot/read-snapshot.ts';
import { during, type Flow, type Target } from '../flow.ts';

/** What there is in the cluster that invites, accepts, or asks whether it is to. @param reads what else is read of it */
export function readOwnSnapshot(
  flow: Flow,
  { client, namespace }: Target,
  reads: Pick<SnapshotOptions, 'services'> = {},
): Promise<ClusterSnapshot> {
  const { context } = client;
  return during(flow, { doing: `Reading ${context}`, done: `Read ${context}` }, () =>
    readSnapshot(client, { namespace, purpose: 'connect', ...reads }),
  );
}

/**
 * Reads the cluster that invites or accepts.
 * @param offered `host:port` at which the other one is to dial it; absent: what its Service has
 * @param reads as of {@link readOwnSnapshot}
 * @throws MeshctlError what keeps it from taking part: no Cilium, not enabled, no address, no CA that can sign
 */
export async function readOwnMember(
  flow: Flow,
  target: Target,
  offered: readonly string[] | undefined,
  reads?: Pick<SnapshotOptions, 'services'>,
): Promise<Member> {
  const snapshot = await readOwnSnapshot(flow, target, reads);
  requireCilium(snapshot);
  requireEnabled([snapshot]);
  const identity = requireIdentity(snapshot);
  requireSigner(snapshot, 'a certificate for the other cluster', flow.now());
  if (offered && offered.length > 0) {
    return { snapshot, identity, endpoints: offered.map(splitHostPort), given: 'addresses' };
  }
  requireEndpoints(snapshot);
  return { snapshot, identity, endpoints: listEndpoints(snapshot) };
}

/**
 * Refuses a cluster of which what a message tells would not last: its identity or its CA is being changed.
 * @param readOthers the other clusters within reach, which tell who has to take part in what is unfinished
 * @throws MeshctlError with how it comes to its end
 */
export async function requireSettled(
  { snapshot }: Member,
  readOthers: () => Promise<readonly ClusterSnapshot[]>,
): Promise<void> {
  requireSettledIdentity(snapshot);
  if (provenRotation(snapshot)) requireSettledAuthority(snapshot, await readOthers());
}

/** The addresses of a member as they are written. */
export function addressesOf({ endpoints }: Member): string[] {
  return endpoints.map(({ host, port }) => hostPort(host, port));
}
