import type { ArgumentSpec, CommandSpec, OptionSpec } from '../command.ts';
import { parseNamespace } from '../option-values.ts';
import {
  CILIUM_NAMESPACE_APART,
  CLUSTERS,
  DRY_RUN,
  NO_ROLLBACK,
  PLAN_FORMAT,
  RESULT_FORMAT,
  YES,
} from '../shared-options.ts';

const SERVICE: ArgumentSpec = { name: 'service', description: 'NAMESPACE/NAME, or NAME in the namespace of -n' };

const ALL_NAMESPACES: OptionSpec = {
  flags: '-A, --all-namespaces',
  description: 'services of all namespaces, which is the default',
  default: false,
};

const NAMESPACE: OptionSpec = {
  flags: '-n, --namespace <namespace>',
  description: 'namespace of the services',
  parse: parseNamespace,
};

/** The commands about global services. */
export const SERVICE_COMMANDS: readonly CommandSpec[] = [
  {
    path: ['service', 'list'],
    summary: 'List the services that are global in any of the clusters',
    description:
      'Shows for each global service where it is defined, how it is shared, how many of its backends are ready, what the ' +
      'agents of each cluster send new connections to now, and what looks wrong.',
    examples: [
      { line: 'meshctl service list --context gke,eks', what: 'two clusters' },
      { line: 'meshctl service list --all -n shop -o wide', what: 'one namespace in every cluster of the kubeconfig' },
    ],
    reachesClusters: true,
    options: [
      ...CLUSTERS,
      ALL_NAMESPACES,
      NAMESPACE,
      CILIUM_NAMESPACE_APART,
      { ...RESULT_FORMAT, choices: ['text', 'wide', 'json', 'yaml'] },
    ],
    load: () => import('./list.ts'),
  },
  {
    path: ['service', 'describe'],
    summary: 'Show one service in all clusters, with its backends',
    examples: [
      { line: 'meshctl service describe default/rebel-base --context gke,eks', what: 'backends, nodes, zones' },
    ],
    reachesClusters: true,
    arguments: [SERVICE],
    options: [...CLUSTERS, NAMESPACE, CILIUM_NAMESPACE_APART, RESULT_FORMAT],
    load: () => import('./describe.ts'),
  },
  {
    path: ['service', 'global'],
    summary: 'Make a service global in all named clusters, or change how it is shared',
    description:
      'Annotates the service of that name in every named cluster. What is not given stays as it is; annotations under their ' +
      'older names get the newer ones. If anything fails, or on Ctrl-C, every cluster is put back.',
    examples: [
      { line: 'meshctl service global default/rebel-base --context gke,eks', what: 'global in both' },
      {
        line: 'meshctl service global default/rebel-base --context gke,eks --affinity local',
        what: 'prefer local backends',
      },
      {
        line: 'meshctl service global default/rebel-base --context gke,eks --create-missing',
        what: 'copy it to the clusters that lack it',
      },
    ],
    reachesClusters: true,
    arguments: [SERVICE],
    options: [
      ...CLUSTERS,
      {
        flags: '--affinity <affinity>',
        description: 'backends to prefer (default: keep the current value, otherwise none)',
        choices: ['local', 'remote', 'none'],
      },
      {
        flags: '--shared [boolean]',
        description: 'let the other clusters use the backends (default: keep the current value, otherwise true)',
        choices: ['true', 'false'],
      },
      {
        flags: '--create-missing',
        description: 'copy the service, its selector and ports, to clusters that lack it',
        default: false,
      },
      { flags: '--remove', description: 'make it no longer global', default: false },
      NO_ROLLBACK,
      YES,
      DRY_RUN,
      NAMESPACE,
      CILIUM_NAMESPACE_APART,
      PLAN_FORMAT,
    ],
    load: () => import('./global.ts'),
  },
  {
    path: ['service', 'failover'],
    summary: 'Show who would serve if a cluster were lost',
    description:
      'Works out for each service and each cluster lost which backends the other clusters would use, and how many are left. ' +
      'Without a service: all that are global. Nothing is changed. Exits 3 when a cluster cannot be asked.',
    examples: [
      {
        line: 'meshctl service failover --context gke,eks --require-survivable',
        what: 'a gate for game days: exit 1 if one would fail',
      },
      {
        line: 'meshctl service failover default/rebel-base --all --without gke',
        what: 'one service, one cluster lost',
      },
    ],
    reachesClusters: true,
    arguments: [{ ...SERVICE, description: `${SERVICE.description} (default: all global services)`, optional: true }],
    options: [
      ...CLUSTERS,
      { flags: '--without <cluster>', description: 'only the loss of this cluster (name or context)' },
      { flags: '--require-survivable', description: 'exit 1 unless every service survives', default: false },
      ALL_NAMESPACES,
      NAMESPACE,
      CILIUM_NAMESPACE_APART,
      RESULT_FORMAT,
    ],
    load: () => import('./failover.ts'),
  },
];
