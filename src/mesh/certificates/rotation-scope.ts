import { servesNobody } from '../apiserver/deployment.ts';
import { apiserverDeployment } from '../apiserver/live.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand } from '../command-line.ts';
import type { Member } from '../connect/member.ts';
import { MeshctlError } from '../errors.ts';
import { CA_SECRET } from '../objects/names.ts';
import { pairsOf } from '../pairs.ts';
import { configuredPeers } from '../peers/peers.ts';
import { forgetIfSilent, maybeSilent } from '../peers/silent-peers.ts';
import type { PeerEffect } from '../plan/peer-effects.ts';
import { describeFault, type Fault } from '../status/fault.ts';
import { type Contexts, contextOf, mendOf } from '../status/standing-advice.ts';
import { dialFaults } from '../status/standing-dial.ts';
import { requireSigner } from './authority.ts';
import { peersOfOneCa, SIGNED_NOTHING, waysToAgree } from './foreign-authority.ts';
import { isCopiedAuthority, requireReplaceable } from './plan-authority.ts';
import { certificatesFrom, rotationStage, strangersTo } from './rotation-certificates.ts';

/** What the operator asks for. */
export interface RotationChoice {
  /** The CAs too. */
  ca: boolean;
  /** Only certificates that were issued so long ago. */
  olderThanMs?: number | undefined;
  /** Only the certificates for dialling this peer. */
  peer?: string | undefined;
  /** Take over what others own. */
  force: boolean;
  /** Contexts that the operator meant too, and that did not answer. */
  silent?: readonly string[] | undefined;
}

/** What a rotation is about; it stays the same to its end, whatever the plan says by then. */
export interface RotationScope {
  /** Contexts whose CA gets a successor. */
  replace: ReadonlySet<string>;
  /** SHA-256 of the certificates that are made anew although they are good. */
  due: ReadonlySet<string>;
  /** Contexts whose CA is replaced by this run, or was by one that did not come to its end. */
  changing: ReadonlySet<string>;
  /** How it came about, for people, by context. */
  notes: Readonly<Record<string, readonly string[]>>;
  warnings: readonly string[];
}

/**
 * Decides what is to be made anew, and refuses what cannot be done without cutting a peer off.
 * @throws MeshctlError `CertificateAuthority` for a CA that cannot sign, is shared, or belongs to somebody else; `Usage`
 * for peers that are not among the clusters although their certificates would have to be renewed too
 */
export function scopeRotation(
  members: readonly Member[],
  choice: RotationChoice,
  now: Date,
  contexts: Contexts = new Map(),
): RotationScope {
  for (const { snapshot } of members) {
    requireSigner(snapshot, 'a new certificate');
    requireFollowers(snapshot, members);
  }
  if (choice.peer !== undefined) requirePeer(members, choice.peer, contexts, choice.silent);
  const stages = new Map(members.map((member) => [member, rotationStage(member, members)]));
  const inStage = (stage: string) => members.filter((member) => stages.get(member) === stage);
  // Those that are settled while others are not have come to the end of a rotation that the others are still in.
  const goesOn = inStage('replaced').length > 0 && inStage('trusting').length === 0;
  const finished = goesOn ? inStage('settled') : [];
  const replaced = choice.ca ? members.filter((one) => stages.get(one) !== 'replaced' && !finished.includes(one)) : [];
  const changing = [...replaced, ...inStage('replaced')];
  if (choice.peer === undefined) requireAllPeers(changing, members, contexts, choice.silent);
  if (replaced.length > 0) refuseCommonCredentials(members);
  for (const { snapshot } of replaced) requireReplaceable(snapshot, choice.force);
  const certificates = members.flatMap((member) => certificatesFrom(member, members));
  const due = choice.ca
    ? []
    : certificates.flatMap(({ facts }) => {
        const ageMs = facts ? now.getTime() - facts.certificate.notBefore.getTime() : 0;
        return facts && ageMs >= (choice.olderThanMs ?? 0) ? [facts.certificate.sha256] : [];
      });
  const notes = [
    ...inStage('replaced').map((one) => [one, 'goes on with the rotation of the CA that was interrupted'] as const),
    ...(choice.ca ? finished : []).map(
      (one) => [one, 'has its new CA already: this run finishes the rotation in the other clusters'] as const,
    ),
    ...(choice.ca ? [] : inStage('trusting')).map(
      (one) => [one, 'not all trust the CA in Secret cilium-ca alone: at the end they will'] as const,
    ),
  ];
  return {
    replace: new Set(replaced.map(({ snapshot }) => snapshot.context)),
    due: new Set(due),
    changing: new Set(changing.map(({ snapshot }) => snapshot.context)),
    notes: Object.fromEntries(notes.map(([{ snapshot }, note]) => [snapshot.context, [note]])),
    warnings: members.flatMap((member) => [
      ...strangerWarnings(member, members, contexts, choice.silent),
      ...missingSecrets(member, members, contexts, choice.silent),
      ...foreignWarnings(member, members),
      ...silenceWarnings(member),
    ]),
  };
}

