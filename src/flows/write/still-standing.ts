import pLimit from 'p-limit';
import type { Journal, JournalEntry } from '../../kube/apply.ts';
import { managesUsers } from '../../mesh/connect/credentials.ts';
import { type Direction, dialingSecret, dialsThroughKvstoremesh } from '../../mesh/connect/direction.ts';
import { asJoining } from '../../mesh/connect/joining.ts';
import type { Member } from '../../mesh/connect/member.ts';
import { ownUsersOf } from '../../mesh/connect/serve-plan.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { describeRef, type KubeObject, keyOf, type ObjectRef } from '../../mesh/objects/kube-object.ts';
import {
  AGENT_PEERS_SECRET,
  configMapRef,
  REMOTE_ROLE,
  REMOTE_USERS_CONFIGMAP,
  secretRef,
} from '../../mesh/objects/names.ts';
import { secretText } from '../../mesh/objects/secret-data.ts';
import type { Undone } from '../../mesh/objects/undone-advice.ts';
import { groupBy } from '../../mesh/pairs.ts';
import { userRole } from '../../mesh/peers/users/remote-users.ts';
import { isGoing } from '../../mesh/plan/going.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import { undoneFields } from '../../mesh/plan/undone.ts';
import type { Flow, Target } from '../flow.ts';
import { CONNECT_AFTERWARDS, contraryRun } from './contrary-run.ts';
import { lastLook, type Read, readOrFail, UNSEEN } from './last-look.ts';
import { byRun, undoneMeanwhile } from './undone-meanwhile.ts';

/**
 * Looks once more at what makes clusters let each other in and dial. Two runs at once may share it: one finds there what
 * the other wrote, keeps it, and would be left without when the other takes its own work back.
 * @param parallel clusters at a time
 * @returns what could not be seen, as warnings
 * @throws MeshctlError `Conflict`, naming what has gone, and the run that has removed it where that one is at work
 */
export async function requireStanding(
  flow: Flow,
  targets: readonly Target[],
  directions: readonly Direction[],
  parallel: number,
): Promise<string[]> {
  const { read, warnings } = lastLook();
  await requireNothingMissing(flow, targets, directions, parallel, async (target, { incoming, outgoing }) => [
    ...(await missingUsers(target, incoming, read)),
    ...(await missingFiles(target, outgoing, read)),
  ]);
  return warnings();
}

/** The same before anybody dials: whether clusters still let those in who are to. */
export function requireLetIn(
  flow: Flow,
  targets: readonly Target[],
  directions: readonly Direction[],
  parallel: number,
): Promise<void> {
  return requireNothingMissing(flow, targets, directions, parallel, (target, { incoming }) =>
    missingUsers(target, incoming, readOrFail),
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
  missingIn: (target: Target, own: OwnDirections) => Promise<Undone[]>,
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
      const names = peers.map(({ identity }) => identity.name);
      return [{ missing, by: await contraryRun(flow, target, names) }];
    }),
  );
  const gone = (await Promise.all(looks)).flat();
  if (gone.length === 0) return;
  throw undoneMeanwhile(
    gone.flatMap(({ missing }) => missing),
    { did: 'has removed it', named: 'missing', ...byRun(gone.find(({ by }) => by)?.by, CONNECT_AFTERWARDS) },
  );
}

/**
 * The rule for every run that writes: at its end stands what it has written, and is gone what it has deleted. A tool that has an object
 * from a source of its own may have put it back within a moment. What another run has made of it since is that one's.
 * @param journals of the run; of an object that it has written several times, each write counts for what it has changed, as others may have
 * written in between
 * @param parallel clusters at a time
 * @returns what could not be seen, as warnings
 * @throws MeshctlError `Conflict`, naming what is as it was before, and who makes it
 */
export async function requireWritten(
  targets: readonly Target[],
  journals: readonly Journal[],
  parallel: number,
): Promise<string[]> {
  const limit = pLimit(parallel);
  const { read, warnings } = lastLook();
  const looks = targets.flatMap((target) => {
    const { client } = target;
    const own = journals.filter(({ cluster }) => cluster === client.context).flatMap(({ entries }) => entries);
    return [...groupBy(own, ({ ref }) => keyOf(ref)).values()].map((writes) =>
      limit(async () => {
        const [one] = writes;
        if (!one) return [];
        try {
          const live = await read(target, one.ref);
          return live === UNSEEN ? [] : undoneOf(client.context, one.ref, writes, live);
        } catch (error) {
          // All is written: who stops it here does not want it back.
          if (error instanceof MeshctlError && error.code === 'Interrupted') return [];
          throw error;
        }
      }),
    );
  });
  const undone = (await Promise.all(looks)).flat();
  if (undone.length > 0) throw undoneMeanwhile(undone, { did: 'has undone it', named: 'undone' });
  return warnings();
}

