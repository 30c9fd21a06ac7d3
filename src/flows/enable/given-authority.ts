import { readTextFile } from '../../kube/access/read-text-file.ts';
import { validityFault } from '../../mesh/certificates/cluster-certificates.ts';
import { type GivenAuthority, isMarkedCopied } from '../../mesh/certificates/plan-authority.ts';
import { isSameKey } from '../../mesh/certificates/trust.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { CA_SECRET, secretRef } from '../../mesh/objects/names.ts';
import { type Authority, createAuthority } from '../../pki/authority.ts';
import { keyMatches, readCertificate } from '../../pki/read.ts';
import { readAuthority } from '../../snapshot/read-snapshot.ts';
import { type Flow, issuingTime, type Target } from '../flow.ts';

/** A CA that the operator brings along, with its key. */
export type BroughtAuthority = GivenAuthority & { authority: Authority };

/**
 * The CA of another cluster, for all of them. Where that cluster is being enabled too and has none, the one that the others have
 * from it by now, as after a run that has come to them alone; else a new one.
 * @param sharers those that are to have it, as far as they may have it by now
 * @throws MeshctlError `CertificateAuthority` when there is none, or none that can sign
 */
export async function authorityOfContext(
  flow: Flow,
  { client, namespace }: Target,
  options: { mayGenerate: boolean; keySize?: number | undefined; sharers: readonly Target[] },
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
  const copies = (await Promise.all(options.sharers.map((sharer) => copiedBy(flow, sharer)))).flat();
  const [copied] = copies;
  // Of several it cannot be told which one was meant.
  if (copied && copies.every(({ certificate }) => isSameKey(certificate, copied.certificate))) return copied;
  const { keySize } = options;
  const made = await createAuthority({ now: issuingTime(flow), ...(keySize === undefined ? {} : { keySize }) });
  return { ...checked(made, `a new CA for context "${context}"`, flow.now()), madeFor: context };
}

/** The CA that a cluster has from another one, with its key. */
async function copiedBy(flow: Flow, { client, namespace }: Target): Promise<BroughtAuthority[]> {
  if (!isMarkedCopied(await client.get(secretRef(namespace, CA_SECRET)))) return [];
  const authority = await readAuthority(client, namespace);
  return authority ? [checked(authority, `context "${client.context}"`, flow.now())] : [];
}

/** Why a cluster is not enabled with a CA that was to be made for another one, which has not got it. */
export function lackOfSource(context: string, source: string): MeshctlError {
  return new MeshctlError(
    'CertificateAuthority',
    `context "${context}": it was to share the new CA of context "${source}", which has not got it`,
    {
      hint: `Nothing was changed here. Fix what keeps context "${source}" from being enabled, and run the same command again.`,
      details: { context, source },
    },
  );
}

/**
 * Has clusters that share a new CA begin once the one that it is made for has it: they would have one that it has not otherwise.
 * @param given the CA of the run, if any
 * @returns runs the work in one cluster; the work tells when that has its CA
 */
export function afterSource(
  { signal }: Pick<Flow, 'signal'>,
  given: GivenAuthority | undefined,
): <T>(context: string, work: (onAuthority: () => void) => Promise<T>) => Promise<T> {
  const source = given?.madeFor;
  let tell: (has: boolean) => void = () => undefined;
  const sourceHasIt = new Promise<boolean>((resolve) => {
    tell = resolve;
  });
  return async (context, work) => {
    if (context === source) return work(() => tell(true)).finally(() => tell(false));
    if (source !== undefined && !(await sourceHasIt)) {
      signal.throwIfAborted();
      throw lackOfSource(context, source);
    }
    return work(() => undefined);
  };
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
  const invalid = validityFault(certificate, now);
  if (invalid) throw refuse(`the CA ${invalid}`);
  return { key: `given:${certificate.sha256}`, origin, certificate, authority };
}
