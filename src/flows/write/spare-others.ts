import type { Journal, JournalEntry } from '../../kube/apply.ts';
import { inversePatch } from '../../kube/merge-patch.ts';
import { connectCommand, meshctlCommand } from '../../mesh/command-line.ts';
import { type Direction, dialingSecret } from '../../mesh/connect/direction.ts';
import { forget } from '../../mesh/connect/disconnect/dead-cluster.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { type KubeObject, keyOf, type ObjectRef } from '../../mesh/objects/kube-object.ts';
import { REMOTE_USERS_CONFIGMAP, SERVER_CERT_SECRET, secretRef } from '../../mesh/objects/names.ts';
import { secretText } from '../../mesh/objects/secret-data.ts';
import { groupBy } from '../../mesh/pairs.ts';
import { PEER_SECRETS } from '../../mesh/peers/peers.ts';
import { rollbackAddUsers, userNames, usersFile } from '../../mesh/peers/users/remote-users.ts';
import { TLS_KEYS } from '../../mesh/plan/plan.ts';
import { readBundle } from '../../pki/read.ts';
import type { Flow, Target } from '../flow.ts';
import { askedBeforeRollback, concernedByRollback } from './before-rollback.ts';
import { RELIANCE_UNSEEN } from './working-run.ts';

type Telling = Pick<Flow, 'progress'>;

/**
 * Before a run takes its own work back: what others may stand on by then stays. Another run may have found there what this one
 * has made, have kept it, and have connected clusters by it. Tells so; never throws.
 * @param journals of the failed run; their entries are changed
 * @param reliedOn where another run has said that it counts on what this one has made, or may have, by context with why: it has found
 * a pair whole, and written nothing, if it has said so in both of them
 * @returns the contexts where something stays by which clusters are connected, and whether that was seen, or only may be
 */
export async function spareOthers(
  flow: Telling,
  targets: readonly Target[],
  directions: readonly Direction[],
  journals: readonly Journal[],
  reliedOn: ReadonlyMap<string, string> = new Map(),
): Promise<ReadonlyMap<string, boolean>> {
  for (const journal of journals) spareNames(flow, journal);
  const pairs = mapOf([
    ...(await pairsOfOthers(targets, directions, journals)),
    ...directions.flatMap((direction) => pairReliedOn(direction, reliedOn)),
  ]);
  if (pairs.size === 0) return new Map();
  const theirs = directions.filter((direction) => pairs.has(pairOf(direction)));
  const isSeen = (direction: Direction) => pairs.get(pairOf(direction)) === true;
  spareFiles(theirs, journals);
  sayOneWay(flow, theirs, journals, isSeen);
  spareUsers(flow, theirs, journals, isSeen);
  // Of a client its files stay.
  const ends = theirs.flatMap((direction) =>
    [direction.client, direction.server].map(({ snapshot }): Sight => [snapshot.context, isSeen(direction)]),
  );
  return mapOf(ends);
}

/** What is in use by others, and whether that was seen, or only may be. */
type Sight = [what: string, isSeen: boolean];

/** What was seen counts before what was not. */
function mapOf(sights: readonly Sight[]): ReadonlyMap<string, boolean> {
  return new Map([...sights].sort(([, a], [, b]) => Number(a) - Number(b)));
}

/** Two clusters, whoever dials. */
function pairOf({ client, server }: Direction): string {
  return JSON.stringify([client.snapshot.context, server.snapshot.context].sort());
}

/** A server's certificate that got more names: they hurt nobody, and whoever has come since may dial one of them. */
function spareNames({ progress }: Telling, { cluster, entries }: Journal): void {
  const written = entries.filter(({ ref }) => ref.name === SERVER_CERT_SECRET);
  // What a run has made from nothing goes with all the rest.
  if (written.length === 0 || !written.every(({ before, after }) => addsNames(before, after))) return;
  for (const entry of written) leaveAsIs(entry);
  progress.info(
    `context "${cluster}": Secret ${SERVER_CERT_SECRET} keeps its new certificate, which is good for more names than the former: another run may have connected by one of them`,
  );
}

function addsNames(before: KubeObject | undefined, after: KubeObject | undefined): boolean {
  const [had, has] = [before, after].map((secret) => readBundle(secretText(secret, TLS_KEYS.certificate) ?? '')[0]);
  if (!had || !has || secretText(before, TLS_KEYS.ca) !== secretText(after, TLS_KEYS.ca)) return false;
  const names = new Set([...has.dnsNames, ...has.ipAddresses]);
  return [...had.dnsNames, ...had.ipAddresses].every((name) => names.has(name));
}

