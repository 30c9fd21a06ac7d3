import { signerTrouble, succeedingAuthority } from '../certificates/authority.ts';
import { AUTHORITY_VALIDITY_MS } from '../certificates/certificate.ts';
import { certificateLackAt, saysCertificateLack } from '../certificates/certificate-lacks.ts';
import { endOf, reasonToReissue, withoutAddresses } from '../certificates/cluster-certificates.ts';
import { lifetimeIn, presentLifetime, validityMarks } from '../certificates/kept-lifetime.ts';
import { authoritySecret, besideAuthority, besideChanges } from '../certificates/plan-authority.ts';
import { meshctlCommand } from '../command-line.ts';
import type { Member } from '../connect/member.ts';
import { MeshctlError } from '../errors.ts';
import { type KubeObject, keyOf } from '../objects/kube-object.ts';
import { CA_SECRET, REMOTE_CERT_SECRET, secretRef } from '../objects/names.ts';
import { isByHand } from '../objects/ownership.ts';
import { emptySecret } from '../objects/secret-data.ts';
import { groupBy } from '../pairs.ts';
import { markChanges } from '../plan/diff.ts';
import { isForcedIn } from '../plan/forcing.ts';
import type { Change, Step } from '../plan/plan.ts';
import {
  authorityLifetime,
  describeLifetime,
  endWithCa,
  type Lifetime,
  lifetimeOf,
  successorLifetime,
} from './lifetime.ts';
import { isRemoteCert, type RotatedCertificate } from './rotated-certificates.ts';
import {
  bothCas,
  clusterOf,
  ownedKeys,
  ownerOfData,
  type RotatedCluster,
  type RotationInput,
  stepBase,
} from './rotated-cluster.ts';

/** The new CA takes the place of the present one. */
export function authoritySteps({ asked }: RotationInput, { issuer, pending }: RotatedCluster): Step[] {
  if (pending === undefined) return [];
  const { snapshot } = issuer;
  const ref = secretRef(snapshot.namespace, CA_SECRET);
  const former = snapshot.ca?.certificate ?? succeedingAuthority(snapshot);
  const present: Lifetime = former ? lifetimeOf(former) : {};
  const wanted = authorityLifetime(asked, present);
  const words = describeLifetime(wanted, present);
  const base = stepBase(issuer, ref);
  const beside = besideAuthority(base.before, 'generated');
  return [
    {
      ...base,
      action: base.before ? 'update' : 'create',
      changes: [
        { path: 'data.ca.crt', to: `a new CA${words ? ` (${words})` : ''}` },
        ...besideChanges(base.before, beside),
      ],
      why: 'everyone trusts the new CA by then',
      write: {
        method: 'authority',
        commonName: former?.commonName || 'Cilium CA',
        given: pending,
        ...wanted,
        secret: authoritySecret(snapshot, 'generated'),
        beside,
      },
    },
  ];
}

interface Issue {
  cluster: RotatedCluster;
  one: RotatedCertificate;
  /** Why the certificate cannot stay; undefined where it could. */
  fault: string | undefined;
}

/** Certificates that are due or no longer good, one step for each Secret; the others are kept. */
export function issueSteps(
  input: RotationInput,
  clusters: readonly RotatedCluster[],
  chosen: (one: RotatedCertificate) => boolean,
): Step[] {
  return secretsOf(input, clusters, chosen).map((secret) => issueStep(input, secret));
}

/** The clusters that cannot sign what is due of their certificates. */
export function dueUnsigned(input: RotationInput): Member[] {
  const left = secretsAsked(input).flatMap((secret) =>
    secret.keeper === undefined ? secret.due.filter((issue) => !isSigned(input, issue)) : [],
  );
  return [...new Set(left.map(({ cluster }) => cluster.issuer))];
}

/** A Secret of which certificates stay although new ones are asked for: they are good, and whoever else makes it makes them anew. */
export interface LeftSecret {
  holder: Member;
  secret: string;
  owner: string;
  /** Whom the certificates are for dialling; none for a cluster's own. */
  peers: readonly string[];
}

/** What is left to those who have made it. */
export function leftToMakers(input: RotationInput): LeftSecret[] {
  return secretsAsked(input).flatMap(({ holder, secret, due, keeper }): LeftSecret[] =>
    keeper === undefined || due.length === 0
      ? []
      : [{ holder, secret, owner: keeper, peers: due.flatMap(({ one }) => one.peer ?? []) }],
  );
}

/** The certificates in one Secret, with what is to be done about them. */
interface IssuedSecret {
  holder: Member;
  secret: string;
  all: readonly Issue[];
  due: readonly Issue[];
  /** The tool that renews what is due, and nothing of it hangs on this run. */
  keeper: string | undefined;
}

