import { apiserverDeployment } from '../apiserver/live.ts';
import { succeedingAuthority } from '../certificates/authority.ts';
import { replaceAuthorityCommand } from '../certificates/authority-time.ts';
import { replaceInBundle } from '../certificates/ca-bundle.ts';
import type { CertificateFacts } from '../certificates/certificate.ts';
import { peersOfOneCa, SIGNED_NOTHING, waysToAgree } from '../certificates/foreign-authority.ts';
import { isCopiedAuthority } from '../certificates/plan-authority.ts';
import { isSameKey } from '../certificates/trust.ts';
import { clusterNameOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { connectCommand, meshctlCommand } from '../command-line.ts';
import { dials } from '../connect/direction.ts';
import { forgetEach } from '../connect/disconnect/dead-cluster.ts';
import type { Member } from '../connect/member.ts';
import { capital, enumerated } from '../counted.ts';
import { MeshctlError } from '../errors.ts';
import { type Contexts, contextOf } from '../faults/fault-advice.ts';
import { CA_SECRET } from '../objects/names.ts';
import { groupBy, pairsOf } from '../pairs.ts';
import { dialsAnother } from '../peers/namesakes.ts';
import { peersOfOthers } from '../peers/peer-choices.ts';
import { expectedPeers } from '../peers/peers.ts';
import { forgetIfSilent, grantFor, type SilentContext, saysSilent } from '../peers/silent-peers.ts';
import { strangersTo, switchesSigner } from './rotated-certificates.ts';
import { describeStrangers, unreadContexts } from './strangers.ts';
import { isInRotation, withTheirPeers } from './unfinished-rotation.ts';

/** What a run knows of the clusters that it does not reach. */
interface Reach {
  contexts: Contexts;
  /** Contexts that the operator meant too, and that did not answer. */
  silent?: readonly SilentContext[] | undefined;
  /** Whether the run that goes together with them is one with --ca. */
  ca: boolean;
  /** Clusters that are no members, as far as they were read. */
  others?: readonly ClusterSnapshot[] | undefined;
}

/**
 * Peers that the run does not reach hold certificates of the former CA, and trust it.
 * @throws MeshctlError `Usage`, naming them; `ClusterUnreachable` where it may be they that do not answer
 */
export function requireAllPeers(
  changing: readonly Member[],
  members: readonly Member[],
  { contexts, silent = [], ca, others = [] }: Reach,
): void {
  const lacking = changing.flatMap((member) => {
    const strangers = strangersTo(member, members);
    return strangers.length > 0 ? [{ member, strangers }] : [];
  });
  const [first] = lacking;
  if (!first) return;
  // Each of them has to forget its own.
  const forgetting = (isGone: (peer: string) => boolean) =>
    forgetEach(
      lacking.map(({ member: { snapshot }, strangers }) => ({
        context: snapshot.context,
        peers: strangers.filter(isGone),
      })),
    );
  const gone = forgetting(() => true).join(' && ');
  const strangers = [...new Set(lacking.flatMap((one) => one.strangers))];
  const unknown = strangers.filter((peer) => !contexts.has(peer));
  const unread = unreadContexts(strangers, contexts, silent);
  const details = { context: first.member.snapshot.context, peers: strangers };
  if (unread || (silent.length > 0 && unknown.length > 0)) {
    const who = lacking.map((one) => one.member.snapshot.context).join(', ');
    const why = unread ?? `no context is known for it but perhaps ${saysSilent(silent)}`;
    const first =
      grantFor(silent) ?? (unread ? 'Make sure first that it can be read' : 'Bring that cluster back first');
    throw new MeshctlError(
      'ClusterUnreachable',
      `${(unread ? strangers : unknown).join(', ')}, to which ${who} ${lacking.length === 1 ? 'is' : 'are'} connected, would be cut off by a new CA: ${why}`,
      {
        hint: `${first}; or, if it is gone for good, forget it: ${gone}`,
        details,
      },
    );
  }
  const read = readByName(members, others);
  const hasLeft = (peer: string) => hasLeftMesh(read.get(peer));
  const left = strangers.filter(hasLeft);
  const all = [...members.map(({ snapshot }) => snapshot), ...others];
  const dialElsewhere = lacking.flatMap(({ member: { snapshot, identity }, strangers: peers }) => {
    const astray = peers.filter((peer) => {
      const other = read.get(peer);
      return other !== undefined && dialsAnother(other, identity.name, snapshot, all);
    });
    return astray.length > 0 ? [{ context: snapshot.context, peers: astray }] : [];
  });
  const own = members.map((one) => one.snapshot.context);
  const rotate = (context: readonly string[]) =>
    meshctlCommand('clustermesh certs rotate', { context }, ca ? ['--ca'] : []);
  const ofOthers = lacking.flatMap(({ member: { snapshot }, strangers: peers }) => {
    const theirs = peersOfOthers(snapshot);
    return peers
      .filter((peer) => theirs.includes(peer) && !hasLeft(peer))
      .map((peer) => ({ context: snapshot.context, peer }));
  });
  const part = forgetEach(ofOthers.map(({ context, peer }) => ({ context, peers: [peer] })));
  const invite = ({ context, peer }: (typeof ofOthers)[number]) =>
    meshctlCommand('clustermesh invite', { context }, ['--peer', peer]);
  const renewable = strangers.filter((peer) => !ofOthers.some((one) => one.peer === peer));
  const readOnce = [...read.values()];
  // Their peers have to take part as well, or the line would be refused in turn.
  const joining = withTheirPeers(renewable, read, (one) => ca || isInRotation(one, readOnce)).filter(
    (peer) => !members.some(({ identity }) => identity.name === peer) && !hasLeft(peer),
  );
  const known = new Map([...[...read].map(([name, { context }]) => [name, context] as const), ...contexts]);
  const together = rotate([...own, ...joining.map((peer) => contextOf(known, peer))]);
  const anew = [...forgetting(hasLeft), ...part, together, ...ofOthers.map(invite)].join(' && ');
  throw new MeshctlError(
    'Usage',
    `${describeStrangers(first.member, first.strangers, contexts)}; a new CA cuts off peers left out`,
    {
      hint:
        dialElsewhere.length > 0
          ? `${enumerated(dialElsewhere.flatMap(({ peers }) => peers))} dials another cluster of the name; have it forgotten here first: ${forgetEach(dialElsewhere).join(' && ')}`
          : ofOthers.length > 0
            ? `The owner of ${[...new Set(ofOthers.map(({ peer }) => peer))].join(', ')} is another one, who has to be invited again, which cuts the connection meanwhile: ${anew}`
            : left.length > 0
              ? `Cluster Mesh is not enabled in ${left.join(', ')}: forget ${left.length === 1 ? 'it' : 'them'}, and renew what the others hold together: ${anew}`
              : `Renew what they hold together: ${together}; or forget a peer that is gone for good first: ${gone}`,
      details,
    },
  );
}

/** Clusters by name, without those of which two have the same: which of them is the peer, its name does not tell. */
function readByName(
  members: readonly Member[],
  others: readonly ClusterSnapshot[],
): ReadonlyMap<string, ClusterSnapshot> {
  const named = groupBy([...members.map(({ snapshot }) => snapshot), ...others], clusterNameOf);
  return new Map([...named].flatMap(([name, [one, ...more]]) => (one && more.length === 0 ? [[name, one]] : [])));
}

/** Whether a cluster is read as none of a mesh: it serves nobody, and dials nobody. */
function hasLeftMesh(snapshot: ClusterSnapshot | undefined): boolean {
  return snapshot !== undefined && !apiserverDeployment(snapshot) && expectedPeers(snapshot).length === 0;
}

/**
 * The certificates for dialling one peer are issued by its cluster, which the run has to reach.
 * @throws MeshctlError `Usage`, with the contexts to name, or whom the clusters dial
 */
export function requirePeer(
  members: readonly Member[],
  peer: string,
  contexts: Contexts,
  silent: readonly SilentContext[] = [],
): void {
  const server = members.find(({ identity }) => identity.name === peer);
  const dialled = members.some(({ snapshot }) => snapshot.peerCertificates.has(peer));
  if (server && dialled) return;
  const peers = [...new Set(members.flatMap(({ snapshot }) => [...snapshot.peerCertificates.keys()]))].sort();
  const ofOther = members.filter(({ snapshot }) => peersOfOthers(snapshot).includes(peer));
  if (dialled && ofOther.length > 0) {
    const asking = ofOther.map(({ snapshot: { context } }) =>
      meshctlCommand('clustermesh certs rotate', { context }, ['--peer', peer]),
    );
    throw new MeshctlError('Usage', `the certificates for dialling ${peer} are issued by another owner`, {
      hint: `Ask them for new ones, from each cluster by itself: ${asking.join(' && ')}`,
      details: { peer, peers },
    });
  }
  throw new MeshctlError(
    'Usage',
    dialled
      ? `the certificates for dialling ${peer} are issued by its CA, and no context was named for it`
      : `no cluster dials a peer "${peer}" with a certificate of its own`,
    {
      hint: dialled ? nameIssuer(members, peer, contexts, silent) : `They dial: ${peers.join(', ') || 'none'}.`,
      details: { peer, peers },
    },
  );
}

/** The run that renews the certificates for dialling a peer whose context was not named. */
export function nameIssuer(
  members: readonly Member[],
  peer: string,
  contexts: Contexts,
  silent: readonly SilentContext[] = [],
): string {
  const context = [...members.map(({ snapshot }) => snapshot.context), contextOf(contexts, peer)];
  const holders = members.filter(({ snapshot }) => snapshot.peerCertificates.has(peer));
  return forgetIfSilent(
    `Name its context too: ${meshctlCommand('clustermesh certs rotate', { context }, ['--peer', peer])}`,
    holders.map(({ snapshot }) => snapshot.context),
    silent,
  );
}

/**
 * Where somebody has put another CA into a cluster's Secret cilium-ca, what it signs opens nothing as long as its etcd goes by the
 * former one: certificates for dialling it are only renewed together with its own.
 * @throws MeshctlError `CertificateAuthority`, with the ways to agree on one
 */
export function requireSigning(members: readonly Member[], peer: string): void {
  const server = members.find(({ identity }) => identity.name === peer);
  if (!server || !switchesSigner(server)) return;
  const { snapshot } = server;
  const { context, namespace } = snapshot;
  const others = members.flatMap((member) => (member === server ? [] : [member.snapshot]));
  const all = meshctlCommand('clustermesh certs rotate', { context: members.map((one) => one.snapshot.context) });
  throw new MeshctlError(
    'CertificateAuthority',
    `context "${context}": Secret ${namespace}/${CA_SECRET} holds another CA than the one that its etcd goes by, so no certificate from there lets anyone in`,
    {
      hint: waysToAgree(snapshot, others) ?? `Renew everything: ${all}`,
      details: { context, object: `Secret ${namespace}/${CA_SECRET}`, peer },
    },
  );
}

/**
 * Where Secret cilium-ca holds a CA that signed nothing, a rotation goes over to it; peers that log in by the one in use, which
 * they share, would be cut off.
 * @throws MeshctlError `CertificateAuthority`, with the ways to agree on one
 */
export function requireFollowers(snapshot: ClusterSnapshot, members: readonly Member[]): void {
  const others = members.flatMap((member) => (member.snapshot === snapshot ? [] : [member.snapshot]));
  const sharing = peersOfOneCa(snapshot, others);
  if (sharing.length === 0) return;
  const { context, namespace } = snapshot;
  const secret = `Secret ${namespace}/${CA_SECRET}`;
  throw new MeshctlError(
    'CertificateAuthority',
    `context "${context}": ${secret} ${SIGNED_NOTHING}, and ${sharing.join(', ')}, which would be cut off, logs in by the one that did`,
    { hint: waysToAgree(snapshot, others), details: { context, object: secret, peers: sharing } },
  );
}

/**
 * Programs that go by a bundle trust no CA that a rotation puts beside their certificates.
 * @throws MeshctlError `CertificateAuthority`, with whose the bundle is
 */
export function requireOwnTrust({ context, caBundle }: ClusterSnapshot): void {
  if (!caBundle) return;
  throw new MeshctlError(
    'CertificateAuthority',
    `context "${context}": its programs go by the CAs of ${caBundle.object}, which someone else keeps, so no rotation can make them trust a new CA`,
    {
      hint: `${capital(replaceInBundle(caBundle))}.`,
      details: { context, object: caBundle.object },
    },
  );
}

/**
 * Who logs in with a certificate that others use too, or that its own CA has issued, cannot follow a new CA by itself.
 * @throws MeshctlError `CertificateAuthority`, with the commands that give each its own
 */
export function refuseCommonCredentials(members: readonly Member[]): void {
  for (const [one, other] of pairsOf(members)) {
    const contexts = [one.snapshot.context, other.snapshot.context];
    const shared = isSameKey(caOf(one), caOf(other));
    const dialsByCommon = (client: Member, server: Member) =>
      dials(client, server) && !client.snapshot.peerCertificates.has(server.identity.name);
    const common = dialsByCommon(one, other) || dialsByCommon(other, one);
    if (!shared && !common) continue;
    const names = contexts.map((name) => `"${name}"`).join(' and ');
    const connect = connectPeers(one, [other]);
    throw new MeshctlError(
      'CertificateAuthority',
      shared ? `contexts ${names} share a CA` : `contexts ${names} log in to each other without certificates for it`,
      {
        hint: shared ? ownAuthorities(one, members) : `Give them certificates for each other: ${connect}`,
        details: { contexts },
      },
    );
  }
}

/** Its CA, also where that is lost. */
function caOf({ snapshot }: Member): CertificateFacts | undefined {
  return snapshot.ca?.certificate ?? succeedingAuthority(snapshot);
}

/** How all that share the CA of one get CAs of their own, but the one whose it was; whoever is connected is connected again. */
function ownAuthorities(one: Member, members: readonly Member[]): string {
  const sharing = members.filter((member) => isSameKey(caOf(member), caOf(one)));
  const owner = sharing.find(({ snapshot }) => !isCopiedAuthority(snapshot)) ?? one;
  const copies = sharing.filter((member) => member !== owner);
  const renew = replaceAuthorityCommand(contextsOf(copies));
  const connects = copies.flatMap((copy, index) => {
    const isBefore = (peer: Member) => copies.slice(0, index).includes(peer);
    const peers = members.filter((peer) => peer !== copy && !isBefore(peer) && areConnected(copy, peer));
    return peers.length > 0 ? [connectPeers(copy, peers)] : [];
  });
  const whose = copies.length === 1 ? 'one of its own' : 'CAs of their own';
  return `Only a CA of one cluster can be rotated. Give ${contextsOf(copies).join(', ')} ${whose} and reconnect, which cuts the connections meanwhile: ${[renew, ...connects].join(' && ')}`;
}

function connectPeers(one: Member, others: readonly Member[]): string {
  return connectCommand(one.snapshot.context, contextsOf(others), ['--credentials', 'per-peer']);
}

/** Whether either dials the other. */
export function areConnected(one: Member, other: Member): boolean {
  return dials(one, other) || dials(other, one);
}

const contextsOf = (members: readonly Member[]): string[] => members.map(({ snapshot }) => snapshot.context);
