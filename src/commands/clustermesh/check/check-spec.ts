import type { CommandSpec } from '../../command-spec.ts';
import { parseList } from '../../options/option-values.ts';
import { CLUSTERS, NODE_TIMEOUT, PARALLEL_AGENTS, waitDuration } from '../../options/shared-options.ts';

export const CHECK = {
  path: ['clustermesh', 'check'],
  summary: 'Find what is wrong or soon will be, with the next step for each finding',
  description:
    'Reads the clusters and checks names and ids, settings, versions, addresses, the network between nodes, the ' +
    'clustermesh-apiserver, certificates, peers and ownership. Each finding has an id for "meshctl explain". ' +
    'Exits 1 when a check fails, or when all were skipped, 3 when none fails, and a cluster or an agent does not answer, with --all no context leads to a peer that is not seen to be connected, or some could not be looked at for want of rights.',
  examples: [
    { line: 'meshctl clustermesh check --pre --context gke,eks', what: 'before enable and connect' },
    { line: 'meshctl clustermesh check --all -o short', what: 'only failures and warnings' },
    { line: 'meshctl clustermesh check --category tls,peers --fail-on warn -o junit', what: 'in a pipeline' },
  ],
  reachesClusters: true,
  options: [
    ...CLUSTERS,
    { flags: '--pre', description: 'only what can be judged before enable and connect', default: false },
    {
      flags: '--category <categories>',
      description: 'only these categories, comma-separated or repeated',
      parse: parseList,
      repeatable: 'lists',
      complete: 'categories',
    },
    {
      flags: '--suppress <ids>',
      description: 'leave out these checks, comma-separated or repeated',
      parse: parseList,
      repeatable: 'lists',
      complete: 'checks',
    },
    {
      flags: '--fail-on <severity>',
      description: 'what makes the exit status 1',
      choices: ['fail', 'warn'],
      default: 'fail',
    },
    { flags: '--wait', group: 'run', description: 'check again until nothing fails', default: false },
    waitDuration('with --wait', '5m'),
    PARALLEL_AGENTS,
    NODE_TIMEOUT,
    {
      flags: '-o, --output <format>',
      group: 'output',
      description: 'format of the result; short: only failures and warnings',
      choices: ['table', 'short', 'json', 'yaml', 'junit'],
      default: 'table',
    },
  ],
} as const satisfies CommandSpec;
