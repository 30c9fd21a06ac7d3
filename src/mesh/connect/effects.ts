import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { connectCommand, unnamedContext } from '../command-line.ts';
import { lostFileFor } from '../faults/lost-files.ts';
import { userFaults } from '../faults/user-faults.ts';
import { SERVER_CERT_SECRET } from '../objects/names.ts';
import { clusterKnownAs, concernedPeers } from '../peers/concerned-peers.ts';
import { dialServiceCommand } from '../peers/endpoint-overrides.ts';
import { dialledAddresses } from '../peers/file/dialled-addresses.ts';
import { aliasPath } from '../peers/file/host-aliases.ts';
import { dialledInstead, dialsAnother } from '../peers/namesakes.ts';
import { peersOfOthers } from '../peers/peer-choices.ts';
import { mendsForOtherOwners } from '../peers/peers-of-others.ts';
import { restartEffects } from '../peers/restarts/restart-effects.ts';
import { lostTrust } from '../peers/trusting-peer.ts';
import { mergeEffects, type PeerEffect, takerInWords } from '../plan/peer-effects.ts';
import type { Step } from '../plan/plan.ts';
import { type Direction, dialingSecret } from './direction.ts';
import { unprovedAddresses } from './unproved.ts';

type Effect = Pick<PeerEffect, 'becomes' | 'why' | 'mend' | 'movedPods' | 'replacedBy' | 'peerContext'>;

/**
 * What a connect does to the connections that its clusters have already, also with clusters that are no part of it;
 * nothing where nothing is changed.
 * @param besides clusters that it is not about, as far as they were read: one of them may be who is dialled so far
 */
export function connectEffects(
  clusters: readonly ClusterSnapshot[],
  directions: readonly Direction[],
  steps: readonly Step[],
  besides: readonly ClusterSnapshot[] = [],
): PeerEffect[] {
  const read = [...clusters, ...besides];
  return clusters.flatMap((snapshot) => {
    const cluster = snapshot.context;
    const own = steps.filter((step) => step.cluster === cluster && step.action !== 'keep');
    if (own.length === 0) return [];
    const others = clusters.filter((other) => other !== snapshot);
    const concerned = concernedPeers(snapshot, others);
    const merged = mergeEffects([
      ...newDiallersEffects(snapshot, own, { concerned, others, directions }),
      ...concerned.flatMap((peer) => {
        const other = clusterKnownAs(peer, others);
        const dial = directions.find(({ client, server }) => client.snapshot === other && server.snapshot === snapshot);
        const renewed = dial !== undefined;
        const direction = directions.find(
          ({ client, server }) => client.snapshot === snapshot && server.identity.name === peer,
        );
        const lost = [
          direction && lostFileFor(snapshot, peer),
          renewed ? lostUserFor(snapshot, peer, others) : undefined,
        ].flatMap((why): Effect[] => (why === undefined ? [] : [{ becomes: 'restored', why: `until now ${why}` }]));
        const all: Effect[] = [
          { becomes: 'kept', why: '' },
          ...lost,
          ...(renewed ? [] : trustEffects(snapshot, own, peer, other)),
          ...fileEffects(own, peer, direction, { secret: dialingSecret(snapshot), all: read }),
          ...restartEffects(snapshot, own, peer, { others, dials: dial?.endpoint.addresses }),
        ];
        return all.map((effect) => ({ ...effect, cluster, peer }));
      }),
    ]);
    return mendsForOtherOwners(merged, peersOfOthers(snapshot));
  });
}

/**
 * Who is to dial a cluster for the first time, where the same plan replaces the pods that answer: at the nodes on which they are now nobody
 * may answer then. No connection ends for that, so nobody has to agree.
 */