/** What becomes of each peer of each cluster. */
export function rotationEffects(
  members: readonly Member[],
  { changing }: RotationScope,
  contexts: Contexts = new Map(),
  silent: readonly string[] = [],
): PeerEffect[] {
  return members.flatMap((member): PeerEffect[] => {
    const { context } = member.snapshot;
    const peers = members.filter((other) => other !== member && areConnected(member, other));
    const moved = (peer: Member) => changing.has(context) || changing.has(peer.snapshot.context);
    const gone = missingFaults(member).map((fault) => ({
      why: `${fault.object} is missing, so nothing would connect again after a restart`,
      mend: mendMissing(fault, members, contexts, silent),
    }))[0];
    if (gone) {
      const names = [...peers.map(({ identity }) => identity.name), ...strangersTo(member, members)];
      return names.map((peer): PeerEffect => ({ cluster: context, peer, becomes: 'unknown', ...gone }));
    }
    return [
      ...peers.map((peer): PeerEffect => {
        const base = { cluster: context, peer: peer.identity.name };
        return moved(peer)
          ? { ...base, becomes: 'moved', why: 'both CAs are trusted until all certificates are from the new one' }
          : { ...base, becomes: 'kept', why: 'the CA stays' };
      }),
      ...strangersTo(member, members).map((peer): PeerEffect => {
        const unread = unreadContexts([peer], contexts, silent);
        const who =
          unread ??
          (silent.length > 0 && !contexts.has(peer) ? maybeSilent([peer], silent) : 'no context was named for it');
        const why = `${who}: what it holds stays as it is`;
        return { cluster: context, peer, becomes: 'kept', why };
      }),
    ];
  });
}

/** Certificates of other clusters with which the members dial one: for their own there is no user yet. */
function foreignWarnings(issuer: Member, members: readonly Member[]): string[] {
  return certificatesFrom(issuer, members).flatMap(({ holder, foreign, peer }) => {
    if (foreign === undefined) return [];
    const { context } = holder.snapshot;
    const connect = meshctlCommand('clustermesh connect', { context }, [
      ...['--destination-context', issuer.snapshot.context],
    ]);
    return [
      `context "${context}": it dials ${peer} with the certificate of ${foreign}, which stays as long as it is good → ${connect}`,
    ];
  });
}

/** Where no pod serves, what is renewed has been proved by nobody. */
function silenceWarnings({ snapshot }: Member): string[] {
  const silence = servesNobody(snapshot, apiserverDeployment(snapshot));
  return silence ? [`context "${snapshot.context}": ${silence}`] : [];
}

function areConnected(one: Member, other: Member): boolean {
  return (
    configuredPeers(one.snapshot).includes(other.identity.name) ||
    configuredPeers(other.snapshot).includes(one.identity.name)
  );
}

