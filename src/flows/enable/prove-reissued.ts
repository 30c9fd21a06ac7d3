import { asMember } from '../../mesh/connect/member.ts';
import { isRefusal, MeshctlError } from '../../mesh/errors.ts';
import { ADMIN_CERT_SECRET, SERVER_CERT_SECRET, secretRef } from '../../mesh/objects/names.ts';
import { secretTexts } from '../../mesh/objects/secret-data.ts';
import { type Step, TLS_KEYS } from '../../mesh/plan/plan.ts';
import { readBundle } from '../../pki/read.ts';
import { type Proof, proveServer } from '../etcd/prove.ts';
import { during, type Flow, type Target } from '../flow.ts';
import { certificateIn } from '../write/issued-writes.ts';
import { nudgePods } from '../write/nudge.ts';
import type { EnableDraft } from './draft-enable.ts';

/**
 * Sees that the etcd of a cluster shows a server certificate that has taken the place of another one, and takes the new login of its
 * own programs: pods that run go on with those of before until their kubelets bring the new ones, and etcd reads them at each
 * handshake. A first certificate is not looked at: pods come up by it.
 * @param steps that were carried out
 * @returns warnings, where that may not be looked at
 * @throws MeshctlError `CredentialRefused` where the etcd does not by the time that there is
 */
export async function proveReissued(
  flow: Flow,
  target: Target,
  { snapshot, identity }: Pick<EnableDraft, 'snapshot' | 'identity'>,
  { steps, waitMs }: { steps: readonly Step[]; waitMs: number },
): Promise<string[]> {
  const isNew = (name: string) =>
    steps.some(({ action, object, write }) => action === 'update' && object.name === name && write?.method === 'issue');
  if (![SERVER_CERT_SECRET, ADMIN_CERT_SECRET].some(isNew)) return [];
  const { client, namespace } = target;
  const { context } = client;
  const textsOf = async (name: string) => secretTexts(await client.get(secretRef(namespace, name)));
  const [server, admin] = [await textsOf(SERVER_CERT_SECRET), await textsOf(ADMIN_CERT_SECRET)];
  const shows = readBundle(server[TLS_KEYS.certificate] ?? '')[0]?.sha256;
  const certificate = certificateIn(admin, TLS_KEYS);
  const [login] = readBundle(certificate.certificate);
  if (shows === undefined || login === undefined) return [];
  const member = { ...asMember(snapshot), identity };
  const proof: Proof = {
    direction: {
      client: member,
      server: member,
      credential: { kind: 'per-peer', user: login.commonName, warnings: [] },
      endpoint: { addresses: [] },
      marks: {},
    },
    certificate,
    ofServer: { shows, byOldLogin: !isNew(ADMIN_CERT_SECRET) },
  };
  await nudgePods(flow, target, { pods: 'apiserver' });
  const doing = `${context}: waiting for its etcd to show the new certificates`;
  try {
    await during(flow, { doing, done: `${context}: its etcd shows the new certificates` }, (task) =>
      proveServer(flow, target, [proof], { timeoutMs: waitMs, say: (clause) => task.update(`${doing}: ${clause}`) }),
    );
  } catch (error) {
    if (!(error instanceof MeshctlError) || !isRefusal(error)) throw error;
    const says = `${context}: whether its etcd shows the new certificates could not be looked at: ${error.message}`;
    flow.progress.warn(says);
    return [says];
  }
  return [];
}
