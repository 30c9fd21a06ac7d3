import type { NodeFacts } from '../cluster-snapshot.ts';
import type { NodeRequirement, NodeSelectorTerm, PodSpec } from './workload.ts';

/** Of a node what pods can choose it by. */
type Choosable = Pick<NodeFacts, 'name' | 'labels'>;

/** Of a pod's spec what chooses nodes. */
type Choosing = Pick<PodSpec, 'nodeSelector' | 'affinity'>;

/**
 * By what a pod may not be on a node: `nodeSelector pool=mesh`, `node affinity pool in (mesh)`; undefined where it may. The
 * terms of an affinity are alternatives, and one that is empty takes no node (Kubernetes' component-helpers,
 * scheduling/corev1/nodeaffinity).
 */
export function unmetChoice({ nodeSelector = {}, affinity }: Choosing, node: Choosable): string | undefined {
  const missing = Object.entries(nodeSelector).filter(([key, value]) => node.labels[key] !== value);
  if (missing.length > 0) return `nodeSelector ${missing.map((pair) => pair.join('=')).join(', ')}`;
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  if (!required) return undefined;
  const terms = (required.nodeSelectorTerms ?? []).filter((term) => requirementsOf(term).length > 0);
  if (terms.some((term) => isMet(term, node))) return undefined;
  const words = terms.map((term) => requirementsOf(term).map(requirementText).join(', '));
  return `node affinity ${words.join(' or ') || 'without a term'}`;
}

function requirementsOf({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm): NodeRequirement[] {
  return [...matchExpressions, ...matchFields];
}

function isMet({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm, { name, labels }: Choosable): boolean {
  const fields: Readonly<Record<string, string>> = { 'metadata.name': name };
  return (
    matchExpressions.every((one) => isRequirementMet(one, labels)) &&
    matchFields.every((one) => isRequirementMet(one, fields))
  );
}

/** Where an operator is not known, nothing meets it. */
function isRequirementMet({ key, operator, values = [] }: NodeRequirement, of: Readonly<Record<string, string>>) {
  const value = Object.hasOwn(of, key) ? of[key] : undefined;
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    // Of anything but a whole number the comparison is false.
    case 'Gt':
      return integer(value) > integer(values[0]);
    case 'Lt':
      return integer(value) < integer(values[0]);
    default:
      return false;
  }
}

function integer(text: string | undefined): number {
  return text !== undefined && /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
}

/** As kubectl writes selectors. */
function requirementText({ key, operator, values = [] }: NodeRequirement): string {
  const list = `(${values.join(',')})`;
  const words: Readonly<Record<string, string>> = {
    In: `${key} in ${list}`,
    NotIn: `${key} notin ${list}`,
    Exists: key,
    DoesNotExist: `!${key}`,
    Gt: `${key} > ${values[0]}`,
    Lt: `${key} < ${values[0]}`,
  };
  return words[operator] ?? `${key} ${operator} ${list}`;
}
