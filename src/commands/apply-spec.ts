import type { CommandSpec } from './command-spec.ts';
import { FILE_OPTIONS } from './file/file-options.ts';
import {
  DRY_RUN,
  FORCE_CONFLICTS_IN,
  NO_ROLLBACK,
  RESULT_OR_PLAN_FORMAT,
  waitDuration,
  YES,
} from './options/shared-options.ts';

export const APPLY = {
  path: ['apply'],
  summary: 'Make a mesh match its file',
  description:
    'Makes one plan for all clusters of the files: enable, connect and services, each as its own command does it. ' +
    'Either everything is applied or, on a failure or Ctrl-C, every cluster is rolled back; once --prune has disconnected ' +
    'clusters, that stays. Running it again changes only what differs. Manual changes to objects that meshctl made are ' +
    'reverted; what Helm and other tools own is left alone. Before an existing connection would be cut off, a cluster ' +
    'opened to more clients, backends taken from other clusters, or requests for global Services get no answer, it asks, or ' +
    'needs --yes.',
  examples: [
    { line: 'meshctl apply -f mesh.yaml --dry-run', what: 'the plan' },
    { line: 'meshctl apply -f mesh.yaml', what: 'apply it' },
    { line: 'meshctl apply -f clusters/ --prune --yes', what: 'a folder of files, removing what none of them has' },
  ],
  reachesClusters: true,
  options: [
    ...FILE_OPTIONS,
    {
      flags: '--prune',
      description:
        'also remove what no file has: disconnect peers, disable Cluster Mesh behind them where a context leads there and they ' +
        'have no other peer, take services out of the mesh; shows the plan and asks',
      default: false,
    },
    {
      flags: '--no-proof',
      group: 'run',
      description: 'distribute credentials without verifying them first, where port-forward is forbidden',
    },
    FORCE_CONFLICTS_IN,
    NO_ROLLBACK,
    waitDuration('for load balancers, and again for pods', '5m'),
    YES,
    DRY_RUN,
    RESULT_OR_PLAN_FORMAT,
  ],
} as const satisfies CommandSpec;
