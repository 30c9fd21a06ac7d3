import type { CommandSpec } from '../../command-spec.ts';
import { CLUSTERS, DRY_RUN, partingWait, RESULT_OR_PLAN_FORMAT, YES } from '../../options/shared-options.ts';

export const DISABLE = {
  path: ['clustermesh', 'disable'],
  summary: 'Remove what enable made, and nothing else',
  description:
    'Removes the peers first, then the clustermesh-apiserver and everything that meshctl made for it. What Helm or ' +
    'others made stays; where that is the clustermesh-apiserver or its Service, it exits 1, with what removes them. The CA is removed only if meshctl put it there and nothing else uses it. Shows the plan and ' +
    'asks. While others still dial the cluster, --yes also needs --disconnect, which says what becomes of them, and a ' +
    'context that leads to each of those that are to be disconnected.',
  examples: [
    { line: 'meshctl clustermesh disable --context gke --dry-run', what: 'see what would be removed' },
    {
      line: 'meshctl clustermesh disable --context gke --disconnect --yes',
      what: 'disconnect from all peers, then remove',
    },
  ],
  reachesClusters: true,
  options: [
    ...CLUSTERS,
    {
      flags: '--disconnect [boolean]',
      choices: ['true', 'false'],
      description: 'first disconnect the peers that the kubeconfig leads to, on their side too (default: asks)',
    },
    {
      flags: '--keep-certificates',
      description: 'leave the certificates and the CA for a later enable',
      default: false,
    },
    {
      flags: '--no-wait',
      group: 'run',
      description: 'do not wait until agents have forgotten the peers, and objects and pods are gone',
    },
    partingWait('for agents to forget the peers, then for the pods to terminate'),
    YES,
    DRY_RUN,
    RESULT_OR_PLAN_FORMAT,
  ],
} as const satisfies CommandSpec;
