import { readTextFile } from '../../kube/access/read-text-file.ts';
import type { GivenAuthority } from '../../mesh/certificates/plan-authority.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { CA_SECRET } from '../../mesh/objects/names.ts';
import { type Authority, createAuthority } from '../../pki/authority.ts';
import { keyMatches, readCertificate } from '../../pki/read.ts';
import { readAuthority } from '../../snapshot/read-snapshot.ts';
import type { Flow, Target } from '../flow.ts';

/** A CA that the operator brings along, with its key. */
export type BroughtAuthority = GivenAuthority & { authority: Authority };

/**
 * The CA of another cluster, for all of them. Where that cluster is being enabled too and has none yet, a new one.
 * @throws MeshctlError `CertificateAuthority` when there is none, or none that can sign
 */
export async function authorityOfContext(
  flow: Flow,
  { client, namespace }: Target,
  options: { mayGenerate: boolean; keySize?: number | undefined },
): Promise<BroughtAuthority> {
  const { context } = client;
  const authority = await readAuthority(client, namespace);
  if (authority) return checked(authority, `context "${context}"`, flow.now());
  if (!options.mayGenerate) {
    throw new MeshctlError(
      'CertificateAuthority',
      `context "${context}": Secret ${namespace}/${CA_SECRET} has no CA with its key`,
      { hint: `Enable that cluster first, or name it with --context too.`, details: { context } },
    );
  }
  const { keySize } = options;
  const made = await createAuthority({ now: flow.now(), ...(keySize === undefined ? {} : { keySize }) });
  return checked(made, `a new CA for context "${context}"`, flow.now());
}

/** The CA in two PEM files. @throws MeshctlError `Usage` for files that are not a CA with its key */
export async function authorityOfFiles(flow: Flow, certFile: string, keyFile: string): Promise<BroughtAuthority> {
  const [certificate, privateKey] = await Promise.all([
    readPem(flow, certFile, '--ca-cert'),
    readPem(flow, keyFile, '--ca-key'),
  ]);
  return checked({ certificate, privateKey }, certFile, flow.now());
}

async function readPem({ signal }: Flow, file: string, flag: string): Promise<string> {
  const text = await readTextFile(file, `${flag} ${file}`, { signal }).catch((cause: unknown) => {
    if (!(cause instanceof MeshctlError) || cause.code !== 'KubeconfigInvalid') throw cause;
    throw new MeshctlError('Usage', `${flag}: ${file} cannot be read (${cause.message.replace(/^.*?: /, '')})`, {
      cause,
    });
  });
  if (text === undefined) throw new MeshctlError('Usage', `${flag}: ${file} does not exist`);
  return text;
}

function checked(authority: Authority, origin: string, now: Date): BroughtAuthority {
  const refuse = (why: string) => new MeshctlError('CertificateAuthority', `${origin}: ${why}`);
  const certificate = readCertificate(authority.certificate);
  if (!certificate.isCa) throw refuse('the certificate is not that of a CA');
  if (!keyMatches(authority.certificate, authority.privateKey))
    throw refuse('the key belongs to a different certificate');
  if (certificate.notAfter <= now) throw refuse(`the CA expired on ${certificate.notAfter.toISOString().slice(0, 10)}`);
  return { key: `given:${certificate.sha256}`, origin, certificate, authority };
}
