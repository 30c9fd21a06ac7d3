import pLimit from 'p-limit';
import type { Journal, JournalEntry } from '../../kube/apply.ts';
import { managesUsers } from '../../mesh/connect/credentials.ts';
import { type Direction, dialingSecret, dialsThroughKvstoremesh } from '../../mesh/connect/direction.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { describeRef, type KubeObject, keyOf, type ObjectRef } from '../../mesh/objects/kube-object.ts';
import {
  AGENT_PEERS_SECRET,
  configMapRef,
  REMOTE_ROLE,
  REMOTE_USERS_CONFIGMAP,
  SERVER_CERT_SECRET,
  SHARED_USER,
  secretRef,
} from '../../mesh/objects/names.ts';
import { secretText } from '../../mesh/objects/secret-data.ts';
import { groupBy } from '../../mesh/pairs.ts';
import { rollbackAddUsers, userNames, userRole, usersFile } from '../../mesh/peers/remote-users.ts';
import { isGoing } from '../../mesh/plan/going.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import type { Flow, Target } from '../flow.ts';

/**
 * Looks once more at what makes clusters let each other in and dial. Two runs at once may share it: one finds there what
 * the other wrote, keeps it, and would be left without when the other takes its own work back.
 * @param parallel clusters at a time
 * @throws MeshctlError `Conflict`, naming what has gone
 */
export async function requireStanding(
  targets: readonly Target[],
  directions: readonly Direction[],
  parallel: number,
): Promise<void> {
  const limit = pLimit(parallel);
  const clients = groupBy(directions, ({ client }) => client.snapshot.context);
  const servers = groupBy(directions, ({ server }) => server.snapshot.context);
  const gone = await Promise.all(
    targets.map((target) =>
      limit(async () => {
        const { context } = target.client;
        const missing = [
          ...(await missingUsers(target, servers.get(context) ?? [])),
          ...(await missingFiles(target, clients.get(context) ?? [])),
        ];
        return missing.length > 0 ? [`context "${context}": ${missing.join(', ')}`] : [];
      }),
    ),
  );
  const [first, ...others] = gone.flat();
  if (first === undefined) return;
  throw new MeshctlError('Conflict', `${[first, ...others].join('; ')}: someone else has removed it meanwhile`, {
    hint: 'Find out who else changes these clusters, then run the same command again.',
    details: { missing: [first, ...others] },
  });
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
  if (gone.length === 0) return;
  throw new MeshctlError(
    'Conflict',
    `context "${client.context}": someone else has removed ${gone.join(', ')} meanwhile`,
    {
      hint: 'Find out who else changes this cluster, then run the same command again.',
      details: { context: client.context, missing: gone },
    },
  );
}

/** For a look at each client's file before anything is rolled back; a cluster that is slower is taken to have none. */
const LOOK_TIMEOUT_MS = 10_000;

/**
 * Another run may have found a user there that this one has made, and have connected clusters by it: then it stays when
 * this one takes its own work back. Tells so; never throws.
 * @param journals of the failed run; their entries for users are changed
 * @returns the contexts where users stay
 */
export async function spareUsersOfOthers(
  { progress }: Pick<Flow, 'progress'>,
  targets: readonly Target[],
  directions: readonly Direction[],
  journals: readonly Journal[],
): Promise<string[]> {
  const signal = AbortSignal.timeout(LOOK_TIMEOUT_MS);
  const sparing: string[] = [];
  // A run of several parts may have made the object before, and have taken others out of it after.
  const entryOf = (context: string, name: string, isIt: (entry: JournalEntry) => boolean) =>
    journals
      .filter(({ cluster }) => cluster === context)
      .flatMap(({ entries }) => entries)
      .findLast((entry) => entry.ref.name === name && isIt(entry));
  for (const [server, incoming] of groupBy(directions, (direction) => direction.server)) {
    const { context } = server.snapshot;
    const made = entryOf(context, REMOTE_USERS_CONFIGMAP, (entry) => addedUsers(entry).length > 0);
    if (!made?.before) continue;
    const { before } = made;
    const added = addedUsers(made);
    const cluster = targets.find(({ client }) => client.context === context);
    const joined = cluster ? await usersSince(cluster, made, signal) : [];
    const issued = entryOf(context, SERVER_CERT_SECRET, (entry) => entry.before !== undefined);
    if (issued && joined.length > 0) {
      // Names more than it had hurt nobody; whoever has come since may dial one of them.
      issued.rollback = () => undefined;
      issued.shared = true;
      progress.info(
        `context "${context}": Secret ${SERVER_CERT_SECRET} stays as it is, because another run has let ${joined.join(', ')} in since`,
      );
    }
    const own = incoming.filter(({ credential }) => added.includes(credential.user));
    const standing = await Promise.all(
      own.map(async ({ client, credential }): Promise<string[]> => {
        const target = targets.find((one) => one.client.context === client.snapshot.context);
        const secret = dialingSecret(client.snapshot);
        const fileIn = (object: KubeObject | undefined) => secretText(object, server.identity.name);
        const written = entryOf(
          client.snapshot.context,
          secret,
          ({ before: had, after: has }) => fileIn(has) !== undefined && fileIn(had) !== fileIn(has),
        );
        const planned = fileIn(client.snapshot.objects.get(keyOf(secretRef(client.snapshot.namespace, secret))));
        const live = target && fileIn(await liveOrNone(target, secretRef(target.namespace, secret), signal));
        const isOthers = written
          ? fileIn(written.before) !== planned || live !== fileIn(written.after)
          : live !== planned;
        return live !== undefined && isOthers ? [credential.user] : [];
      }),
    );
    const spared = standing.flat();
    if (spared.length === 0) continue;
    const takeBack = rollbackAddUsers(added.filter((user) => !spared.includes(user)));
    made.rollback = (live) => takeBack(before, live);
    made.shared = true;
    sparing.push(context);
    progress.info(
      `context "${context}": ${spared.join(', ')} stays, because another run has connected a cluster with it`,
    );
  }
  return sparing;
}

/** The users that a write has added to a list that was there. */
function addedUsers({ before, after }: JournalEntry): string[] {
  if (!before || !after || before.kind !== 'ConfigMap') return [];
  const had = userNames(usersFile(before));
  return userNames(usersFile(after)).filter((user) => !had.includes(user));
}

/** Users that others have put into the list since a run wrote it; none where it cannot be read. */
async function usersSince(target: Target, { before, after }: JournalEntry, signal: AbortSignal): Promise<string[]> {
  const live = await liveOrNone(target, configMapRef(target.namespace, REMOTE_USERS_CONFIGMAP), signal);
  const namesIn = (list: KubeObject | undefined) => (list ? userNames(usersFile(list)) : []);
  const known = [before, after].flatMap(namesIn);
  return namesIn(live).filter((user) => !known.includes(user));
}

async function liveOrNone({ client }: Target, ref: ObjectRef, signal: AbortSignal): Promise<KubeObject | undefined> {
  try {
    return await client.get(ref, { signal });
  } catch (error) {
    if (error instanceof MeshctlError) return undefined;
    throw error;
  }
}

async function missingUsers({ client, namespace }: Target, incoming: readonly Direction[]): Promise<string[]> {
  const [direction] = incoming;
  if (!direction || !managesUsers(direction.server.snapshot)) return [];
  const users = new Set(incoming.map(({ credential }) => credential.user).filter((user) => user !== SHARED_USER));
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
