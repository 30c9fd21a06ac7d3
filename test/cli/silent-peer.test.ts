/** What is said of a cluster that has gone silent: Cilium keeps sending it requests, and tells nobody that these are lost. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { secretTexts } from '../../src/mesh/objects/secret-data.ts';
import { runCli } from '../support/cli.ts';
import { type FaultMesh, ONE, startFaultMesh, TWO } from '../support/fault-mesh.ts';
import { printedCommands } from '../support/printed-commands.ts';
import { eventually, refsOf, setSecret } from '../support/sandbox-mesh.ts';

const FORGET = ['clustermesh', 'disconnect', '--context', ONE, '--peer', 'mesh-2'];

let mesh: FaultMesh;
beforeAll(async () => {
  mesh = await startFaultMesh();
});
afterAll(() => mesh.close());

const status = (context: string) => mesh.meshctl(['clustermesh', 'status', '--context', context]);
const isForget = ({ argv }: { argv: readonly string[] }) =>
  FORGET.every((word) => argv.includes(word)) && argv.includes('--peer');

it('status names what ends the requests that a silent cluster is sent, and that does', async () => {
  mesh.sandbox.network.cutLink(mesh.one.name, mesh.two.name);
  // As long as the peer answers here, it is no silent cluster but a broken network.
  const both = await status(`${ONE},${TWO}`);
  expect(both.stdout).toContain('(timed-out)');
  expect(printedCommands(both).filter(isForget)).toEqual([]);

  mesh.shutDown(mesh.two);
  for (const contexts of [ONE, `${ONE},${TWO}`]) {
    const silent = await status(contexts);
    expect(silent.exitCode).toBe(1);
    expect(silent.stdout.replaceAll(/\s+/g, ' ')).toContain(
      'or once mesh-2 is gone for good, as a cluster that is silent is still sent its share of requests, which are lost: meshctl',
    );
    expect(printedCommands(silent).filter(isForget)).toHaveLength(1);
  }
  const [forget] = printedCommands(await status(ONE)).filter(isForget);
  const done = await mesh.run(forget?.argv ?? []);
  expect(done.exitCode, done.stderr).toBe(0);
  expect((await status(ONE)).stdout).not.toContain('mesh-2');
});

it('and so does explain', async () => {
  const { stdout } = await runCli(['explain', 'timed-out']);
  expect(stdout).toMatch(/silent is still sent[\s\S]*meshctl clustermesh disconnect --context gke --peer mesh-2/);
});

it('a wait says of a peer that refuses, which no time mends, why and what mends it', async () => {
  await mesh.restore();
  const { store } = mesh.one;
  const ca = secretTexts(store.get(refsOf(mesh.one).secret('cilium-ca')))['ca.crt'] ?? '';
  setSecret(mesh.one, 'cilium-kvstoremesh', {
    ...secretTexts(store.get(refsOf(mesh.one).secret('cilium-kvstoremesh'))),
    'mesh-2.etcd-client-ca.crt': ca,
  });
  await eventually(
    async () => (await status(ONE)).stdout,
    (text) => text.includes('(tls-unknown-ca)'),
    'the CA is noticed',
  );
  const { exitCode, stderr } = await mesh.meshctl([
    ...['clustermesh', 'status', '--context', ONE, '--wait', '--wait-duration', '40s'],
  ]);
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(
    /⚠ context "admin@prod b \(old\)": mesh-2: the server certificate .* different CA .*; to mend it\n/,
  );
});
