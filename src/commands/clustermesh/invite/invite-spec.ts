import { parseEndpointOverride } from '../../../mesh/peers/endpoint-overrides.ts';
import type { CommandSpec } from '../../command-spec.ts';
import { parsePeerName } from '../../options/option-values.ts';
import { CONTEXT, DRY_RUN, RESULT_OR_PLAN_FORMAT } from '../../options/shared-options.ts';
import { parseInvitationSpan } from '../invitations/invitation-values.ts';

/** At which address the other owner's cluster dials this one. */
export const OFFERED_ENDPOINT = {
  flags: '--endpoint <endpoint>',
  description: 'host:port at which the other cluster is to dial this one instead of its Service, repeatable',
  repeatable: true,
  parse: parseEndpointOverride,
} as const;

export const INVITE = {
  path: ['clustermesh', 'invite'],
  summary: 'Invite the cluster of another owner, with no access to it',
  description:
    'Prints an invitation for the owner of another cluster: what they need to know about this one to judge whether the ' +
    'two are compatible, where to dial it, its CA certificate, and a certificate request. Neither it nor any later ' +
    'message contains a private key or a password: reading one gains nothing. The key stays in a Secret of this ' +
    'cluster. The other owner runs "clustermesh accept" on it and hands back a reply. Compare the fingerprints of the ' +
    'CAs by phone.',
  examples: [
    { line: 'meshctl clustermesh invite --context a > invitation.yaml', what: 'an invitation, good for a day' },
    { line: 'meshctl clustermesh invite --context a --valid 2h --peer mesh-2', what: 'only for the cluster mesh-2' },
  ],
  reachesClusters: true,
  options: [
    CONTEXT,
    {
      flags: '--valid <duration>',
      description: 'how long the whole exchange may take, from 5m to 30d',
      default: '24h',
      parse: parseInvitationSpan,
    },
    {
      flags: '--peer <name>',
      description: 'name of the only cluster that may accept; if it is connected already: new certificates for it',
      parse: parsePeerName,
      complete: 'peer',
      once: true,
    },
    OFFERED_ENDPOINT,
    DRY_RUN,
    RESULT_OR_PLAN_FORMAT,
  ],
} as const satisfies CommandSpec;