/**
 * The pairs of clusters of which another run has written a file since this one has planned, and whether that was seen: where a
 * cluster is silent, it may have.
 */
async function pairsOfOthers(
  targets: readonly Target[],
  directions: readonly Direction[],
  journals: readonly Journal[],
): Promise<ReadonlyMap<string, boolean>> {
  const concerned = concernedByRollback(journals, directions);
  const asked = directions.filter(({ client }) => concerned.has(client.snapshot.context));
  const found = asked.map(async (direction): Promise<Sight[]> => {
    const { client, server } = direction;
    const { context, namespace, objects } = client.snapshot;
    const target = targets.find((one) => one.client.context === context);
    const name = dialingSecret(client.snapshot);
    const fileIn = (secret: KubeObject | undefined) => secretText(secret, server.identity.name);
    const planned = fileIn(objects.get(keyOf(secretRef(namespace, name))));
    const own = entriesOf(journals, context)
      .filter(({ ref }) => ref.name === name)
      .map(({ before, after }) => [fileIn(before), fileIn(after)] as const)
      .filter(([before, after]) => before !== after);
    const secret = target && (await liveOrNone(target, secretRef(target.namespace, name)));
    if (secret === 'silent') return [[pairOf(direction), false]];
    const live = fileIn(secret);
    return live !== undefined && !isOwnWay(planned, own, live) ? [[pairOf(direction), true]] : [];
  });
  return mapOf((await Promise.all(found)).flat());
}

/**
 * Whether a file has come from what this run found there to what it is by the run's own writes alone.
 * @param planned what was there when the connection was planned: a run of several parts may have written it itself by then
 * @param own the run's writes of that file, each from what to what
 */
function isOwnWay(
  planned: string | undefined,
  own: readonly (readonly [before: string | undefined, after: string | undefined])[],
  live: string,
): boolean {
  const states = own.length > 0 ? [own[0]?.[0], ...own.map(([, after]) => after)] : [planned];
  const isUnbroken = own.every(([before], index) => before === states[index]);
  return isUnbroken && states.includes(planned) && live === states.at(-1);
}

function pairReliedOn(direction: Direction, reliedOn: ReadonlyMap<string, string>): Sight[] {
  const why = [direction.client, direction.server].map(({ snapshot }) => reliedOn.get(snapshot.context));
  return why.includes(undefined) ? [] : [[pairOf(direction), !why.includes(RELIANCE_UNSEEN)]];
}

/** The files of a pair stay, with what else there is for the peer: the other run has found them there. */
function spareFiles(theirs: readonly Direction[], journals: readonly Journal[]): void {
  for (const [client, outgoing] of groupBy(theirs, (direction) => direction.client)) {
    const peers = outgoing.map(({ server }) => server.identity.name);
    const names: readonly string[] = PEER_SECRETS;
    for (const entry of entriesOf(journals, client.snapshot.context)) {
      // A host name that pods are told too many hurts nobody, and to take it back replaces them.
      if (isAliases(entry)) leaveAsIs(entry);
      if (!names.includes(entry.ref.name) || !entry.after) continue;
      const [before, after] = [withoutPeers(entry.before, peers), withoutPeers(entry.after, peers)];
      entry.shared = true;
      entry.rollback = (live) => {
        const patch = inversePatch(before, after, withoutPeers(live, peers));
        return patch && { patch };
      };
    }
  }
}

/**
 * Where a file of this run's stays for a cluster that is silent: that one may not dial back, as the other half of the connection may be
 * taken back, or never have been written.
 */
function sayOneWay(
  { progress }: Telling,
  theirs: readonly Direction[],
  journals: readonly Journal[],
  isSeen: (direction: Direction) => boolean,
): void {
  for (const direction of theirs.filter((one) => !isSeen(one))) {
    const [own, peer] = [direction.client.snapshot.context, direction.server];
    const name = dialingSecret(direction.client.snapshot);
    const isWritten = entriesOf(journals, own).some(
      ({ ref, before, after }) =>
        ref.name === name && secretText(after, peer.identity.name) !== secretText(before, peer.identity.name),
    );
    if (!isWritten) continue;
    const says = `context "${own}": the file that this run has written for ${peer.identity.name} stays with it, so that it may dial ${peer.identity.name} one-way`;
    progress.warn(`${says} → to connect both: ${connectCommand(own, peer.snapshot.context)}`);
  }
}

