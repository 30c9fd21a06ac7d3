import { readKey } from '../etcd/read.ts';
import { sleep } from '../kube/retry.ts';
import { clientSpec } from '../mesh/cluster-certificates.ts';
import { dialingSecret } from '../mesh/direction.ts';
import { MeshctlError } from '../mesh/errors.ts';
import { keyOf } from '../mesh/kube-object.ts';
import {
  APISERVER_SELECTOR,
  apiserverDeploymentRef,
  CA_SECRET,
  CLUSTER_CONFIG_PREFIX,
  secretRef,
} from '../mesh/names.ts';
import { peerCertificateKeys } from '../mesh/peer-config.ts';
import { PEER_SECRETS } from '../mesh/peers.ts';
import { TLS_KEYS } from '../mesh/plan.ts';
import { isPodReady } from '../mesh/pods.ts';
import { encodeText, secretText, secretTexts } from '../mesh/secret-data.ts';
import type { ClusterSnapshot } from '../mesh/snapshot.ts';
import { createAuthority } from '../pki/authority.ts';
import { issueCertificate } from '../pki/issue.ts';
import { awaitRollout } from './await-apiserver.ts';
import { during, type Flow, type Target } from './flow.ts';
import { nudgePods } from './nudge.ts';
import { type ClientCertificate, openEtcd } from './open-etcd.ts';
import {
  type Dialling,
  diallingsOf,
  leavesOf,
  type Member,
  markedFiles,
  readMembers,
  restartPatch,
} from './rotate-members.ts';

export interface RotateOptions {
  /** The CAs too. */
  ca: boolean;
  /** For each step that has to become live. */
  waitMs: number;
}

/** What was made anew. */
export interface Rotation {
  context: string;
  secret: string;
  subject: string;
  peer?: string | undefined;
}

const PROOF_INTERVAL_MS = 500;
const ATTEMPT_TIMEOUT_MS = 10_000;

/**
 * Issues all leaves of the clusters anew, and the certificates with which they dial each other. With `ca`, first makes
 * everyone trust the old CA and the new one, and takes the old one away only when every certificate is from the new one:
 * at no moment would a connection be refused. A run that was interrupted leaves both trusted, and the next one goes on.
 * @throws MeshctlError `CertificateAuthority` when a CA cannot sign or is shared; `Timeout` when something does not
 * become live
 */
export async function rotateCertificates(
  flow: Flow,
  targets: readonly Target[],
  options: RotateOptions,
): Promise<Rotation[]> {
  const members = await during(flow, 'Reading the clusters', () => readMembers(flow, targets, options.ca));
  const diallings = diallingsOf(members);
  if (!options.ca) {
    const done = await issueLeaves(flow, members, (member) => member.authority.certificate);
    return [
      ...done,
      ...(await issuePeerCertificates(flow, diallings, options, ({ authority }) => authority.certificate)),
    ];
  }

  const bundles = new Map<Member, string>();
  const successors: Member[] = [];
  for (const member of members) {
    const authority = await createAuthority({ now: flow.now() });
    const successor = { ...member, authority };
    successors.push(successor);
    bundles.set(successor, joinCertificates([authority.certificate, ...trustedNow(member, members)]));
  }
  const renewed = diallings.map(({ from, to, user }) => ({
    from: sameMember(successors, from),
    to: sameMember(successors, to),
    user,
  }));
  const bundleOf = (member: Member) => bundles.get(member) ?? '';

  try {
    return await replaceAuthorities(flow, successors, renewed, bundleOf, options);
  } catch (error) {
    flow.progress.warn(
      'Nothing is cut off: both CAs are trusted as far as it came. Run the same command again to go on.',
    );
    throw error;
  }
}

async function replaceAuthorities(
  flow: Flow,
  successors: readonly Member[],
  renewed: readonly Dialling[],
  bundleOf: (member: Member) => string,
  options: RotateOptions,
): Promise<Rotation[]> {
  await during(flow, 'Phase 1: trusting the old and the new CA', () =>
    trust(flow, successors, renewed, bundleOf, options),
  );
  const done = await during(flow, 'Phase 2: issuing certificates from the new CA', async () => {
    await Promise.all(
      successors.map(async ({ target, authority }) => {
        const data = { 'ca.crt': encodeText(authority.certificate), 'ca.key': encodeText(authority.privateKey) };
        await target.client.patch(secretRef(target.namespace, CA_SECRET), { data });
      }),
    );
    return [
      ...(await issueLeaves(flow, successors, bundleOf)),
      ...(await issuePeerCertificates(flow, renewed, options, bundleOf)),
    ];
  });
  await during(flow, 'Letting go of the old CA', () =>
    trust(flow, successors, renewed, ({ authority }) => authority.certificate, options),
  );
  const authorities = successors.map(
    ({ snapshot }): Rotation => ({ context: snapshot.context, secret: CA_SECRET, subject: 'Cilium CA' }),
  );
  return [...authorities, ...done];
}

/** CAs that someone may still have a certificate from: what the Secrets trust now. */
function trustedNow(member: Member, members: readonly Member[]): string[] {
  const { snapshot, authority, name } = member;
  const own = leavesOf(member).map(({ secret }) => secretOf(snapshot, secret, TLS_KEYS.ca));
  const held = members.map((other) =>
    secretOf(other.snapshot, dialingSecret(other.snapshot), peerCertificateKeys(name).ca),
  );
  return [authority.certificate, ...[...own, ...held].flatMap((pem) => pem ?? [])];
}

