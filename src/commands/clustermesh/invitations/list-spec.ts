import type { CommandSpec } from '../../command-spec.ts';
import { CLUSTERS, NO_HEADERS, RESULT_FORMAT } from '../../options/shared-options.ts';

export const INVITATIONS_LIST = {
  path: ['clustermesh', 'invitations', 'list'],
  summary: 'List the invitations that a cluster has issued and accepted',
  description:
    'Shows how far each one has got, what it waits for, until when, and what this side does next. ' +
    'Exits 1 when one of them cannot be read.',
  examples: [{ line: 'meshctl clustermesh invitations list --context a', what: 'who has to act' }],
  reachesClusters: true,
  options: [
    ...CLUSTERS,
    {
      ...RESULT_FORMAT,
      description: 'format of the result; name: ID of each invitation, as revoke takes it',
      choices: ['text', 'name', 'json', 'yaml'],
    },
    NO_HEADERS,
  ],
} as const satisfies CommandSpec;
