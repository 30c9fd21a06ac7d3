/** A file that is garbage is there: whoever reads that it is missing, or another one's, looks for what they do not find. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { groupBy } from '../../src/mesh/pairs.ts';
import { type CheckEntry, checkEntries } from '../support/check-scenarios.ts';
import { type ClusterState, stateOf } from '../support/cluster-state.ts';
import { type ConnectedMesh, startConnectedMesh } from '../support/connected-mesh.ts';
import { untilHealthy } from '../support/open-look.ts';
import { setSecret } from '../support/sandbox-mesh.ts';
import { textOf } from '../support/verdicts.ts';

let mesh: ConnectedMesh;
let state: ClusterState;

beforeAll(async () => {
  mesh = await startConnectedMesh({ nodes: 1 });
  await untilHealthy(mesh.sandbox, ['mesh-1', 'mesh-2']);
  state = stateOf([mesh.one, mesh.two]);
});

afterAll(() => mesh.sandbox.close());

const FILES = [
  ...['server', 'admin', 'local', 'remote'].flatMap((role) =>
    ['tls.crt', 'tls.key', 'ca.crt'].map((key) => [`clustermesh-apiserver-${role}-cert`, key] as const),
  ),
  ...['.crt', '.key', '-ca.crt'].map((end) => ['cilium-kvstoremesh', `mesh-2.etcd-client${end}`] as const),
  ['cilium-ca', 'ca.crt'] as const,
];

const COMMANDS = [
  ['clustermesh', 'status', '--context', 'mesh-1,mesh-2'],
  ['clustermesh', 'check', '--context', 'mesh-1,mesh-2', '-o', 'short'],
  ['clustermesh', 'enable', '--context', 'mesh-1', '--dry-run'],
  ['clustermesh', 'connect', '--context', 'mesh-1', '--destination-context', 'mesh-2', '--dry-run'],
  ['clustermesh', 'certs', 'rotate', '--context', 'mesh-1,mesh-2', '--dry-run'],
  ['clustermesh', 'certs', 'list', '--context', 'mesh-1,mesh-2'],
];

/** What is said of a file that is not there, or is a whole one. */
const OF_OTHERS =
  /\bis missing|\bis gone|no certificate yet|no CA certificate is stored|different certificate|has changed/;

/** The clusters of which a check says nothing that has found nothing wrong: whether all is well there, or why nobody knows. */
function withoutRows(entries: readonly CheckEntry[]): string[] {
  return [...groupBy(entries, ({ id }) => id)].flatMap(([id, rows]) => {
    if (rows.some(({ severity }) => severity === 'fail' || severity === 'warn')) return [];
    const all = ['mesh-1', 'mesh-2'];
    const named = rows.flatMap(({ cluster, args }) => [cluster ?? args.contexts ?? all].flat());
    return all.filter((context) => !named.includes(context)).map((context) => `${id} of ${context}`);
  });
}

describe('garbage', () => {
  it.each(FILES)('in Secret %s for %s is called so by each command that speaks of it', async (secret, key) => {
    setSecret(mesh.one, secret, { [key]: 'garbage' });
    try {
      const said = await Promise.all(COMMANDS.map(async (argv) => textOf(await mesh.meshctl(argv))));
      expect(said.flatMap((text) => text.split('\n').filter((line) => OF_OTHERS.test(line)))).toEqual([]);
      expect(said.some((text) => /cannot be read|no readable/.test(text))).toBe(true);
      expect(withoutRows(await checkEntries(mesh.meshctl, 'mesh-1,mesh-2'))).toEqual([]);
    } finally {
      state.restore();
    }
  });
});