/** Sets what clusters trust, on the side that serves and on the side that dials, and waits until both do. */
async function trust(
  flow: Flow,
  members: readonly Member[],
  diallings: readonly Dialling[],
  bundleOf: (member: Member) => string,
  { waitMs }: RotateOptions,
): Promise<void> {
  await Promise.all(
    members.map(async (member) => {
      const { client, namespace } = member.target;
      for (const { secret } of leavesOf(member)) {
        await client.patch(secretRef(namespace, secret), { data: { [TLS_KEYS.ca]: encodeText(bundleOf(member)) } });
      }
      const cas = diallings
        .filter(({ from }) => from === member)
        .map(({ to }): [string, string] => [peerCertificateKeys(to.name).ca, encodeText(bundleOf(to))]);
      await client.patch(secretRef(namespace, dialingSecret(member.snapshot)), { data: Object.fromEntries(cas) });
      // The files' change makes Cilium read the CAs anew; it comes after them.
      for (const name of PEER_SECRETS) {
        const files = Object.entries(
          markedFiles(secretTexts(await client.get(secretRef(namespace, name))), flow.now()),
        );
        if (files.length === 0) continue;
        const data = Object.fromEntries(files.map(([peer, text]) => [peer, encodeText(text)]));
        await client.patch(secretRef(namespace, name), { data });
      }
      await nudgePods(flow, member.target, { pods: 'apiserver-and-agents' });
    }),
  );
  // A new pod is ready before the old one goes.
  await Promise.all(
    members.map(async (member) => {
      const { target } = member;
      const patch = restartPatch(member, bundleOf(member), flow.now());
      await target.client.patch(apiserverDeploymentRef(target.namespace), patch);
      await awaitRollout(flow, target, waitMs);
    }),
  );
}

async function issueLeaves(
  flow: Flow,
  members: readonly Member[],
  caOf: (member: Member) => string,
): Promise<Rotation[]> {
  const issued = await Promise.all(
    members.map(async (member) => {
      const { client, namespace } = member.target;
      const done: Rotation[] = [];
      for (const { secret, spec } of leavesOf(member)) {
        const { certificate, privateKey } = await issueCertificate(member.authority, spec, { now: flow.now() });
        const data = {
          [TLS_KEYS.ca]: encodeText(caOf(member)),
          [TLS_KEYS.certificate]: encodeText(certificate),
          [TLS_KEYS.privateKey]: encodeText(privateKey),
        };
        await client.patch(secretRef(namespace, secret), { data });
        done.push({ context: client.context, secret, subject: spec.commonName });
      }
      await nudgePods(flow, member.target, { pods: 'apiserver-and-agents' });
      return done;
    }),
  );
  return issued.flat();
}

/** Issues and proves each one before it is handed out. */
async function issuePeerCertificates(
  flow: Flow,
  diallings: readonly Dialling[],
  { waitMs }: RotateOptions,
  caOf: (member: Member) => string,
): Promise<Rotation[]> {
  const done = await Promise.all(
    diallings.map(async ({ from, to, user }): Promise<Rotation> => {
      const issued = await issueCertificate(to.authority, clientSpec(user), { now: flow.now() });
      await awaitAccess(flow, to, { ca: caOf(to), ...issued }, waitMs);
      const keys = peerCertificateKeys(to.name);
      const data = {
        [keys.ca]: encodeText(caOf(to)),
        [keys.certificate]: encodeText(issued.certificate),
        [keys.privateKey]: encodeText(issued.privateKey),
      };
      const secret = dialingSecret(from.snapshot);
      await from.target.client.patch(secretRef(from.target.namespace, secret), { data });
      return { context: from.snapshot.context, secret, subject: user, peer: to.name };
    }),
  );
  const dialling = new Set(diallings.map(({ from }) => from));
  await Promise.all([...dialling].map(({ target }) => nudgePods(flow, target, { pods: 'apiserver-and-agents' })));
  return done;
}

/** Waits until every ready clustermesh-apiserver pod lets a certificate in and shows one that its CAs verify. */
async function awaitAccess(
  flow: Flow,
  { target, name }: Member,
  credential: ClientCertificate,
  waitMs: number,
): Promise<void> {
  const { client, namespace } = target;
  const deadline = Date.now() + waitMs;
  for (;;) {
    const selection = { apiVersion: 'v1', kind: 'Pod', namespace, labelSelector: APISERVER_SELECTOR };
    const pods = (await client.listAll(selection)).filter((pod) => isPodReady(pod));
    try {
      for (const pod of pods) {
        const etcd = await openEtcd(flow, target, pod);
        await readKey({
          ...etcd,
          ...credential,
          key: `${CLUSTER_CONFIG_PREFIX}${name}`,
          timeoutMs: ATTEMPT_TIMEOUT_MS,
        });
      }
      if (pods.length > 0) return;
    } catch (error) {
      flow.signal.throwIfAborted();
      if (Date.now() > deadline) {
        throw new MeshctlError('Timeout', `context "${client.context}": etcd does not let the new certificate in`, {
          hint: 'The old and the new CA are both trusted, nothing is cut off. Run the same command again.',
          details: { context: client.context },
          cause: error,
        });
      }
    }
    await sleep(PROOF_INTERVAL_MS, flow.signal);
  }
}

function secretOf({ objects, namespace }: ClusterSnapshot, name: string, key: string): string | undefined {
  return secretText(objects.get(keyOf(secretRef(namespace, name))), key);
}

function sameMember(members: readonly Member[], wanted: Member): Member {
  return members.find(({ snapshot }) => snapshot === wanted.snapshot) ?? wanted;
}

/** PEM certificates as one file, each once, in their order. */
function joinCertificates(pems: readonly string[]): string {
  const blocks = pems.flatMap(
    (pem) => pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [],
  );
  return `${[...new Set(blocks)].join('\n')}\n`;
}
