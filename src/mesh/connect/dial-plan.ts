import type { FileLack } from '../certificates/certificate.ts';
import { clientSpec, reasonToCopy, reasonToReissue } from '../certificates/cluster-certificates.ts';
import { requireSigner } from '../certificates/foreign-authority.ts';
import { presentLifetime } from '../certificates/kept-lifetime.ts';
import { describeAuthority } from '../certificates/trust.ts';
import { MeshctlError } from '../errors.ts';
import { type KubeObject, keyOf } from '../objects/kube-object.ts';
import { AGENT_PEERS_SECRET, REMOTE_CERT_SECRET, secretRef } from '../objects/names.ts';
import { encodeText, secretText, secretTexts } from '../objects/secret-data.ts';
import { addAliasesStep } from '../peers/file/host-aliases.ts';
import {
  COMMON_PREFIX,
  cachedPeerFile,
  peerCertificateKeys,
  remotePeerFile,
  withNewText,
} from '../peers/file/peer-config.ts';
import { addressesIn, type PeerFile, readPeerFile, type UnreadablePeerFile } from '../peers/file/peer-file.ts';
import { newPeerSecret, setKeys, withMarks } from '../peers/file/peer-secrets.ts';
import { ownerClause } from '../peers/foreign-homes.ts';
import { leavingMark } from '../peers/leaving-marks.ts';
import { hasPartedWith } from '../peers/parted.ts';
import { differingMarks, type Marks, marksFor } from '../peers/peer-choices.ts';
import { markChanges } from '../plan/diff.ts';
import type { CertificateCopy, CertificateOrder, Change, Plan, Step, TrustOrder } from '../plan/plan.ts';
import { describeLifetime, endWithCa, type Lifetime, lifetimeOf, successorLifetime } from '../rotation/lifetime.ts';
import { presentAuthority, type TrustedAuthority } from '../rotation/rotated-certificates.ts';
import { ownerOfData } from '../rotation/rotated-cluster.ts';
import { acceptedInRotation, trustInRotation } from '../rotation/unfinished-rotation.ts';
import { canSign, usableWithoutSigner } from './credentials.ts';
import { type Direction, dialingSecret, dialsThroughKvstoremesh } from './direction.ts';
import type { Dial } from './kept-choices.ts';
import type { Member } from './member.ts';
import { unknownIssuer } from './renew-trust.ts';

/**
 * The client certificates and the files that make each cluster dial its peers. One step per object, however many peers.
 * What pods need to find a peer comes first, the file by which KVStoreMesh dials before the one by which agents read its
 * cache.
 * @param notBack dials that shall not be, of connections that are one-way as it was chosen: written down where they would begin
 */
export function planDial(directions: readonly Direction[], now: Date, notBack: readonly Dial[] = []): Plan {
  const clients = [...directions.map(({ client }) => client), ...notBack.map(([served]) => served)];
  const steps = [...new Set(clients)].flatMap((client): Step[] => {
    const outgoing = directions.filter((direction) => direction.client === client);
    const served = Object.assign(
      {},
      ...notBack
        .filter(([one]) => one === client)
        .map(([, { identity }]) => ({
          ...marksFor(identity.name, { mode: 'served' }),
          ...leavingMark(identity.name, null),
        })),
    ) as Marks;
    if (outgoing.length === 0) return markSteps(client, served);
    const kvstoremesh = dialsThroughKvstoremesh(client.snapshot);
    const aliases = outgoing.flatMap(({ server, endpoint: { alias } }) =>
      alias?.in === 'pods' ? [{ peer: server.identity.name, ips: alias.ips }] : [],
    );
    return [
      ...addAliasesStep(client.snapshot, kvstoremesh, aliases),
      dialStep(client, outgoing, served, now),
      ...(kvstoremesh ? [cachedFilesStep(client, outgoing, served)] : []),
    ];
  });
  return { steps };
}

/** What one direction puts into the client's Secret, or takes out of it. */
interface Entry {
  data: Record<string, string>;
  certificates: CertificateOrder[];
  copies: CertificateCopy[];
  trust: TrustOrder[];
  remove: string[];
  changes: Change[];
  reasons: string[];
  /** The same without the peer. */
  reasonsOfMany: string[];
}

