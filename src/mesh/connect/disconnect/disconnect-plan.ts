import { clusterNameOf } from '../../cilium/identity.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { connectCommand } from '../../command-line.ts';
import { enumerated } from '../../counted.ts';
import type { NamedDial } from '../../file/topology.ts';
import { keyOf } from '../../objects/kube-object.ts';
import { AGENT_PEERS_SECRET, configMapRef, REMOTE_USERS_CONFIGMAP, secretRef } from '../../objects/names.ts';
import { dataKeys } from '../../objects/secret-data.ts';
import { groupBy } from '../../pairs.ts';
import { concernedPeers, knownAs, namesOf } from '../../peers/concerned-peers.ts';
import { removeAliasesSteps } from '../../peers/file/host-aliases.ts';
import { peerCertificateKeys, remoteUserName } from '../../peers/file/peer-config.ts';
import { removeKeys } from '../../peers/file/peer-secrets.ts';
import { leavingIn, leavingMark } from '../../peers/leaving-marks.ts';
import { dialsNamesake } from '../../peers/namesakes.ts';
import { choicesIn, differingMarks, type Marks, marksFor, noMarks, peersLetIn } from '../../peers/peer-choices.ts';
import { configuredPeers, expectedPeers, isLetIn, loginCertificate, ownUser, PEER_SECRETS } from '../../peers/peers.ts';
import { restartEffects } from '../../peers/restarts/restart-effects.ts';
import { removeUsersEdit, rollbackRemoveUsers } from '../../peers/users/remote-users.ts';
import { markChanges } from '../../plan/diff.ts';
import { mergeEffects, type PeerEffect } from '../../plan/peer-effects.ts';
import type { Plan, Step } from '../../plan/plan.ts';

/** What one cluster forgets. */
export interface Parting {
  snapshot: ClusterSnapshot;
  /** Those of these clusters that were read, and that part from it too. By its name alone one may be another cluster's. */
  partners: readonly ClusterSnapshot[];
  /** Clusters that it does not dial any more. */
  undialled: readonly string[];
  /** Clusters that it does not let in any more. */
  unserved: readonly string[];
  /** Clusters that go on dialling this one, which does not dial them any more: a connection that is one-way, as chosen. */
  served: readonly string[];
  /** Clusters that this one goes on dialling, and that do not dial it any more. */
  stillDialled: readonly string[];
  /** What is written down of those that it forgets, until they are disabled by the same run. */
  noted?: Marks | undefined;
}

/** A cluster of which a dial ends. */
export interface PartingCluster {
  name: string;
  /** Absent for a cluster that is out of reach. */
  snapshot?: ClusterSnapshot | undefined;
}

/**
 * What each cluster within reach forgets, from the dials that end (`[client, server]`).
 * @param begun dials that are not there yet, and will be by then
 */
export function partingsOf(
  dials: readonly [PartingCluster, PartingCluster][],
  begun: readonly NamedDial[] = [],
): Parting[] {
  const isDialling = (client: PartingCluster, server: PartingCluster): boolean =>
    isBegun(client, server) ||
    (client.snapshot !== undefined && configuredPeers(client.snapshot).includes(server.name));
  const isBegun = (client: PartingCluster, server: PartingCluster): boolean =>
    begun.some(({ from, to }) => from === client.name && to === server.name);
  /** Of a peer out of reach it is known by its user whether it may dial. */
  const staysClient = (peer: PartingCluster, own: PartingCluster, snapshot: ClusterSnapshot): boolean =>
    isBegun(peer, own) || (isLetIn(snapshot, peer.name) && (!peer.snapshot || isDialling(peer, own)));
  const clients = groupBy(dials, ([client]) => client);
  const servers = groupBy(dials, ([, server]) => server);
  return [...new Set(dials.flat())].flatMap((cluster): Parting[] => {
    const { snapshot } = cluster;
    if (!snapshot) return [];
    const undialled = (clients.get(cluster) ?? []).map(([, server]) => server);
    const unserved = (servers.get(cluster) ?? []).map(([client]) => client);
    const partners = [...new Set([...undialled, ...unserved])].flatMap((peer) => peer.snapshot ?? []);
    const served = undialled.filter((peer) => !unserved.includes(peer) && staysClient(peer, cluster, snapshot));
    const stillDialled = unserved.filter((peer) => !undialled.includes(peer) && isDialling(cluster, peer));
    return [
      {
        snapshot,
        partners,
        undialled: undialled.map(nameOf),
        unserved: unserved.map(nameOf),
        served: served.map(nameOf),
        stillDialled: stillDialled.map(nameOf),
      },
    ];
  });
}

