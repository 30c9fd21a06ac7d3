import { replicasOf, scaleUpCommand } from '../apiserver/deployment.ts';
import { apiserverDeployment } from '../apiserver/live.ts';
import { lackOfRoom } from '../apiserver/room.ts';
import type { CertificateFacts, TlsSecretFacts } from '../certificates/certificate.ts';
import { coversHost, validityFault } from '../certificates/cluster-certificates.ts';
import { reissueAdvice } from '../certificates/reissue.ts';
import { isSameKey, trustedBy } from '../certificates/trust.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { describeCommand, meshctlCommand } from '../command-line.ts';
import { capital } from '../counted.ts';
import { MeshctlError } from '../errors.ts';
import type { KubeObject } from '../objects/kube-object.ts';
import {
  APISERVER,
  APISERVER_SELECTOR,
  REMOTE_CERT_SECRET,
  SERVER_CERT_SECRET,
  serviceHostname,
} from '../objects/names.ts';
import type { Step } from '../plan/plan.ts';
import { trustInRotation, unfinishedRotations } from '../rotation/unfinished-rotation.ts';
import { type WorkingRun, whoElse } from '../working-runs.ts';
import { type Direction, dialledHosts } from './direction.ts';

/**
 * Refuses clusters that could let nobody in, before anything is written: without a ready clustermesh-apiserver pod there
 * is no etcd to prove a credential against.
 * @throws MeshctlError `CredentialRefused`, with the command that brings pods up or shows why there are none
 */
export function requireReadyServers(servers: readonly ClusterSnapshot[]): void {
  const idle = servers.flatMap((server) => idleServer(server) ?? []);
  const [first] = idle;
  if (!first) return;
  const contexts = idle.map(({ context }) => context);
  const words = idle.map(({ says }) => `${says}, so no peer can be let in there`);
  throw new MeshctlError('CredentialRefused', words.join('; '), {
    hint: first.hint,
    details: { context: first.context, contexts, reason: 'no-ready-pod' },
  });
}

/** A cluster without a ready clustermesh-apiserver pod: why, as a clause, and what brings one up or shows why there is none. */
export interface IdleServer {
  context: string;
  says: string;
  hint: string;
}

/** Undefined for a cluster that has a ready pod, or whose pods were not read. */
export function idleServer(server: ClusterSnapshot): IdleServer | undefined {
  const { apiserverPods, context } = server;
  if (!apiserverPods?.every(({ ready }) => !ready)) return undefined;
  return { context, says: describeIdle(server), hint: wayUp(server) };
}

/** Why nothing is to be waited for where no pod is wanted. */
export function noReplicas(
  { context, namespace }: Pick<ClusterSnapshot, 'context' | 'namespace'>,
  deployment: KubeObject | undefined,
): MeshctlError {
  return new MeshctlError(
    'CredentialRefused',
    `context "${context}": no clustermesh-apiserver pod is ready: its Deployment is scaled to 0`,
    { hint: scaleUpCommand({ context, namespace }, deployment), details: { context, reason: 'no-replicas' } },
  );
}

/**
 * Why nothing is to be waited for where the clustermesh-apiserver has gone, or is going, since it was planned to let peers in by it.
 * @param by the run that takes it away, where one is known to be at work
 */
export function serverRemoved(
  { context }: Pick<ClusterSnapshot, 'context'>,
  by: Pick<WorkingRun, 'command' | 'host'> | undefined,
): MeshctlError {
  const enable = meshctlCommand('clustermesh enable', { context });
  const wanted = `${by ? 'Wait until it has ended. ' : ''}If the cluster is to be connected all the same, enable it, then run the same command again: ${enable}`;
  return new MeshctlError(
    'Conflict',
    `context "${context}": ${whoElse(by)} has removed its clustermesh-apiserver meanwhile, so no peer can be let in there`,
    { hint: wanted, details: { context, reason: 'apiserver-removed', stop: true } },
  );
}

/**
 * Refuses clusters whose server certificate no credential's CA has signed, that is not valid now, or that lacks a name, before
 * anything is written: no wait mends what their Secret has.
 * @param steps of the plan: a certificate that it renews is fine afterwards
 * @throws MeshctlError `CredentialRefused`
 */
