import { caMark, POD_CA_ANNOTATION, podCaMark } from '../apiserver/pod-marks.ts';
import { isStoredWith, storedWith } from '../certificates/trust.ts';
import type { Member } from '../connect/member.ts';
import { keyOf } from '../objects/kube-object.ts';
import { apiserverDeploymentRef, secretRef } from '../objects/names.ts';
import { emptySecret, secretTexts } from '../objects/secret-data.ts';
import { groupBy } from '../pairs.ts';
import { PEER_SECRETS } from '../peers/peers.ts';
import { isForcedIn } from '../plan/forcing.ts';
import type { Step, StepWrite, TrustOrder } from '../plan/plan.ts';
import { markFiles, unmarkFiles } from './reload-marks.ts';
import { type RotatedCertificate, strangersTo, type TrustedAuthority } from './rotated-certificates.ts';
import {
  bothCas,
  onlyWanted,
  ownedKeys,
  ownerOfData,
  type RotatedCluster,
  type RotationInput,
  stepBase,
} from './rotated-cluster.ts';

/** First the Secrets on both sides, with the peering files, whose change makes the CAs be read; then the pods. */
export function trustSteps(input: RotationInput, clusters: readonly RotatedCluster[]): Step[] {
  const lacking = clusters.filter((cluster) => {
    const { pending, wanted = [] } = cluster;
    return pending !== undefined || withTrust(input, cluster).some((one) => !hasAll(one, wanted));
  });
  const changed = lacking.flatMap((cluster) => {
    const { wanted, trusted } = cluster;
    const missing = withTrust(input, cluster).filter((one) => !(wanted && hasAll(one, trusted)));
    return missing.map((one) => ({ one, trust: { key: one.keys.ca, ...bothCas(cluster) } }));
  });
  return [
    ...secretSteps(input, changed, () => 'mark', 'trusts both CAs'),
    ...lacking.flatMap((cluster) => {
      const mark = cluster.wanted && caMark(cluster.trusted.map(({ facts }) => facts));
      return restartSteps(cluster, { to: mark ?? BOTH }, bothCas(cluster), 'the new CA and the present one');
    }),
  ];
}

/** The former CA goes from the same places; the pods follow. */
export function letGoSteps(input: RotationInput, clusters: readonly RotatedCluster[]): Step[] {
  const ready = clusters.filter((one) => one.ready);
  const changed = ready.flatMap((cluster) => {
    const { wanted, others } = cluster;
    const wantedShas = wanted && [...wanted, ...others].map(({ facts }) => facts.sha256);
    const differing = withTrust(input, cluster).filter(({ facts }) => {
      const shas = facts ? storedWith(facts).map(({ sha256 }) => sha256) : [];
      return !wantedShas || shas.length !== wantedShas.length || shas.some((sha256) => !wantedShas.includes(sha256));
    });
    return differing.map((one) => ({ one, trust: { key: one.keys.ca, ...onlyWanted(cluster) } }));
  });
  return [
    ...secretSteps(
      input,
      changed,
      (holder) => (goesOn(input, clusters, holder) ? 'mark' : 'unmark'),
      'trusts the CA alone',
    ),
    ...ready.flatMap((cluster) => {
      const { wanted, others, pending, unfinished } = cluster;
      if (pending === undefined && !unfinished) return [];
      const mark = wanted && caMark([...wanted, ...others].map(({ facts }) => facts));
      // By then the pods have both, as the phase before has left them.
      const marks = { to: mark ?? 'that of the new CA', ...(pending === undefined ? {} : { from: BOTH }) };
      return restartSteps(cluster, marks, onlyWanted(cluster), 'the CA alone');
    }),
  ];
}

/**
 * Whether a rotation that this run does not bring to its end has marked the files of a cluster: that of one whose certificates it
 * holds, or of one that takes no part.
 */
function goesOn({ members }: RotationInput, clusters: readonly RotatedCluster[], holder: Member): boolean {
  const isHeld = ({ certificates }: RotatedCluster) => certificates.some((one) => one.holder === holder);
  const bundleOf = (peer: string) => {
    const facts = holder.snapshot.peerCertificates.get(peer);
    return facts ? storedWith(facts) : [];
  };
  return (
    clusters.some((cluster) => !cluster.ready && cluster.unfinished && isHeld(cluster)) ||
    strangersTo(holder, members).some((peer) => bundleOf(peer).length > 1)
  );
}

