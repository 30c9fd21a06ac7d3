import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { secretTexts } from '../../src/mesh/objects/secret-data.ts';
import type { SandboxCluster } from '../../src/sandbox/cluster.ts';
import { joinByBundle } from '../support/bundled-mesh.ts';
import { runCli } from '../support/cli.ts';
import { connect, enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { handOverAsPrinted } from '../support/hand-over.ts';
import { found, refsOf, setSecret, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

/** mesh-1 and mesh-2 are joined by Helm, with a bundle of CAs; meshctl has connected mesh-3 to mesh-1, by certificates of their own. */
let sandbox: TestSandbox;
let directory: string;
let meshctl: Meshctl;
let one: SandboxCluster;
let connected: string;

const PEERS = 'cilium-kvstoremesh';
const VIA_HELM = enable('mesh-1', '--via-helm', '--wait-duration', '5s');
const CUT =
  /peer mesh-3 is cut off until it is connected again: the chart gives its peering file the certificate for all peers instead of that for mesh-3 alone, by which the two do not know each other/;
const MEND = 'meshctl clustermesh connect --context mesh-1 --destination-context mesh-3';
const said = (text: string) => text.replaceAll(/\s+/g, ' ');
const fileOf = (peer: string) => secretTexts(found(one.store.get(refsOf(one).secret(PEERS)), PEERS))[peer] ?? '';

/** What the chart writes by values without keys. */
function upgrade(): void {
  const file = fileOf('mesh-3').replaceAll('/mesh-3.etcd-client', '/common-etcd-client');
  setSecret(one, PEERS, { 'mesh-3': file });
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'meshctl-helm-peers-'));
  const keep = `while IFS= read -r line; do printf '%s\\n' "$line"; done > '${join(directory, 'values')}'`;
  await writeFile(join(directory, 'helm'), `#!/bin/sh\n${keep}\n`);
  await chmod(join(directory, 'helm'), 0o755);
  sandbox = await startTestSandbox({ clusters: 3, nodes: 1 });
  const path = [directory, dirname('/bin/sh')].join(delimiter);
  meshctl = meshctlWith(sandbox.kubeconfigPath, { PATH: path });
  one = found(sandbox.clusters[0], 'mesh-1');
  await joinByBundle(sandbox, one, found(sandbox.clusters[1], 'mesh-2'));
  for (const name of [PEERS, 'cilium-clustermesh'])
    one.store.update(refsOf(one).secret(name), ({ metadata }: KubeObject) => {
      metadata.labels = { ...metadata.labels, 'app.kubernetes.io/managed-by': 'Helm' };
      metadata.annotations = { ...metadata.annotations, 'meta.helm.sh/release-name': 'cilium' };
    });
  await meshctl.ok(enable('mesh-3'));
  connected = (await meshctl.ok(connect('mesh-1', 'mesh-3', '--yes'))).stderr;
  handOverAsPrinted(one, (await meshctl([...VIA_HELM, '--yes'])).stderr);
});

afterAll(async () => {
  await sandbox.close();
  await rm(directory, { recursive: true });
});

