import { KNOWN_FIELDS } from '../../../mesh/objects/known-fields.ts';
import { isObject, type JsonObject } from './json.ts';

// The server decodes built-in kinds into Go structs and encodes them again. Null never survives that, nor do the empty
// values of fields that are no pointers: `data: {}`, `hostNetwork: false`, `initialDelaySeconds: 0`, `medium: ""`.
const FREE_MAPS = new Set([
  'annotations',
  'binaryData',
  'data',
  'labels',
  'limits',
  'matchLabels',
  'nodeSelector',
  'requests',
  'stringData',
]);
const PLAIN_BOOLEANS = new Set([
  'hostIPC',
  'hostNetwork',
  'hostPID',
  'paused',
  'publishNotReadyAddresses',
  'readOnly',
  'stdin',
  'stdinOnce',
  'tty',
  'unschedulable',
]);
const PLAIN_NUMBERS = new Set([
  'failureThreshold',
  'healthCheckNodePort',
  'hostPort',
  'initialDelaySeconds',
  'minReadySeconds',
  'nodePort',
  'periodSeconds',
  'successThreshold',
  'timeoutSeconds',
]);
const KEPT_WHEN_EMPTY = new Set([
  'HostPathVolumeSource.type',
  'RoleRef.apiGroup',
  'GRPCAction.service',
  'PolicyRule.verbs',
  'Role.rules',
  'ClusterRole.rules',
  'EndpointSlice.endpoints',
  'EndpointSlice.ports',
  'Endpoint.addresses',
  'EndpointPort.name',
  'PodSpec.containers',
]);

function isOmitted(typeName: string, name: string, value: unknown): boolean {
  if (value === null) return true;
  if (KEPT_WHEN_EMPTY.has(`${typeName}.${name}`)) return false;
  if (value === '') return true;
  if (value === false) return PLAIN_BOOLEANS.has(name);
  if (value === 0) return PLAIN_NUMBERS.has(name);
  if (Array.isArray(value)) return value.length === 0;
  const isFreeMap = FREE_MAPS.has(name) || (typeName === 'ServiceSpec' && name === 'selector');
  return isFreeMap && isObject(value) && Object.keys(value).length === 0;
}

/** Takes out of an object of a built-in kind what the server would not give back. Changes the object. */
export function dropOmitted(object: JsonObject, typeName: string): void {
  const fields = KNOWN_FIELDS.get(typeName);
  if (!fields) return;
  for (const [name, value] of Object.entries(object)) {
    const type = fields.get(name);
    if (isOmitted(typeName, name, value)) delete object[name];
    else if (type === undefined) continue;
    else if (isObject(value)) dropOmitted(value, type);
    else if (Array.isArray(value)) for (const item of value.filter(isObject)) dropOmitted(item, type);
  }
}
