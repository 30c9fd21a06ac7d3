import { USUAL_KEY_SIZE } from '../../certificates/kept-lifetime.ts';
import { bundleWith, joinCertificates } from '../../certificates/pem.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { counted } from '../../counted.ts';
import { MeshctlError } from '../../errors.ts';
import { describeRef, keyOf } from '../../objects/kube-object.ts';
import { dataOf, decodeText, ROOM_HINT, secretText, secretTexts } from '../../objects/secret-data.ts';
import { isChange, type Step, type StepWrite, TLS_KEYS, type TrustOrder } from '../../plan/plan.ts';
import { PEER_SECRETS } from '../peers.ts';
import { isTakenForPeer } from './peer-config.ts';
import { kibOf, SECRET_LIMIT } from './secret-room.ts';

/** What of a CA the size of what it signs hangs on, and its own. */
interface SignerSize {
  /** Of its certificate, PEM. */
  bytes: number;
  /** Of a signature. */
  signature: number;
  commonName: string;
  /** Its certificate where it is there by now. */
  pem?: string;
}

/** Bytes of each key of a Secret, and which of them are files of peers. */
type Sizes = Map<string, { bytes: number; isPeer: boolean }>;

/**
 * No Secret may hold more than so much: what would make one of peers larger is refused before anything is written. What certificates will
 * have is reckoned, and never more than it will be.
 * @param steps in the order in which they are carried out: a Secret may be fullest in between
 * @param snapshots of the clusters whose CAs sign
 * @throws MeshctlError `Incompatible`, naming all clusters in which there is no room
 */
export function requireRoom(steps: readonly Step[], snapshots: readonly ClusterSnapshot[]): void {
  const signers = signersOf(steps, snapshots);
  const sizes = new Map<string, Sizes>();
  const full = new Map<string, ReturnType<typeof fullSecret>>();
  for (const step of steps) {
    if (!isChange(step) || !(PEER_SECRETS as readonly string[]).includes(step.object.name)) continue;
    const key = `${step.cluster} ${keyOf(step.object)}`;
    const before = sizes.get(key) ?? sizesIn(step);
    const after = sizesAfter(before, step, signers);
    sizes.set(key, after);
    const isGrowing = bytesOf(after) > bytesOf(before);
    if (isGrowing && bytesOf(after) > Math.max(SECRET_LIMIT, full.get(key)?.bytes ?? 0))
      full.set(key, fullSecret(step, after));
  }
  const found = [...full.values()];
  const [first] = found;
  if (!first) return;
  throw new MeshctlError('Incompatible', found.map(({ says }) => says).join('; '), {
    hint: ROOM_HINT,
    details: { secrets: found.map(({ says: _says, ...one }) => one) },
  });
}

function fullSecret({ cluster, object, phase }: Step, sizes: Sizes) {
  const bytes = bytesOf(sizes);
  const peers = [...sizes.values()].filter(({ isPeer }) => isPeer).length;
  const room = Math.floor((SECRET_LIMIT * peers) / bytes);
  const meanwhile = phase === undefined ? '' : ' in the course of this';
  const says =
    `context "${cluster}": ${describeRef(object)} would have ${kibOf(bytes)} KiB for ${counted(peers, 'peer')}${meanwhile}, ` +
    `and no Secret has more than ${kibOf(SECRET_LIMIT)} KiB: there is room for about ${room} of them`;
  return { context: cluster, object: describeRef(object), bytes, peers, room, says };
}

function bytesOf(sizes: Sizes): number {
  return [...sizes.values()].reduce((sum, { bytes }) => sum + bytes, 0);
}

function sizesIn({ before }: Step): Sizes {
  const texts = secretTexts(before);
  return new Map(
    Object.entries(dataOf(before)).map(([key, value]) => [
      key,
      { bytes: Buffer.byteLength(value, 'base64'), isPeer: isTakenForPeer(texts[key] ?? '') },
    ]),
  );
}

