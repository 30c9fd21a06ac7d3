import type { KubeObject } from '../../../mesh/objects/kube-object.ts';
import { type StatusCause, wrong } from '../errors.ts';
import { isObject, type JsonObject, objectAt, objectsAt } from '../fields/json.ts';

// All rules and their words: apimachinery's validation of labels, annotations and names.
export const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
export const SUBDOMAIN_RULE =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_VALUE = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;
const LABEL_VALUE_RULE =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const QUALIFIED_NAME = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const QUALIFIED_NAME_RULE =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LONGEST_LABEL = 63;
const LONGEST_SUBDOMAIN = 253;
const ANNOTATIONS_LIMIT = 256 * 1024;
const STANDARD_FINALIZERS = new Set(['kubernetes', 'orphan', 'foregroundDeletion']);

/** What is wrong with a key of labels or annotations: a name, perhaps with a DNS prefix. */
function keyErrors(key: string): string[] {
  const parts = key.split('/');
  if (parts.length > 2) {
    return [
      `a valid label key ${QUALIFIED_NAME_RULE} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  }
  const name = parts.at(-1) ?? '';
  const errors: string[] = [];
  if (parts.length === 2) errors.push(...prefixErrors(parts[0] ?? '').map((error) => `prefix part ${error}`));
  if (name === '') errors.push('name part must be non-empty');
  if (name.length > LONGEST_LABEL) errors.push(`name part must be no more than ${LONGEST_LABEL} bytes`);
  if (!QUALIFIED_NAME.test(name)) errors.push(`name part ${QUALIFIED_NAME_RULE}`);
  return errors;
}

function prefixErrors(prefix: string): string[] {
  if (prefix === '') return ['must be non-empty'];
  if (prefix.length > LONGEST_SUBDOMAIN) return [`must be no more than ${LONGEST_SUBDOMAIN} bytes`];
  return SUBDOMAIN.test(prefix) ? [] : [SUBDOMAIN_RULE];
}

function valueErrors(value: string): string[] {
  return [
    ...(value.length > LONGEST_LABEL ? [`must be no more than ${LONGEST_LABEL} bytes`] : []),
    ...(LABEL_VALUE.test(value) ? [] : [LABEL_VALUE_RULE]),
  ];
}

/** What is wrong with labels, or with a selector that is made of such. */
export function labelCauses(labels: JsonObject | undefined, field: string): StatusCause[] {
  return Object.entries(labels ?? {}).flatMap(([key, value]) => [
    ...keyErrors(key).map((error) => wrong(field, key, error)),
    ...valueErrors(String(value)).map((error) => wrong(field, value, error)),
  ]);
}

/** What is wrong with annotations: their values may be anything, but not too long together. */
function annotationCauses(annotations: JsonObject | undefined, field: string): StatusCause[] {
  const entries = Object.entries(annotations ?? {});
  // The server looks at the keys in lower case, and names them as they are.
  const causes = entries.flatMap(([key]) => keyErrors(key.toLowerCase()).map((error) => wrong(field, key, error)));
  const size = entries.reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(String(value)),
    0,
  );
  if (size > ANNOTATIONS_LIMIT) {
    const message = `Too long: may not be more than ${ANNOTATIONS_LIMIT} bytes`;
    causes.push({ reason: 'FieldValueTooLong', message, field });
  }
  return causes;
}

function finalizerCauses(finalizers: unknown): StatusCause[] {
  if (!Array.isArray(finalizers)) return [];
  return finalizers.map(String).flatMap((finalizer, index) => {
    const errors = keyErrors(finalizer).map((error) => wrong('metadata.finalizers', finalizer, error));
    if (errors.length > 0 || finalizer.includes('/') || STANDARD_FINALIZERS.has(finalizer)) return errors;
    const why = 'name is neither a standard finalizer name nor is it fully qualified';
    return [wrong(`metadata.finalizers[${index}]`, finalizer, why)];
  });
}

function ownerCauses(object: KubeObject): StatusCause[] {
  return objectsAt({ ...object.metadata }, 'ownerReferences').flatMap((owner) =>
    (
      [
        ['apiVersion', 'version must not be empty'],
        ['kind', 'must not be empty'],
        ['name', 'must not be empty'],
        ['uid', 'must not be empty'],
      ] as const
    )
      .filter(([name]) => !owner[name])
      .map(([name, why]) => wrong(`metadata.ownerReferences.${name}`, '', why)),
  );
}

/** What is wrong with the metadata of any object, its name aside. */
export function metadataCauses(object: KubeObject): StatusCause[] {
  const { labels, annotations, finalizers } = object.metadata as KubeObject['metadata'] & { finalizers?: unknown };
  return [
    ...ownerCauses(object),
    ...finalizerCauses(finalizers),
    ...labelCauses(labels, 'metadata.labels'),
    ...annotationCauses(annotations, 'metadata.annotations'),
  ];
}

/** What is wrong with the selector and the labels of a workload's template. */
export function templateCauses(workload: KubeObject): StatusCause[] {
  const template = objectAt(workload, 'spec', 'template', 'metadata');
  const part = (name: string): JsonObject | undefined => {
    const value = template?.[name];
    return isObject(value) ? value : undefined;
  };
  return [
    ...labelCauses(objectAt(workload, 'spec', 'selector', 'matchLabels'), 'spec.selector.matchLabels'),
    ...labelCauses(part('labels'), 'spec.template.labels'),
    ...annotationCauses(part('annotations'), 'spec.template.annotations'),
  ];
}