/**
 * Peers that the run does not reach hold certificates of the former CA, and trust it.
 * @throws MeshctlError `Usage`, naming them; `ClusterUnreachable` where it may be they that do not answer
 */
function requireAllPeers(
  changing: readonly Member[],
  members: readonly Member[],
  contexts: Contexts,
  silent: readonly string[] = [],
): void {
  const lacking = changing.flatMap((member) => {
    const strangers = strangersTo(member, members);
    return strangers.length > 0 ? [{ member, strangers }] : [];
  });
  const [first] = lacking;
  if (!first) return;
  // Each of them has to forget its own.
  const gone = lacking
    .map(({ member: { snapshot }, strangers }) =>
      meshctlCommand('clustermesh disconnect', { context: snapshot.context }, ['--peer', strangers.join(',')]),
    )
    .join(' && ');
  const strangers = [...new Set(lacking.flatMap((one) => one.strangers))];
  const unknown = strangers.filter((peer) => !contexts.has(peer));
  const unread = unreadContexts(strangers, contexts, silent);
  const details = { context: first.member.snapshot.context, peers: strangers };
  if (unread || (silent.length > 0 && unknown.length > 0)) {
    const names = silent.map((name) => `"${name}"`).join(', ');
    const who = lacking.map((one) => one.member.snapshot.context).join(', ');
    const why = unread ?? `of its context nothing is known, and ${names} did not answer`;
    throw new MeshctlError(
      'ClusterUnreachable',
      `${(unread ? strangers : unknown).join(', ')}, to which ${who} ${lacking.length === 1 ? 'is' : 'are'} connected, would be cut off by a new CA: ${why}`,
      {
        hint: `${unread ? 'See first that it can be read' : 'Bring that cluster back first'}; or, if it is gone for good, forget it: ${gone}`,
        details,
      },
    );
  }
  const all = [...members.map((one) => one.snapshot.context), ...strangers.map((peer) => contextOf(contexts, peer))];
  const together = meshctlCommand('clustermesh certs rotate', { context: all.join(',') }, ['--ca']);
  throw new MeshctlError(
    'Usage',
    `${describeStrangers(first.member, first.strangers, contexts)}, and would be cut off by a new CA`,
    {
      hint: `Renew what they hold together: ${together}; or forget a peer that is gone for good first: ${gone}`,
      details,
    },
  );
}

/** Where the contexts of peers are known, and are among those that this run could not read: which ones, in words. */
function unreadContexts(
  peers: readonly string[],
  contexts: Contexts,
  silent: readonly string[] = [],
): string | undefined {
  const known = peers.flatMap((peer) => contexts.get(peer) ?? []).filter((name) => silent.includes(name));
  if (known.length === 0) return undefined;
  return `context ${known.map((name) => `"${name}"`).join(', ')} could not be read`;
}

function describeStrangers(
  { snapshot }: Member,
  strangers: readonly string[],
  contexts: Contexts,
  silent: readonly string[] = [],
): string {
  const unknown = strangers.filter((peer) => !contexts.has(peer));
  const unread = unreadContexts(strangers, contexts, silent);
  const who = unread
    ? ` (${unread})`
    : silent.length > 0 && unknown.length > 0
      ? ` (${maybeSilent(unknown, silent)})`
      : ', which no context was named for';
  return `context "${snapshot.context}": connected to ${strangers.join(', ')}${who}`;
}

function strangerWarnings(
  member: Member,
  members: readonly Member[],
  contexts: Contexts,
  silent: readonly string[] = [],
): string[] {
  const strangers = strangersTo(member, members);
  return strangers.length > 0
    ? [`${describeStrangers(member, strangers, contexts, silent)}; the certificates for dialling them stay`]
    : [];
}

/** Secrets of peers that are not there: what runs goes on without them, and no rotation brings them back. */
function missingFaults({ snapshot }: Member): Fault[] {
  return dialFaults(snapshot, { now: new Date(0) }).filter(({ id }) => id === 'peering-secret-missing');
}

