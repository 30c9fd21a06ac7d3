import { parseSpan, parseValidity } from '../../../mesh/span.ts';
import type { CommandSpec } from '../../command-spec.ts';
import {
  CLUSTERS,
  DRY_RUN,
  FORCE_CONFLICTS_IN,
  KEY_SIZES,
  parallel,
  RESULT_FORMAT,
  waitDuration,
  YES,
} from '../../options/shared-options.ts';

export const CERTS_ROTATE = {
  path: ['clustermesh', 'certs', 'rotate'],
  summary: 'Renew the certificates of the mesh without cutting off a peer',
  description:
    'Renews the certificates of the clusters and those with which they dial each other; each one is proved before it is ' +
    'distributed. Key sizes and validities stay as they are. With --ca, the CAs too: first everyone trusts both the old ' +
    'and the new CA, then all certificates are issued by the new one, and only then is the old one dropped. A phase ' +
    'that fails is rolled back; after an interruption the same command, with or without --ca, resumes. Exits 1 when ' +
    'something is due in a cluster whose CA cannot sign, or, with --older-than, what a cluster issues that was not named, ' +
    'and where the rotation of a CA has not replaced it yet, which --older-than leaves as it is; the rest is renewed. One ' +
    'run at a time is at work in a cluster. Good certificates that others make (Helm, ' +
    'cert-manager) are left to them and named; where those are all, it exits 1, unless only old ones were asked for ' +
    '(--older-than).',
  examples: [
    { line: 'meshctl clustermesh certs rotate --context gke,eks', what: 'new certificates from the same CAs' },
    { line: 'meshctl clustermesh certs rotate --all --older-than 30d', what: 'only those that are due' },
    {
      line: 'meshctl clustermesh certs rotate --ca --all --dry-run',
      what: 'what would be renewed, phase by phase',
    },
    { line: 'meshctl clustermesh certs rotate --ca --all', what: 'new CAs for the whole mesh' },
  ],
  reachesClusters: true,
  options: [
    ...CLUSTERS,
    { flags: '--ca', description: 'make new CAs too; asks first', default: false },
    {
      flags: '--older-than <duration>',
      description: 'only certificates that were issued longer ago than this, e.g. 30d or 720h',
      parse: parseSpan,
    },
    {
      flags: '--peer <name>',
      description:
        'only the certificates with which the other clusters log in to the cluster of this name; for one of another ' +
        'owner, prints an invitation for them',
      complete: 'peer',
      once: true,
    },
    {
      flags: '--cert-validity <duration>',
      description:
        'validity of new certificates, 24h or more, rounded down to whole hours, e.g. 8760h (default: keep theirs); not for another owner',
      parse: parseValidity,
    },
    {
      flags: '--key-size <bits>',
      description: 'size of new RSA keys (default: keep theirs)',
      choices: KEY_SIZES,
    },
    parallel('clusters at a time', 16),
    FORCE_CONFLICTS_IN,
    DRY_RUN,
    YES,
    waitDuration('for each step to take effect', '5m'),
    RESULT_FORMAT,
  ],
} as const satisfies CommandSpec;
