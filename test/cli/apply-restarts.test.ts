import { afterAll, beforeAll, expect, it } from 'vitest';
import { LOOPBACK } from '../../src/mesh/certificates/cluster-certificates.ts';
import type { WrittenSpec } from '../../src/mesh/file/document.ts';
import { issueCertificate } from '../../src/pki/issue.ts';
import { serverCertificateSpec } from '../support/certificate-specs.ts';
import { jsonOf } from '../support/cli.ts';
import { type ConnectClusters, startBareClusters } from '../support/connect-clusters.ts';
import { enable } from '../support/e2e-cli.ts';
import { meshText } from '../support/mesh-files.ts';
import { clusterAt, found, refs } from '../support/sandbox-mesh.ts';

/**
 * mesh-2 can only be dialled by a name that no DNS has, which Cilium before 1.20 takes from its pods' hostAliases; mesh-1, which is
 * yet to be enabled, dials it without KVStoreMesh: every agent of mesh-1 is restarted.
 */
let clusters: ConnectClusters;

const FILE: WrittenSpec = {
  clusters: [
    { name: 'mesh-1', enable: { kvstoremesh: false } },
    { name: 'mesh-2', connectOnly: true },
  ],
  credentials: 'legacy',
  topology: { type: 'pairs', pairs: [{ from: 'mesh-1', to: 'mesh-2' }] },
};
const SAYS =
  /context "mesh-1": the certificate of "mesh-2" does not cover its address, .*: every agent will be restarted/;

beforeAll(async () => {
  clusters = await startBareClusters(2, { ciliumVersion: '1.19.0' });
  const result = await clusters.meshctl(enable('mesh-2'));
  expect(result.exitCode, result.stderr).toBe(0);
  const two = clusterAt(clusters, 'mesh-2');
  const authority = found(two.ca, 'its CA');
  const spec = { ...serverCertificateSpec(two), ipAddresses: [...LOOPBACK] };
  const { certificate, privateKey } = await issueCertificate(authority, spec);
  const ref = refs.secret('clustermesh-apiserver-server-cert');
  const texts = { 'ca.crt': authority.certificate, 'tls.crt': certificate, 'tls.key': privateKey };
  two.store.update(
    ref,
    (secret) => {
      secret.data = Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, btoa(text)]));
    },
    'helm',
  );
  two.store.update(refs.secret('cilium-ca'), ({ data }) => void delete (data as Record<string, string>)['ca.key']);
});

afterAll(async () => {
  expect(clusters?.errors).toEqual([]);
  await clusters?.close();
});

it('is in the plan, in the run with --yes, and in its result', async () => {
  const input = meshText(FILE);
  const planned = await clusters.meshctl(['apply', '-f', '-', '--dry-run', '-o', 'json'], { input });
  expect(planned.exitCode, planned.stdout + planned.stderr).toBe(0);
  expect(jsonOf(planned).warnings).toContainEqual(expect.stringMatching(SAYS));
  const ran = await clusters.meshctl(['apply', '-f', '-', '--yes', '-o', 'json'], { input });
  expect(ran.exitCode, ran.stdout + ran.stderr).toBe(0);
  const restarted = (jsonOf(ran).steps as { action: string; object: { kind: string } }[]).filter(
    ({ action, object }) => object.kind === 'DaemonSet' && action === 'update',
  );
  expect(restarted).toHaveLength(1);
  expect(ran.stderr.replaceAll(/\s+/g, ' ')).toMatch(SAYS);
  expect(jsonOf(ran).warnings).toContainEqual(expect.stringMatching(SAYS));
});