/** Of all certificates that a run is about. */
function secretsAsked(input: RotationInput): IssuedSecret[] {
  const clusters = input.members.map((issuer) => clusterOf(issuer, input));
  return secretsOf(input, clusters, ({ peer }) => input.peer === undefined || peer === input.peer);
}

function secretsOf(
  input: RotationInput,
  clusters: readonly RotatedCluster[],
  chosen: (one: RotatedCertificate) => boolean,
): IssuedSecret[] {
  const issues = clusters.flatMap((cluster) =>
    cluster.certificates.filter(chosen).map((one): Issue => ({ cluster, one, fault: faultOf(input, cluster, one) })),
  );
  return input.members.flatMap((holder) => {
    const own = issues.filter(({ one }) => one.holder === holder);
    return [...groupBy(own, ({ one }) => one.secret)].map(([secret, all]): IssuedSecret => {
      const due = all.filter((issue) => isDue(input, issue));
      const keeper = due.every(({ fault }) => fault === undefined) ? keeperOf(input, holder, secret) : undefined;
      return { holder, secret, all, due, keeper };
    });
  });
}

/** A tool renews what it made; what somebody put there by hand is left to nobody: a conflict, as with enable. */
function keeperOf(input: RotationInput, holder: Member, secret: string): string | undefined {
  const owner = ownerOf(input, holder, secret);
  return owner === undefined || isByHand(owner) ? undefined : owner;
}

/** Who else has made a Secret, and is to be left what is good of it. */
function ownerOf({ force }: RotationInput, { snapshot }: Member, secret: string): string | undefined {
  return isForcedIn(force, snapshot.context)
    ? undefined
    : ownerOfData(snapshot.objects.get(keyOf(secretRef(snapshot.namespace, secret))));
}

/** A copy needs nobody who signs, and what is of a CA that is yet to be made is signed by that. */
function isSigned({ now }: RotationInput, { one, cluster }: Issue): boolean {
  return (
    one.copied === true || cluster.pending !== undefined || signerTrouble(cluster.issuer.snapshot, now) === undefined
  );
}

function isDue({ due }: RotationInput, { one, fault }: Issue): boolean {
  if (fault !== undefined) return true;
  // Renewed while it is good, it would be another cluster's for good; and a copy follows the one that it is of.
  return one.foreign === undefined && !one.copied && due.has(one.facts?.certificate.sha256 ?? '');
}

function faultOf(input: RotationInput, cluster: RotatedCluster, one: RotatedCertificate): string | undefined {
  const { issuer, pending } = cluster;
  const { holder, secret, peer, facts, spec, copied } = one;
  if (pending !== undefined) return 'the CA is new';
  const present = facts ?? certificateLackAt(holder.snapshot, peer === undefined ? secret : `${secret}/${peer}`);
  if (copied && typeof present === 'string') return saysCertificateLack(present);
  if (copied)
    return isRemoteCert(facts, issuer) && !renewsRemoteCert(input, issuer) ? undefined : 'the remote-cert is another';
  const isOurs = ownerOf(input, holder, secret) === undefined;
  const needed = isOurs ? spec : withoutAddresses(spec, holder.snapshot.namespace);
  // Where the CA is lost, what it has signed may do for its time.
  const ca = issuer.snapshot.ca?.certificate ?? facts?.ca;
  return ca ? reasonToReissue(present, needed, ca, input.now) : 'nothing tells what signed it';
}

/** Whether the certificate that a cluster has for all peers of its CA is made anew although it is good. */
function renewsRemoteCert(input: RotationInput, issuer: Member): boolean {
  const { tlsSecrets } = issuer.snapshot;
  return (
    input.due.has(tlsSecrets.get(REMOTE_CERT_SECRET)?.certificate.sha256 ?? '') &&
    signerTrouble(issuer.snapshot, input.now) === undefined &&
    keeperOf(input, issuer, REMOTE_CERT_SECRET) === undefined
  );
}

