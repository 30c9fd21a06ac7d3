import type { KubeObject } from '../../../mesh/objects/kube-object.ts';
import { forbidden, invalid, type StatusCause, wrong } from '../errors.ts';
import { type JsonObject, objectAt, objectsAt, valueAt } from '../fields/json.ts';
import type { ResourceType } from '../storage/kinds.ts';
import { labelCauses, metadataCauses, SUBDOMAIN, SUBDOMAIN_RULE, templateCauses } from './metadata-validation.ts';
import { balancerClassCauses, changeCauses } from './update-validation.ts';

const required = (field: string, what = ''): StatusCause => {
  return { reason: 'FieldValueRequired', message: `Required value${what ? `: ${what}` : ''}`, field };
};
const unsupported = (field: string, value: unknown, supported: readonly string[]): StatusCause => {
  const list = supported.map((choice) => `"${choice}"`).join(', ');
  return {
    reason: 'FieldValueNotSupported',
    message: `Unsupported value: ${JSON.stringify(value)}: supported values: ${list}`,
    field,
  };
};

const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const LABEL_RULE =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const DATA_KEY = /^[-._a-zA-Z0-9]{1,253}$/;
const DATA_KEY_RULE =
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
const LONGEST_LABEL = 63;
const LONGEST_NAME = 253;
const LAST_PORT = 65535;
const PORT_RULE = `must be between 1 and ${LAST_PORT}, inclusive`;
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];

const RBAC_KINDS = new Set(['Role', 'RoleBinding', 'ClusterRole', 'ClusterRoleBinding']);

function nameCauses(object: KubeObject): StatusCause[] {
  const { name, generateName } = object.metadata;
  if (!name) return generateName ? [] : [required('metadata.name', 'name or generateName is required')];
  if (RBAC_KINDS.has(object.kind))
    return /[/%]/.test(name) ? [wrong('metadata.name', name, "may not contain '/'")] : [];
  const isLabel = object.kind === 'Namespace' || object.kind === 'Service';
  const limit = isLabel ? LONGEST_LABEL : LONGEST_NAME;
  if (name.length > limit) return [wrong('metadata.name', name, `must be no more than ${limit} characters`)];
  if (isLabel) return LABEL.test(name) ? [] : [wrong('metadata.name', name, LABEL_RULE)];
  return SUBDOMAIN.test(name) ? [] : [wrong('metadata.name', name, SUBDOMAIN_RULE)];
}

function serviceCauses(service: KubeObject): StatusCause[] {
  const spec = objectAt(service, 'spec') ?? {};
  const ports = objectsAt(spec, 'ports');
  const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
  const causes = labelCauses(objectAt(spec, 'selector'), 'spec.selector');
  if (spec.type !== undefined && !types.includes(String(spec.type)))
    causes.push(unsupported('spec.type', spec.type, types));
  if (ports.length === 0 && spec.clusterIP !== 'None' && spec.type !== 'ExternalName')
    causes.push(required('spec.ports'));
  ports.forEach((port, index) => {
    const field = `spec.ports[${index}]`;
    for (const name of ['port', 'targetPort']) {
      const number = port[name] ?? port.port ?? 0;
      if (typeof number !== 'number' || (number >= 1 && number <= LAST_PORT)) continue;
      causes.push(wrong(`${field}.${name}`, number, PORT_RULE));
    }
    if (ports.length > 1 && !port.name) causes.push(required(`${field}.name`));
    if (port.name && !LABEL.test(String(port.name))) causes.push(wrong(`${field}.name`, port.name, LABEL_RULE));
    if (port.name && ports.findIndex(({ name }) => name === port.name) < index)
      causes.push({
        reason: 'FieldValueDuplicate',
        message: `Duplicate value: ${JSON.stringify(port.name)}`,
        field: `${field}.name`,
      });
    if (port.protocol !== undefined && !PROTOCOLS.includes(String(port.protocol)))
      causes.push(unsupported(`${field}.protocol`, port.protocol, PROTOCOLS));
  });
  return causes;
}

function podSpecCauses(spec: JsonObject | undefined, path: string): StatusCause[] {
  const containers = objectsAt(spec, 'containers');
  if (containers.length === 0) return [required(`${path}.containers`)];
  return containers.flatMap((container, index) => containerCauses(container, `${path}.containers[${index}]`));
}

function containerCauses(container: JsonObject, path: string): StatusCause[] {
  const causes = ['name', 'image'].filter((field) => !container[field]).map((field) => required(`${path}.${field}`));
  if (container.name && !LABEL.test(String(container.name)))
    causes.push(wrong(`${path}.name`, container.name, LABEL_RULE));
  objectsAt(container, 'ports').forEach(({ containerPort }, index) => {
    const field = `${path}.ports[${index}].containerPort`;
    if (containerPort === undefined) causes.push(required(field));
    else if (Number(containerPort) < 1 || Number(containerPort) > LAST_PORT)
      causes.push(wrong(field, containerPort, PORT_RULE));
  });
  return causes;
}

