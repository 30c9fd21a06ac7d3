import type { KubeObject } from '../../../mesh/objects/kube-object.ts';
import { type ApiError, badRequest } from '../errors.ts';
import { valueAt } from '../fields/json.ts';
import type { ResourceType } from './kinds.ts';

/** Whether an object is selected. */
export type Selector = (object: KubeObject) => boolean;

const NAME = '[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?';
const SET_TERM = new RegExp(`^(?<key>${NAME})\\s+(?<operator>in|notin)\\s*\\((?<values>[^()]*)\\)$`);
const EQUALITY_TERM = new RegExp(`^(?<key>${NAME})\\s*(?<operator>==|=|!=)\\s*(?<value>[-A-Za-z0-9_.]*)$`);
const EXISTS_TERM = new RegExp(`^(?<not>!?)\\s*(?<key>${NAME})$`);

/** Splits at commas outside parentheses. */
function splitTerms(text: string): string[] {
  return text
    .split(/,(?![^(]*\))/)
    .map((term) => term.trim())
    .filter((term) => term !== '');
}

type LabelTest = (labels: Readonly<Record<string, string>>) => boolean;

function parseLabelTerm(term: string): LabelTest {
  const set = SET_TERM.exec(term)?.groups;
  if (set?.key !== undefined && set.values !== undefined) {
    const { key, operator } = set;
    const values = new Set(set.values.split(',').map((value) => value.trim()));
    if (operator === 'in') return (labels) => labels[key] !== undefined && values.has(labels[key]);
    return (labels) => labels[key] === undefined || !values.has(labels[key]);
  }
  const equality = EQUALITY_TERM.exec(term)?.groups;
  if (equality?.key !== undefined) {
    const { key, operator, value } = equality;
    return operator === '!=' ? (labels) => labels[key] !== value : (labels) => labels[key] === value;
  }
  const exists = EXISTS_TERM.exec(term)?.groups;
  if (exists?.key !== undefined) {
    const { key, not } = exists;
    return not ? (labels) => labels[key] === undefined : (labels) => labels[key] !== undefined;
  }
  throw badRequest(`unable to parse requirement: found '${term}', expected: a label selector`);
}

/** Reads `a=b,c!=d,e in (f,g),h notin (i),j,!k`. Throws 400. */
function parseLabelSelector(text: string): Selector {
  const tests = splitTerms(text).map(parseLabelTerm);
  return (object) => tests.every((test) => test(object.metadata.labels ?? {}));
}

// The fields beside name and namespace that the API server can select by.
const SELECTABLE: Record<string, readonly string[]> = {
  Pod: [
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'spec.hostNetwork',
    'status.phase',
    'status.podIP',
  ],
  Node: ['spec.unschedulable'],
  Namespace: ['status.phase'],
  Secret: ['type'],
  Service: ['spec.clusterIP', 'spec.type'],
  Event: [
    'involvedObject.kind',
    'involvedObject.namespace',
    'involvedObject.name',
    'involvedObject.uid',
    'involvedObject.apiVersion',
    'involvedObject.resourceVersion',
    'involvedObject.fieldPath',
    'reason',
    'reportingComponent',
    'source',
    'type',
  ],
  ReplicaSet: ['status.replicas'],
  Job: ['status.successful'],
};

function unknownField(resource: ResourceType, field: string): ApiError {
  if (resource.custom || SELECTABLE[resource.kind]) return badRequest(`field label not supported: ${field}`);
  return badRequest(`"${field}" is not a known field selector: only "metadata.name", "metadata.namespace"`);
}

/** Reads `metadata.name=x,status.phase!=Running`. Throws 400 for fields that the kind cannot be selected by. */
function parseFieldSelector(resource: ResourceType, text: string): Selector {
  const tests = splitTerms(text).map((term): Selector => {
    const match = /^(?<field>[^=!]+?)(?<operator>==|=|!=)(?<value>.*)$/.exec(term)?.groups;
    if (match?.field === undefined) throw badRequest(`invalid selector: '${term}'; can't understand '${term}'`);
    const { field, operator, value } = match;
    const known =
      field === 'metadata.name' || field === 'metadata.namespace' || (SELECTABLE[resource.kind] ?? []).includes(field);
    if (!known) throw unknownField(resource, field);
    const path = field.split('.');
    return (object) => (String(valueAt(object, ...path) ?? '') === value) === (operator !== '!=');
  });
  return (object) => tests.every((test) => test(object));
}

/** The selector of a request's `labelSelector` and `fieldSelector`. */
export function requestSelector(resource: ResourceType, query: URLSearchParams): Selector {
  const byLabel = parseLabelSelector(query.get('labelSelector') ?? '');
  const byField = parseFieldSelector(resource, query.get('fieldSelector') ?? '');
  return (object) => byLabel(object) && byField(object);
}
