import { meshctlCommand } from '../../mesh/command-line.ts';
import { type UnprovedDial, unprovedDialWords } from '../../mesh/connect/unproved.ts';
import { capital, enumerated } from '../../mesh/counted.ts';
import type { ConnectionMode } from '../../mesh/peers/connection-mode.ts';
import { extentWords, type ProbeExtent } from '../../mesh/probe/report.ts';
import { hintLines } from '../hint-lines.ts';
import { type CountedStep, countActions } from '../plan/plan-data.ts';
import { summariseActions } from '../plan/plan-view.ts';
import type { Theme } from '../theme.ts';

/** Who dials whom, by names of clusters. */
interface Connection {
  from: string;
  to: string;
  credential: string;
  endpoints: readonly string[];
  /** The name that stands for the endpoints, where it is dialled instead of them. */
  hostname?: string | undefined;
}

/** What connect shows. */
export interface ConnectedClusters {
  mode: ConnectionMode;
  clusters: readonly { context: string; name: string }[];
  connections: readonly Connection[];
  steps: readonly CountedStep[];
  /** Dials at addresses that are not the peer's Service's, where nothing tells who answers there. */
  unproved: readonly UnprovedDial[];
  /** Between so many nodes of each cluster packets were seen to pass; empty where none were sent. */
  probed: readonly ProbeExtent[];
}

/**
 * The result of `clustermesh connect`. It proves credentials, through the API server, and writes files; no agent is asked. Whether
 * clusters are connected, over a network that may drop it all, only status tells: that is the next step, and no word of it is said here.
 */
export function connectText(
  { mode, clusters, connections, steps, unproved, probed }: ConnectedClusters,
  theme: Theme,
): string {
  const bold = ({ name }: { name: string }) => theme.bold(name);
  const dialled = new Set(connections.map(({ to }) => to));
  const dialling = new Set(connections.map(({ from }) => from));
  const isSame = steps.every(({ action }) => action === 'keep');
  return [
    `✅ ${isSame ? 'Nothing to change: ' : ''}${headline()}`,
    ...clusters
      .filter(({ name }) => dialled.has(name))
      .map((cluster) => `  • ${bold(cluster)} is dialled at ${addressesOf(cluster.name, connections)}`),
    `  • Credentials: ${credentialCounts(connections)}`,
    ...(isSame ? [] : [`  • Objects: ${summariseActions(countActions(steps), theme)}`]),
    ...unproved.map((one) => `  • ${capital(unprovedDialWords(one))}`),
    ...(probed.length > 0 ? [`  • Network: probed between ${enumerated(probed.map(extentWords))}`] : []),
    ...hintLines(`Whether they are connected: ${statusCommand()}`, theme, 2),
  ].join('\n');

  function statusCommand(): string {
    const contexts = clusters.map(({ context }) => context);
    return meshctlCommand('clustermesh status', { context: contexts }, ['--wait']);
  }

  function headline(): string {
    const names = clusters.map(bold);
    const [first = '', ...others] = names;
    const [oneWay] = dialling;
    if (dialling.size === 1 && oneWay !== undefined) {
      return `${theme.bold(oneWay)} dials ${enumerated(clusters.filter(({ name }) => dialled.has(name)).map(bold))}`;
    }
    const isEach = mode === 'mesh' || others.length === 1;
    const every = `${mode === 'mesh' && names.length > 2 ? ', every pair of them' : ''}${exceptOneWay()}`;
    const who = isEach ? enumerated(names) : `${first} and each of ${enumerated(others)}`;
    return `${who} are set up to dial each other${every}`;
  }

  /** What was chosen to be one-way stays so. */
  function exceptOneWay(): string {
    const isThere = (from: string, to: string) => connections.some((one) => one.from === from && one.to === to);
    const single = connections.filter(({ from, to }) => !isThere(to, from));
    return single.length === 0
      ? ''
      : `, except that only ${single.map(({ from, to }) => `${from} dials ${to}`).join(', ')}`;
  }
}

/** Clusters may dial the same one at different addresses. */
function addressesOf(name: string, connections: ConnectedClusters['connections']): string {
  const incoming = connections.filter(({ to }) => to === name);
  const ways = [...new Set(incoming.map(wayOf))];
  if (ways.length === 1) return ways[0] ?? '';
  return incoming.map((one) => `${wayOf(one)} (by ${one.from})`).join(', ');
}

function wayOf({ endpoints, hostname }: Connection): string {
  const addresses = endpoints.join(', ');
  return hostname === undefined ? addresses : `${hostname}, which stands for ${addresses}`;
}

const CREDENTIAL_WORDS: Readonly<Record<string, string>> = {
  'per-peer': 'a certificate per peer',
  // Their CAs are one, or each is in the bundle by which the other goes.
  'shared-ca': 'the common certificate of each cluster',
  legacy: 'the remote’s own certificate',
};

function credentialCounts(connections: ConnectedClusters['connections']): string {
  const kinds = [...new Set(connections.map(({ credential }) => credential))];
  if (kinds.length === 1) return CREDENTIAL_WORDS[kinds[0] ?? ''] ?? '';
  const count = (kind: string) => connections.filter(({ credential }) => credential === kind).length;
  return kinds.map((kind) => `${CREDENTIAL_WORDS[kind]} (${count(kind)})`).join(', ');
}
