import type { KubeObject } from '../objects/kube-object.ts';
import { isByHand, soleSetter, toolOf } from '../objects/ownership.ts';
import type { Step } from '../plan/plan.ts';
import { annotationChanges } from './global-service.ts';

/**
 * The steps after which a tool's next sync makes a Service as it was: where its source has an annotation that changes, by who has set
 * it. One that no source has, a sync leaves, but for Terraform's, which takes away what its configuration does not name.
 */
export function putBackSteps(steps: readonly Step[]): Step[] {
  return steps.filter((step) => {
    const { action, before } = step;
    const tool = toolOf(before);
    if (action !== 'update' || !before || !tool) return false;
    const changed = annotationChanges(step);
    if (tool.kind === 'terraform' && changed.length > 0) return true;
    return changed.some(({ annotation, from }) => from !== undefined && isOfTool(before, annotation));
  });
}

/** Whether neither meshctl nor somebody's own hand has set it; where nothing tells, it was made with the Service. */
function isOfTool(service: KubeObject, annotation: string): boolean {
  const { managedFields = [] } = service.metadata;
  const setter = soleSetter(service, `metadata.annotations.${annotation}`);
  return setter ? !isByHand(setter.manager) : managedFields.length === 0;
}
