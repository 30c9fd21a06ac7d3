import { CONTAINERS, type ContainerName, imageOf } from '../apiserver/deployment.ts';
import { apiserverDeployment, apiserverService } from '../apiserver/live.ts';
import type { ClusterIdentity } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { kubectlCommand, meshctlCommand } from '../command-line.ts';
import type { KubeObject } from '../objects/kube-object.ts';
import { APISERVER, ETCD_PORT } from '../objects/names.ts';
import { isOurs, soleSetter } from '../objects/ownership.ts';
import { serviceSpec } from '../objects/service.ts';
import { templateSpec } from '../objects/workload.ts';
import { defaultNodePort } from './exposure/node-port.ts';
import { detectServiceExposure } from './exposure/service-type.ts';
import { notedReplicas } from './kept-replicas.ts';
import { notedChoices } from './kept-service.ts';
import { flagOf, optionName } from './option-name.ts';
import type { EnableChoices, EnableSettings } from './settings.ts';

/** A setting of a field as it is, and as it would be if nobody but meshctl had set it. */
interface Setting {
  option: keyof EnableChoices | 'image';
  /** How an operator knows it, where that is not by the option alone. */
  name?: string;
  object: KubeObject | undefined;
  /** As in changes. */
  path: string;
  /** As the API server takes it in a patch, where nothing but taking it away makes it meshctl's. */
  pointer?: string;
  live: unknown;
  own?: string | undefined;
  /** The value of the flag; default: `own`. */
  word?: string;
}

/**
 * The settings that enable keeps because somebody else has set them in an object of meshctl's, by hand or by another controller: each a
 * clause that says who and when, and how it becomes meshctl's own again. What was chosen, by this run or as it is noted, is nobody
 * else's; nor is what meshctl has applied since with that value.
 * @param given by this run
 * @param image beside the agents', and the one that is to run
 */
export function keptOfOthers(
  snapshot: ClusterSnapshot,
  identity: ClusterIdentity,
  settings: EnableSettings,
  given: EnableChoices & { image?: string | undefined },
  image: { derived: string; settled: string },
): string[] {
  const all = [...serviceSettings(snapshot, identity, settings, given), ...deploymentSettings(snapshot, image)];
  // What only another hand has set is not taken away by wanting none.
  const isNone = { etcdStorage: given.etcdStorage === 'disk', tolerations: given.tolerations?.length === 0 };
  const isOpen = (option: Setting['option']) =>
    option === 'serviceAnnotations' ||
    given[option] === undefined ||
    (option in isNone && isNone[option as keyof typeof isNone]);
  return all
    .filter(({ option, live, own }) => isOpen(option) && wordOf(live) !== own)
    .flatMap((setting) => clauseOf(snapshot, setting, given));
}

function clauseOf({ context, namespace }: ClusterSnapshot, setting: Setting, given: EnableChoices): string[] {
  const { option, object, path, pointer, live, own } = setting;
  const setter = object && isOurs(object) ? soleSetter(object, path) : undefined;
  if (!object || !setter || live === undefined) return [];
  const { name = given.inFile ? option : flagOf(option).slice(2), word = own } = setting;
  const when = setter.time === undefined ? '' : ` at ${setter.time}`;
  const says = `${name} ${wordOf(live)} is kept as ${setter.manager} has set it${when}`;
  if (word === undefined) {
    const patch = JSON.stringify([{ op: 'remove', path: pointer ?? `/${path.replaceAll('.', '/')}` }]);
    const words = ['patch', object.kind.toLowerCase(), APISERVER, '--type=json', '-p', patch];
    return [`${says} → to be without it: ${kubectlCommand({ context, namespace }, words)}`];
  }
  const flag = option === 'serviceAnnotations' ? '--service-annotation' : flagOf(option);
  const otherwise = given.inFile
    ? `choose ${optionName(option, given)}`
    : meshctlCommand('clustermesh enable', { context }, [flag, word, '--force-conflicts']);
  return [`${says} → for ${own}, as meshctl would have it: ${otherwise}`];
}

