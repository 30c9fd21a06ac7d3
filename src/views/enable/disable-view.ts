import { capital, enumerated } from '../../mesh/counted.ts';
import type { PodsLeft } from '../../mesh/enable/remaining-pods.ts';
import type { StillEnabled } from '../../mesh/enable/staying.ts';
import { hintLines } from '../hint-lines.ts';
import { type CountedStep, countActions } from '../plan/plan-data.ts';
import { summariseActions } from '../plan/plan-view.ts';
import { printable } from '../printable.ts';
import type { Theme } from '../theme.ts';

/** What disable shows. */
export interface DisabledCluster {
  context: string;
  name: string;
  steps: readonly CountedStep[];
  /** Whether it was seen that its peers have forgotten it, as far as that was to be looked at. */
  verified: boolean;
  /** Names of those that go on dialling it although they were to be told. */
  untold: readonly string[];
  /** Why it has Cluster Mesh all the same. */
  still: StillEnabled | undefined;
  /** What serves all the same, as long as it runs. */
  left: PodsLeft | undefined;
}

/** The result of `clustermesh disable`. */
export function disableText(cluster: DisabledCluster, theme: Theme): string {
  const { context, name, steps, verified, untold, still, left } = cluster;
  const counts = countActions(steps);
  const doubt = doubtOf(verified, untold);
  if (still) {
    const { says, hint } = printable(still);
    return [
      `❌ Cluster Mesh is still enabled in ${theme.bold(name)} (context ${context}): ${says}`,
      ...(doubt === undefined ? [] : [`  • ${capital(doubt)}`]),
      `  • Objects: ${summariseActions(counts, theme)}`,
      ...hintLines(hint, theme, 2),
    ].join('\n');
  }
  if (left) {
    const { says, hint } = printable(left);
    return [
      `⚠️  Cluster Mesh is disabled in ${theme.bold(name)} (context ${context}), but ${says}`,
      ...(doubt === undefined ? [] : [`  • ${capital(doubt)}`]),
      `  • Objects: ${summariseActions(counts, theme)}`,
      ...hintLines(hint, theme, 2),
    ].join('\n');
  }
  if (counts.delete + counts.update === 0) {
    return `Cluster Mesh is not enabled in ${theme.bold(name)} (context ${context}) by meshctl: there is nothing to remove`;
  }
  const says = `Cluster Mesh is disabled in ${theme.bold(name)} (context ${context})`;
  return [
    doubt === undefined ? `✅ ${says}` : `⚠️  ${says}, but ${doubt}`,
    `  • Objects: ${summariseActions(counts, theme)}`,
  ].join('\n');
}

function doubtOf(verified: boolean, untold: readonly string[]): string | undefined {
  if (verified) return undefined;
  return untold.length > 0
    ? `${enumerated(untold)} ${untold.length === 1 ? 'was not told, and still points' : 'were not told, and still point'} here`
    : 'it could not be verified that all peers forgot it';
}