/** One Secret gets, for each peer: the client certificate where it needs a new one, and the file that dials. */
function dialStep(client: Member, outgoing: readonly Direction[], served: Marks, now: Date): Step {
  const { snapshot } = client;
  const ref = secretRef(snapshot.namespace, dialingSecret(snapshot));
  const live = snapshot.objects.get(keyOf(ref));
  const texts = secretTexts(live);
  const entries = outgoing.map((direction) => dialEntry(direction, texts, now));
  const ofMany = [...new Set(entries.flatMap(({ reasonsOfMany }) => reasonsOfMany))];
  const base = { cluster: snapshot.context, object: ref, before: live };
  // What was chosen is written down where the agents' files are: with KVStoreMesh that is another Secret.
  const marks = ref.name === AGENT_PEERS_SECRET ? newMarks(live, outgoing, served) : {};
  const changes = [...entries.flatMap((entry) => entry.changes), ...markChanges(live, marks)];
  if (changes.length === 0) {
    const peers = outgoing.map(({ server }) => server.identity.name).join(', ');
    return { ...base, action: 'keep', changes, why: `it dials ${peers}` };
  }
  return {
    ...base,
    action: live ? 'update' : 'create',
    changes,
    why: `${entries.flatMap(({ reasons }) => reasons).join(', ') || WRITES_DOWN}${ownerClause(live)}`,
    whyOfMany: `${ofMany.join(', ') || WRITES_DOWN}${ownerClause(live)}`,
    write: {
      method: 'issue',
      certificates: entries.flatMap(({ certificates }) => certificates),
      copies: entries.flatMap(({ copies }) => copies),
      trust: entries.flatMap(({ trust }) => trust),
      data: Object.assign({}, ...entries.map(({ data }) => data)) as Record<string, string>,
      remove: entries.flatMap(({ remove }) => remove),
      marks,
      secret: newPeerSecret(ref, snapshot),
      into: 'patch',
    },
  };
}

function dialEntry(direction: Direction, texts: Readonly<Record<string, string>>, now: Date): Entry {
  const { client, server, credential, endpoint } = direction;
  const peer = server.identity.name;
  const keys = peerCertificateKeys(peer);
  const entry: Entry = {
    data: {},
    certificates: [],
    copies: [],
    trust: [],
    remove: [],
    changes: [],
    reasons: [],
    reasonsOfMany: [],
  };
  const isGarbage = texts[keys.certificate] !== undefined && !client.snapshot.peerCertificates.has(peer);
  const reason = reasonForCertificate(direction, isGarbage ? 'unreadable' : 'missing', now);
  const former = describePresent(client, peer, texts);
  if (credential.kind === 'shared-ca') {
    entry.remove.push(...Object.values(keys).filter((key) => texts[key] !== undefined));
    entry.changes.push(...entry.remove.map((key) => ({ path: `data.${key}` })));
  } else if (reason && credential.issued) {
    entry.copies.push({ source: credential.issued.secret, keys });
    const to = `client certificate ${credential.user}, issued by the owner of ${peer}`;
    entry.changes.push({ path: `data.${keys.certificate}`, ...former, to });
  } else if (reason && credential.kind === 'legacy') {
    entry.copies.push({ source: remoteCertOf(server), keys });
    entry.changes.push({ path: `data.${keys.certificate}`, ...former, to: `the remote-cert of ${peer}` });
  } else if (reason) {
    const spec = clientSpec(credential.user);
    const lifetime = clientLifetime(direction);
    const caEnd = endWithCa(lifetime.validityMs, server.snapshot.ca?.certificate, now);
    const words = describeLifetime(lifetime, lifetime, caEnd);
    entry.certificates.push({ spec, signer: server.snapshot.context, keys, ...lifetime });
    const trusted = trustFor(direction);
    if (trusted.length > 0) entry.trust.push({ key: keys.ca, certificates: trusted.map(({ pem }) => pem) });
    const ca = server.snapshot.ca?.certificate;
    entry.changes.push({
      path: `data.${keys.certificate}`,
      ...former,
      to: `client certificate ${credential.user}${words ? ` (${words})` : ''}, issued by the CA of ${peer}${former && ca ? ` (CA ${describeAuthority(ca)})` : ''}`,
    });
  }
  const file = remotePeerFile(peer, endpoint, credential.kind === 'shared-ca' ? COMMON_PREFIX : `${peer}.`);
  const present = texts[peer];
  const isSame = present !== undefined && sameFile(present, file);
  if (!isSame || (reason && hasOtherAuthority(direction))) {
    entry.data[peer] = isSame ? withNewText(present, now) : file;
    const from = present === undefined ? {} : { from: describeFile(present) };
    entry.changes.push({ path: `data.${peer}`, ...from, to: `${describeFile(file)}${isSame ? ', read again' : ''}` });
  }
  if (entry.changes.length > 0) {
    const because = reason && texts[peer] ? ` (${reason})` : '';
    entry.reasons.push(`dials ${peer}${because}`);
    entry.reasonsOfMany.push(`dials peers${because}`);
  }
  return entry;
}

