import pLimit from 'p-limit';
import { caMark, podCaMark } from '../../mesh/apiserver/pod-marks.ts';
import { bundleWith, joinCertificates } from '../../mesh/certificates/pem.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import type { KubeObject } from '../../mesh/objects/kube-object.ts';
import { dataOf, encodeText, secretText } from '../../mesh/objects/secret-data.ts';
import { setKeys, withMarks } from '../../mesh/peers/file/peer-secrets.ts';
import {
  type CertificateCopy,
  type CertificateOrder,
  type ReadyWrite,
  type Step,
  type StepWrite,
  TLS_KEYS,
  type TrustOrder,
} from '../../mesh/plan/plan.ts';
import { type Authority, createAuthority } from '../../pki/authority.ts';
import { generateRsaKey } from '../../pki/certificate.ts';
import { issueCertificate } from '../../pki/issue.ts';
import { readBundle } from '../../pki/read.ts';
import { requireAuthority } from '../../snapshot/read-snapshot.ts';
import type { Target } from '../flow.ts';

/** Bits; Cilium's own certificates have as many. */
const KEY_SIZE = 2048;

/** The CAs that may sign, by context. A CA that is generated joins them. */
export type Authorities = Map<string, Authority>;

/**
 * Makes the bytes of a deferred step: generates the CA, or issues the certificates. Private keys exist only in what is
 * returned and in `authorities`.
 */
export async function materialise(step: Step, authorities: Authorities, now: Date): Promise<ReadyWrite> {
  const { write } = step;
  if (!write) throw new MeshctlError('Bug', `step for ${step.object.name} has nothing to write`);
  if (write.method === 'authority') {
    const { given } = write;
    const authority = given === undefined ? await generateAuthority(write, now) : authorityOf(given, authorities);
    authorities.set(step.cluster, authority);
    return authorityWrite(step, write, authority);
  }
  if (write.method === 'restart') return restartWrite(write, authorities);
  if (write.method !== 'issue') return write;
  const trust = (write.trust ?? []).map(({ key, ...cas }) => [key, encodeText(trustedText(cas, authorities))]);
  const data = {
    ...Object.fromEntries(Object.entries(write.data).map(([key, text]) => [key, encodeText(text)])),
    ...copiedData(write.copies ?? []),
    ...(await issuedData(step, write.certificates, authorities, now)),
    ...(Object.fromEntries(trust) as Record<string, string>),
  };
  const { marks = {} } = write;
  const secret: KubeObject = { ...write.secret, data };
  const object = Object.keys(marks).length > 0 ? withMarks(secret, marks) : secret;
  if (write.into === 'apply') return { method: 'apply', object };
  const removed = Object.fromEntries((write.remove ?? []).map((key) => [key, null]));
  if (write.into === 'exact') {
    if (step.action === 'create') return { method: 'create', object };
    const { resourceVersion } = step.before?.metadata ?? {};
    const metadata = Object.keys(marks).length > 0 ? { metadata: { annotations: marks } } : {};
    return { method: 'patch', patch: { data: { ...removed, ...data }, ...metadata }, resourceVersion };
  }
  const create = step.action === 'create' ? object : undefined;
  return { method: 'edit', create, edit: setKeys({ ...removed, ...data }, marks) };
}

/** Makes the CA that a step asks for. */
export function generateAuthority(
  { commonName, keySize = KEY_SIZE, validityMs }: Extract<StepWrite, { method: 'authority' }>,
  now: Date,
): Promise<Authority> {
  return createAuthority({ commonName, keySize, now, ...(validityMs === undefined ? {} : { validityMs }) });
}

function authorityOf(name: string, authorities: Authorities): Authority {
  const authority = authorities.get(name);
  if (!authority) throw new MeshctlError('Bug', `the CA "${name}" was not read`);
  return authority;
}

function trustedText({ authority, certificates }: Omit<TrustOrder, 'key'>, authorities: Authorities): string {
  const first = authority === undefined ? [] : [authorityOf(authority, authorities).certificate];
  return joinCertificates([...first, ...certificates]);
}

