import { endingWithAuthority } from '../certificates/authority-time.ts';
import { spanWord } from '../command-line.ts';
import type { Member } from '../connect/member.ts';
import type { Step } from '../plan/plan.ts';
import type { Lifetime } from './lifetime.ts';

/**
 * What to tell of a rotation whose new certificates end with a CA that it does not replace: before what was asked for, or soon.
 * @param steps of all phases
 */
export function authorityEnds(
  members: readonly Member[],
  steps: readonly Step[],
  { asked: { validityMs: asked, keySize } }: { asked: Lifetime },
  now: Date,
): string[] {
  const writes = steps.flatMap(({ cluster, write }) => (write ? [{ cluster, write }] : []));
  const signers = new Set(
    writes.flatMap(({ write }) => (write.method === 'issue' ? write.certificates.map(({ signer }) => signer) : [])),
  );
  const isReplaced = (context: string) =>
    writes.some(({ cluster, write }) => cluster === context && write.method === 'authority');
  const flags = [
    ...(keySize === undefined ? [] : ['--key-size', String(keySize)]),
    ...(asked === undefined ? [] : ['--cert-validity', spanWord(asked)]),
  ];
  const all = members.map(({ snapshot }) => snapshot);
  return all.flatMap((snapshot) => {
    const { context } = snapshot;
    if (!signers.has(context) || isReplaced(context)) return [];
    const others = all.filter((other) => other !== snapshot);
    const says = endingWithAuthority(snapshot, { asked, flags, now }, others);
    return says === undefined ? [] : [`context "${context}": ${says}`];
  });
}
