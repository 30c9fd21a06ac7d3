import { parseDocument } from 'yaml';
import { hostPort, splitHostPort } from '../apiserver/endpoints.ts';
import { parseCidr } from '../cilium/cidr.ts';
import { checkClusterName } from '../cilium/cluster-name.ts';
import { parseVersion } from '../cilium/versions/versions.ts';
import { MeshctlError } from '../errors.ts';
import { parseEndpoint } from '../peers/endpoint-overrides.ts';
import { isRecord } from '../record.ts';
import { SETTINGS_OF_MESSAGES } from './described-cluster.ts';
import {
  type Answered,
  type DescribedCluster,
  MESSAGE_API,
  MESSAGE_KIND,
  MESSAGE_STEPS,
  type MessageStep,
  type SignedMessage,
} from './message.ts';

/** Reads a value, or gives undefined for what it cannot be. */
type Reader<T> = (value: unknown) => T | undefined;

const MOST_ENTRIES = 20_000;
/** What is accepted goes into a Secret that other peers are in too, and no Secret may have more than 1 MiB. */
const MOST_ENDPOINTS = 64;
const LONGEST_PEM = 64 * 1024;
const LONGEST_SETTING = 256;
/** A mesh of thousands of nodes tells so much; nobody else needs to be read. */
const LONGEST_MESSAGE = 4 * 1024 * 1024;
const PEM_LINES = /^(-----BEGIN ([A-Z ]+)-----\n([A-Za-z0-9+/=]+\n)+-----END \2-----\n?)+$/;

/**
 * Reads a message. Whatever it has is checked, for it is from somebody else: nothing of it reaches a terminal, a file or a
 * cluster that is not of the form that it must have.
 * @param source where it is from, for messages: `invitation.yaml`
 * @throws MeshctlError `InvitationRefused`, naming the field
 */
export function parseMessage(text: string, source: string): SignedMessage {
  const refuse = (why: string): never => {
    throw new MeshctlError('InvitationRefused', `${source} is not an invitation message: ${why}`, {
      hint: 'Take the document as meshctl printed it, from its first line to its last.',
      details: { reason: 'unreadable' },
    });
  };
  if (text.length > LONGEST_MESSAGE)
    refuse(`it has ${text.length} characters, and none has more than ${LONGEST_MESSAGE}`);
  // Aliases could make a few lines into any number of values.
  const document = parseDocument(text, { logLevel: 'error', schema: 'core', merge: false, uniqueKeys: true });
  const [broken] = document.errors;
  // The place alone: the text of the fault may hold what the file does.
  if (broken) refuse(`it is not valid YAML${broken.linePos ? ` at line ${broken.linePos[0].line}` : ''}`);
  let content: unknown;
  try {
    content = document.toJS({ maxAliasCount: 0 });
  } catch {
    refuse('it has aliases');
  }
  const fields = recordOf(content) ?? refuse('it is not a mapping of fields');
  const { apiVersion, kind } = fields;
  if (kind !== MESSAGE_KIND) refuse(`its kind is not ${MESSAGE_KIND}`);
  if (apiVersion !== MESSAGE_API) refuse(`its apiVersion is not ${MESSAGE_API}`);
  const read = fieldsOf(fields, '', refuse);
  const step = read('step', stepOf) ?? refuse('its step is missing');
  const message: SignedMessage = {
    step,
    id: read('id', matching(/^[a-z0-9]{16,40}$/)) ?? refuse('its id is missing'),
    issued: read('issued', timeOf) ?? refuse('issued is missing'),
    expires: read('expires', timeOf) ?? refuse('expires is missing'),
    invited: read('invited', nameOf),
    answers: answersOf(read('answers', recordOf), refuse),
    cluster: clusterOf(read('cluster', recordOf) ?? refuse('its cluster is missing'), refuse),
    request: read('request', pemOf('CERTIFICATE REQUEST')),
    certificate: read('certificate', pemOf('CERTIFICATE')),
    signature: read('signature', matching(/^[A-Za-z0-9+/]+={0,2}$/)) ?? refuse('its signature is missing'),
  };
  const known = ['apiVersion', 'kind', ...Object.keys(message)];
  refuseUnknown(fields, known, '', refuse);
  requireParts(message, refuse);
  return message;
}

/** Each step has its own parts; one with more, or less, is none of them. */
function requireParts(message: SignedMessage, refuse: (why: string) => never): void {
  const parts: Readonly<Record<MessageStep, readonly string[]>> = {
    invitation: ['request'],
    reply: ['answers', 'certificate', 'request'],
    confirmation: ['answers', 'certificate'],
  };
  for (const part of ['answers', 'certificate', 'request'] as const) {
    const wanted = parts[message.step].includes(part);
    if (wanted && message[part] === undefined) refuse(`${part} is missing`);
    if (!wanted && message[part] !== undefined) refuse(`a message of the step ${message.step} has no ${part}`);
  }
}