/** Made from what is there: controllers write to Deployments at any time. */
function restartWrite(
  { annotation, trust }: Extract<StepWrite, { method: 'restart' }>,
  authorities: Authorities,
): ReadyWrite {
  const mark = caMark(readBundle(trustedText(trust, authorities)));
  const patch = { spec: { template: { metadata: { annotations: { [annotation]: mark } } } } };
  return { method: 'edit', edit: (live) => (podCaMark(live) === mark ? undefined : { patch }) };
}

/** With what else told of the CA that was there. */
function authorityWrite(
  { action, before }: Step,
  { secret, beside }: Extract<StepWrite, { method: 'authority' }>,
  authority: Authority,
): ReadyWrite {
  const data = { 'ca.crt': encodeText(authority.certificate), 'ca.key': encodeText(authority.privateKey) };
  if (action === 'create') return { method: 'create', object: { ...secret, data } };
  const isSame = beside?.tlsKeys.become === 'same';
  const tlsKeys = isSame
    ? { 'tls.crt': data['ca.crt'], 'tls.key': data['ca.key'] }
    : { 'tls.crt': null, 'tls.key': null };
  const { marks = {} } = beside ?? {};
  return {
    method: 'patch',
    patch: {
      data: { ...data, ...tlsKeys },
      ...(Object.keys(marks).length > 0 ? { metadata: { annotations: marks } } : {}),
    },
    resourceVersion: before?.metadata.resourceVersion,
  };
}

/** All certificates of one Secret are one holder's, so they share one key: making keys is what takes time. */
async function issuedData(
  { before }: Step,
  orders: readonly CertificateOrder[],
  authorities: Authorities,
  now: Date,
): Promise<Record<string, string>> {
  if (orders.length === 0) return {};
  const key = await generateRsaKey(Math.max(...orders.map(({ keySize = KEY_SIZE }) => keySize)));
  const issued = orders.map(async ({ spec, signer, keys, validityMs }) => {
    const authority = authorityOf(signer, authorities);
    const { certificate, privateKey } = await issueCertificate(authority, spec, {
      now,
      key,
      ...(validityMs === undefined ? {} : { validityMs }),
    });
    return {
      [keys.ca]: encodeText(bundleWith(authority.certificate, secretText(before, keys.ca))),
      [keys.certificate]: encodeText(certificate),
      [keys.privateKey]: encodeText(privateKey),
    };
  });
  return Object.assign({}, ...(await Promise.all(issued))) as Record<string, string>;
}

function copiedData(copies: readonly CertificateCopy[]): Record<string, string> {
  return Object.assign(
    {},
    ...copies.map(({ source, keys }) => {
      const data = dataOf(source);
      return {
        [keys.ca]: data[TLS_KEYS.ca],
        [keys.certificate]: data[TLS_KEYS.certificate],
        [keys.privateKey]: data[TLS_KEYS.privateKey],
      };
    }),
  ) as Record<string, string>;
}

/**
 * The CAs that sign something in these steps, with their keys. Nothing is read where nothing is signed, or where the
 * steps themselves generate the CA.
 * @param parallel clusters at a time
 * @throws MeshctlError `CertificateAuthority` when one has gone since the plan was made
 */
export async function readAuthorities(
  targets: readonly Target[],
  steps: readonly Step[],
  parallel = 1,
): Promise<Authorities> {
  const signers = new Set(
    steps.flatMap(({ write }) => (write?.method === 'issue' ? write.certificates.map(({ signer }) => signer) : [])),
  );
  for (const { cluster, write } of steps) if (write?.method === 'authority') signers.delete(cluster);
  const signing = targets.filter(({ client }) => signers.has(client.context));
  const limit = pLimit(parallel);
  const entries = signing.map(async ({ client, namespace }): Promise<[string, Authority]> => {
    return [client.context, await limit(() => requireAuthority(client, namespace))];
  });
  return new Map(await Promise.all(entries));
}