const nameOf = ({ name }: PartingCluster): string => name;

/**
 * The same, with what is written down of those that leave.
 * @param uids by name, what tells each of them (`leavingUid`): what each cluster that stays notes, before nobody knows them any more
 */
export function notingThatLeave(partings: readonly Parting[], uids: ReadonlyMap<string, string>): Parting[] {
  return partings.map((parting) => {
    if (uids.has(clusterNameOf(parting.snapshot))) return parting;
    const peers = [...new Set([...parting.undialled, ...parting.unserved])];
    const marks = peers.flatMap((peer) => {
      const uid = uids.get(peer);
      return uid === undefined ? [] : [leavingMark(peer, uid)];
    });
    return { ...parting, noted: Object.assign({}, ...marks) as Marks };
  });
}

/**
 * Dials that end, told apart: those that the client has forgotten itself, and those of clusters that nobody has told: these are only let in
 * no more.
 */
export function byWhoIsTold(
  dials: readonly NamedDial[],
  partings: readonly Pick<Parting, 'snapshot' | 'undialled'>[],
): { ended: NamedDial[]; shutOut: NamedDial[] } {
  const told = new Set(
    partings.flatMap(({ snapshot, undialled }) => undialled.map((to) => JSON.stringify([clusterNameOf(snapshot), to]))),
  );
  const isTold = ({ from, to }: NamedDial) => told.has(JSON.stringify([from, to]));
  return { ended: dials.filter(isTold), shutOut: dials.filter((dial) => !isTold(dial)) };
}

/**
 * Takes peers out of a cluster, whatever is left of them: first the files, so that nobody dials, with the certificates
 * beside them; then the users that let them in. One step per object, however many peers.
 */
export function planDisconnect(partings: readonly Parting[]): Plan {
  return {
    steps: partings.flatMap((parting) => [
      ...secretSteps(parting),
      ...removeAliasesSteps(parting.snapshot, parting.undialled),
      ...userSteps(parting.snapshot, parting.unserved),
    ]),
  };
}

/**
 * What a disconnect does to connections that it is not about: those that log in with the certificate of a cluster that is
 * shut out end with its user, and where the plan takes names out of pods (hostAliases), those go on over new ones.
 * @param steps of the plan
 * @param others further clusters, as far as they were read
 */
export function disconnectEffects(
  partings: readonly Parting[],
  steps: readonly Step[],
  others: readonly ClusterSnapshot[] = [],
): PeerEffect[] {
  const outside = others.filter(({ context }) => partings.every(({ snapshot }) => snapshot.context !== context));
  const clients: readonly Pick<Parting, 'snapshot' | 'undialled'>[] = [
    ...partings,
    ...outside.map((snapshot) => ({ snapshot, undialled: [] })),
  ];
  const read = clients.map((client) => client.snapshot);
  return mergeEffects(
    partings.flatMap(({ snapshot, undialled: gone, unserved, partners }) => {
      const { context: cluster } = snapshot;
      const removed = unserved.map(remoteUserName);
      const meantBy = new Set(read.filter((one) => one !== snapshot && !dialsNamesake(one, snapshot, read)));
      const lost = clients.flatMap((client): PeerEffect[] => {
        const user = loginsOf(client.snapshot, snapshot).find((one) => removed.includes(one));
        const stays = meantBy.has(client.snapshot) && !client.undialled.includes(knownAs(snapshot));
        if (!stays || user === undefined) return [];
        const { context } = client.snapshot;
        const mend = connectCommand(context, cluster);
        const isNamesake = partners.some((one) => knownAs(one) === knownAs(client.snapshot));
        const who = isNamesake ? `it is the cluster of context "${context}", and` : 'it';
        const why = `${who} logs in as ${user}, which is shut out`;
        return [{ cluster, peer: knownAs(client.snapshot), becomes: 'cut', why, mend }];
      });
      const known = concernedPeers(snapshot, [...meantBy]);
      const staying = known.filter((peer) => !gone.includes(peer) && !unserved.includes(peer));
      const moved = staying.flatMap((peer) =>
        restartEffects(snapshot, steps, peer, { others: [...meantBy] }).map((effect) => ({ ...effect, cluster, peer })),
      );
      return [...lost, ...moved];
    }),
  );
}

