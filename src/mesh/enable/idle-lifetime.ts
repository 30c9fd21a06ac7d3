import { endingWithAuthority } from '../certificates/authority-time.ts';
import type { SecretCertificate } from '../certificates/cluster-certificates.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand, spanWord } from '../command-line.ts';
import type { Step } from '../plan/plan.ts';
import { isOtherThan, type Lifetime, lifetimeOf } from '../rotation/lifetime.ts';

/**
 * What to tell of a key size or a validity that was asked for, where certificates stay because they are good: enable issues
 * only what has to be.
 */
export function idleLifetime(
  snapshot: ClusterSnapshot,
  { inFile = false, ...asked }: Lifetime & { inFile?: boolean | undefined },
  certificates: readonly SecretCertificate[],
  steps: readonly Step[],
  { now, others, makesCa }: { now: Date; others: readonly ClusterSnapshot[]; makesCa: boolean },
): string[] {
  const { context, tlsSecrets } = snapshot;
  const stay = certificates.filter(({ secret }) => {
    const facts = tlsSecrets.get(secret);
    const isKept = steps.some(({ action, object }) => object.name === secret && action === 'keep');
    if (!facts || !isKept) return false;
    const present = lifetimeOf(facts.certificate, facts.ca);
    // What has ended up with less than was once asked for is not what is asked for now.
    return isOtherThan(asked, present) || (asked.validityMs !== undefined && present.validityMs === undefined);
  });
  const flags = [
    ...(asked.keySize === undefined ? [] : ['--key-size', String(asked.keySize)]),
    ...(asked.validityMs === undefined ? [] : ['--cert-validity', spanWord(asked.validityMs)]),
  ];
  const words = inFile ? fieldNames(asked) : flags.filter((word) => word.startsWith('--'));
  const what = `${words.join(' and ')} ${inFile ? 'of the file ' : ''}${words.length === 1 ? 'is' : 'are'}`;
  const ending =
    makesCa || asked.validityMs === undefined
      ? undefined
      : endingWithAuthority(snapshot, { asked: asked.validityMs, flags, now }, others);
  const isIssued = certificates.some(({ secret }) =>
    steps.some(({ action, object }) => object.name === secret && action !== 'keep'),
  );
  if (stay.length === 0) return ending && isIssued ? [ending] : [];
  const says = `${what} for new certificates only; those in ${stay.map(({ secret }) => secret).join(', ')} are good and stay as they are`;
  if (ending) return [`${says}, and ${ending}`];
  return [`${says} → ${meshctlCommand('clustermesh certs rotate', { context }, flags)}`];
}

function fieldNames({ keySize, validityMs }: Lifetime): string[] {
  return [...(keySize === undefined ? [] : ['keySize']), ...(validityMs === undefined ? [] : ['certValidity'])];
}
