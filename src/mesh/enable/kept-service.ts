import { apiserverDeployment, apiserverService } from '../apiserver/live.ts';
import { isAddress, isCidr } from '../cilium/cidr.ts';
import type { ClusterIdentity } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { describeRef, type KubeObject, objectIn } from '../objects/kube-object.ts';
import { apiserverDeploymentRef, apiserverServiceRef } from '../objects/names.ts';
import { soleSetter } from '../objects/ownership.ts';
import type { Change } from '../plan/plan.ts';
import { isRecord } from '../record.ts';
import { defaultNodePort } from './exposure/node-port.ts';
import {
  detectServiceExposure,
  mergeAnnotations,
  SERVICE_TYPES,
  type ServiceChoices,
  type ServiceExposure,
  type ServiceOptions,
  withoutIdle,
} from './exposure/service-type.ts';
import { keptSettingsOf, SETTINGS_ANNOTATION } from './kept-settings.ts';

/**
 * At the Deployment, what was chosen of the Service beside it: who may dial it, and where. A Service that is lost takes that
 * along otherwise, and the one that is made in its place is open to whom the former was closed.
 */
const CHOICES_ANNOTATION = 'meshctl.io/service';

interface Note extends ServiceChoices {
  /** By `--set`. */
  set?: Readonly<Record<string, unknown>>;
}

const DOMAIN = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;

/** What each entry of a note may be: anyone may edit an annotation, and what enable makes of it is written to the cluster. */
const ENTRIES: Readonly<Record<keyof Note, (value: unknown) => boolean>> = {
  serviceType: isOneOf(SERVICE_TYPES),
  serviceAnnotations: (value) => isRecord(value) && Object.entries(value).every(isAnnotation),
  nodePort: (value) => Number.isInteger(value) && Number(value) > 0 && Number(value) <= 65_535,
  loadBalancerClass: isText,
  loadBalancerIp: (value) => isText(value) && isAddress(value),
  loadBalancerSourceRanges: (value) => Array.isArray(value) && value.every((range) => isText(range) && isCidr(range)),
  externalTrafficPolicy: isOneOf(['Cluster', 'Local']),
  set: isRecord,
};

