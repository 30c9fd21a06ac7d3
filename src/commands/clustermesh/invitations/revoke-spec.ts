import type { CommandSpec } from '../../command-spec.ts';
import {
  CONTEXT,
  DRY_RUN,
  NO_ROLLBACK,
  partingWait,
  RESULT_OR_PLAN_FORMAT,
  YES,
} from '../../options/shared-options.ts';

export const INVITATIONS_REVOKE = {
  path: ['clustermesh', 'invitations', 'revoke'],
  summary: 'Revoke an invitation',
  description:
    "Deletes the invitation's key: none of its messages is accepted here any more, and it lets no one in. A cluster " +
    'that it has let in is shut out and no longer dialled, as by disconnect; that is shown first, and it asks. A ' +
    'cluster that something else has let in too, or a later invitation, stays connected.',
  examples: [
    {
      line: 'meshctl clustermesh invitations revoke 5f1c2a9e0b7d4c3f8a61e2d0 --context a',
      what: 'no one gets in with it any more',
    },
  ],
  arguments: [
    { name: 'id', description: 'as "invitations list" shows it; its beginning is enough', complete: 'invitation' },
  ],
  reachesClusters: true,
  options: [
    CONTEXT,
    partingWait('until etcd refuses a cluster that is shut out'),
    NO_ROLLBACK,
    YES,
    DRY_RUN,
    RESULT_OR_PLAN_FORMAT,
  ],
} as const satisfies CommandSpec;