function issueStep(input: RotationInput, { holder, secret, all, due: wanted, keeper }: IssuedSecret): Step {
  const ref = secretRef(holder.snapshot.namespace, secret);
  const base = stepBase(holder, ref);
  const keep = (why: string): Step => ({ ...base, action: 'keep', changes: [], why });
  const spare = (why: string): Step => ({ ...keep(why), isSpared: true });
  const validity = all.map(({ one }) => validityOf(one)).join('; ');
  if (wanted.length === 0) return keep(validity);
  if (keeper !== undefined) return spare(`${validity}; made by ${keeper}, to whom a new one is left`);
  const due = wanted.filter((issue) => isSigned(input, issue));
  if (due.length === 0) return spare(`${validity}, and nothing can sign`);
  const owned = ownedKeys(
    input,
    holder,
    ref,
    due.map(({ one }) => one.keys.certificate),
  );
  const issued = due.filter(({ one }) => !one.copied).map((issue) => ({ issue, ...lifetimesOf(input, issue) }));
  const caEndOf = ({ issue, wanted }: (typeof issued)[number]) =>
    endWithCa(wanted.validityMs, signerOf(input, issue.cluster), input.now);
  const [own] = issued.filter(({ issue: { one } }) => one.peer === undefined);
  const marks = own ? validityMarks(own.wanted, caEndOf(own), base.before) : {};
  const copied = due.filter(({ one }) => one.copied);
  return {
    ...base,
    action: base.before ? 'update' : 'create',
    changes: [
      ...issued.map((order): Change => {
        const { issue, wanted, present } = order;
        const { one, cluster } = issue;
        const { commonName } = one.spec;
        const by = one.peer === undefined ? '' : `, issued by the CA of ${cluster.issuer.identity.name}`;
        const words = describeLifetime(wanted, present, caEndOf(order));
        return {
          path: `data.${one.keys.certificate}`,
          to: `certificate ${commonName}${words ? ` (${words})` : ''}${by}`,
        };
      }),
      ...copied.map(({ one }) => ({ path: `data.${one.keys.certificate}`, to: `the remote-cert of ${one.peer}` })),
      ...markChanges(base.before, marks.marks ?? {}),
    ],
    why: [...new Set(due.map(({ one, fault }) => reasonOf(one, fault)))].join('; '),
    whyOfMany: [...new Set(due.map(({ one, fault }) => reasonOfMany(one, fault)))].join('; '),
    write: {
      method: 'issue',
      certificates: issued.map(({ issue: { one, cluster }, wanted }) => ({
        spec: one.spec,
        signer: cluster.issuer.snapshot.context,
        keys: one.keys,
        ...wanted,
      })),
      ...(due.some(({ fault }) => fault !== undefined) ? { mends: true as const } : {}),
      copies: copied.map(({ one, cluster }) => ({ source: remoteCertOf(cluster.issuer), keys: one.keys })),
      data: {},
      ...marks,
      trust: due.map(({ one, cluster }) => ({ key: one.keys.ca, ...bothCas(cluster) })),
      secret: emptySecret(ref, 'kubernetes.io/tls'),
      into: 'exact',
    },
    ...owned,
  };
}

/** The CA that will have signed it, as far as its end can be told. */
function signerOf({ asked, now }: RotationInput, { issuer, pending, wanted }: RotatedCluster) {
  const ca = issuer.snapshot.ca?.certificate;
  if (pending === undefined || !ca) return ca;
  const { validityMs = AUTHORITY_VALIDITY_MS } = authorityLifetime(asked, lifetimeOf(ca));
  return wanted?.[0]?.facts ?? { notAfter: new Date(now.getTime() + validityMs) };
}

function remoteCertOf({ snapshot: { objects, namespace, context } }: Member): KubeObject {
  const secret = objects.get(keyOf(secretRef(namespace, REMOTE_CERT_SECRET)));
  if (secret) return secret;
  throw new MeshctlError('CertificateAuthority', `context "${context}": there is no Secret ${REMOTE_CERT_SECRET}`, {
    hint: meshctlCommand('clustermesh enable', { context }),
    details: { context },
  });
}

function reasonOf({ peer, spec }: RotatedCertificate, fault: string | undefined): string {
  const what = peer === undefined ? 'a new certificate' : `a new certificate for "${spec.commonName}" to dial ${peer}`;
  return fault === undefined ? what : `${what}: ${fault}`;
}

function reasonOfMany({ peer }: RotatedCertificate, fault: string | undefined): string {
  const what = peer === undefined ? 'a new certificate' : 'new certificates to dial peers';
  return fault === undefined ? what : `${what}: ${fault}`;
}

function validityOf({ facts, peer }: RotatedCertificate): string {
  const until = facts ? `valid until ${endOf(facts.certificate)}` : 'there is none';
  return peer === undefined ? until : `for ${peer} ${until}`;
}

function lifetimesOf({ asked }: RotationInput, { one, cluster }: Issue): { wanted: Lifetime; present: Lifetime } {
  const { facts, peer, holder, secret } = one;
  const { objects, namespace } = holder.snapshot;
  const own = peer === undefined ? objects.get(keyOf(secretRef(namespace, secret))) : undefined;
  const present = facts ? lifetimeIn(own, facts) : {};
  // What ends with its CA does not tell for how long it was meant: as the others of that CA.
  const { validityMs } = presentLifetime(cluster.issuer.snapshot);
  return { present, wanted: successorLifetime(successorLifetime(asked, present), { validityMs }) };
}