function missingSecrets(
  member: Member,
  members: readonly Member[],
  contexts: Contexts,
  silent: readonly string[] = [],
): string[] {
  return missingFaults(member).map(
    (fault) =>
      `context "${fault.context}": ${describeFault(fault)}, and are not made by a rotation: ${mendMissing(fault, members, contexts, silent)}`,
  );
}

function mendMissing(fault: Fault, members: readonly Member[], contexts: Contexts, silent: readonly string[]): string {
  return forgetIfSilent(mendOf(fault, contextsKnown(members, contexts)), [fault.context], silent);
}

function contextsKnown(members: readonly Member[], contexts: Contexts): Contexts {
  return new Map([...contexts, ...members.map(({ identity, snapshot }) => [identity.name, snapshot.context] as const)]);
}

function requirePeer(
  members: readonly Member[],
  peer: string,
  contexts: Contexts,
  silent: readonly string[] = [],
): void {
  const server = members.find(({ identity }) => identity.name === peer);
  const dialled = members.some(({ snapshot }) => snapshot.peerCertificates.has(peer));
  if (server && dialled) return;
  const peers = [...new Set(members.flatMap(({ snapshot }) => [...snapshot.peerCertificates.keys()]))].sort();
  const all = [...members.map(({ snapshot }) => snapshot.context), contextOf(contexts, peer)];
  throw new MeshctlError(
    'Usage',
    dialled
      ? `the certificates for dialling ${peer} are issued by its CA, and no context was named for it`
      : `no cluster dials a peer "${peer}" with a certificate of its own`,
    {
      hint: dialled
        ? forgetIfSilent(
            `Name its context too: ${meshctlCommand('clustermesh certs rotate', { context: all }, ['--peer', peer])}`,
            members
              .filter(({ snapshot }) => snapshot.peerCertificates.has(peer))
              .map(({ snapshot }) => snapshot.context),
            silent,
          )
        : `They dial: ${peers.join(', ') || 'none'}.`,
      details: { peer, peers },
    },
  );
}

/**
 * Where Secret cilium-ca holds a CA that signed nothing, a rotation goes over to it; peers that log in by the one in use, which
 * they share, would be cut off.
 */
function requireFollowers(snapshot: ClusterSnapshot, members: readonly Member[]): void {
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

/** Who logs in with a certificate that others use too, or that its own CA has issued, cannot follow a new CA by itself. */
function refuseCommonCredentials(members: readonly Member[]): void {
  for (const [one, other] of pairsOf(members)) {
    const contexts = [one.snapshot.context, other.snapshot.context];
    const shared = one.snapshot.ca?.certificate.publicKeySha256 === other.snapshot.ca?.certificate.publicKeySha256;
    const common = [
      [one, other],
      [other, one],
    ].some(([client, server]) => {
      const name = server?.identity.name ?? '';
      return client && configuredPeers(client.snapshot).includes(name) && !client.snapshot.peerCertificates.has(name);
    });
    if (!shared && !common) continue;
    const names = contexts.map((name) => `"${name}"`).join(' and ');
    const connect = meshctlCommand('clustermesh connect', { context: contexts[0] }, [
      ...['--destination-context', contexts[1] ?? '', '--credentials', 'per-peer'],
    ]);
    // The one whose CA is a copy gets a new one; the other's is as it was made.
    const copy = [other, one].find(({ snapshot }) => isCopiedAuthority(snapshot)) ?? other;
    const renew = meshctlCommand('clustermesh enable', { context: copy.snapshot.context }, ['--replace-ca']);
    throw new MeshctlError(
      'CertificateAuthority',
      shared ? `contexts ${names} share a CA` : `contexts ${names} log in to each other without certificates for it`,
      {
        hint: shared
          ? `Only a CA of one cluster can be rotated. Give ${copy.snapshot.context} one of its own, and connect anew, which cuts the connection in between: ${renew} && ${connect}`
          : `Give them certificates for each other: ${connect}`,
        details: { contexts },
      },
    );
  }
}
