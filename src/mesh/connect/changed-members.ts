import { keepsEndpoints } from '../apiserver/own-addresses.ts';
import type { CertificateFacts } from '../certificates/certificate.ts';
import { clusterNameOf, identityOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { MeshctlError } from '../errors.ts';
import { REMOTE_CERT_SECRET, SERVER_CERT_SECRET } from '../objects/names.ts';
import { managesUsers } from './credentials.ts';
import { dialsThroughKvstoremesh } from './direction.ts';
import type { Member } from './member.ts';

/** A cluster that a connect was planned with, and as it is by now. */
export interface MemberNow {
  before: Pick<Member, 'snapshot' | 'given'>;
  now: ClusterSnapshot;
  /** This run has issued its server certificate since: by a write that is refused where another run has (serve-plan.ts). */
  isReissued?: boolean | undefined;
}

/**
 * Refuses a plan that rests on what clusters no longer are: peers would be written files and certificates that lead nowhere, or
 * a cluster be let in that may not be there any more.
 * @throws MeshctlError `Conflict`, naming the clusters and what of each was changed
 */
export function requireUnchanged(members: readonly MemberNow[]): void {
  const changed = members.flatMap((member) => {
    const what = changedFacts(member);
    return what.length > 0 ? [{ context: member.now.context, changed: what }] : [];
  });
  if (changed.length === 0) return;
  const clauses = changed.map(
    ({ context, changed: what }) => `context "${context}": ${what.join(', ')} changed meanwhile`,
  );
  throw new MeshctlError('Conflict', `${clauses.join('; ')}, and the plan rests on what was there before`, {
    hint: 'Run the same command again: its plan goes by what is there now.',
    details: { changed },
  });
}

type Fact = readonly [says: string, of: (snapshot: ClusterSnapshot) => unknown];

/** What of a cluster the plans of its peers rest on, and its own. */
const FACTS: readonly Fact[] = [
  ['its name', clusterNameOf],
  ['its id', ({ ciliumConfig }) => identityOf(ciliumConfig ?? {}).id],
  ['its max-connected-clusters', ({ ciliumConfig }) => identityOf(ciliumConfig ?? {}).maxConnectedClusters],
  ['its CA', ({ ca }) => ca && [...fingerprints(ca.bundle ?? [ca.certificate]), ca.hasKey && ca.keyMatches]],
  // It is what peers get where nothing else can be issued, and how this cluster logs in to those with the same CA.
  ['its remote-cert', ({ tlsSecrets }) => tlsSecrets.get(REMOTE_CERT_SECRET)?.certificate.sha256],
  ['how it lets peers in', managesUsers],
  ['whether it dials through KVStoreMesh', dialsThroughKvstoremesh],
];

function changedFacts({ before: { snapshot, given }, now, isReissued = false }: MemberNow): string[] {
  const facts: readonly Fact[] = [
    ...FACTS,
    ...(isReissued ? [] : [['the CA of its server certificate', authoritiesOf] as const]),
  ];
  const other = facts.flatMap(([says, of]) => (JSON.stringify(of(snapshot)) === JSON.stringify(of(now)) ? [] : [says]));
  // Addresses of the operator's own choice are none of the Service's.
  if (given !== 'addresses' && !keepsEndpoints(snapshot, now)) other.push('its addresses');
  return isReissued || !losesNames(snapshot, now) ? other : [...other, 'the names in its server certificate'];
}

/** A server certificate for more names serves who dials one of the former. */
function losesNames(before: ClusterSnapshot, now: ClusterSnapshot): boolean {
  const [had, has] = [before, now].map(({ tlsSecrets }) => tlsSecrets.get(SERVER_CERT_SECRET)?.certificate);
  const names = new Set(has && [...has.dnsNames, ...has.ipAddresses]);
  return had !== undefined && ![...had.dnsNames, ...had.ipAddresses].every((name) => names.has(name));
}

function authoritiesOf({ tlsSecrets }: ClusterSnapshot): string[] | undefined {
  const facts = tlsSecrets.get(SERVER_CERT_SECRET);
  return facts && fingerprints(facts.authorities ?? (facts.ca ? [facts.ca] : []));
}

function fingerprints(certificates: readonly CertificateFacts[]): string[] {
  return certificates.map(({ sha256 }) => sha256);
}
