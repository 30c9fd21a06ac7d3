import { readAuthority, readSnapshot } from '../kube/snapshot.ts';
import { runsKvstoremesh } from '../mesh/apiserver-deployment.ts';
import type { CertificateSpec } from '../mesh/certificates.ts';
import { certificateSpecs } from '../mesh/cluster-certificates.ts';
import { serviceEndpoints } from '../mesh/endpoints.ts';
import { MeshctlError } from '../mesh/errors.ts';
import { identityOf } from '../mesh/identity.ts';
import { keyOf } from '../mesh/kube-object.ts';
import { AGENT_PEERS_SECRET, apiserverDeploymentRef, CA_SECRET, KVSTOREMESH_PEERS_SECRET } from '../mesh/names.ts';
import type { ClusterSnapshot } from '../mesh/snapshot.ts';
import type { Authority } from '../pki/authority.ts';
import type { Flow, Target } from './flow.ts';

/** A cluster whose certificates are renewed, with the CA that signs them. */
export interface Member {
  target: Target;
  snapshot: ClusterSnapshot;
  name: string;
  authority: Authority;
}

/**
 * Reads the clusters.
 * @param ca whether their CAs are to be renewed too, for which every peer must be among them
 * @throws MeshctlError `ClusterMeshNotEnabled`, `CertificateAuthority`, `Usage`
 */
export async function readMembers(flow: Flow, targets: readonly Target[], ca: boolean): Promise<Member[]> {
  const members = await Promise.all(
    targets.map(async (target): Promise<Member> => {
      const { client, namespace } = target;
      const [snapshot, authority] = await Promise.all([
        readSnapshot(client, { namespace, purpose: 'connect' }),
        readAuthority(client, namespace),
      ]);
      if (!snapshot.objects.get(keyOf(apiserverDeploymentRef(namespace)))) {
        throw new MeshctlError('ClusterMeshNotEnabled', `context "${client.context}": Cluster Mesh is not enabled`, {
          hint: `meshctl clustermesh enable --context ${client.context}`,
          details: { context: client.context },
        });
      }
      if (!authority) {
        throw new MeshctlError(
          'CertificateAuthority',
          `context "${client.context}": Secret ${namespace}/${CA_SECRET} has no CA with its key`,
          { hint: 'Rotate where the key is kept, e.g. with cert-manager.', details: { context: client.context } },
        );
      }
      return { target, snapshot, name: identityOf(snapshot.ciliumConfig ?? {}).name, authority };
    }),
  );
  for (const { snapshot, name } of members) {
    const strangers = [...snapshot.peerCertificates.keys()].filter(
      (peer) => !members.some((other) => other.name === peer),
    );
    if (strangers.length === 0) continue;
    const where = `context "${snapshot.context}": connected to ${strangers.join(', ')}, which no context was named for`;
    const hint = 'Name the contexts of all peers: what they hold has to be renewed together.';
    if (ca) throw new MeshctlError('Usage', where, { hint, details: { context: snapshot.context, peers: strangers } });
    flow.progress.warn(`${where}; the certificates for dialling them stay (cluster ${name})`);
  }
  if (ca) refuseSharedAuthorities(members);
  return members;
}

/** Peers that share a CA hold no certificates of their own, so that there is nothing to renew one after the other. */
function refuseSharedAuthorities(members: readonly Member[]): void {
  for (const [index, one] of members.entries()) {
    const key = one.snapshot.ca?.certificate.publicKeySha256;
    const other = members.slice(index + 1).find(({ snapshot }) => snapshot.ca?.certificate.publicKeySha256 === key);
    if (!other) continue;
    const contexts = [one.snapshot.context, other.snapshot.context];
    throw new MeshctlError(
      'CertificateAuthority',
      `contexts ${contexts.map((name) => `"${name}"`).join(' and ')} share a CA`,
      {
        hint: 'Connect them with --credentials per-peer first; then each cluster can have a CA of its own.',
        details: { contexts },
      },
    );
  }
}

/** The certificates of a cluster's own Secrets, as they are to be. */
export function leavesOf({ snapshot, name }: Member): { secret: string; spec: CertificateSpec }[] {
  const { namespace, objects } = snapshot;
  const specs = certificateSpecs({
    clusterName: name,
    namespace,
    serviceAddresses: serviceEndpoints(snapshot)?.hosts ?? [],
    kvstoremesh: runsKvstoremesh(objects.get(keyOf(apiserverDeploymentRef(namespace)))) ?? false,
  });
  return specs.map(({ secret, spec }) => {
    // Names that someone else put into the certificate may be dialled.
    const now = snapshot.tlsSecrets.get(secret)?.certificate;
    if (!now) return { secret, spec };
    const dnsNames = [...new Set([...spec.dnsNames, ...now.dnsNames])];
    return {
      secret,
      spec: { ...spec, dnsNames, ipAddresses: [...new Set([...spec.ipAddresses, ...now.ipAddresses])] },
    };
  });
}

/** The Secret with the files by which a cluster dials its peers. */
export function diallingSecret({ snapshot: { objects, namespace } }: Member): string {
  const kvstoremesh = runsKvstoremesh(objects.get(keyOf(apiserverDeploymentRef(namespace))));
  return kvstoremesh ? KVSTOREMESH_PEERS_SECRET : AGENT_PEERS_SECRET;
}
