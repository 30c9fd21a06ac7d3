import { parse } from 'yaml';
import { CONTAINERS, type ContainerName, type ContainerResources } from '../../mesh/apiserver/deployment.ts';
import { isAddress, isCidr } from '../../mesh/cilium/cidr.ts';
import { type CiliumVersion, parseVersion } from '../../mesh/cilium/versions/versions.ts';
import type { ServiceType } from '../../mesh/enable/exposure/service-type.ts';
import type { ObjectSetting } from '../../mesh/enable/object-settings.ts';
import type { EnableChoices } from '../../mesh/enable/settings.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import type { Toleration } from '../../mesh/objects/taints.ts';
import type { ResourceRequirements } from '../../mesh/objects/workload.ts';
import type { apiserverOptions } from './apiserver-options.ts';
import type { FlagsIn } from './flags-of.ts';
import { OBJECT_FIELD, parseSwitch } from './option-values.ts';

/** The flags of apiserver-options.ts, as parsed. */
export type ApiserverFlags = FlagsIn<ReturnType<typeof apiserverOptions>>;

/** The flags as the domain wants them. @throws MeshctlError `Usage` for what cannot be */
export function choicesOf(flags: ApiserverFlags): EnableChoices & { settings: ObjectSetting[] } {
  checkTogether(flags);
  if (flags.nodePort !== undefined && flags.nodePort > 65_535) {
    throw new MeshctlError('Usage', `--node-port ${flags.nodePort} is not a port`);
  }
  return {
    serviceType: flags.serviceType,
    serviceAnnotations: flags.serviceAnnotation && Object.fromEntries(flags.serviceAnnotation),
    nodePort: flags.nodePort,
    loadBalancerClass: flags.loadBalancerClass,
    loadBalancerIp: flags.loadBalancerIp === undefined ? undefined : ipOf(flags.loadBalancerIp),
    loadBalancerSourceRanges: flags.loadBalancerSourceRanges?.map(cidrOf),
    externalTrafficPolicy: flags.externalTrafficPolicy,
    replicas: flags.replicas,
    kvstoremesh: parseSwitch(flags.enableKvstoremesh),
    resources: flags.resources && resourcesOf(flags.resources),
    pullSecrets: flags.pullSecret,
    tolerations: flags.toleration && tolerationsOf(flags.toleration),
    etcdStorage: flags.etcdStorage,
    podDisruptionBudget: parseSwitch(flags.podDisruptionBudget),
    serviceMonitor: parseSwitch(flags.serviceMonitor),
    settings: (flags.set ?? []).map(parseSetting),
  };
}

/** `--cilium-version`. @throws MeshctlError `Usage` */
export function ciliumVersionOf(text: string): CiliumVersion {
  const version = parseVersion(text);
  if (version) return version;
  throw new MeshctlError('Usage', `--cilium-version "${text}" is not a version`, { hint: 'Write it like 1.20.0.' });
}

/** Flags that are about one type of Service. */
function checkTogether(flags: ApiserverFlags): void {
  const { serviceType, nodePort, loadBalancerClass, loadBalancerIp, loadBalancerSourceRanges } = flags;
  const only = (flag: string, value: unknown, type: ServiceType): void => {
    if (value === undefined || serviceType === undefined || serviceType === type) return;
    throw new MeshctlError('Usage', `${flag} cannot be used with --service-type ${serviceType}`, {
      hint: `It is for --service-type ${type}.`,
    });
  };
  only('--node-port', nodePort, 'NodePort');
  only('--load-balancer-class', loadBalancerClass, 'LoadBalancer');
  only('--load-balancer-ip', loadBalancerIp, 'LoadBalancer');
  only('--load-balancer-source-ranges', loadBalancerSourceRanges, 'LoadBalancer');
}

function ipOf(text: string): string {
  if (isAddress(text)) return text;
  throw new MeshctlError('Usage', `--load-balancer-ip "${text}" is not an IP address`);
}

function cidrOf(text: string): string {
  if (isCidr(text)) return text;
  throw new MeshctlError('Usage', `--load-balancer-source-ranges: "${text}" is not a CIDR`, {
    hint: 'Write it like 10.0.0.0/8 or 2001:db8::/32.',
  });
}

/** @throws MeshctlError `Usage` for `none` beside others */
function tolerationsOf(given: readonly (Toleration | 'none')[]): Toleration[] {
  const tolerations = given.filter((one) => one !== 'none');
  if (tolerations.length === given.length || tolerations.length === 0) return tolerations;
  throw new MeshctlError('Usage', '--toleration none removes all, so it cannot be used with others');
}

/** A quantity as Kubernetes takes it (apimachinery, resource.Quantity). */
const QUANTITY = /^\d+(\.\d+)?([KMGTPE]i|[numkMGTPE]|e\d+)?$/;

/** `[container:]requests.cpu=100m,limits.memory=1Gi`, any number of them. */
function resourcesOf(texts: readonly string[]): ContainerResources {
  const resources = new Map<ContainerName, { requests: Record<string, string>; limits: Record<string, string> }>();
  for (const text of texts) {
    const [, container, list = ''] = /^(?:([a-z]+):)?(.*)$/.exec(text) ?? [];
    const named = CONTAINERS.filter((name) => container === undefined || name === container);
    if (named.length === 0) {
      throw new MeshctlError('Usage', `--resources: there is no container "${container}"`, {
        hint: `There are ${CONTAINERS.join(', ')}.`,
      });
    }
    for (const entry of list.split(',')) {
      const [, side, resource, quantity = ''] = /^(requests|limits)\.([a-z0-9./-]+)=(.*)$/.exec(entry.trim()) ?? [];
      if (resource === undefined || !QUANTITY.test(quantity)) {
        throw new MeshctlError('Usage', `--resources: "${entry}" is not requests.RESOURCE=QUANTITY or limits.…`, {
          hint: 'Write it like requests.cpu=100m,limits.memory=1Gi.',
        });
      }
      for (const name of named) {
        const of = resources.get(name) ?? { requests: {}, limits: {} };
        of[side === 'limits' ? 'limits' : 'requests'][resource] = quantity;
        resources.set(name, of);
      }
    }
  }
  const filled = ({ requests, limits }: { requests: object; limits: object }) =>
    ({
      ...(Object.keys(requests).length > 0 ? { requests } : {}),
      ...(Object.keys(limits).length > 0 ? { limits } : {}),
    }) as ResourceRequirements;
  return Object.fromEntries([...resources].map(([name, of]) => [name, filled(of)]));
}

/** `Kind[/name]:path=value`; the value is read as YAML, so that `2`, `true`, `null`, `{a: b}` are what they look like. */
function parseSetting(text: string): ObjectSetting {
  const [, kind, name, path, value] = new RegExp(`^${OBJECT_FIELD}=(.*)$`, 's').exec(text) ?? [];
  if (kind === undefined || path === undefined || value === undefined) {
    throw new MeshctlError('Usage', `--set "${text}" is not Kind/name:path=value`, {
      hint: 'Write it like Deployment/clustermesh-apiserver:spec.template.spec.priorityClassName=x.',
    });
  }
  try {
    return { kind, name, path, value: parse(value) as unknown };
  } catch (cause) {
    throw new MeshctlError('Usage', `--set "${text}": the value is not YAML`, { hint: 'Quote it: \'"…"\'.', cause });
  }
}