/** Whether the CA that a client trusts for a peer becomes another one with its new certificate. */
function hasOtherAuthority({ client, server, credential }: Direction): boolean {
  const present = client.snapshot.peerCertificates.get(server.identity.name);
  if (unknownIssuer(present, server.snapshot)) return true;
  const { ca, tlsSecrets } = server.snapshot;
  const next =
    credential.issued?.facts.ca ??
    (credential.kind === 'legacy' ? tlsSecrets.get(REMOTE_CERT_SECRET)?.ca : ca?.certificate);
  return present?.ca?.sha256 !== next?.sha256;
}

/**
 * What stands beside a new certificate where it is not only what stood beside the former one. What a cluster kept of one that
 * had parted with it is from before: the former CA of a rotation that is over may be in it.
 */
function trustFor({ client, server }: Direction): TrustedAuthority[] {
  const both = trustInRotation(server.snapshot);
  return both.length === 0 && hasPartedWith(server.snapshot, client.snapshot) ? presentAuthority(server) : both;
}

/** Whoever wrote a file may have other quotes and another order. */
function sameFile(present: string | undefined, wanted: string): boolean {
  return present === wanted || (present !== undefined && isDeepEqual(readPeerFile(present), readPeerFile(wanted)));
}

function isDeepEqual(one: PeerFile | UnreadablePeerFile, other: PeerFile | UnreadablePeerFile): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** What a file dials, and as whom, in words. */
function describeFile(text: string): string {
  const file = readPeerFile(text);
  if ('unreadable' in file) return `a file that cannot be read (${file.unreadable})`;
  const shared = file.certFile?.split('/').at(-1)?.startsWith(COMMON_PREFIX) ? ' with the common certificate' : '';
  const aliases = file.hostAliases.flatMap(({ ips }) => ips);
  const names = aliases.length > 0 ? ` (${aliases.join(', ')})` : '';
  return `dials ${addressesIn(text).join(', ')}${names}${shared}`;
}

/** The certificate that is there for a peer, for plans. */
function describePresent({ snapshot }: Member, peer: string, texts: Readonly<Record<string, string>>) {
  if (texts[peerCertificateKeys(peer).certificate] === undefined) return undefined;
  const present = snapshot.peerCertificates.get(peer);
  if (!present) return { from: 'a certificate that cannot be read' };
  const ca = present.ca ? `, issued by CA ${describeAuthority(present.ca)}` : '';
  return { from: `client certificate ${present.certificate.commonName}${ca}` };
}

/** Of all directions of one client: who is dialled again is not to be disabled any more. */
function newMarks(live: KubeObject | undefined, outgoing: readonly Direction[], served: Marks): Marks {
  return differingMarks(
    live,
    Object.assign(
      {},
      ...outgoing.map(({ server, marks }) => ({ ...leavingMark(server.identity.name, null), ...marks })),
      served,
    ) as Marks,
  );
}

const WRITES_DOWN = 'the choices are recorded for the next connect';

/**
 * Why the certificate that the client has for a peer cannot stay; undefined when it can, or when it needs none.
 * @param lack what it has where it has none that can be read
 */
function reasonForCertificate(
  { client, server, credential }: Direction,
  lack: FileLack,
  now: Date,
): string | undefined {
  const present = client.snapshot.peerCertificates.get(server.identity.name) ?? lack;
  if (credential.kind === 'shared-ca') return undefined;
  if (credential.issued) return reasonToCopy(present, credential.issued.facts, 'it is reissued');
  if (credential.kind === 'legacy') return reasonToCopy(present, server.snapshot.tlsSecrets.get(REMOTE_CERT_SECRET));
  if (!canSign(server) && usableWithoutSigner(client, server, now)) return undefined;
  const { certificate } = requireSigner(server.snapshot, `a client certificate for "${client.identity.name}"`, now, [
    client.snapshot,
  ]);
  const accepted = acceptedInRotation(server.snapshot);
  const reason = reasonToReissue(present, clientSpec(credential.user), certificate, now, accepted);
  const issuer = reason === undefined ? unknownIssuer(present, server.snapshot) : undefined;
  return issuer ? `its server certificate is from another CA (${describeAuthority(issuer)})` : reason;
}

