import type { Change, Step } from '../mesh/plan.ts';
import type { Theme } from './theme.ts';

/** The result of `service global`: what changed in each cluster. */
export function globalServiceText(
  { namespace, name }: { namespace: string; name: string },
  global: boolean,
  steps: readonly Step[],
  theme: Theme,
): string {
  const subject = theme.bold(`${namespace}/${name}`);
  return [
    `✅ ${subject} is ${global ? 'global' : 'no longer global'} in ${steps.map(({ cluster }) => cluster).join(', ')}`,
    ...steps.map((step) => `  • ${theme.bold(step.cluster)}: ${whatHappened(step, theme)}`),
  ].join('\n');
}

function whatHappened({ action, changes }: Step, theme: Theme): string {
  if (action === 'create') return 'created, with the selector and ports that it has elsewhere';
  return changes.length > 0 ? changes.map(changeText).join(', ') : theme.dim('nothing to change');
}

function changeText({ path, from, to }: Change): string {
  const annotation = /\[(.+)\]$/.exec(path)?.[1] ?? path;
  if (to === undefined) return `${annotation} removed`;
  return from === undefined ? `${annotation}=${to}` : `${annotation}=${to} (was ${from})`;
}