function newDiallersEffects(
  snapshot: ClusterSnapshot,
  steps: readonly Step[],
  {
    concerned,
    others,
    directions,
  }: {
    concerned: readonly string[];
    others: readonly ClusterSnapshot[];
    directions: readonly Direction[];
  },
): PeerEffect[] {
  const incoming = directions.filter(
    ({ client, server }) => server.snapshot === snapshot && !concerned.includes(client.identity.name),
  );
  return incoming.flatMap(({ client: { identity }, endpoint: { addresses } }) =>
    restartEffects(snapshot, steps, identity.name, { others, dials: addresses })
      .filter(({ movedPods }) => movedPods !== undefined)
      .map((effect) => ({ ...effect, becomes: 'lost' as const, cluster: snapshot.context, peer: identity.name })),
  );
}

/** Why a peer that dials a cluster has no user there, as a clause; undefined where it has. */
function lostUserFor(snapshot: ClusterSnapshot, peer: string, others: readonly ClusterSnapshot[]): string | undefined {
  return userFaults(snapshot, { others, now: new Date(0) }).find((fault) => fault.peer === peer)?.says;
}

/** A server certificate from another CA than the peer trusts; a peer that is connected anew gets that CA in the same run. */
function trustEffects(
  snapshot: ClusterSnapshot,
  steps: readonly Step[],
  peer: string,
  other: ClusterSnapshot | undefined,
): Effect[] {
  if (!steps.some(({ object }) => object.name === SERVER_CERT_SECRET)) return [];
  const why = lostTrust(snapshot, other, { authority: snapshot.ca?.certificate, makes: false });
  if (why === undefined) return [];
  const where = other?.context ?? unnamedContext(peer);
  const mend = connectCommand(snapshot.context, where);
  return [{ becomes: 'cut', why, mend }];
}

/**
 * The cluster dials the peer elsewhere, or with something else: by its file, or by what its pods make of the peer's name.
 * @param secret the one by which it dials
 * @param all that were read
 */
function fileEffects(
  steps: readonly Step[],
  peer: string,
  direction: Direction | undefined,
  { secret, all }: { secret: string; all: readonly ClusterSnapshot[] },
): Effect[] {
  const dialling = steps.filter(({ object }) => object.name === secret).flatMap(({ changes }) => changes);
  const isAbout = (path: string) => path === `data.${peer}` || path.startsWith(`data.${peer}.`);
  const named = steps.flatMap(({ changes }) => changes).filter(({ path }) => path === aliasPath(peer));
  const changed = [...dialling.filter(({ path }) => isAbout(path)), ...named].filter(({ from }) => from !== undefined);
  if (changed.length === 0) return [];
  const words = changed.map(({ from, to }) => `${from} → ${to ?? '(removed)'}`).join('; ');
  const dial = direction && ([direction.client.snapshot, peer, direction.server.snapshot] as const);
  if (dial && dialsAnother(...dial, all)) {
    const [{ context: own }, , { context: other }] = dial;
    const peerContext = dialledInstead(...dial, all)?.context;
    const who =
      peerContext === undefined
        ? `it is another cluster than ${takerInWords(other)}, which takes its place`
        : `it is the cluster of context "${peerContext}", whose place ${takerInWords(other)} takes`;
    const mend = connectCommand(own, peerContext ?? unnamedContext(peer));
    return [{ becomes: 'cut', why: `${who}: ${words}`, mend, replacedBy: other, peerContext }];
  }
  const untried = direction ? untriedAddresses(direction) : [];
  if (!direction || untried.length === 0) return [{ becomes: 'moved', why: words }];
  const { client, server } = direction;
  return [
    {
      becomes: 'unknown',
      why: `${words}: ${untried.join(', ')} has not been tried from there`,
      mend: dialServiceCommand(client.snapshot.context, { name: peer, context: server.snapshot.context }),
    },
  ];
}

/**
 * The addresses that a connected cluster will dial, where none of them is one that it dials now or that the peer's Service
 * has: credentials are proved through the API server, so no address is dialled before the file is there. One that is known
 * is enough, since etcd's client goes on with whichever answers.
 */
function untriedAddresses(direction: Direction): readonly string[] {
  const { client, server, endpoint } = direction;
  const dialled = dialledAddresses(client.snapshot, server.identity.name);
  const isKnown = endpoint.addresses.some((address) => dialled.includes(address));
  return dialled.length === 0 || isKnown ? [] : unprovedAddresses(direction);
}
