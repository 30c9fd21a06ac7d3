import type { OptionSpec } from '../command-spec.ts';
import {
  parseCount,
  parseImageName,
  parseKeyValue,
  parseList,
  parseObjectName,
  parseToleration,
} from './option-values.ts';
import { grouped } from './shared-options.ts';

/** What holds where a flag is not given, in words for help. */
interface Defaults {
  serviceType: string;
  nodePort: string;
  trafficPolicy: string;
  replicas: string;
  kvstoremesh: string;
  etcdStorage: string;
  disruptionBudget: string;
  serviceMonitor: string;
  image: string;
}

const kept = (otherwise: string): string => `keep the current value, otherwise ${otherwise}`;

/** Of commands that read the cluster. */
export const KEPT_DEFAULTS: Defaults = {
  serviceType: kept('detect'),
  nodePort: kept('a free one derived from the cluster id'),
  trafficPolicy: kept('Cluster'),
  replicas: kept('1'),
  kvstoremesh: kept('true'),
  etcdStorage: kept('disk'),
  disruptionBudget: kept('false'),
  serviceMonitor: kept('false'),
  image: "the one that matches the agents' image",
};

/** Of `render`, which sees no cluster. */
export const RENDER_DEFAULTS: Defaults = {
  serviceType: 'LoadBalancer',
  nodePort: 'one derived from the cluster id',
  trafficPolicy: 'Cluster',
  replicas: '1',
  kvstoremesh: 'true',
  etcdStorage: 'disk',
  disruptionBudget: 'false',
  serviceMonitor: 'false',
  image: "Cilium's own of that version",
};

/** How the clustermesh-apiserver is exposed and made; of `enable`, `helm-values` and `render` alike. */
export function apiserverOptions(defaults: Defaults) {
  return [...grouped('exposure', exposureOptions(defaults)), ...grouped('pods', podOptions(defaults))] as const;
}

function exposureOptions(defaults: Defaults) {
  return [
    {
      flags: '--service-type <type>',
      description: `how peers reach the clustermesh-apiserver (default: ${defaults.serviceType})`,
      choices: ['LoadBalancer', 'NodePort', 'ClusterIP'],
    },
    {
      flags: '--service-annotation <key=value>',
      description: 'annotation of the Service, repeatable',
      repeatable: true,
      parse: parseKeyValue,
    },
    {
      flags: '--node-port <port>',
      description: `NodePort of the Service (default: ${defaults.nodePort})`,
      parse: parseCount,
    },
    { flags: '--load-balancer-class <class>', description: 'class of the load balancer' },
    { flags: '--load-balancer-ip <ip>', description: 'IP address to request for the load balancer' },
    {
      flags: '--load-balancer-source-ranges <list>',
      description: 'CIDRs that may reach the load balancer, comma-separated or repeated',
      parse: parseList,
      repeatable: 'lists',
    },
    {
      flags: '--external-traffic-policy <policy>',
      description: `Local keeps client addresses, but only nodes with a pod answer (default: ${defaults.trafficPolicy})`,
      choices: ['Cluster', 'Local'],
    },
  ] as const satisfies readonly OptionSpec[];
}

function podOptions(defaults: Defaults) {
  return [
    {
      flags: '--image <image>',
      description: `clustermesh-apiserver image (default: ${defaults.image})`,
      parse: parseImageName,
    },
    {
      flags: '--pull-secret <name>',
      description: 'Secret with credentials for the registry, repeatable',
      repeatable: true,
      parse: parseObjectName,
    },
    {
      flags: '--toleration <key[=value]:effect>',
      description: 'taint that its pods tolerate, repeatable; none: tolerate none any more',
      repeatable: true,
      parse: parseToleration,
    },
    {
      flags: '--replicas <count>',
      description: `replicas of the clustermesh-apiserver (default: ${defaults.replicas})`,
      parse: parseCount,
    },
    {
      flags: '--enable-kvstoremesh [boolean]',
      description: `run KVStoreMesh, the local cache of the remote clusters (default: ${defaults.kvstoremesh})`,
      choices: ['true', 'false'],
    },
    {
      flags: '--resources <list>',
      description:
        'requests and limits, e.g. requests.cpu=100m,limits.memory=1Gi; for one container: etcd:limits.memory=2Gi; repeatable',
      repeatable: true,
    },
    {
      flags: '--etcd-storage <medium>',
      description: `where etcd keeps its data (default: ${defaults.etcdStorage})`,
      choices: ['memory', 'disk'],
    },
    {
      flags: '--pod-disruption-budget [boolean]',
      description: `let at most one replica be drained at a time (default: ${defaults.disruptionBudget})`,
      choices: ['true', 'false'],
    },
    {
      flags: '--service-monitor [boolean]',
      description: `let the Prometheus operator scrape it (default: ${defaults.serviceMonitor})`,
      choices: ['true', 'false'],
    },
    {
      flags: '--set <kind/name:path=value>',
      description:
        'any other field of an object, e.g. Service/x:spec.sessionAffinity=None; null removes it; repeatable',
      repeatable: true,
    },
  ] as const satisfies readonly OptionSpec[];
}
