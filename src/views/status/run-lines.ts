import { RUN_AT_WORK } from '../../mesh/checks/catalogue.ts';
import { firstOf } from '../../mesh/counted.ts';
import { toldRuns } from '../../mesh/runs-at-work.ts';
import { lookingAgain, type StatusReport } from '../../mesh/status/status.ts';
import { hintLines, withHintsOnce } from '../hint-lines.ts';
import type { Theme } from '../theme.ts';

/** The runs of meshctl that are at work in clusters: what restarts there, or lacks a peer, may be their work. */
export function runLines(reports: readonly StatusReport[], theme: Theme): string[] {
  const told = toldRuns(reports, lookingAgain(reports));
  return withHintsOnce(told).flatMap(({ contexts, says, hint }) => [
    `${theme.warn('⚠️ ')} ${firstOf(contexts)}: ${says} ${theme.dim(`(${RUN_AT_WORK})`)}`,
    ...hintLines(hint, theme),
  ]);
}

/** Lines of which none tells once more to wait for a run: what it is at work at may lack several things. */
export function withWaitsOnce(lines: readonly string[], reports: readonly StatusReport[], theme: Theme): string[] {
  const left = [...lines];
  for (const { hint } of toldRuns(reports, lookingAgain(reports))) {
    const block = hintLines(hint, theme);
    const isAt = (at: number) => block.every((line, index) => left[at + index] === line);
    const first = left.findIndex((_line, at) => isAt(at));
    for (let at = left.length - block.length; first >= 0 && at > first; at--)
      if (isAt(at)) left.splice(at, block.length);
  }
  return left;
}