describe('a peer with a certificate of its own, in a mesh whose peering files Helm makes', () => {
  it('is named as cut off by the values, by a dry run and in the question, and no other peer is', async () => {
    expect(fileOf('mesh-3')).toContain('/mesh-3.etcd-client.crt');
    const check = await meshctl(['clustermesh', 'check', '--context', 'mesh-1,mesh-3', '--category', 'ownership']);
    const lasting = 'must name mesh-3 in clustermesh.config.clusters, with certificates and keys of their own as tls';
    for (const text of [check.stdout, connected]) expect(said(text)).toContain(lasting);
    const values = await meshctl.ok(['clustermesh', 'helm-values', '--context', 'mesh-1']);
    const dry = await meshctl.ok([...VIA_HELM, '--dry-run']);
    const asked = await runCli(VIA_HELM, { env: { KUBECONFIG: sandbox.kubeconfigPath }, answers: ['n'] });
    expect(asked.exitCode).toBe(1);
    expect(asked.stderr).toContain('Continue, although mesh-3 is cut off?');
    for (const text of [values.stdout, dry.stderr, asked.stderr].map(said)) {
      expect(text).toMatch(CUT);
      expect(text).toContain(MEND);
      expect(text).not.toMatch(/peer mesh-2 (is|may be) cut off/);
    }
    const alone = await meshctl(VIA_HELM);
    expect(alone).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('mesh-3') });
  });

  it.each([
    ['a list', (peer: object) => [{ name: 'mesh-2' }, { name: 'mesh-3', address: 'former.example', ...peer }]],
    ['a table', (peer: object) => ({ 'mesh-2': {}, 'mesh-3': peer })],
  ])('is kept where the own values of the release have its certificate and key, in %s', async (_, clusters) => {
    const files = secretTexts(found(one.store.get(refsOf(one).secret(PEERS)), PEERS));
    const encoded = (key: string) => Buffer.from(files[`mesh-3.etcd-client${key}`] ?? '').toString('base64');
    const tls = { cert: encoded('.crt'), key: encoded('.key'), caCert: encoded('-ca.crt') };
    const stored = (given: Record<string, string>) => {
      const config = { clustermesh: { config: { clusters: clusters({ tls: given }) } } };
      const packed = gzipSync(JSON.stringify({ name: 'cilium', config })).toString('base64');
      return Buffer.from(packed).toString('base64');
    };
    const release = refsOf(one).secret('sh.helm.release.v1.cilium.v1');
    const labels = { owner: 'helm', name: 'cilium', status: 'deployed', version: '1' };
    const metadata = { name: release.name, namespace: one.namespace, labels };
    one.store.create({ apiVersion: 'v1', kind: 'Secret', metadata, data: { release: stored(tls) } });
    const dry = await meshctl.ok([...VIA_HELM, '--dry-run']);
    const run = await meshctl.ok([...VIA_HELM]);
    const handed = parse(await readFile(join(directory, 'values'), 'utf8')).clustermesh.config.clusters;
    expect(handed).toContainEqual(expect.objectContaining({ name: 'mesh-3', tls }));
    expect(JSON.stringify(handed)).not.toContain('former.example');
    for (const { stdout, stderr } of [dry, run]) {
      expect(said(stdout + stderr)).not.toMatch(/cut off|these have none/);
      for (const bytes of Object.values(tls)) expect(stdout + stderr).not.toContain(bytes);
    }
    // helm-values prints, and has no keys: what Helm makes of it is as it was.
    expect(said((await meshctl.ok(['clustermesh', 'helm-values', '--context', 'mesh-1'])).stdout)).toMatch(CUT);
    one.store.update(release, (secret) => {
      secret.data = { release: stored({ ...tls, cert: tls.caCert }) };
    });
    const other = await meshctl.ok([...VIA_HELM, '--dry-run']);
    expect(said(other.stderr)).toContain('have another certificate for mesh-3 than it is dialled with');
    one.store.delete(release);
  });

  it('is cut off only where that is agreed to, told so by the result, and back by its command', async () => {
    const run = await meshctl.ok([...VIA_HELM, '--yes']);
    expect(said(run.stdout)).toMatch(CUT);
    expect(run.stdout).toContain(MEND);
    upgrade();
    const both = ['--context', 'mesh-1,mesh-3'];
    const status = await meshctl(['clustermesh', 'status', ...both]);
    const check = await meshctl(['clustermesh', 'check', ...both, '--category', 'tls', '-o', 'short']);
    for (const { exitCode, stdout } of [status, check]) {
      expect(exitCode).toBe(1);
      expect(stdout).toContain(MEND);
      // A bundle on one side would be completed in vain: the other one refuses all the same.
      expect(stdout).not.toMatch(/Add the CA of|rollout restart/);
    }
    expect(status.stdout).toContain('(peer-ca)');
    expect(check.stdout).toContain('tls-ca-trust');
    await meshctl.ok([...MEND.split(' ').slice(1), '--yes']);
    await meshctl.ok(['clustermesh', 'status', ...both, '--wait']);
  });
});
