import { AFFINITIES } from '../../mesh/services/annotations.ts';
import type { CommandSpec } from '../command-spec.ts';
import { CILIUM_NAMESPACE_APART, CLUSTERS, DRY_RUN, NO_ROLLBACK, PLAN_FORMAT, YES } from '../options/shared-options.ts';
import { NAMESPACE, SERVICE } from './options.ts';

export const SERVICE_GLOBAL = {
  path: ['service', 'global'],
  summary: 'Make a service global in all named clusters, or change how it is shared',
  description:
    'Annotates the service of that name in every named cluster. Settings that are not given stay as they are; ' +
    'annotations with older names are renamed. With --remove, and with --shared=false where it was shared, it asks first, ' +
    'and names the clusters that no backends would be left for, or that could not be read. Where it shares nothing, as in a ' +
    'namespace that takes no part in the mesh, it says so. ' +
    'If anything fails, or on Ctrl-C, every cluster is rolled back.',
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
      choices: AFFINITIES,
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
} as const satisfies CommandSpec;
