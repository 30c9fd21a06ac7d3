import { serviceSpec } from '../../mesh/objects/service.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import { annotationChanges } from '../../mesh/services/global-service.ts';
import { printable } from '../printable.ts';
import type { Theme } from '../theme.ts';

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

function whatHappened(step: Step, theme: Theme): string {
  if (step.action === 'create') {
    const hasSelector = Object.keys(serviceSpec(step.wanted).selector ?? {}).length > 0;
    return hasSelector
      ? 'created, with the selector and ports that it has elsewhere'
      : 'created, with the ports that it has elsewhere; as there, no selector gives it backends of its own';
  }
  const changes = printable(annotationChanges(step));
  if (changes.length === 0) return theme.dim('nothing to change');
  return changes
    .map(({ annotation, from, to }) => {
      if (to === undefined) return `${annotation} removed`;
      return from === undefined ? `${annotation}=${to}` : `${annotation}=${to} (was ${from})`;
    })
    .join(', ');
}
