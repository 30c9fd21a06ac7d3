import { readAuthority, readSnapshot } from '../kube/snapshot.ts';
import type { CertificateSpec } from '../mesh/certificates.ts';
import { certificateSpecs } from '../mesh/cluster-certificates.ts';
import { meshctlCommand } from '../mesh/command-line.ts';
import { dialsThroughKvstoremesh } from '../mesh/direction.ts';
import { serviceEndpoints } from '../mesh/endpoints.ts';
import { MeshctlError } from '../mesh/errors.ts';
import { clusterNameOf } from '../mesh/identity.ts';
import { keyOf } from '../mesh/kube-object.ts';
import { apiserverDeploymentRef, CA_SECRET } from '../mesh/names.ts';
import { peersIn } from '../mesh/peer-config.ts';
import { caMark, POD_CA_ANNOTATION, podCaMark } from '../mesh/pod-marks.ts';
import type { ClusterSnapshot } from '../mesh/snapshot.ts';
import type { Authority } from '../pki/authority.ts';
import { readBundle } from '../pki/read.ts';
import type { Flow, Target } from './flow.ts';

/** A cluster whose certificates are renewed, with the CA that signs them. */
export interface Member {
  target: Target;
  snapshot: ClusterSnapshot;
  name: string;
  authority: Authority;
}

/** A cluster that dials another one of those that take part with a certificate of its own. */
export interface Dialling {
  from: Member;
  to: Member;
  user: string;
}

/** A line of a peering file that changes nothing but the file: Cilium reads CA files anew only with a changed config. */
const RELOAD_MARK = /^# meshctl: rotated .*\n/m;

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
          hint: meshctlCommand('clustermesh enable', { context: client.context }),
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
      return { target, snapshot, name: clusterNameOf(snapshot), authority };
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
  const { namespace } = snapshot;
  const specs = certificateSpecs({
    clusterName: name,
    namespace,
    serviceAddresses: serviceEndpoints(snapshot)?.hosts ?? [],
    kvstoremesh: dialsThroughKvstoremesh(snapshot),
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

/** Who dials whom with a certificate of its own. */
export function diallingsOf(members: readonly Member[]): Dialling[] {
  return members.flatMap((from) =>
    members.flatMap((to): Dialling[] => {
      const user = from.snapshot.peerCertificates.get(to.name)?.certificate.commonName;
      return from === to || user === undefined ? [] : [{ from, to, user }];
    }),
  );
}

/**
 * The peering files of a Secret, by peer, with a mark that makes them differ from what they were.
 * @param texts what is in the Secret
 */
export function markedFiles(texts: Readonly<Record<string, string>>, now: Date): Record<string, string> {
  const mark = `# meshctl: rotated ${now.toISOString()}\n`;
  return Object.fromEntries(
    peersIn(texts).map((peer) => [peer, `${(texts[peer] ?? '').replace(RELOAD_MARK, '')}${mark}`]),
  );
}

/** What makes the pods of the clustermesh-apiserver be replaced: etcd reads its CA only at its start. */
export function restartPatch({ target, snapshot }: Member, ca: string, now: Date): Record<string, unknown> {
  const marked = podCaMark(snapshot.objects.get(keyOf(apiserverDeploymentRef(target.namespace)))) !== undefined;
  const annotations = {
    'meshctl.io/restarted-at': now.toISOString(),
    ...(marked ? { [POD_CA_ANNOTATION]: caMark(readBundle(ca)) } : {}),
  };
  return { spec: { template: { metadata: { annotations } } } };
}
