import { readAuthority } from '../kube/snapshot.ts';
import { MeshctlError } from '../mesh/errors.ts';
import type { KubeObject } from '../mesh/kube-object.ts';
import { CA_SECRET } from '../mesh/names.ts';
import type { ReadyWrite, Step } from '../mesh/plan.ts';
import { encodeText } from '../mesh/secret-data.ts';
import { type Authority, createAuthority } from '../pki/authority.ts';
import { issueCertificate } from '../pki/issue.ts';
import type { Target } from './flow.ts';

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
    const { commonName, given, keySize = KEY_SIZE, secret } = write;
    const authority =
      given === undefined ? await createAuthority({ commonName, keySize, now }) : authorities.get(given);
    if (!authority) throw new MeshctlError('Bug', `the CA "${given}" was not read`);
    authorities.set(step.cluster, authority);
    return authorityWrite(step, secret, authority);
  }
  if (write.method !== 'issue') return write;
  const data = Object.fromEntries(Object.entries(write.data).map(([key, text]) => [key, encodeText(text)]));
  for (const { spec, signer, keys, validityMs, keySize = KEY_SIZE } of write.certificates) {
    const authority = authorities.get(signer);
    if (!authority) throw new MeshctlError('Bug', `the CA of context "${signer}" was not read`);
    const issued = await issueCertificate(authority, spec, {
      now,
      keySize,
      ...(validityMs === undefined ? {} : { validityMs }),
    });
    data[keys.ca] = encodeText(authority.certificate);
    data[keys.certificate] = encodeText(issued.certificate);
    data[keys.privateKey] = encodeText(issued.privateKey);
  }
  const object: KubeObject = { ...write.secret, data };
  if (write.into === 'apply') return { method: 'apply', object };
  return step.action === 'create' ? { method: 'create', object } : { method: 'patch', patch: { data } };
}

/** Where another CA was, no key may go on telling of it, not even those that cert-manager writes. */
function authorityWrite({ action, before }: Step, secret: KubeObject, authority: Authority): ReadyWrite {
  const data = { 'ca.crt': encodeText(authority.certificate), 'ca.key': encodeText(authority.privateKey) };
  if (action === 'create') return { method: 'create', object: { ...secret, data } };
  // The API server insists on these two keys in Secrets of that type.
  const tlsKeys =
    before?.type === 'kubernetes.io/tls'
      ? { 'tls.crt': data['ca.crt'], 'tls.key': data['ca.key'] }
      : { 'tls.crt': null, 'tls.key': null };
  return {
    method: 'patch',
    patch: { data: { ...data, ...tlsKeys } },
    resourceVersion: before?.metadata.resourceVersion,
  };
}

/**
 * The CAs that sign something in these steps, with their keys. Nothing is read where nothing is signed, or where the
 * steps themselves generate the CA.
 * @throws MeshctlError `CertificateAuthority` when one has gone since the plan was made
 */
export async function readAuthorities(targets: readonly Target[], steps: readonly Step[]): Promise<Authorities> {
  const signers = new Set(
    steps.flatMap(({ write }) => (write?.method === 'issue' ? write.certificates.map(({ signer }) => signer) : [])),
  );
  for (const { cluster, write } of steps) if (write?.method === 'authority') signers.delete(cluster);
  const signing = targets.filter(({ client }) => signers.has(client.context));
  const entries = signing.map(async ({ client, namespace }): Promise<[string, Authority]> => {
    const authority = await readAuthority(client, namespace);
    if (authority) return [client.context, authority];
    throw new MeshctlError(
      'CertificateAuthority',
      `context "${client.context}": Secret ${namespace}/${CA_SECRET} has no CA with its key any more`,
      { hint: 'Run the same command again.', details: { context: client.context } },
    );
  });
  return new Map(await Promise.all(entries));
}