/** The users as which a cluster logs in to another one, by any name that it knows it by; none where it does not dial it. */
export function loginsOf(client: ClusterSnapshot, server: ClusterSnapshot): string[] {
  return namesOf(server).flatMap((name) => {
    const user = loginCertificate(client, name)?.commonName;
    return user !== undefined && configuredPeers(client).includes(name) ? [user] : [];
  });
}

/** The agents' Secret first: their view of a peer ends before KVStoreMesh takes its data away. */
function secretSteps({ snapshot, undialled: peers, unserved, served, stillDialled, noted = {} }: Parting): Step[] {
  const letIn = peersLetIn(snapshot);
  const oneWay = unserved.filter((peer) => letIn.includes(peer));
  const forgotten = [...peers.map(noMarks), ...oneWay.map((peer) => marksFor(peer, { mode: null, access: null }))];
  // Who goes on dialling is to be known although no file names it: its user hangs on that if the list of them is lost.
  const letInStill = peers.filter(
    (peer) => !unserved.includes(peer) && (served.includes(peer) || isLetIn(snapshot, peer)),
  );
  const writtenDown = [
    ...letInStill.map((peer) => marksFor(peer, { access: 'let-in' })),
    // Both sides write down what was chosen, so that the next connect keeps it.
    ...served.map((peer) => marksFor(peer, { mode: 'served' })),
    ...stillDialled.map((peer) => marksFor(peer, { mode: 'unicast' })),
  ];
  if (forgotten.length + stillDialled.length === 0) return [];
  return PEER_SECRETS.toReversed().flatMap((name): Step[] => {
    const object = secretRef(snapshot.namespace, name);
    const before = snapshot.objects.get(keyOf(object));
    if (!before) return [];
    const present = dataKeys(before);
    const isHere = name === AGENT_PEERS_SECRET;
    if (forgotten.length === 0 && !isHere) return [];
    const keys = peers.flatMap(keysOf);
    const gone = peers.filter((peer) => keysOf(peer).some((key) => present.includes(key)));
    const base = { cluster: snapshot.context, object, before };
    const marks = [...forgotten, ...(isHere ? [...writtenDown, noted] : [])];
    const merged = Object.assign({}, ...marks) as Marks;
    const edit = removeKeys(keys, merged);
    const wanted = edit(before);
    if (!wanted)
      return [
        {
          ...base,
          action: 'keep',
          changes: [],
          isSpared: true,
          why: keptBecause([...new Set([...peers, ...oneWay])], stillDialled),
        },
      ];
    const differing = differingMarks(before, merged);
    return [
      {
        ...base,
        action: wanted === 'delete' ? 'delete' : 'update',
        changes: wanted === 'delete' ? [] : markChanges(before, differing),
        why: whyChanged(gone, differing),
        ...(Object.keys(differing).length === 0 ? { whyOfMany: 'does not dial peers any more' } : {}),
        write: { method: 'edit', edit },
      },
    ];
  });
}

/**
 * What a change to a Secret of peers does: files that go, and what is written down or forgotten of peers that have none there.
 * @param gone peers whose files go
 * @param marks that differ
 */