/** As the one that it takes the place of, else as the other certificates of the cluster that issues it. */
function clientLifetime({ client: { snapshot }, server, credential }: Direction): Lifetime {
  const present = snapshot.peerCertificates.get(server.identity.name);
  const secret = snapshot.objects.get(keyOf(secretRef(snapshot.namespace, dialingSecret(snapshot))));
  const isOwn = present?.certificate.commonName === credential.user && ownerOfData(secret) === undefined;
  const chosen = presentLifetime(server.snapshot);
  return isOwn ? successorLifetime(lifetimeOf(present.certificate, present.ca), chosen) : chosen;
}

function remoteCertOf({ snapshot: { objects, namespace, context } }: Member): KubeObject {
  const secret = objects.get(keyOf(secretRef(namespace, REMOTE_CERT_SECRET)));
  if (!secret) throw new MeshctlError('Bug', `context "${context}": the remote-cert was chosen and is missing`);
  return secret;
}

/** A cluster that dials nobody here writes down what is so all the same; nothing where that is written already. */
export function markSteps({ snapshot }: Pick<Member, 'snapshot'>, served: Marks): Step[] {
  const ref = secretRef(snapshot.namespace, AGENT_PEERS_SECRET);
  const live = snapshot.objects.get(keyOf(ref));
  const marks = differingMarks(live, served);
  if (Object.keys(marks).length === 0) return [];
  return [
    {
      cluster: snapshot.context,
      object: ref,
      before: live,
      action: live ? 'update' : 'create',
      changes: markChanges(live, marks),
      why: `${WRITES_DOWN}${ownerClause(live)}`,
      write: { method: 'edit', create: withMarks(newPeerSecret(ref, snapshot), marks), edit: setKeys({}, marks) },
    },
  ];
}

function cachedFilesStep({ snapshot }: Member, outgoing: readonly Direction[], served: Marks): Step {
  const ref = secretRef(snapshot.namespace, AGENT_PEERS_SECRET);
  const live = snapshot.objects.get(keyOf(ref));
  const file = cachedPeerFile(snapshot.namespace);
  const peers = outgoing.map(({ server }) => server.identity.name);
  const stale = peers.filter((peer) => !sameFile(secretText(live, peer), file));
  // From when the agents dialled the peer themselves: a key that nobody uses, on every node.
  const unused = peers
    .flatMap((peer) => Object.values(peerCertificateKeys(peer)))
    .filter((key) => secretText(live, key) !== undefined);
  const cleared = unused.length > 0 ? 'nothing dials with these keys any more' : WRITES_DOWN;
  const why = stale.length > 0 ? `agents read ${stale.join(', ')} from their own KVStoreMesh` : cleared;
  const marks = newMarks(live, outgoing, served);
  const base = { cluster: snapshot.context, object: ref, before: live };
  const changes = [
    ...stale.map((peer) => ({ path: `data.${peer}`, ...formerly(live, peer), to: describeFile(file) })),
    ...unused.map((key) => ({ path: `data.${key}` })),
    ...markChanges(live, marks),
  ];
  if (changes.length === 0) {
    return { ...base, action: 'keep', changes, why: `agents read ${peers.join(', ')} from KVStoreMesh` };
  }
  const data = Object.fromEntries(stale.map((peer) => [peer, encodeText(file)]));
  return {
    ...base,
    action: live ? 'update' : 'create',
    changes,
    why: `${why}${ownerClause(live)}`,
    ...(stale.length > 0 ? { whyOfMany: `agents read peers from their own KVStoreMesh${ownerClause(live)}` } : {}),
    write: {
      method: 'edit',
      create: withMarks({ ...newPeerSecret(ref, snapshot), data }, marks),
      edit: setKeys({ ...data, ...Object.fromEntries(unused.map((key) => [key, null])) }, marks),
    },
  };
}

function formerly(live: KubeObject | undefined, peer: string): { from?: string } {
  const text = secretText(live, peer);
  return text === undefined ? {} : { from: describeFile(text) };
}