/** Whether a write gave pods host names of peers (mesh/peers/file/host-aliases.ts). */
function isAliases({ ref, rollback }: JournalEntry): boolean {
  return ['Deployment', 'DaemonSet'].includes(ref.kind) && rollback !== undefined;
}

/** What a Secret of peering files holds for others than these: keys and marks begin or end with the name of their peer. */
function withoutPeers(secret: KubeObject | undefined, peers: readonly string[]): Record<string, unknown> {
  const without = (entries: object | undefined, peerOf: (key: string) => string | undefined) =>
    Object.fromEntries(Object.entries(entries ?? {}).filter(([key]) => !peers.includes(peerOf(key) ?? '')));
  return {
    data: without(secret?.data as object | undefined, (key) => key.split('.')[0]),
    metadata: { annotations: without(secret?.metadata.annotations, (key) => key.split('.').at(-1)) },
  };
}

/** The users of a pair stay. */
function spareUsers(
  { progress }: Telling,
  theirs: readonly Direction[],
  journals: readonly Journal[],
  isSeen: (direction: Direction) => boolean,
): void {
  for (const [server, incoming] of groupBy(theirs, (direction) => direction.server)) {
    const { context } = server.snapshot;
    const made = entriesOf(journals, context).findLast((entry) => addedUsers(entry).length > 0);
    if (!made?.before) continue;
    const { before } = made;
    const added = addedUsers(made);
    const theirOwn = incoming.filter(({ credential }) => added.includes(credential.user));
    const spared = theirOwn.map(({ credential }) => credential.user);
    if (spared.length === 0) continue;
    const takeBack = rollbackAddUsers(added.filter((user) => !spared.includes(user)));
    made.rollback = (live) => takeBack(before, live);
    made.shared = true;
    const seen = theirOwn.filter(isSeen);
    const unseen = theirOwn.filter((direction) => !isSeen(direction));
    if (seen.length > 0) progress.info(staysWords(context, seen, 'has'));
    if (unseen.length === 0) continue;
    // The files of a pair go with it, and they would dial who has forgotten this cluster.
    const names = unseen.map(({ client }) => client.identity.name);
    const next = `${lookCommand(context, unseen)}; if none has: ${forget(context, names)}`;
    progress.warn(`${staysWords(context, unseen, 'may have')} → ${next}`);
  }
}

function staysWords(context: string, directions: readonly Direction[], has: 'has' | 'may have'): string {
  const users = directions.map(({ credential }) => credential.user);
  const [stays, them] = users.length === 1 ? ['stays', 'it'] : ['stay', 'them'];
  return `context "${context}": ${users.join(', ')} ${stays}, because another run ${has} connected a cluster with ${them}`;
}

/** Shows whether the clusters that were silent dial one: nothing in that one itself tells. */
function lookCommand(context: string, incoming: readonly Direction[]): string {
  const clients = incoming.map(({ client }) => client.snapshot.context);
  return `whether one has, when they can be reached: ${meshctlCommand('clustermesh status', { context: [context, ...clients] })}`;
}

/** The users that a write has added to a list that was there. */
function addedUsers({ ref, before, after }: JournalEntry): string[] {
  if (!before || !after || ref.kind !== 'ConfigMap' || ref.name !== REMOTE_USERS_CONFIGMAP) return [];
  const had = userNames(usersFile(before));
  return userNames(usersFile(after)).filter((user) => !had.includes(user));
}

function entriesOf(journals: readonly Journal[], context: string): JournalEntry[] {
  return journals.filter(({ cluster }) => cluster === context).flatMap(({ entries }) => entries);
}

function leaveAsIs(entry: JournalEntry): void {
  entry.rollback = () => undefined;
  entry.shared = true;
}

/** `silent` where a cluster gave no answer that tells, also later, whatever kept it from one: what it has is not known. */
async function liveOrNone({ client }: Target, ref: ObjectRef): Promise<KubeObject | 'silent' | undefined> {
  try {
    return await askedBeforeRollback(client, (signal) => client.get(ref, { signal }));
  } catch (error) {
    if (!(error instanceof MeshctlError)) throw error;
    return 'silent';
  }
}
