import { CILIUM_VALIDITY_MS } from '../certificates/certificate.ts';
import { ownLifetimes, USUAL_KEY_SIZE } from '../certificates/kept-lifetime.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { spanWord } from '../command-line.ts';
import type { WrittenEnable } from './document.ts';

/** Of which a file can choose one. */
const KEY_SIZES: readonly number[] = [2048, 3072, 4096];

/**
 * How long the keys of a cluster's certificates are, and for how long they are valid, where that is otherwise than usual: a cluster that
 * is made from the file gets the same. What is not the same of all of them no file can have.
 * @returns the fields, and as clauses what is left out
 */
export function writtenLifetime(snapshot: ClusterSnapshot): {
  fields: Pick<WrittenEnable, 'keySize' | 'certValidity'>;
  says: string[];
} {
  const present = ownLifetimes(snapshot);
  const sizes = different(present.map((one) => one.keySize));
  // One that ends with its CA tells nothing of what was wanted.
  const spans = different(present.map((one) => one.validityMs));
  const [size = USUAL_KEY_SIZE, ...otherSizes] = sizes;
  const [span = CILIUM_VALIDITY_MS, ...otherSpans] = spans;
  const isWritten = otherSizes.length === 0 && size !== USUAL_KEY_SIZE && KEY_SIZES.includes(size);
  return {
    fields: {
      ...(isWritten ? { keySize: size } : {}),
      ...(otherSpans.length === 0 && span !== CILIUM_VALIDITY_MS ? { certValidity: spanWord(span) } : {}),
    },
    says: [
      ...(otherSizes.length > 0 || !KEY_SIZES.includes(size)
        ? [`the keys of its certificates have ${sizes.join(', ')} bits, which no keySize of a file says`]
        : []),
      ...(otherSpans.length > 0
        ? [`its certificates are valid for ${spans.map(spanWord).join(', ')}, which no certValidity of a file says`]
        : []),
    ],
  };
}

function different(values: readonly (number | undefined)[]): number[] {
  return [...new Set(values.flatMap((value) => value ?? []))].sort((a, b) => a - b);
}