function serviceSettings(
  snapshot: ClusterSnapshot,
  identity: ClusterIdentity,
  { exposure }: EnableSettings,
  given: EnableChoices,
): Setting[] {
  const object = apiserverService(snapshot);
  const spec = serviceSpec(object);
  const noted = notedChoices(snapshot);
  const detected = detectServiceExposure(snapshot);
  const usual = exposure.type === detected.type ? detected.annotations : {};
  const annotations = Object.entries({ ...usual, ...noted.serviceAnnotations });
  const isChosen = (name: string) => given.serviceAnnotations?.[name] !== undefined;
  const port = defaultNodePort(identity.id, new Set(snapshot.usedNodePorts));
  return [
    { option: 'serviceType', object, path: 'spec.type', live: spec.type, own: noted.serviceType ?? detected.type },
    {
      ...{ option: 'nodePort', object, path: `spec.ports[${ETCD_PORT}/TCP].nodePort` },
      live: spec.type === 'NodePort' ? spec.ports?.[0]?.nodePort : undefined,
      own: String(noted.nodePort ?? port),
    },
    {
      ...{ option: 'loadBalancerIp', object, path: 'spec.loadBalancerIP' },
      ...{ live: spec.loadBalancerIP, own: noted.loadBalancerIp },
    },
    {
      ...{ option: 'loadBalancerSourceRanges', object, path: 'spec.loadBalancerSourceRanges' },
      ...{ live: spec.loadBalancerSourceRanges, own: noted.loadBalancerSourceRanges?.join() },
    },
    {
      ...{ option: 'externalTrafficPolicy', object, path: 'spec.externalTrafficPolicy' },
      ...{ live: spec.externalTrafficPolicy, own: noted.externalTrafficPolicy ?? 'Cluster' },
    },
    ...annotations
      .filter(([name]) => !isChosen(name))
      .map(
        ([name, own]): Setting => ({
          ...{ option: 'serviceAnnotations', name: `annotation ${name}`, object, path: `metadata.annotations.${name}` },
          ...{ live: object?.metadata.annotations?.[name], own, word: `${name}=${own}` },
        }),
      ),
  ];
}

const POD = 'spec.template.spec';

function deploymentSettings(snapshot: ClusterSnapshot, image: { derived: string; settled: string }): Setting[] {
  const object = apiserverDeployment(snapshot);
  const { tolerations, imagePullSecrets = [], volumes = [] } = templateSpec(object);
  const data = volumes.findIndex(({ name }) => name === 'etcd-data-dir');
  const runs = imageOf(object);
  return [
    {
      ...{ option: 'replicas', object, path: 'spec.replicas' },
      ...{
        live: (object?.spec as { replicas?: number } | undefined)?.replicas,
        own: String(notedReplicas(snapshot) ?? 1),
      },
    },
    {
      ...{ option: 'image', object, path: `${POD}.containers[apiserver].image` },
      ...{ live: runs === image.settled ? runs : undefined, own: image.derived },
    },
    {
      ...{ option: 'etcdStorage', object, path: `${POD}.volumes[etcd-data-dir].emptyDir.medium` },
      // An empty mapping, which is the disk, takes nothing away that is in it.
      ...{ pointer: `/spec/template/spec/volumes/${data}/emptyDir/medium` },
      live: volumes[data]?.emptyDir?.medium === 'Memory' ? 'memory' : undefined,
    },
    { option: 'tolerations', object, path: `${POD}.tolerations`, live: tolerations },
    ...imagePullSecrets.map(
      ({ name }, index): Setting => ({
        ...{ option: 'pullSecrets', name: 'pull secret', object, path: `${POD}.imagePullSecrets[${name}]`, live: name },
        pointer: `/spec/template/spec/imagePullSecrets/${index}`,
      }),
    ),
    ...CONTAINERS.flatMap((name) => resourceSettings(object, name)),
  ];
}

/** Each amount that a container asks for, or is held to. */
function resourceSettings(object: KubeObject | undefined, container: ContainerName): Setting[] {
  const containers = templateSpec(object).containers ?? [];
  const index = containers.findIndex(({ name }) => name === container);
  return Object.entries(containers[index]?.resources ?? {}).flatMap(([side, amounts]) =>
    Object.entries((amounts ?? {}) as Record<string, unknown>).map(
      ([name, live]): Setting => ({
        ...{ option: 'resources', name: `${container}:${side}.${name}`, object, live },
        path: `${POD}.containers[${container}].resources.${side}.${name}`,
        // RFC 6901, section 3.
        pointer: `/spec/template/spec/containers/${index}/resources/${side}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`,
      }),
    ),
  );
}

function wordOf(value: unknown): string {
  if (typeof value === 'string') return value;
  const isTexts = Array.isArray(value) && value.every((one) => typeof one === 'string');
  return isTexts ? value.join() : JSON.stringify(value);
}