/** Certificates whose CAs this run may choose: not those that another tool keeps, as long as its CA stays. */
function withTrust({ force }: RotationInput, { certificates, pending }: RotatedCluster) {
  return certificates.filter(({ facts, holder: { snapshot }, secret }) => {
    const object = snapshot.objects.get(keyOf(secretRef(snapshot.namespace, secret)));
    return (
      facts !== undefined &&
      (isForcedIn(force, snapshot.context) || pending !== undefined || ownerOfData(object) === undefined)
    );
  });
}

function hasAll({ facts }: RotatedCertificate, authorities: readonly TrustedAuthority[]): boolean {
  return facts !== undefined && authorities.every((one) => isStoredWith(facts, one.facts));
}

const MARK_WORDS = {
  mark: 'a comment is added to the peering files, so that the CAs are read again',
  unmark: 'the comment is taken out of the peering files, so that the CAs are read again',
};

/** The mark of pods that trust both CAs, in words, while the new one is yet to be made. */
const BOTH = 'those of both CAs';

type Marks = keyof typeof MARK_WORDS;

interface TrustChange {
  one: RotatedCertificate;
  trust: TrustOrder;
}

/**
 * One step for each Secret whose CAs change, or whose peering files do: they are marked where the CAs of their holder
 * change, or lose their marks wherever they have one.
 */
function secretSteps(
  input: RotationInput,
  changes: readonly TrustChange[],
  marksOf: (holder: Member) => Marks,
  why: string,
): Step[] {
  return input.members.flatMap((holder) => {
    const marks = marksOf(holder);
    const own = changes.filter(({ one }) => one.holder === holder);
    const bySecret = groupBy(own, ({ one }) => one.secret);
    const isForPeers = (secret: string) => (PEER_SECRETS as readonly string[]).includes(secret);
    const names = [...[...bySecret.keys()].filter((secret) => !isForPeers(secret)), ...PEER_SECRETS];
    return names.flatMap((secret): Step[] => {
      const ref = secretRef(holder.snapshot.namespace, secret);
      const texts = secretTexts(holder.snapshot.objects.get(keyOf(ref)));
      const files = isForPeers(secret) ? changedFiles(texts, own, marks, input.now) : {};
      const here = bySecret.get(secret) ?? [];
      if (here.length === 0 && Object.keys(files).length === 0) return [];
      const reasons = [
        ...(here.length > 0 ? [why] : []),
        ...(Object.keys(files).length > 0 ? [MARK_WORDS[marks]] : []),
      ];
      // A file that has no mark yet will have one by then.
      const changes = Object.keys(files)
        .filter((peer) => files[peer] === texts[peer])
        .map((peer) => ({ path: `data.${peer}`, from: 'the file with the comment', to: 'without it, as it is now' }));
      const write: StepWrite = {
        method: 'issue',
        certificates: [],
        data: files,
        trust: here.map(({ trust }) => trust),
        secret: emptySecret(ref, 'kubernetes.io/tls'),
        into: 'exact',
      };
      const owned = ownedKeys(
        input,
        holder,
        ref,
        here.map(({ one }) => one.keys.ca),
      );
      return [{ ...stepBase(holder, ref), action: 'update', changes, why: reasons.join('; '), write, ...owned }];
    });
  });
}

function changedFiles(
  texts: Readonly<Record<string, string>>,
  changes: readonly TrustChange[],
  marks: Marks,
  now: Date,
): Record<string, string> {
  if (marks === 'mark') return changes.length > 0 ? markFiles(texts, now) : {};
  // Of a CA that is yet to be made the files have no mark by now, and will have one.
  return unmarkFiles(texts, { all: changes.some(({ trust }) => trust.authority !== undefined) });
}

function restartSteps(
  { issuer }: RotatedCluster,
  { from, to }: { from?: string; to: string },
  trust: Omit<TrustOrder, 'key'>,
  trusted: string,
): Step[] {
  const base = stepBase(issuer, apiserverDeploymentRef(issuer.snapshot.namespace));
  const present = podCaMark(base.before);
  if (!base.before || to === present) return [];
  const path = `spec.template.metadata.annotations.${POD_CA_ANNOTATION}`;
  return [
    {
      ...base,
      action: 'update',
      changes: [{ path, from: from ?? present, to }],
      why: `its pods are replaced one by one: etcd reads its CA only at its start, and is to trust ${trusted}`,
      write: { method: 'restart', annotation: POD_CA_ANNOTATION, trust },
    },
  ];
}
