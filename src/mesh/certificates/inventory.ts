import { clusterNameOf } from '../cilium/identity.ts';
import { earliestOf, latestOf } from '../cluster-clocks.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { dialingSecret } from '../connect/direction.ts';
import { describeFault, type FaultId, type FaultsInput } from '../faults/fault.ts';
import { type Contexts, mendOf } from '../faults/fault-advice.ts';
import { faultsOf } from '../faults/faults-of.ts';
import { unreadyAmong } from '../faults/unready.ts';
import {
  ADMIN_CERT_SECRET,
  CA_SECRET,
  KVSTOREMESH_PEERS_SECRET,
  LOCAL_CERT_SECRET,
  REMOTE_CERT_SECRET,
  SERVER_CERT_SECRET,
} from '../objects/names.ts';
import { peersOfOthers } from '../peers/peer-choices.ts';
import { forOtherOwners } from '../peers/peers-of-others.ts';
import type { CertificateFacts, TlsSecretFacts } from './certificate.ts';
import { endsSoon } from './cluster-certificates.ts';
import { issuerOf } from './trust.ts';

/** One certificate of a mesh. */
export interface CertificateEntry {
  context: string;
  cluster: string;
  secret: string;
  role: 'ca' | 'server' | 'admin' | 'local' | 'remote' | 'peer';
  /** The cluster that a peer's certificate lets in. */
  peer?: string | undefined;
  subject: string;
  sans: string[];
  issuer: string;
  /** SHA-256 of the certificate of the CA that signed it, as far as its cluster has that. */
  issuerSha256?: string | undefined;
  serial: string;
  notBefore: string;
  notAfter: string;
  /** The CA of its chain with which it ends; absent where it does by itself. */
  endsWith?: string | undefined;
  /** Whole days; negative when it has expired. */
  expiresInDays: number;
  /** So little is left that it is to be renewed, as {@link endsSoon} has it; absent where more is. */
  endsSoon?: true | undefined;
  /** Nobody accepts it before its `notBefore`; absent where that is past. */
  notYetValid?: true | undefined;
  usedBy: string;
}

/** A certificate that should be there and is not, or cannot be used. */
export interface CertificateFault extends Pick<CertificateEntry, 'context' | 'cluster' | 'secret' | 'role' | 'peer'> {
  id: FaultId;
  /** A connection hangs on it; else nothing can be renewed, or nothing goes by it now. */
  outage: boolean;
  /** In words, with where it is. */
  says: string;
  /** The next step. */
  hint: string;
}

const DAY_MS = 24 * 60 * 60 * 1000;

const ROLES: Readonly<Record<string, { role: CertificateEntry['role']; usedBy: string }>> = {
  [SERVER_CERT_SECRET]: { role: 'server', usedBy: 'etcd of the clustermesh-apiserver, towards peers and agents' },
  [ADMIN_CERT_SECRET]: { role: 'admin', usedBy: 'apiserver and kvstoremesh, towards their own etcd' },
  [LOCAL_CERT_SECRET]: { role: 'local', usedBy: 'agents, towards the KVStoreMesh cache' },
  [REMOTE_CERT_SECRET]: { role: 'remote', usedBy: 'peers that share the CA' },
};

/** Every certificate that one cluster has for the mesh: its CA, its own, and those with which it dials its peers. */
export function listCertificates(snapshot: ClusterSnapshot, now: Date): CertificateEntry[] {
  const { context, ciliumConfig, ca, tlsSecrets, peerCertificates } = snapshot;
  const entryOf = (
    where: Pick<CertificateEntry, 'secret' | 'role' | 'usedBy' | 'peer'>,
    facts: CertificateFacts,
    signer: CertificateFacts | undefined,
  ): CertificateEntry => ({
    context,
    cluster: clusterNameOf({ ciliumConfig }),
    ...where,
    subject: facts.commonName,
    sans: [...facts.dnsNames, ...facts.ipAddresses],
    issuer: facts.issuerCommonName,
    ...(signer ? { issuerSha256: signer.sha256 } : {}),
    serial: facts.serial,
    notBefore: facts.notBefore.toISOString(),
    notAfter: facts.notAfter.toISOString(),
    ...(facts.endsWith === undefined ? {} : { endsWith: facts.endsWith }),
    expiresInDays: Math.floor((facts.notAfter.getTime() - earliestOf(now).getTime()) / DAY_MS),
    ...(endsSoon(facts, now) ? { endsSoon: true as const } : {}),
    ...(facts.notBefore > latestOf(now) ? { notYetValid: true as const } : {}),
  });
  const isRoot = ca?.certificate.commonName === ca?.certificate.issuerCommonName;
  const peersSecret = dialingSecret(snapshot);
  const dialler = peersSecret === KVSTOREMESH_PEERS_SECRET ? 'KVStoreMesh' : 'agents';
  return [
    ...(ca
      ? [
          entryOf(
            { secret: CA_SECRET, role: 'ca', usedBy: 'signs the certificates of this cluster' },
            ca.certificate,
            isRoot ? ca.certificate : undefined,
          ),
        ]
      : []),
    ...[...tlsSecrets].flatMap(([secret, facts]: [string, TlsSecretFacts]) => {
      const known = ROLES[secret];
      return known ? [entryOf({ secret, ...known }, facts.certificate, issuerOf(facts))] : [];
    }),
    ...[...peerCertificates].map(([peer, facts]) =>
      entryOf(
        { secret: peersSecret, role: 'peer', peer, usedBy: `${dialler}, towards ${peer}` },
        facts.certificate,
        issuerOf(facts),
      ),
    ),
  ];
}

/** What keeps certificates of one cluster from being in the list, or from being of use. @param contexts by cluster name */
export function certificateFaults(
  snapshot: ClusterSnapshot,
  input: FaultsInput,
  contexts: Contexts,
): CertificateFault[] {
  const unready = unreadyAmong(input.others ?? []);
  return faultsOf(snapshot, input)
    .filter(({ id }) => /^(ca-|certificate-|peer-certificate-|peer-ca$|peering-secret-missing$)/.test(id))
    .map((fault): CertificateFault => {
      const secret = fault.object.slice('Secret '.length);
      const role = secret === CA_SECRET ? 'ca' : (ROLES[secret]?.role ?? 'peer');
      return {
        context: fault.context,
        cluster: clusterNameOf(snapshot),
        secret,
        role,
        ...(fault.peer === undefined ? {} : { peer: fault.peer }),
        id: fault.id,
        outage: fault.outage,
        says: describeFault(fault),
        hint: forOtherOwners(mendOf(fault, contexts, unready), fault.context, peersOfOthers(snapshot)),
      };
    });
}
