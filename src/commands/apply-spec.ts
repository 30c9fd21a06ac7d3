import type { CommandSpec } from './command-spec.ts';
import { FILE_OPTIONS } from './file/file-options.ts';
import {
  DRY_RUN,
  FORCE_CONFLICTS,
  NO_ROLLBACK,
  RESULT_OR_PLAN_FORMAT,
  waitDuration,
  YES,
} from './options/shared-options.ts';

export const APPLY = {
  path: ['apply'],
  summary: 'Bring a mesh to what its file says',
  description:
    'One plan over all clusters of the files: enable, connect, and services, each as its own command does it. Either all of ' +
    'it stands at the end, or, on a failure or Ctrl-C, every cluster is put back. Running it again changes only what differs. What was ' +
    'changed by hand in objects that meshctl made goes back; what Helm and other tools own stays theirs. Before a connection that there is would be cut off it asks, ' +
    'or needs --yes.',
  examples: [
    { line: 'meshctl apply -f mesh.yaml --dry-run', what: 'the plan' },
    { line: 'meshctl apply -f mesh.yaml', what: 'carry it out' },
    { line: 'meshctl apply -f clusters/ --prune --yes', what: 'a folder of files, and nothing but what they say' },
  ],
  reachesClusters: true,
  options: [
    ...FILE_OPTIONS,
    {
      flags: '--prune',
      description:
        'also take away what no file has: disconnect peers, disable the clusters behind them that contexts lead to and that ' +
        'have no other peer, take services out of the mesh; shows the plan and asks',
      default: false,
    },
    {
      flags: '--no-proof',
      group: 'run',
      description: 'distribute credentials without verifying them first, where port-forward is forbidden',
    },
    FORCE_CONFLICTS,
    NO_ROLLBACK,
    waitDuration('for load balancers, and again for pods', '5m'),
    YES,
    DRY_RUN,
    RESULT_OR_PLAN_FORMAT,
  ],
} as const satisfies CommandSpec;