function whyChanged(gone: readonly string[], marks: Marks): string {
  const changed = choicesIn(marks);
  const peersWith = (chosen: 'mode' | 'access', value: string) =>
    changed.flatMap((one) => (one.kind === chosen && one.value === value ? [one.peer] : []));
  const served = peersWith('mode', 'served');
  const dialled = peersWith('mode', 'unicast');
  const records = (peers: readonly string[], one: string, several: string, rest: string) =>
    peers.length > 0 ? [`records that ${peers.join(', ')} ${peers.length === 1 ? one : several} ${rest}`] : [];
  const letIn = peersWith('access', 'let-in').filter((peer) => !served.includes(peer));
  const recorded = [...served, ...letIn, ...dialled];
  const forgotten = [...new Set(changed.flatMap(({ value, peer }) => (value === null ? [peer] : [])))].filter(
    (peer) => !gone.includes(peer) && !recorded.includes(peer),
  );
  const leaving = leavingIn(marks);
  const noted = leaving.flatMap(({ peer, isSet }) => (isSet ? [peer] : []));
  const cleared = leaving.flatMap(({ peer, isSet }) => (isSet ? [] : [peer]));
  const words = [
    ...(gone.length > 0 ? [`does not dial ${gone.join(', ')} any more`] : []),
    ...records(dialled, 'does', 'do', 'not dial back'),
    ...records(served, 'dials', 'dial', 'this cluster one-way'),
    ...records(letIn, 'is', 'are', 'still let in'),
    ...(noted.length > 0
      ? [`records that ${enumerated(noted)} ${noted.length === 1 ? 'leaves' : 'leave'} until that is done`]
      : []),
    ...(cleared.length > 0
      ? [`forgets that ${enumerated(cleared)} ${cleared.length === 1 ? 'was' : 'were'} to be disabled`]
      : []),
    ...(forgotten.length > 0 ? [`forgets what was chosen for ${forgotten.join(', ')}`] : []),
  ];
  return words.length > 0 ? enumerated(words) : 'nothing of peers is left in it';
}

function keysOf(peer: string): string[] {
  return [peer, ...Object.values(peerCertificateKeys(peer))];
}

/** Whether anything is known of a dial (`[client, server]`): what the client dials by, or a user that lets it in. */
export function isDialThere([client, server]: readonly [PartingCluster, PartingCluster]): boolean {
  const isConfigured = client.snapshot !== undefined && expectedPeers(client.snapshot).includes(server.name);
  return isConfigured || (server.snapshot !== undefined && isLetIn(server.snapshot, client.name));
}

function keptBecause(unknown: readonly string[], oneWay: readonly string[]): string {
  return unknown.length > 0 ? `it does not know ${unknown.join(', ')}` : `it dials ${oneWay.join(', ')} one-way`;
}

function userSteps(snapshot: ClusterSnapshot, peers: readonly string[]): Step[] {
  const object = configMapRef(snapshot.namespace, REMOTE_USERS_CONFIGMAP);
  const before = snapshot.objects.get(keyOf(object));
  if (!before || peers.length === 0) return [];
  // By that one its own agents log in, where Cilium is older than 1.17.
  const wanted = peers.map(remoteUserName).filter((user) => user !== ownUser(snapshot));
  if (wanted.length === 0) return [];
  const present = wanted.filter((user) => snapshot.remoteUsers?.some(({ name }) => name === user));
  const base = { cluster: snapshot.context, object, before };
  if (present.length === 0)
    return [{ ...base, action: 'keep', changes: [], why: `${wanted.join(', ')} cannot log in` }];
  return [
    {
      ...base,
      action: 'update',
      changes: present.map((user) => ({ path: `data.users.yaml[${user}]`, from: { name: user } })),
      why: `shuts ${present.join(', ')} out`,
      whyOfMany: 'shuts peers out',
      write: { method: 'edit', edit: removeUsersEdit(present), rollback: rollbackRemoveUsers(present) },
    },
  ];
}
