import pLimit from 'p-limit';
import { managesUsers } from '../../mesh/connect/credentials.ts';
import { type Direction, dialingSecret, dialsThroughKvstoremesh } from '../../mesh/connect/direction.ts';
import type { Parting } from '../../mesh/connect/disconnect-plan.ts';
import { ownUsersOf } from '../../mesh/connect/serve-plan.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { describeRef, keyOf } from '../../mesh/objects/kube-object.ts';
import {
  AGENT_PEERS_SECRET,
  configMapRef,
  REMOTE_ROLE,
  REMOTE_USERS_CONFIGMAP,
  secretRef,
} from '../../mesh/objects/names.ts';
import { secretText } from '../../mesh/objects/secret-data.ts';
import { groupBy } from '../../mesh/pairs.ts';
import { remoteUserName } from '../../mesh/peers/file/peer-config.ts';
import { ownUser, PEER_SECRETS } from '../../mesh/peers/peers.ts';
import { userRole } from '../../mesh/peers/users/remote-users.ts';
import { isGoing } from '../../mesh/plan/going.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import { whoElse } from '../../mesh/working-runs.ts';
import type { Flow, Target } from '../flow.ts';
import { contraryRun } from './contrary-run.ts';

/**
 * Looks once more at what makes clusters let each other in and dial. Two runs at once may share it: one finds there what
 * the other wrote, keeps it, and would be left without when the other takes its own work back.
 * @param parallel clusters at a time
 * @throws MeshctlError `Conflict`, naming what has gone, and the run that has removed it where that one is at work
 */
export function requireStanding(
  flow: Flow,
  targets: readonly Target[],
  directions: readonly Direction[],
  parallel: number,
): Promise<void> {
  return requireNothingMissing(flow, targets, directions, parallel, async (target, { incoming, outgoing }) => [
    ...(await missingUsers(target, incoming)),
    ...(await missingFiles(target, outgoing)),
  ]);
}

/** The same before anybody dials: whether clusters still let those in who are to. */
export function requireServed(
  flow: Flow,
  targets: readonly Target[],
  directions: readonly Direction[],
  parallel: number,
): Promise<void> {
  return requireNothingMissing(flow, targets, directions, parallel, (target, { incoming }) =>
    missingUsers(target, incoming),
  );
}

/** The directions in which a cluster is dialled, and those in which it dials. */
interface OwnDirections {
  incoming: readonly Direction[];
  outgoing: readonly Direction[];
}

async function requireNothingMissing(
  flow: Flow,
  targets: readonly Target[],
  directions: readonly Direction[],
  parallel: number,
  missingIn: (target: Target, own: OwnDirections) => Promise<string[]>,
): Promise<void> {
  const limit = pLimit(parallel);
  const clients = groupBy(directions, ({ client }) => client.snapshot.context);
  const servers = groupBy(directions, ({ server }) => server.snapshot.context);
  const looks = targets.map((target) =>
    limit(async () => {
      const { context } = target.client;
      const [incoming, outgoing] = [servers.get(context) ?? [], clients.get(context) ?? []];
      const missing = await missingIn(target, { incoming, outgoing });
      if (missing.length === 0) return [];
      const peers = [...incoming.map(({ client }) => client), ...outgoing.map(({ server }) => server)];
      const by = await contraryRun(
        flow,
        target,
        peers.map(({ identity }) => identity.name),
      );
      return [{ says: `context "${context}": ${missing.join(', ')}`, by }];
    }),
  );
  const gone = (await Promise.all(looks)).flat();
  if (gone.length === 0) return;
  const by = gone.find((one) => one.by)?.by;
  const missing = gone.map(({ says }) => says);
  throw new MeshctlError('Conflict', `${missing.join('; ')}: ${whoElse(by)} has removed it meanwhile`, {
    hint: by
      ? 'Wait until it has ended, then run the same command again if they are to be connected all the same.'
      : 'Find out who else changes these clusters, then run the same command again.',
    details: { missing },
  });
}

/**
 * The same of clusters that have parted: nobody is to dial, or to be let in, whom the run has found gone or has taken out.
 * @throws MeshctlError `Conflict`, naming what is there again
 */
