/** What is warned of on the way of a run that ends well is in its document: stderr may be nobody's to read. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import { jsonOf } from '../support/cli.ts';
import { connect, enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { handOverAsPrinted } from '../support/hand-over.ts';
import { meshText } from '../support/mesh-files.ts';
import { clusterAt, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';
import { requireValid } from '../support/schemas.ts';

let sandbox: TestSandbox;
let meshctl: Meshctl;
const disconnect = ['clustermesh', 'disconnect', '--context', 'mesh-1', '--destination-context', 'mesh-2'];
let directory: string;
const BOTH = ['--context', 'mesh-1,mesh-2'];

/** What mesh-2 refuses: `create pods`, or `leases`. */
let refuses = 'nothing';

beforeAll(async () => {
  sandbox = await startTestSandbox({
    nodes: 1,
    async intercept(context, { verb, resource, namespace, subresource }) {
      if (context !== 'mesh-2' || subresource || namespace === 'kube-node-lease') return undefined;
      if (refuses.split(',').some((one) => one === resource || one === `${verb} ${resource}`))
        throw new ApiError(
          403,
          'Forbidden',
          `${resource} is forbidden: User "joe" cannot ${verb} resource "${resource}" in API group ""`,
        );
      return undefined;
    },
  });
  directory = await mkdtemp(join(tmpdir(), 'meshctl-warnings-'));
  meshctl = meshctlWith(sandbox.kubeconfigPath, { PATH: [directory, dirname('/bin/sh')].join(delimiter) });
  await meshctl.ok(enable('mesh-1,mesh-2'));
});

afterAll(async () => {
  await sandbox?.close();
  if (directory) await rm(directory, { recursive: true });
});

const input = meshText({ clusters: [{ name: 'mesh-1' }, { name: 'mesh-2' }], topology: { type: 'mesh' } });

it.each<[what: string, refused: string, argv: string[], says: RegExp]>([
  ['an apply that tells nobody', 'leases', ['apply', '-f', '-', '--yes'], /would not be left to it/],
  ['an enable', 'leases', [...enable('mesh-1,mesh-2'), '--replicas', '2'], /is not known$/],
  ['a probe by agents', 'create pods', ['connectivity', 'probe', ...BOTH], /its agents are used instead/],
  [
    'a connect that was probed by agents',
    'create pods',
    [...connect('mesh-1', 'mesh-2'), '--probe'],
    /its agents are used instead/,
  ],
  ['a rotation that holds nobody', 'leases', ['clustermesh', 'certs', 'rotate', ...BOTH], /would not be stopped/],
  ['a disconnect', 'leases', [...disconnect, '--yes'], /is not known$/],
])('%s', async (_what, refused, argv, says) => {
  await requireInDocument(refused, argv, says, input);
});

it('an acceptance', async () => {
  const invitation = await meshctl.ok(['clustermesh', 'invite', '--context', 'mesh-1']);
  const accept = (context: string) => ['clustermesh', 'accept', '-', '--context', context, '--yes'];
  const reply = await meshctl.ok(accept('mesh-2'), { input: invitation.stdout });
  const confirmation = await meshctl.ok(accept('mesh-1'), { input: reply.stdout });
  await requireInDocument('leases', accept('mesh-2'), /is not known$/, confirmation.stdout);
});

it('a disable', async () => {
  const disable = ['clustermesh', 'disable', '--context', 'mesh-2', '--disconnect', '--yes'];
  await requireInDocument('leases', disable, /is not known$/);
});

it('an enable by Helm', async () => {
  await writeFile(join(directory, 'helm'), '#!/bin/sh\nwhile IFS= read -r line; do :; done\n');
  await chmod(join(directory, 'helm'), 0o755);
  await meshctl.ok(enable('mesh-2'));
  const viaHelm = enable('mesh-2', '--via-helm', '--yes', '--wait-duration', '5s');
  handOverAsPrinted(clusterAt(sandbox, 'mesh-2'), (await meshctl(viaHelm)).stderr);
  await requireInDocument('leases', viaHelm, /is not known$/);
});

async function requireInDocument(refused: string, argv: readonly string[], says: RegExp, input = ''): Promise<void> {
  refuses = refused;
  const result = await meshctl([...argv, '-o', 'json'], { input });
  refuses = 'nothing';
  expect(result.exitCode, result.stderr).toBe(0);
  const document = jsonOf(result);
  requireValid(document);
  const warned = result.stderr.split('\n').flatMap((line) => /^⚠ (.*)$/.exec(line)?.[1] ?? []);
  expect(warned.filter((line) => says.test(line))).not.toEqual([]);
  const text = (document.warnings as string[]).join('\n').replaceAll(/\s+/g, ' ');
  for (const line of warned) expect(text).toContain(line);
}