export function requireSoundServers(directions: readonly Direction[], steps: readonly Step[], now: Date): void {
  for (const direction of directions) {
    const { context } = direction.server.snapshot;
    const isRenewed = steps.some(
      ({ cluster, object, action }) => cluster === context && object.name === SERVER_CERT_SECRET && action !== 'keep',
    );
    const fault = isRenewed ? undefined : serverFault(direction, now);
    if (!fault) continue;
    // Of the two, the one that peers are given may be from the CA that is no more.
    const isOther = fault.reason === 'tls-unknown-ca' && direction.credential.kind === 'legacy';
    const secrets = [SERVER_CERT_SECRET, ...(isOther ? [REMOTE_CERT_SECRET] : [])] as const;
    throw new MeshctlError(
      'CredentialRefused',
      `context "${context}": the server certificate of its clustermesh-apiserver (Secret ${SERVER_CERT_SECRET}) ${fault.says}, so no peer can connect to it`,
      {
        hint:
          fault.reason === 'tls-unknown-ca'
            ? signAnew(direction.server.snapshot, [direction.client.snapshot], secrets)
            : capital(reissueAdvice(direction.server.snapshot, secrets, fault.names)),
        details: { context, reason: fault.reason },
      },
    );
  }
}

/**
 * How a cluster comes to have certificates of the CA that its peers are given, as a sentence: in the middle of a rotation enable keeps
 * those of the former one.
 * @param peers that it is to be connected with
 */
export function signAnew(
  server: ClusterSnapshot,
  peers: readonly ClusterSnapshot[],
  secrets: readonly [string, ...string[]],
): string {
  const rotation = unfinishedRotations([server, ...peers]).find(({ context }) => context === server.context);
  return rotation ? `Finish the rotation of its CA: ${rotation.hint}` : capital(reissueAdvice(server, secrets));
}

interface ServerFault {
  says: string;
  reason: string;
  /** What it must cover and does not. */
  names?: readonly string[];
}

function serverFault(direction: Direction, now: Date): ServerFault | undefined {
  const serving = direction.server.snapshot.tlsSecrets.get(SERVER_CERT_SECRET);
  if (!serving) return undefined;
  const invalid = validityFault(serving.certificate, now);
  if (invalid) return { says: invalid, reason: 'tls-expired' };
  const trusted = authoritiesOf(direction);
  const { ca } = serving;
  // Of an intermediate CA the certificate may bring the way to a root that is trusted.
  const isRoot = serving.signedByCa && ca !== undefined && ca.commonName === ca.issuerCommonName;
  // Whom the server trusts besides is nothing to its peers: they see who signed.
  const isTrusted = trusted.some((one) => isSameKey(one, ca));
  if (isRoot && trusted.length > 0 && !isTrusted) {
    return { says: 'is from another CA than the one that its peers are given', reason: 'tls-unknown-ca' };
  }
  // The credential is proved by the name of the Service, which this cluster's own agents dial too.
  const needed = [serviceHostname(direction.server.snapshot.namespace), ...dialledHosts(direction)];
  const names = needed.filter((name) => !coversHost(serving.certificate, name));
  if (names.length === 0) return undefined;
  return { says: `does not cover ${names.join(', ')}`, reason: 'tls-name', names };
}

/** The CAs that the client of a direction trusts, or will. */
function authoritiesOf({ client, server, credential }: Direction): readonly CertificateFacts[] {
  const ofSecret = (facts: TlsSecretFacts | undefined) => (facts ? trustedBy(facts) : []);
  const held = ofSecret(client.snapshot.peerCertificates.get(server.identity.name));
  if (credential.kind === 'legacy') return [...held, ...ofSecret(server.snapshot.tlsSecrets.get(REMOTE_CERT_SECRET))];
  if (credential.kind === 'shared-ca') return ofSecret(client.snapshot.tlsSecrets.get(REMOTE_CERT_SECRET));
  const { ca } = server.snapshot;
  const beside = trustInRotation(server.snapshot).map(({ facts }) => facts);
  return [...held, ...(ca ? (ca.bundle ?? [ca.certificate]) : []), ...beside];
}

function replicasWanted(cluster: ClusterSnapshot): number | undefined {
  return replicasOf(apiserverDeployment(cluster));
}

function describeIdle(snapshot: ClusterSnapshot): string {
  const { context, apiserverPods = [] } = snapshot;
  const why =
    replicasWanted(snapshot) === 0
      ? 'its Deployment is scaled to 0'
      : apiserverPods.length === 0
        ? 'there are none'
        : `not ready: ${[...apiserverPods.map(({ name }) => name), ...(lackOfRoom(snapshot)?.reasons ?? [])].join(', ')}`;
  return `context "${context}": no clustermesh-apiserver pod is ready (${why})`;
}

function wayUp(snapshot: ClusterSnapshot): string {
  const { context, namespace, apiserverPods = [] } = snapshot;
  if (replicasWanted(snapshot) === 0) {
    return scaleUpCommand({ context, namespace }, apiserverDeployment(snapshot));
  }
  const lack = lackOfRoom(snapshot);
  if (lack) return lack.hint;
  return apiserverPods.length === 0
    ? describeCommand({ context, namespace }, 'deployment', { name: APISERVER })
    : describeCommand({ context, namespace }, 'pods', { selector: APISERVER_SELECTOR });
}
