import type { EnableOptions } from '../../../flows/enable/draft-enable.ts';
import { MeshctlError } from '../../../mesh/errors.ts';
import { choicesOf, ciliumVersionOf } from '../../options/enable-options.ts';
import type { FlagsOf } from '../../options/flags-of.ts';
import { bitsOf } from '../../options/shared-options.ts';
import type { ENABLE } from './enable-spec.ts';

export type EnableFlags = FlagsOf<typeof ENABLE>;

/** What the flags of `enable` ask for. @throws MeshctlError `Usage` where they contradict each other */
export function enableOptionsOf(flags: EnableFlags): EnableOptions {
  if ((flags.caCert === undefined) !== (flags.caKey === undefined)) {
    throw new MeshctlError('Usage', '--ca-cert and --ca-key must be given together');
  }
  if (flags.caCert !== undefined && flags.caFromContext !== undefined) {
    throw new MeshctlError('Usage', '--ca-cert cannot be used with --ca-from-context: there can be one CA only');
  }
  const { maxConnectedClusters } = flags;
  return {
    ...choicesOf(flags),
    unset: flags.unset,
    ciliumVersion: flags.ciliumVersion === undefined ? undefined : ciliumVersionOf(flags.ciliumVersion),
    image: flags.image,
    replaceAuthority: flags.replaceCa,
    issuing: { validityMs: flags.certValidity, keySize: bitsOf(flags.keySize) },
    maxConnectedClusters: maxConnectedClusters === undefined ? undefined : Number(maxConnectedClusters),
    force: flags.forceConflicts,
    byHelm: flags.viaHelm,
    handsTo: flags.viaHelm ? { release: flags.helmRelease } : undefined,
    waitMs: flags.waitDuration,
  };
}
