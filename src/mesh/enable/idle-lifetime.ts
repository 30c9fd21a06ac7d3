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
  { context, tlsSecrets }: ClusterSnapshot,
  { inFile = false, ...asked }: Lifetime & { inFile?: boolean | undefined },
  certificates: readonly SecretCertificate[],
  steps: readonly Step[],
): string[] {
  const stay = certificates.filter(({ secret }) => {
    const facts = tlsSecrets.get(secret);
    const isKept = steps.some(({ action, object }) => object.name === secret && action === 'keep');
    if (!facts || !isKept) return false;
    return isOtherThan(asked, lifetimeOf(facts.certificate, facts.ca));
  });
  if (stay.length === 0) return [];
  const flags = [
    ...(asked.keySize === undefined ? [] : ['--key-size', String(asked.keySize)]),
    ...(asked.validityMs === undefined ? [] : ['--cert-validity', spanWord(asked.validityMs)]),
  ];
  const words = inFile ? fieldNames(asked) : flags.filter((word) => word.startsWith('--'));
  const what = `${words.join(' and ')} ${inFile ? 'of the file ' : ''}${words.length === 1 ? 'is' : 'are'}`;
  const rotate = meshctlCommand('clustermesh certs rotate', { context }, flags);
  return [
    `${what} for new certificates only; those in ${stay.map(({ secret }) => secret).join(', ')} are good and stay as they are → ${rotate}`,
  ];
}

function fieldNames({ keySize, validityMs }: Lifetime): string[] {
  return [...(keySize === undefined ? [] : ['keySize']), ...(validityMs === undefined ? [] : ['certValidity'])];
}