function undoneOf(
  context: string,
  ref: ObjectRef,
  writes: readonly JournalEntry[],
  live: KubeObject | undefined,
): Undone[] {
  const object = describeRef(ref);
  const last = writes.at(-1);
  if (!last?.after) {
    const isAgain = last?.before && live && !isGoing(live) && live.metadata.uid !== last.before.metadata.uid;
    return isAgain ? [{ context, live, says: `${object} is there again` }] : [];
  }
  if (!live || isGoing(live)) return [{ context, live, says: `${object} is gone` }];
  const sinceThen = writes.slice(writes.findLastIndex(({ after }) => after === undefined) + 1);
  const own = sinceThen.flatMap(({ before, after, meant }) => (after ? [{ before, after, meant }] : []));
  const fields = undoneFields(own, live);
  if (fields.length === 0) return [];
  const says = own[0]?.before ? `${object} has ${fields.join(', ')} as before` : `${object} lacks ${fields.join(', ')}`;
  return [{ context, live, fields, says }];
}

/**
 * Looks once more whether what a run found or wrote is there: somebody may take it away at the same time.
 * @returns what could not be seen, as warnings
 * @throws MeshctlError `Conflict`, naming what has gone or is going
 */
export async function requireThere(target: Target, steps: readonly Step[]): Promise<string[]> {
  const { read, warnings } = lastLook();
  const meant = steps.filter(({ action, before }) => action !== 'delete' && (action !== 'keep' || before));
  const refs = [...new Map(meant.map(({ object }) => [keyOf(object), object])).values()];
  const found = await Promise.all(refs.map(async (ref) => ({ ref, live: await read(target, ref) })));
  const gone = found.filter(({ live }) => live === undefined || (live !== UNSEEN && isGoing(live)));
  if (gone.length > 0) {
    throw removedMeanwhile(
      target.client.context,
      gone.map(({ ref }) => describeRef(ref)),
    );
  }
  return warnings();
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

async function missingUsers(target: Target, incoming: readonly Direction[], read: Read): Promise<Undone[]> {
  const { client, namespace } = target;
  const [direction] = incoming;
  if (!direction || !managesUsers(direction.server.snapshot)) return [];
  const users = ownUsersOf(incoming);
  if (users.size === 0) return [];
  const ref = configMapRef(namespace, REMOTE_USERS_CONFIGMAP);
  const live = await read(target, ref);
  if (live === UNSEEN) return [];
  const gone = [...users].filter((user) => !live || userRole(live, user) !== REMOTE_ROLE);
  return gone.map((user) => {
    const of = incoming.filter(({ credential }) => credential.user === user);
    const says = `user ${user} in ${describeRef(ref)}`;
    return { context: client.context, live, says, peers: asPeers(of.map((one) => one.client)) };
  });
}

async function missingFiles(target: Target, outgoing: readonly Direction[], read: Read): Promise<Undone[]> {
  const { client, namespace } = target;
  const [direction] = outgoing;
  if (!direction) return [];
  const { snapshot } = direction.client;
  const names = [dialingSecret(snapshot), ...(dialsThroughKvstoremesh(snapshot) ? [AGENT_PEERS_SECRET] : [])];
  const gone = names.map(async (name) => {
    const ref = secretRef(namespace, name);
    const live = await read(target, ref);
    if (live === UNSEEN) return [];
    return outgoing
      .filter(({ server }) => secretText(live, server.identity.name) === undefined)
      .map(({ server }) => {
        const says = `${server.identity.name} in ${describeRef(ref)}`;
        return { context: client.context, live, says, peers: asPeers([server]) };
      });
  });
  return (await Promise.all(gone)).flat();
}

function asPeers(members: readonly Member[]): Undone['peers'] {
  return { with: members.map(asJoining) };
}
