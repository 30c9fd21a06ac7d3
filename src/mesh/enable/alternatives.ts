import { KNOWN_FIELDS } from '../objects/known-fields.ts';
import type { KubeObject } from '../objects/kube-object.ts';
import { isRecord } from '../record.ts';
import { entryOf, segmentsOf } from './setting-path.ts';

/** Fields of a type of which the API server takes only one (pkg/apis/core/validation and policy/validation of Kubernetes). */
const ALTERNATIVES: Readonly<Record<string, readonly string[]>> = {
  PodDisruptionBudgetSpec: ['minAvailable', 'maxUnavailable'],
  EnvVar: ['value', 'valueFrom'],
  LifecycleHandler: ['exec', 'httpGet', 'tcpSocket', 'sleep'],
  Probe: ['exec', 'httpGet', 'tcpSocket', 'grpc'],
  Volume: [...(KNOWN_FIELDS.get('Volume')?.keys() ?? [])].filter((field) => field !== 'name'),
};

/** What a field leaves no room for beside it. */
function excludedBy(type: string | undefined, field: string, value: unknown): readonly string[] {
  // What is meant for the other strategy (pkg/apis/apps/validation, ValidateDeploymentStrategy).
  if (type === 'DeploymentStrategy') return field === 'type' && value === 'Recreate' ? ['rollingUpdate'] : [];
  const group = type === undefined ? [] : (ALTERNATIVES[type] ?? []);
  return group.includes(field) ? group.filter((other) => other !== field) : [];
}

/**
 * Takes out of a rendered object, in place, what a field that is about to be set excludes: who sets the one wants it instead of
 * what meshctl would have. What operators set themselves is not there yet, so that two that exclude each other both arrive at the
 * API server, which refuses them.
 */
export function makeRoomFor(object: KubeObject, path: string, value: unknown): void {
  if (value === null) return;
  let parent: unknown = object;
  let type: string | undefined = object.kind;
  for (const segment of segmentsOf(path) ?? []) {
    if (Array.isArray(parent)) {
      parent = parent[entryOf(parent, segment) ?? -1];
      continue;
    }
    if (!isRecord(parent)) return;
    for (const other of excludedBy(type, segment, value)) delete parent[other];
    type = type === undefined ? undefined : KNOWN_FIELDS.get(type)?.get(segment);
    parent = parent[segment];
  }
}