function sizesAfter(present: Sizes, step: Step, signers: ReadonlyMap<string, SignerSize>): Sizes {
  const { write, before } = step;
  const sizes = new Map(present);
  const put = (data: Readonly<Record<string, unknown>>) => {
    for (const [key, value] of Object.entries(data)) {
      if (typeof value !== 'string') sizes.delete(key);
      else sizes.set(key, { bytes: Buffer.byteLength(value, 'base64'), isPeer: isTakenForPeer(decodeText(value)) });
    }
  };
  if (write?.method === 'delete') sizes.clear();
  if (write?.method === 'apply' || write?.method === 'create') put(dataOf(write.object));
  if (write?.method === 'patch') put(dataIn(write.patch));
  if (write?.method === 'edit') {
    const edit = before ? write.edit(before) : undefined;
    if (edit === 'delete') sizes.clear();
    else put(edit ? dataIn(edit.patch) : before ? {} : dataOf(write.create));
  }
  if (write?.method !== 'issue') return sizes;
  const set = (key: string, bytes: number) => sizes.set(key, { bytes, isPeer: false });
  for (const key of write.remove ?? []) sizes.delete(key);
  for (const [key, text] of Object.entries(write.data)) {
    sizes.set(key, { bytes: Buffer.byteLength(text), isPeer: isTakenForPeer(text) });
  }
  for (const { source, keys } of write.copies ?? []) {
    const of = (key: string) => Buffer.byteLength(dataOf(source)[key] ?? '', 'base64');
    for (const part of ['ca', 'certificate', 'privateKey'] as const) set(keys[part], of(TLS_KEYS[part]));
  }
  // Keys of one Secret are as long as the longest.
  const keySize = Math.max(...write.certificates.map((order) => order.keySize ?? USUAL_KEY_SIZE));
  for (const { spec, signer, keys } of write.certificates) {
    const ca = signers.get(signer);
    if (!ca) continue;
    const pem = ca.pem === undefined ? undefined : bundleWith(ca.pem, secretText(before, keys.ca));
    set(keys.ca, pem === undefined ? ca.bytes : Buffer.byteLength(pem));
    set(keys.certificate, certificatePem(keySize, ca.signature, LEAF + spec.commonName.length + ca.commonName.length));
    set(keys.privateKey, keyPem(keySize));
  }
  for (const order of write.trust ?? []) set(order.key, trustBytes(order, signers));
  return sizes;
}

function dataIn(patch: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return (patch.data ?? {}) as Readonly<Record<string, unknown>>;
}

function trustBytes({ authority, certificates }: TrustOrder, signers: ReadonlyMap<string, SignerSize>): number {
  const first = authority === undefined ? 0 : (signers.get(authority)?.bytes ?? 0);
  return first + (certificates.length > 0 ? Buffer.byteLength(joinCertificates(certificates)) : 0);
}

/** By the context of what signs, and by their names those that are yet to be made, which sign for their context from then on. */
function signersOf(steps: readonly Step[], snapshots: readonly ClusterSnapshot[]): ReadonlyMap<string, SignerSize> {
  const present = snapshots.flatMap(({ context, ca }): [string, SignerSize][] => {
    if (!ca) return [];
    const { commonName, keyBits } = ca.certificate;
    const pem = ca.certificatePem;
    return [
      [context, { bytes: Buffer.byteLength(pem), signature: keyBits === undefined ? 0 : keyBits / 8, commonName, pem }],
    ];
  });
  const made = steps.flatMap(({ cluster, write }): [string, SignerSize][] => {
    if (write?.method !== 'authority') return [];
    const size = madeAuthority(write);
    return [[cluster, size], ...(write.given === undefined ? [] : [[write.given, size] as [string, SignerSize]])];
  });
  return new Map([...present, ...made]);
}

function madeAuthority({
  commonName,
  keySize = USUAL_KEY_SIZE,
}: Extract<StepWrite, { method: 'authority' }>): SignerSize {
  const signature = keySize / 8;
  return { bytes: certificatePem(keySize, signature, AUTHORITY + 2 * commonName.length), signature, commonName };
}

/** Bytes of a client certificate, and of a CA's, beside its key, its signature and names (DER, rounded down; `pki` makes them). */
const LEAF = 278;
const AUTHORITY = 260;
const LINE = 64;

/** @param bits of its RSA key @param signature bytes @param rest what else is in it, bytes */
function certificatePem(bits: number, signature: number, rest: number): number {
  return pemBytes('CERTIFICATE', bits / 8 + signature + rest);
}

/** Of an RSA key as PKCS #1: modulus and exponent, and five numbers of half that length. */
function keyPem(bits: number): number {
  return pemBytes('RSA PRIVATE KEY', (bits / 8) * 4.5 + 36);
}

function pemBytes(label: string, der: number): number {
  const characters = 4 * Math.ceil(der / 3);
  return characters + Math.ceil(characters / LINE) + `-----BEGIN ${label}-----\n-----END ${label}-----\n`.length;
}