export async function requireParted(
  targets: readonly Target[],
  partings: readonly Parting[],
  parallel: number,
): Promise<void> {
  const limit = pLimit(parallel);
  const looks = partings.flatMap((parting) => {
    const { context } = parting.snapshot;
    const target = targets.find(({ client }) => client.context === context);
    return target
      ? [limit(async () => (await presentIn(target, parting)).map((what) => `context "${context}": ${what}`))]
      : [];
  });
  const present = (await Promise.all(looks)).flat();
  if (present.length === 0) return;
  throw new MeshctlError('Conflict', `${present.join('; ')}: someone else has put it there again meanwhile`, {
    hint: 'Find out who else changes these clusters, then run the same command again.',
    details: { present },
  });
}

async function presentIn({ client, namespace }: Target, { snapshot, undialled, unserved }: Parting): Promise<string[]> {
  const files = PEER_SECRETS.map(async (name) => {
    const ref = secretRef(namespace, name);
    const live = undialled.length > 0 ? await client.get(ref) : undefined;
    return undialled
      .filter((peer) => secretText(live, peer) !== undefined)
      .map((peer) => `${peer} in ${describeRef(ref)}`);
  });
  const ref = configMapRef(namespace, REMOTE_USERS_CONFIGMAP);
  const users = unserved.map(remoteUserName).filter((user) => user !== ownUser(snapshot));
  const list = users.length > 0 ? await client.get(ref) : undefined;
  const letIn = users.filter((user) => list && userRole(list, user) === REMOTE_ROLE);
  return [...(await Promise.all(files)).flat(), ...letIn.map((user) => `user ${user} in ${describeRef(ref)}`)];
}

/**
 * Looks once more whether what a run found or wrote is there: somebody may take it away at the same time.
 * @throws MeshctlError `Conflict`, naming what has gone or is going
 */
export async function requireThere({ client }: Target, steps: readonly Step[]): Promise<void> {
  const meant = steps.filter(({ action, before }) => action !== 'delete' && (action !== 'keep' || before));
  const refs = [...new Map(meant.map(({ object }) => [keyOf(object), object])).values()];
  const read = await Promise.all(refs.map(async (ref) => ({ ref, live: await client.get(ref) })));
  const gone = read.filter(({ live }) => live === undefined || isGoing(live)).map(({ ref }) => describeRef(ref));
  if (gone.length > 0) throw removedMeanwhile(client.context, gone);
}

/**
 * Of what a run has found or written, and somebody else has taken away since: waiting for it is in vain.
 * @param gone as in messages
 */
export function removedMeanwhile(context: string, gone: readonly string[]): MeshctlError {
  return new MeshctlError('Conflict', `context "${context}": someone else has removed ${gone.join(', ')} meanwhile`, {
    hint: 'Find out who else changes this cluster, then run the same command again.',
    details: { context, missing: gone, stop: true },
  });
}

async function missingUsers({ client, namespace }: Target, incoming: readonly Direction[]): Promise<string[]> {
  const [direction] = incoming;
  if (!direction || !managesUsers(direction.server.snapshot)) return [];
  const users = ownUsersOf(incoming);
  if (users.size === 0) return [];
  const ref = configMapRef(namespace, REMOTE_USERS_CONFIGMAP);
  const live = await client.get(ref);
  const gone = [...users].filter((user) => !live || userRole(live, user) !== REMOTE_ROLE);
  return gone.map((user) => `user ${user} in ${describeRef(ref)}`);
}

async function missingFiles({ client, namespace }: Target, outgoing: readonly Direction[]): Promise<string[]> {
  const [direction] = outgoing;
  if (!direction) return [];
  const { snapshot } = direction.client;
  const names = [dialingSecret(snapshot), ...(dialsThroughKvstoremesh(snapshot) ? [AGENT_PEERS_SECRET] : [])];
  const gone = names.map(async (name) => {
    const ref = secretRef(namespace, name);
    const live = await client.get(ref);
    return outgoing
      .filter(({ server }) => secretText(live, server.identity.name) === undefined)
      .map(({ server }) => `${server.identity.name} in ${describeRef(ref)}`);
  });
  return (await Promise.all(gone)).flat();
}
