import type { CommandSpec } from '../../command-spec.ts';
import {
  CONTEXT,
  DRY_RUN,
  NO_ROLLBACK,
  RESULT_OR_PLAN_FORMAT,
  waitDuration,
  YES,
} from '../../options/shared-options.ts';

export const INVITATIONS_REVOKE = {
  path: ['clustermesh', 'invitations', 'revoke'],
  summary: 'Take an invitation back',
  description:
    'Deletes the key that is kept for it, so that no message of it is accepted here any more. Where the other cluster has ' +
    'been let in already and this one does not dial it yet, it is shut out again; its owner may have connected it by ' +
    'then, so that is shown, and asked. Clusters that are connected stay so: they are parted by disconnect.',
  examples: [
    {
      line: 'meshctl clustermesh invitations revoke 5f1c2a9e0b7d4c3f8a61e2d0 --context a',
      what: 'one that is not used',
    },
  ],
  arguments: [{ name: 'id', description: 'as "invitations list" shows it; its beginning is enough' }],
  reachesClusters: true,
  options: [
    CONTEXT,
    waitDuration('until etcd refuses a cluster that is shut out', '2m'),
    NO_ROLLBACK,
    YES,
    DRY_RUN,
    RESULT_OR_PLAN_FORMAT,
  ],
} as const satisfies CommandSpec;