/** What of a Service's settings is otherwise than it would come out for this cluster if nobody chose. */
export function serviceChoices(
  snapshot: ClusterSnapshot,
  identity: ClusterIdentity,
  { exposure, ...settings }: ServiceOptions & { exposure: ServiceExposure },
): ServiceChoices {
  const detected = detectServiceExposure(snapshot);
  const isBalanced = exposure.type === 'LoadBalancer';
  const usual = exposure.type === detected.type ? detected.annotations : {};
  const annotations = Object.entries(exposure.annotations).filter(([key, value]) => usual[key] !== value);
  const port = defaultNodePort(identity.id, new Set(snapshot.usedNodePorts));
  const ranges = isBalanced ? (settings.loadBalancerSourceRanges ?? []) : [];
  const all: ServiceChoices = {
    serviceType: exposure.type === detected.type ? undefined : exposure.type,
    serviceAnnotations: annotations.length > 0 ? Object.fromEntries(annotations) : undefined,
    nodePort: exposure.type === 'NodePort' && settings.nodePort !== port ? settings.nodePort : undefined,
    loadBalancerClass: isBalanced ? settings.loadBalancerClass : undefined,
    loadBalancerIp: isBalanced ? settings.loadBalancerIp : undefined,
    loadBalancerSourceRanges: ranges.length > 0 ? ranges : undefined,
    externalTrafficPolicy: settings.externalTrafficPolicy === 'Local' ? 'Local' : undefined,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/**
 * What is noted of a Service: what it has that nobody sets but by choice, and the type and the node port that were chosen by
 * name. These two may be what a cluster would get anyway, now, and not when the Service is lost. A traffic policy that another
 * hand has set is nobody's choice; whom it lets in is kept from getting lost, whoever said so.
 * @param given by this run
 */
export function choicesToNote(
  snapshot: ClusterSnapshot,
  identity: ClusterIdentity,
  settings: ServiceOptions & { exposure: ServiceExposure },
  given: ServiceChoices,
): ServiceChoices {
  const noted = noteAt(snapshot) ?? {};
  const service = apiserverService(snapshot);
  const isOthers = service !== undefined && soleSetter(service, 'spec.externalTrafficPolicy') !== undefined;
  const {
    serviceType: _type,
    nodePort: _port,
    ...others
  } = serviceChoices(snapshot, identity, {
    ...settings,
    ...(isOthers && given.externalTrafficPolicy === undefined
      ? { externalTrafficPolicy: noted.externalTrafficPolicy }
      : {}),
  });
  const { type } = settings.exposure;
  const nodePort = given.nodePort ?? noted.nodePort;
  return {
    ...((given.serviceType ?? noted.serviceType) === type ? { serviceType: type } : {}),
    ...(nodePort !== undefined && nodePort === settings.nodePort ? { nodePort } : {}),
    ...others,
  };
}

/** The rendered objects, with what was chosen of the Service noted at the Deployment; where nothing was, there is no note. */
export function withServiceNoted(
  objects: readonly KubeObject[],
  namespace: string,
  choices: ServiceChoices,
): KubeObject[] {
  const set = Object.fromEntries(keptSettingsOf(objectIn(objects, apiserverServiceRef(namespace))));
  const note: Note = { ...choices, ...(Object.keys(set).length > 0 ? { set } : {}) };
  if (Object.keys(note).length === 0) return [...objects];
  return objects.map((object) => {
    if (object.kind !== 'Deployment') return object;
    const annotations = { ...object.metadata.annotations, [CHOICES_ANNOTATION]: JSON.stringify(note) };
    return { ...object, metadata: { ...object.metadata, annotations } };
  });
}

/**
 * The choices of a run, with those of earlier ones that went with a Service that is lost, as far as they fit what is chosen
 * now.
 */
export function withLostChoices<T extends ServiceChoices>(snapshot: ClusterSnapshot, choices: T): T & ServiceChoices {
  const { set: _set, ...noted } = noteOfLost(snapshot) ?? {};
  const type = choices.serviceType ?? noted.serviceType ?? detectServiceExposure(snapshot).type;
  const { nodePort, ...others } = withoutIdle(noted, type);
  const fitting: ServiceChoices = snapshot.usedNodePorts?.includes(nodePort ?? 0) ? others : { ...others, nodePort };
  const given = Object.fromEntries(Object.entries(choices).filter(([, value]) => value !== undefined));
  const { serviceAnnotations } = choices;
  const both =
    noted.serviceAnnotations && serviceAnnotations
      ? { serviceAnnotations: mergeAnnotations(noted.serviceAnnotations, serviceAnnotations) }
      : {};
  return { ...choices, ...fitting, ...given, ...both };
}

/** Whether a change of the Deployment is one of what is noted there of the Service. */
export function isOfService({ path }: Change): boolean {
  return path === `metadata.annotations.${CHOICES_ANNOTATION}`;
}

/** What was chosen of the Service as far as it is noted, whatever it has by now. */
export function notedChoices(snapshot: ClusterSnapshot): ServiceChoices {
  const { set: _set, ...noted } = noteAt(snapshot) ?? {};
  return noted;
}

/** The type and the node port of the Service that were chosen by name, whatever it has by now. */
export function notedExposure(snapshot: ClusterSnapshot): Pick<ServiceChoices, 'serviceType' | 'nodePort'> {
  const { serviceType, nodePort } = noteAt(snapshot) ?? {};
  return { serviceType, nodePort };
}

/** The traffic policy of the Service that was chosen, whatever it has by now; undefined where none is noted. */
export function notedTrafficPolicy(snapshot: ClusterSnapshot): ServiceChoices['externalTrafficPolicy'] {
  return noteAt(snapshot)?.externalTrafficPolicy;
}

/** A Service that is lost, with nothing but its `--set`; undefined where there is one, or nothing is noted. */
export function lostService(snapshot: ClusterSnapshot): KubeObject | undefined {
  const { set } = noteOfLost(snapshot) ?? {};
  if (!set) return undefined;
  const { name, namespace, ...kind } = apiserverServiceRef(snapshot.namespace);
  const annotations = { [SETTINGS_ANNOTATION]: JSON.stringify(set) };
  return { ...kind, metadata: { name, ...(namespace === undefined ? {} : { namespace }), annotations } };
}

/** What the note of a lost Service says and nothing is made of, as a clause; undefined where there is none of it. */
export function ignoredInNote(snapshot: ClusterSnapshot): string | undefined {
  if (apiserverService(snapshot)) return undefined;
  const { ignored } = readNote(snapshot);
  if (ignored.length === 0) return undefined;
  const deployment = describeRef(apiserverDeploymentRef(snapshot.namespace));
  return `the note of the missing Service (${CHOICES_ANNOTATION} at ${deployment}) is ignored where it cannot be read, so choose again what you want of this: ${ignored.join(', ')}`;
}

function noteOfLost(snapshot: ClusterSnapshot): Note | undefined {
  return apiserverService(snapshot) ? undefined : noteAt(snapshot);
}

function noteAt(snapshot: ClusterSnapshot): Note | undefined {
  return readNote(snapshot).note;
}

/** The note, and what of it is none, as people are told of it. */
function readNote(snapshot: ClusterSnapshot): { note?: Note; ignored: string[] } {
  const text = apiserverDeployment(snapshot)?.metadata.annotations?.[CHOICES_ANNOTATION];
  if (text === undefined) return { ignored: [] };
  const found = parsed(text);
  if (!isRecord(found)) return { ignored: [text] };
  const isKnown = ([name, value]: [string, unknown]) =>
    Object.hasOwn(ENTRIES, name) && ENTRIES[name as keyof Note](value);
  const entries = Object.entries(found);
  return {
    note: Object.fromEntries(entries.filter(isKnown)),
    ignored: entries.filter((entry) => !isKnown(entry)).map(([name, value]) => `${name} ${JSON.stringify(value)}`),
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** By a key that Kubernetes takes (apimachinery, validation.IsQualifiedName): with any other it refuses the Service. */
function isAnnotation([key, value]: [string, unknown]): boolean {
  const [name = '', prefix] = key.split('/').reverse();
  const isName = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/.test(name);
  const isPrefix = prefix === undefined || (prefix.length <= 253 && DOMAIN.test(prefix));
  return isText(value) && isName && isPrefix && key.split('/').length <= 2;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isOneOf(values: readonly string[]): (value: unknown) => boolean {
  return (value) => isText(value) && values.includes(value);
}