function answersOf(fields: Record<string, unknown> | undefined, refuse: (why: string) => never): Answered | undefined {
  if (!fields) return undefined;
  const read = fieldsOf(fields, 'answers.', refuse);
  const digest = matching(/^[0-9a-f]{64}$/);
  refuseUnknown(fields, ['cluster', 'ca', 'message'], 'answers.', refuse);
  return {
    cluster: read('cluster', nameOf) ?? refuse('answers.cluster is missing'),
    ca: read('ca', digest) ?? refuse('answers.ca is missing'),
    message: read('message', digest) ?? refuse('answers.message is missing'),
  };
}

function clusterOf(fields: Record<string, unknown>, refuse: (why: string) => never): DescribedCluster {
  const read = fieldsOf(fields, 'cluster.', refuse);
  const needed = <T>(name: string, reader: Reader<T>): T => read(name, reader) ?? refuse(`cluster.${name} is missing`);
  const cluster: DescribedCluster = {
    name: needed('name', nameOf),
    id: needed('id', (value) =>
      typeof value === 'number' && Number.isInteger(value) && value > 0 ? value : undefined,
    ),
    ciliumVersion: read('ciliumVersion', (value) =>
      typeof value === 'string' && parseVersion(value) ? value : undefined,
    ),
    settings: needed('settings', settingsOf),
    podRanges: read('podRanges', listOf(rangeOf)),
    podPools: read('podPools', listOf(rangeOf)),
    serviceRanges: read('serviceRanges', listOf(rangeOf)),
    nodeAddresses: needed('nodeAddresses', listOf(rangeOf)),
    endpoints: needed('endpoints', listOf(endpointOf, MOST_ENDPOINTS)),
    ca: needed('ca', pemOf('CERTIFICATE')),
  };
  refuseUnknown(fields, Object.keys(cluster), 'cluster.', refuse);
  if (cluster.endpoints.length === 0) refuse('cluster.endpoints names none');
  return cluster;
}

function fieldsOf(fields: Record<string, unknown>, path: string, refuse: (why: string) => never) {
  return <T>(name: string, reader: Reader<T>): T | undefined => {
    if (!Object.hasOwn(fields, name)) return undefined;
    return reader(fields[name]) ?? refuse(`${path}${name} is not of the form that it must have`);
  };
}

function refuseUnknown(
  fields: Record<string, unknown>,
  known: readonly string[],
  path: string,
  refuse: (why: string) => never,
): void {
  const index = Object.keys(fields).findIndex((name) => !known.includes(name));
  if (index === -1) return;
  const name = Object.keys(fields)[index] ?? '';
  // A name of any other form is not repeated on a terminal.
  const shown = /^[A-Za-z][A-Za-z0-9]{0,40}$/.test(name) ? `${path}${name}` : `field ${index + 1} of ${path || 'it'}`;
  refuse(`${shown} is not a field that this meshctl knows`);
}

function recordOf(value: unknown): Record<string, unknown> | undefined {
  return isRecord(value) ? value : undefined;
}

function stepOf(value: unknown): MessageStep | undefined {
  return MESSAGE_STEPS.find((step) => step === value);
}

function nameOf(value: unknown): string | undefined {
  return typeof value === 'string' && checkClusterName(value) === undefined ? value : undefined;
}

/** As it is printed, so that one moment is written in one way. */
function timeOf(value: unknown): Date | undefined {
  if (typeof value !== 'string') return undefined;
  const time = new Date(value);
  return !Number.isNaN(time.getTime()) && time.toISOString() === value ? time : undefined;
}

function matching(pattern: RegExp): Reader<string> {
  return (value) => (typeof value === 'string' && pattern.test(value) ? value : undefined);
}

function pemOf(label: string): Reader<string> {
  return (value) => {
    if (typeof value !== 'string' || value.length > LONGEST_PEM || !PEM_LINES.test(value)) return undefined;
    const labels = [...value.matchAll(/-----BEGIN ([A-Z ]+)-----/g)].map(([, one]) => one);
    return labels.every((one) => one === label) ? value : undefined;
  };
}

function listOf<T>(reader: Reader<T>, most = MOST_ENTRIES): Reader<T[]> {
  return (value) => {
    if (!Array.isArray(value) || value.length > most) return undefined;
    const read = value.map(reader);
    return read.every((one) => one !== undefined) ? (read as T[]) : undefined;
  };
}

function rangeOf(value: unknown): string | undefined {
  return typeof value === 'string' && /^[0-9A-Fa-f.:/]+$/.test(value) && parseCidr(value) ? value : undefined;
}

function endpointOf(value: unknown): string | undefined {
  const endpoint = typeof value === 'string' ? parseEndpoint(value) : undefined;
  const read = endpoint && hostPort(endpoint.host, endpoint.port);
  const { host, port } = splitHostPort(String(value));
  return read === hostPort(host, port) ? read : undefined;
}

function settingsOf(value: unknown): Record<string, string> | undefined {
  const record = recordOf(value);
  const isKnown = ([key, text]: [string, unknown]) =>
    SETTINGS_OF_MESSAGES.some((known) => known === key) &&
    typeof text === 'string' &&
    text.length <= LONGEST_SETTING &&
    /^[\w.,:/ -]*$/.test(text);
  return record && Object.entries(record).every(isKnown) ? (record as Record<string, string>) : undefined;
}
