import type { CommandSpec } from '../../command-spec.ts';
import {
  CONTEXT,
  DRY_RUN,
  NO_ROLLBACK,
  PARALLEL_AGENTS,
  RESULT_OR_PLAN_FORMAT,
  SKIP_CHECKS,
  waitDuration,
  YES,
} from '../../options/shared-options.ts';
import { parseCaFingerprint } from '../invitations/invitation-values.ts';
import { OFFERED_ENDPOINT } from '../invite/invite-spec.ts';

export const ACCEPT = {
  path: ['clustermesh', 'accept'],
  summary: 'Accept an invitation from another owner, or the answer to one',
  description:
    'Reads a message from another owner: an invitation, the reply to one, or the confirmation of a reply. Checks it ' +
    'before anything is written: who signed it, who it is for, whether it is still valid and unused, and whether the ' +
    'clusters are compatible. Shows the fingerprints of both CAs and asks, unless --fingerprint names the other one. ' +
    'Then it lets the other cluster in, signs the certificate that it asked for, and prints the answer to hand back. ' +
    'From the second message on, this cluster dials the other one, and what was written is rolled back unless all its ' +
    'nodes get through.',
  examples: [
    { line: 'meshctl clustermesh accept invitation.yaml --context b > reply.yaml', what: 'b accepts' },
    { line: 'meshctl clustermesh accept reply.yaml --context a > confirmation.yaml', what: 'a dials b' },
    { line: 'meshctl clustermesh accept confirmation.yaml --context b', what: 'b dials a' },
  ],
  arguments: [{ name: 'message', description: 'file with the message, or - for standard input', complete: 'file' }],
  reachesClusters: true,
  options: [
    CONTEXT,
    {
      flags: '--fingerprint <sha256>',
      description: "expected fingerprint of the other owner's CA, SHA256:…; then there is no question",
      parse: parseCaFingerprint,
    },
    OFFERED_ENDPOINT,
    SKIP_CHECKS,
    {
      flags: '--no-proof',
      group: 'run',
      description: 'do not wait until etcd has the user, and until all nodes are connected',
    },
    PARALLEL_AGENTS,
    waitDuration('until the clusters let each other in and are connected', '5m'),
    NO_ROLLBACK,
    YES,
    DRY_RUN,
    RESULT_OR_PLAN_FORMAT,
  ],
} as const satisfies CommandSpec;