function workloadCauses(workload: KubeObject): StatusCause[] {
  const selector = objectAt(workload, 'spec', 'selector');
  const labels = objectAt(workload, 'spec', 'template', 'metadata', 'labels');
  const wanted = Object.entries(objectAt(selector, 'matchLabels') ?? {});
  const causes: StatusCause[] = selector ? [] : [required('spec.selector')];
  if (!selector || wanted.some(([key, value]) => labels?.[key] !== value)) {
    causes.push(wrong('spec.template.metadata.labels', labels ?? null, '`selector` does not match template `labels`'));
  }
  const replicas = valueAt(workload, 'spec', 'replicas');
  if (typeof replicas === 'number' && replicas < 0)
    causes.push(wrong('spec.replicas', replicas, 'must be greater than or equal to 0'));
  causes.push(...templateCauses(workload));
  const restartPolicy = valueAt(workload, 'spec', 'template', 'spec', 'restartPolicy');
  if (typeof restartPolicy === 'string' && restartPolicy !== 'Always')
    causes.push(unsupported('spec.template.spec.restartPolicy', restartPolicy, ['Always']));
  return [...causes, ...podSpecCauses(objectAt(workload, 'spec', 'template', 'spec'), 'spec.template.spec')];
}

/** Bytes of all values together (Kubernetes' pkg/apis/core/validation, MaxSecretSize): names of keys do not count. */
const LARGEST_DATA = 1024 * 1024;

/** @param field what Kubernetes names: of a ConfigMap no field at all */
function sizeCauses(
  object: KubeObject,
  field: string,
  encoded: readonly string[],
  plain: readonly string[],
): StatusCause[] {
  const sizeOf = (fields: readonly string[], encoding: BufferEncoding) =>
    fields
      .flatMap((name) => Object.values(objectAt(object, name) ?? {}))
      .reduce<number>((sum, value) => sum + Buffer.byteLength(String(value), encoding), 0);
  if (sizeOf(encoded, 'base64') + sizeOf(plain, 'utf8') <= LARGEST_DATA) return [];
  return [{ reason: 'FieldValueTooLong', message: `Too long: may not be more than ${LARGEST_DATA} bytes`, field }];
}

function dataCauses(object: KubeObject): StatusCause[] {
  const keys = ['data', 'binaryData', 'stringData'].flatMap((field) =>
    Object.keys(objectAt(object, field) ?? {}).map((key) => [field, key] as const),
  );
  return keys
    .filter(([, key]) => !DATA_KEY.test(key))
    .map(([field, key]) => wrong(`${field}[${key}]`, key, DATA_KEY_RULE));
}

function secretCauses(secret: KubeObject): StatusCause[] {
  const data = { ...objectAt(secret, 'data'), ...objectAt(secret, 'stringData') };
  const needed = secret.type === 'kubernetes.io/tls' ? ['tls.crt', 'tls.key'] : [];
  return [
    ...dataCauses(secret),
    ...sizeCauses(secret, 'data', ['data'], ['stringData']),
    ...needed.filter((key) => data[key] === undefined).map((key) => required(`data[${key}]`)),
  ];
}

function configMapCauses(configMap: KubeObject): StatusCause[] {
  return [...dataCauses(configMap), ...sizeCauses(configMap, '[]', ['binaryData'], ['data'])];
}

function bindingCauses(binding: KubeObject): StatusCause[] {
  return valueAt(binding, 'roleRef', 'name') ? [] : [required('roleRef.name')];
}

/** Kubernetes' pkg/apis/policy/validation, ValidatePodDisruptionBudgetSpec. */
function budgetCauses(budget: KubeObject): StatusCause[] {
  const spec = objectAt(budget, 'spec') ?? {};
  if (spec.minAvailable === undefined || spec.maxUnavailable === undefined) return [];
  return [wrong('spec', spec, 'minAvailable and maxUnavailable cannot be both set')];
}

const BY_KIND: Record<string, (object: KubeObject) => StatusCause[]> = {
  Service: serviceCauses,
  Pod: (pod) => podSpecCauses(objectAt(pod, 'spec'), 'spec'),
  Deployment: workloadCauses,
  DaemonSet: workloadCauses,
  ReplicaSet: workloadCauses,
  StatefulSet: workloadCauses,
  ConfigMap: configMapCauses,
  Secret: secretCauses,
  PodDisruptionBudget: budgetCauses,
  RoleBinding: bindingCauses,
  ClusterRoleBinding: bindingCauses,
};

function causesOf(resource: ResourceType, object: KubeObject): StatusCause[] {
  const ofKind = resource.custom ? [] : (BY_KIND[object.kind]?.(object) ?? []);
  return [...nameCauses(object), ...metadataCauses(object), ...ofKind];
}

function refuse(resource: ResourceType, object: KubeObject, causes: StatusCause[]): void {
  if (causes.length > 0) throw invalid(resource, object.metadata.name ?? '', causes);
}

/** Throws 422 with a cause per field for what a real server would not store either. Not all of what it checks is checked. */
export function validateCreate(resource: ResourceType, object: KubeObject): void {
  const ofClass = object.kind === 'Service' ? balancerClassCauses(undefined, object) : [];
  refuse(resource, object, [...causesOf(resource, object), ...ofClass]);
}

function finalizerChanges(before: KubeObject, after: KubeObject): StatusCause[] {
  if (!before.metadata.deletionTimestamp) return [];
  const list = ({ metadata }: KubeObject): string[] => (metadata as { finalizers?: string[] }).finalizers ?? [];
  const added = list(after).filter((finalizer) => !list(before).includes(finalizer));
  if (added.length === 0) return [];
  const names = added.map((finalizer) => JSON.stringify(finalizer)).join(', ');
  const why = `no new finalizers can be added if the object is being deleted, found new finalizers []string{${names}}`;
  return [forbidden('metadata.finalizers', why)];
}

/** Throws 422 where the next state of an object is wrong or changes what may not change. */
export function validateUpdate(resource: ResourceType, before: KubeObject, after: KubeObject): void {
  const changed = [...finalizerChanges(before, after), ...(resource.custom ? [] : changeCauses(before, after))];
  refuse(resource, after, [...causesOf(resource, after), ...changed]);
}
