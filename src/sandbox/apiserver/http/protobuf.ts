import { PbfReader } from 'pbf';
import { unsupportedMediaType } from '../errors.ts';
import type { JsonObject } from '../fields/json.ts';

// kubectl sends protobuf from its typed commands (`create deployment`, `auth can-i`) whatever a server offers. These are
// the messages of those commands, by field number as in the generated.proto files of k8s.io/api and k8s.io/apimachinery.

type FieldType =
  | 'string'
  | 'number'
  /** Of a pointer, which is there only if it was set, to nought too. */
  | 'optionalNumber'
  | 'boolean'
  | 'bytes'
  | 'strings'
  | 'stringMap'
  | 'bytesMap'
  | 'intOrString'
  | Message
  | { list: Message };
interface Message {
  [number: number]: [name: string, type: FieldType];
}

const META: Message = {
  1: ['name', 'string'],
  2: ['generateName', 'string'],
  3: ['namespace', 'string'],
  5: ['uid', 'string'],
  6: ['resourceVersion', 'string'],
  11: ['labels', 'stringMap'],
  12: ['annotations', 'stringMap'],
  14: ['finalizers', 'strings'],
};
const PORT: Message = {
  1: ['name', 'string'],
  2: ['protocol', 'string'],
  3: ['port', 'number'],
  4: ['targetPort', 'intOrString'],
  5: ['nodePort', 'number'],
  6: ['appProtocol', 'string'],
};
const SERVICE_SPEC: Message = {
  1: ['ports', { list: PORT }],
  2: ['selector', 'stringMap'],
  3: ['clusterIP', 'string'],
  4: ['type', 'string'],
  5: ['externalIPs', 'strings'],
  7: ['sessionAffinity', 'string'],
  8: ['loadBalancerIP', 'string'],
  10: ['externalName', 'string'],
};
const CONTAINER: Message = {
  1: ['name', 'string'],
  2: ['image', 'string'],
  3: ['command', 'strings'],
  4: ['args', 'strings'],
  6: [
    'ports',
    {
      list: {
        1: ['name', 'string'],
        2: ['hostPort', 'number'],
        3: ['containerPort', 'number'],
        4: ['protocol', 'string'],
      },
    },
  ],
};
const TEMPLATE: Message = {
  1: ['metadata', META],
  2: ['spec', { 2: ['containers', { list: CONTAINER }], 3: ['restartPolicy', 'string'] }],
};
const JOB_SPEC: Message = {
  1: ['parallelism', 'optionalNumber'],
  2: ['completions', 'optionalNumber'],
  3: ['activeDeadlineSeconds', 'optionalNumber'],
  6: ['template', TEMPLATE],
  7: ['backoffLimit', 'optionalNumber'],
};
const BUDGET_SPEC: Message = {
  1: ['minAvailable', 'intOrString'],
  2: ['selector', { 1: ['matchLabels', 'stringMap'] }],
  3: ['maxUnavailable', 'intOrString'],
};
const DEPLOYMENT_SPEC: Message = {
  1: ['replicas', 'optionalNumber'],
  2: ['selector', { 1: ['matchLabels', 'stringMap'] }],
  3: ['template', TEMPLATE],
};
const RULE: Message = {
  1: ['verbs', 'strings'],
  2: ['apiGroups', 'strings'],
  3: ['resources', 'strings'],
  4: ['resourceNames', 'strings'],
  5: ['nonResourceURLs', 'strings'],
};
const SUBJECT: Message = {
  1: ['kind', 'string'],
  2: ['apiGroup', 'string'],
  3: ['name', 'string'],
  4: ['namespace', 'string'],
};
const ROLE_REF: Message = { 1: ['apiGroup', 'string'], 2: ['kind', 'string'], 3: ['name', 'string'] };
const ROLE: Message = { 1: ['metadata', META], 2: ['rules', { list: RULE }] };
const BINDING: Message = { 1: ['metadata', META], 2: ['subjects', { list: SUBJECT }], 3: ['roleRef', ROLE_REF] };
const RESOURCE_ATTRIBUTES: Message = {
  1: ['namespace', 'string'],
  2: ['verb', 'string'],
  3: ['group', 'string'],
  4: ['version', 'string'],
  5: ['resource', 'string'],
  6: ['subresource', 'string'],
  7: ['name', 'string'],
};
const NON_RESOURCE_ATTRIBUTES: Message = { 1: ['path', 'string'], 2: ['verb', 'string'] };

