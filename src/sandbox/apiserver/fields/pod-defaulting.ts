import { childObject, isObject, type JsonObject, objectAt, objectsAt, setDefaults, valueAt } from './json.ts';
import { canonicalizeResources } from './quantities.ts';

const OCTAL_0644 = 0o644;

const VOLUME_DEFAULTS: Record<string, JsonObject> = {
  secret: { defaultMode: OCTAL_0644 },
  configMap: { defaultMode: OCTAL_0644 },
  downwardAPI: { defaultMode: OCTAL_0644 },
  projected: { defaultMode: OCTAL_0644 },
  hostPath: { type: '' },
};

function defaultVolume(volume: JsonObject): void {
  const sources = Object.keys(volume).filter((key) => key !== 'name');
  if (sources.length === 0) volume.emptyDir = {};
  for (const [source, defaults] of Object.entries(VOLUME_DEFAULTS)) {
    const value = volume[source];
    if (isObject(value)) setDefaults(value, defaults);
  }
  for (const source of objectsAt(objectAt(volume, 'projected'), 'sources')) {
    if (isObject(source.serviceAccountToken)) setDefaults(source.serviceAccountToken, { expirationSeconds: 3600 });
  }
}

function defaultProbe(probe: JsonObject): void {
  setDefaults(probe, { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 });
  defaultHandler(probe);
}

function defaultHandler(handler: JsonObject): void {
  if (isObject(handler.httpGet)) setDefaults(handler.httpGet, { path: '/', scheme: 'HTTP' });
  if (isObject(handler.grpc)) setDefaults(handler.grpc, { service: '' });
}

/** Images without a tag, or with `latest`, are pulled always. */
function pullPolicyOf(image: string): string {
  if (image.includes('@')) return 'IfNotPresent';
  const tag = image.slice(image.lastIndexOf('/') + 1).split(':')[1];
  return tag === undefined || tag === 'latest' ? 'Always' : 'IfNotPresent';
}

function defaultContainer(container: JsonObject): void {
  setDefaults(container, {
    imagePullPolicy: pullPolicyOf(String(container.image ?? '')),
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    resources: {},
  });
  if (isObject(container.resources)) canonicalizeResources(container.resources);
  for (const port of objectsAt(container, 'ports')) setDefaults(port, { protocol: 'TCP' });
  for (const variable of objectsAt(container, 'env')) {
    const fieldRef = objectAt(variable, 'valueFrom', 'fieldRef');
    if (fieldRef) setDefaults(fieldRef, { apiVersion: 'v1' });
  }
  for (const name of ['livenessProbe', 'readinessProbe', 'startupProbe']) {
    const probe = container[name];
    if (isObject(probe)) defaultProbe(probe);
  }
  for (const hook of ['postStart', 'preStop']) {
    const handler = valueAt(container, 'lifecycle', hook);
    if (isObject(handler)) defaultHandler(handler);
  }
}

/** Fills in a pod's spec. */
export function defaultPodSpec(spec: JsonObject): void {
  setDefaults(spec, {
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    dnsPolicy: 'ClusterFirst',
    securityContext: {},
    schedulerName: 'default-scheduler',
  });
  if (typeof spec.serviceAccountName === 'string') spec.serviceAccount = spec.serviceAccountName;
  else if (typeof spec.serviceAccount === 'string') spec.serviceAccountName = spec.serviceAccount;
  for (const list of ['initContainers', 'containers'])
    for (const container of objectsAt(spec, list)) defaultContainer(container);
  for (const volume of objectsAt(spec, 'volumes')) defaultVolume(volume);
}

/** Fills in what a Pod's spec gets beyond that of a template. */
export function defaultPod(spec: JsonObject): void {
  setDefaults(spec, { enableServiceLinks: true });
  for (const container of [...objectsAt(spec, 'initContainers'), ...objectsAt(spec, 'containers')]) {
    const limits = objectAt(container, 'resources', 'limits');
    if (limits) setDefaults(childObject(childObject(container, 'resources'), 'requests'), limits);
    if (spec.hostNetwork !== true) continue;
    for (const port of objectsAt(container, 'ports')) setDefaults(port, { hostPort: port.containerPort });
  }
}

/** Fills in the pod template below a workload's spec. */
export function defaultPodTemplate(spec: JsonObject): void {
  const template = childObject(spec, 'template');
  childObject(template, 'metadata');
  defaultPodSpec(childObject(template, 'spec'));
}
