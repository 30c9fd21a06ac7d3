import { serviceSpec } from '../../mesh/objects/service.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import { annotationChanges } from '../../mesh/services/global-service.ts';
import type { Remark } from '../../mesh/services/outlook.ts';
import { printable } from '../printable.ts';
import type { Theme } from '../theme.ts';

/** The result of `service global`: what changed in each cluster. What is annotated and shares nothing has no tick. */
export function globalServiceText(
  { namespace, name }: { namespace: string; name: string },
  global: boolean,
  { steps, remarks }: { steps: readonly Step[]; remarks: readonly Remark[] },
  theme: Theme,
): string {
  const subject = theme.bold(`${namespace}/${name}`);
  const vain = remarks.filter(({ isInVain }) => isInVain);
  const words = `${subject} is ${global ? 'global' : 'no longer global'} in ${steps.map(({ cluster }) => cluster).join(', ')}`;
  return [
    vain.length > 0 ? `⚠️  ${words}, and not all of that is shared:` : `✅ ${words}`,
    ...steps.map((step) => `  • ${theme.bold(step.cluster)}: ${whatHappened(step, theme)}`),
    ...vain.map(
      ({ context, says }) => `  ‼ ${context === undefined ? '' : `${theme.bold(context)}: `}${theme.warn(says)}`,
    ),
  ].join('\n');
}

function whatHappened(step: Step, theme: Theme): string {
  if (step.action === 'create') {
    const hasSelector = Object.keys(serviceSpec(step.wanted).selector ?? {}).length > 0;
    const created = hasSelector
      ? 'created, with the selector and ports that it has elsewhere'
      : 'created, with the ports that it has elsewhere; as there, no selector gives it backends of its own';
    return `${created}: ${annotationsText(step)}`;
  }
  return annotationsText(step) || theme.dim('nothing to change');
}

function annotationsText(step: Step): string {
  return printable(annotationChanges(step))
    .map(({ annotation, from, to }) => {
      if (to === undefined) return `${annotation} removed`;
      return from === undefined ? `${annotation}=${to}` : `${annotation}=${to} (was ${from})`;
    })
    .join(', ');
}