const MESSAGES: Record<string, Message> = {
  Namespace: { 1: ['metadata', META] },
  ConfigMap: {
    1: ['metadata', META],
    2: ['data', 'stringMap'],
    3: ['binaryData', 'bytesMap'],
    4: ['immutable', 'boolean'],
  },
  Secret: {
    1: ['metadata', META],
    2: ['data', 'bytesMap'],
    3: ['type', 'string'],
    4: ['stringData', 'stringMap'],
    5: ['immutable', 'boolean'],
  },
  ServiceAccount: { 1: ['metadata', META] },
  Deployment: { 1: ['metadata', META], 2: ['spec', DEPLOYMENT_SPEC] },
  Service: { 1: ['metadata', META], 2: ['spec', SERVICE_SPEC] },
  Role: ROLE,
  ClusterRole: ROLE,
  RoleBinding: BINDING,
  ClusterRoleBinding: BINDING,
  Job: { 1: ['metadata', META], 2: ['spec', JOB_SPEC] },
  CronJob: {
    1: ['metadata', META],
    2: [
      'spec',
      {
        1: ['schedule', 'string'],
        3: ['concurrencyPolicy', 'string'],
        5: ['jobTemplate', { 1: ['metadata', META], 2: ['spec', JOB_SPEC] }],
        8: ['timeZone', 'string'],
      },
    ],
  },
  PodDisruptionBudget: { 1: ['metadata', META], 2: ['spec', BUDGET_SPEC] },
  PriorityClass: {
    1: ['metadata', META],
    2: ['value', 'number'],
    3: ['globalDefault', 'boolean'],
    4: ['description', 'string'],
    5: ['preemptionPolicy', 'string'],
  },
  SelfSubjectAccessReview: {
    1: ['metadata', META],
    2: [
      'spec',
      { 1: ['resourceAttributes', RESOURCE_ATTRIBUTES], 2: ['nonResourceAttributes', NON_RESOURCE_ATTRIBUTES] },
    ],
  },
  SelfSubjectRulesReview: { 1: ['metadata', META], 2: ['spec', { 1: ['namespace', 'string'] }] },
  SelfSubjectReview: { 1: ['metadata', META] },
};

const MAGIC = Buffer.from('k8s\0', 'latin1');

/** Decodes a body of type application/vnd.kubernetes.protobuf. Throws 415 for kinds that are not in the table. */
export function decodeProtobuf(bytes: Buffer): JsonObject {
  const refuse = (): Error => unsupportedMediaType(['application/json', 'application/yaml']);
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw refuse();
  const envelope = new PbfReader(bytes.subarray(MAGIC.length)).readFields(
    (tag, into: { apiVersion: string; kind: string; raw: Uint8Array }, reader) => {
      if (tag === 2) into.raw = reader.readBytes();
      if (tag !== 1) return;
      reader.readMessage((typeTag, type, typeReader) => {
        if (typeTag === 1) type.apiVersion = typeReader.readString();
        else if (typeTag === 2) type.kind = typeReader.readString();
      }, into);
    },
    { apiVersion: '', kind: '', raw: new Uint8Array() },
  );
  const message = MESSAGES[envelope.kind];
  if (!message) throw refuse();
  const object: JsonObject = { apiVersion: envelope.apiVersion, kind: envelope.kind };
  return new PbfReader(envelope.raw).readFields(fieldReader(message), object);
}

function fieldReader(message: Message): (tag: number, into: JsonObject, reader: PbfReader) => void {
  return (tag, into, reader) => {
    const field = message[tag];
    if (!field) return;
    const [name, type] = field;
    if (type === 'strings') into[name] = [...((into[name] as string[] | undefined) ?? []), reader.readString()];
    else if (type === 'stringMap' || type === 'bytesMap')
      into[name] = { ...(into[name] as JsonObject | undefined), ...readEntry(reader, type) };
    else if (typeof type === 'object' && 'list' in type) {
      into[name] = [
        ...((into[name] as JsonObject[] | undefined) ?? []),
        reader.readMessage(fieldReader(type.list as Message), {}),
      ];
    } else {
      const value = typeof type === 'object' ? reader.readMessage(fieldReader(type), {}) : readScalar(reader, type);
      // Go's encoder writes the zero values that JSON leaves out.
      if (type === 'optionalNumber' || (value !== '' && value !== 0 && value !== false)) into[name] = value;
    }
  };
}

function readScalar(
  reader: PbfReader,
  type: Exclude<FieldType, 'strings' | 'stringMap' | 'bytesMap' | object>,
): unknown {
  if (type === 'string') return reader.readString();
  if (type === 'number' || type === 'optionalNumber') return reader.readVarint(true);
  if (type === 'boolean') return reader.readBoolean();
  if (type === 'bytes') return Buffer.from(reader.readBytes()).toString('base64');
  const parts = reader.readMessage(
    (tag, into: { type: number; number: number; text: string }, inner) => {
      if (tag === 1) into.type = inner.readVarint();
      else if (tag === 2) into.number = inner.readVarint(true);
      else if (tag === 3) into.text = inner.readString();
    },
    { type: 0, number: 0, text: '' },
  );
  return parts.type === 1 ? parts.text : parts.number;
}

function readEntry(reader: PbfReader, type: 'stringMap' | 'bytesMap'): Record<string, string> {
  const entry = reader.readMessage(
    (tag, into: { key: string; value: string }, inner) => {
      if (tag === 1) into.key = inner.readString();
      else if (tag === 2)
        into.value = type === 'stringMap' ? inner.readString() : Buffer.from(inner.readBytes()).toString('base64');
    },
    { key: '', value: '' },
  );
  return { [entry.key]: entry.value };
}
