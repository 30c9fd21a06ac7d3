import type { ConnectionMode } from '../mesh/connection-mode.ts';
import type { Step } from '../mesh/plan.ts';
import { countActions } from './plan-data.ts';
import { summariseActions } from './plan-view.ts';
import type { Theme } from './theme.ts';

/** What connect shows. */
export interface ConnectedClusters {
  mode: ConnectionMode;
  clusters: readonly { context: string; name: string; endpoints: readonly string[] }[];
  connections: readonly { from: string; to: string; credential: string }[];
  steps: readonly Pick<Step, 'action'>[];
}

/** The result of `clustermesh connect`. */
export function connectText({ mode, clusters, connections, steps }: ConnectedClusters, theme: Theme): string {
  const names = clusters.map(({ name }) => theme.bold(name));
  const [first = '', ...others] = names;
  const headline =
    mode === 'unicast'
      ? `${first} dials ${listed(others)}`
      : mode === 'mesh' || others.length === 1
        ? `Connected ${listed(names)}${names.length > 2 ? ', each with each' : ''}`
        : `Connected ${first} with ${listed(others)}`;
  const dialled = new Set(connections.map(({ to }) => to));
  return [
    `✅ ${headline}`,
    ...clusters
      .filter(({ name }) => dialled.has(name))
      .map(({ name, endpoints }) => `  • ${theme.bold(name)} is dialled at ${endpoints.join(', ')}`),
    `  • Credentials: ${credentialCounts(connections)}`,
    `  • Objects: ${summariseActions(countActions(steps), theme)}`,
  ].join('\n');
}

const CREDENTIAL_WORDS: Readonly<Record<string, string>> = {
  'per-peer': 'a certificate per peer',
  'shared-ca': 'the shared CA',
  legacy: 'the remote’s own certificate',
};

function credentialCounts(connections: ConnectedClusters['connections']): string {
  const kinds = [...new Set(connections.map(({ credential }) => credential))];
  if (kinds.length === 1) return CREDENTIAL_WORDS[kinds[0] ?? ''] ?? '';
  const count = (kind: string) => connections.filter(({ credential }) => credential === kind).length;
  return kinds.map((kind) => `${CREDENTIAL_WORDS[kind]} (${count(kind)})`).join(', ');
}

function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
