import { isIpAddress, serviceEndpoints, splitHostPort } from '../../apiserver/endpoints.ts';
import { coversHost, LOOPBACK } from '../../certificates/cluster-certificates.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { connectCommand, meshctlCommand, unnamedContext } from '../../command-line.ts';
import { keyOf } from '../../objects/kube-object.ts';
import { apiserverDeploymentRef, SERVER_CERT_SECRET } from '../../objects/names.ts';
import { foreignOwner, toolOwner } from '../../objects/ownership.ts';
import { fileOfOther, namesOf } from '../../peers/concerned-peers.ts';
import { addressesIn } from '../../peers/file/peer-file.ts';
import type { PeerEffect } from '../../plan/peer-effects.ts';
import type { Step } from '../../plan/plan.ts';

interface UncoveredInput {
  snapshot: ClusterSnapshot;
  /** The cluster with its Service as it will be. */
  planned: ClusterSnapshot;
  steps: readonly Step[];
}

/**
 * A server certificate that somebody else has made is kept for the names that peers may dial; one that is for addresses, and
 * not for this Service's, was made for another place. Where new connections fail by it, the peer does not "stay connected".
 * @param other the peer's cluster, where it was read: what it dials tells exactly
 */
export function uncoveredEffects(
  input: UncoveredInput,
  peer: string,
  other: ClusterSnapshot | undefined,
): Pick<PeerEffect, 'becomes' | 'why' | 'mend'>[] {
  const { snapshot, steps } = input;
  const kept = keptCertificate(input);
  if (!kept) return [];
  const file = other && fileOfOther(other, namesOf(snapshot));
  const dialled =
    file === undefined ? missingOf(input) : addressesIn(file).map((address) => splitHostPort(address).host);
  if (dialled.length === 0 || dialled.some((host) => coversHost(kept.certificate, host))) return [];
  const deployment = keyOf(apiserverDeploymentRef(snapshot.namespace));
  const isRestarted = steps.some(
    ({ object, changes }) =>
      keyOf(object) === deployment && changes.some(({ path }) => path.startsWith('spec.template')),
  );
  const who = file === undefined ? 'where it may dial' : 'which it dials';
  const reissue = reissueCommand(snapshot);
  const again = connectCommand(snapshot.context, other?.context ?? unnamedContext(peer));
  return [
    {
      // What is connected has shown its certificate before.
      becomes: isRestarted ? (file === undefined ? 'unknown' : 'cut') : 'lost',
      why: `the server certificate, made by ${kept.owner}, does not cover ${dialled.join(', ')}, ${who}`,
      mend: kept.isByTool ? again : reissue,
    },
  ];
}

/** What the plan says of such a certificate. */
export function uncoveredWarnings(input: UncoveredInput): string[] {
  const missing = missingOf(input);
  const kept = keptCertificate(input);
  if (!kept || missing.length === 0) return [];
  const { snapshot } = input;
  return [
    `Secret ${snapshot.namespace}/${SERVER_CERT_SECRET} is kept, since ${kept.owner} made it, but it is for other addresses ` +
      `than this cluster's: it does not cover ${missing.join(', ')} → ${reissueCommand(snapshot)}`,
  ];
}

function keptCertificate({ snapshot, steps }: UncoveredInput) {
  const step = steps.find(({ action, object }) => action === 'keep' && object.name === SERVER_CERT_SECRET);
  const facts = snapshot.tlsSecrets.get(SERVER_CERT_SECRET);
  const owner = foreignOwner(step?.before);
  if (!facts || owner === undefined) return undefined;
  return { certificate: facts.certificate, owner, isByTool: toolOwner(step?.before) !== undefined };
}

/** Addresses of the Service that are missing in a certificate by hand which has addresses; one that has none goes by its names. */
function missingOf(input: UncoveredInput): string[] {
  const kept = keptCertificate(input);
  const isForAddresses = kept?.certificate.ipAddresses.some((ip) => !LOOPBACK.includes(ip));
  if (!kept || kept.isByTool || !isForAddresses) return [];
  const hosts = serviceEndpoints(input.planned)?.hosts ?? [];
  return hosts.filter((host) => isIpAddress(host) && !coversHost(kept.certificate, host));
}

function reissueCommand({ context }: ClusterSnapshot): string {
  return meshctlCommand('clustermesh enable', { context }, ['--force-conflicts']);
}
