import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadTemplates } from '../../src/manifests/load.ts';
import { renderClusterMesh } from '../../src/manifests/render.ts';
import type { CertificateSpec } from '../../src/mesh/certificates/certificate.ts';
import { certificateSpecs, clientSpec } from '../../src/mesh/certificates/cluster-certificates.ts';
import { DEFAULT_SETTINGS } from '../../src/mesh/cilium/install.ts';
import { parseVersion } from '../../src/mesh/cilium/versions/versions.ts';
import { type Authority, createAuthority } from '../../src/pki/authority.ts';
import { distinguishedName } from '../../src/pki/certificate.ts';
import { issueCertificate } from '../../src/pki/issue.ts';
import { authorityWith, KEY_PAIRS } from '../support/authorities.ts';
import { freePort } from '../support/free-port.ts';
import { CHECKOUT } from '../support/schemas.ts';

const CLUSTER = {
  clusterName: 'mesh-1',
  namespace: 'kube-system',
  serviceAddresses: ['203.0.113.7'],
  kvstoremesh: true,
};
const CLUSTER_CONFIG = 'cilium/cluster-config/mesh-1';

const missing = ['etcd', 'etcdctl', 'openssl'].filter(
  (program) => spawnSync(program, ['--version']).error !== undefined,
);
if (missing.length > 0) console.warn(`not on PATH, so the tests with a real etcd are skipped: ${missing.join(', ')}`);

/** The arguments of the rendered etcd container, with paths and ports of this machine in the place of the pod's. */
async function etcdArguments(version: string, folder: string, port: number, otherPorts: [number, number]) {
  const ciliumVersion = parseVersion(version);
  if (!ciliumVersion) throw new Error(`${version} is no version`);
  const objects = renderClusterMesh(await loadTemplates(CHECKOUT), {
    ...CLUSTER,
    ciliumVersion,
    image: 'clustermesh-apiserver',
    maxConnectedClusters: 255,
    settings: DEFAULT_SETTINGS,
    serviceType: 'ClusterIP',
    serviceAnnotations: {},
    replicas: 1,
  });
  const spec = objects.find(({ kind }) => kind === 'Deployment')?.spec as {
    template: { spec: { containers: { name: string; args: string[] }[] } };
  };
  const args = spec.template.spec.containers.find(({ name }) => name === 'etcd')?.args ?? [];
  const [metricsPort, peerPort] = otherPorts;
  const peerUrl = `http://127.0.0.1:${peerPort}`;
  return [
    ...args.map((arg) =>
      arg
        .replaceAll('/var/lib/etcd-secrets', join(folder, 'clustermesh-apiserver-server-cert'))
        .replaceAll('/var/run/etcd', join(folder, 'data'))
        .replaceAll('$(INITIAL_CLUSTER_TOKEN)', 'token')
        // Up to 1.18.4 etcd listens on the pod's address besides loopback; here a second loopback address is the pod's.
        // The brackets are for IPv6; an etcd built with a newer Go than Cilium's of that time takes no IPv4 in them.
        .replaceAll('[$(HOSTNAME_IP)]', '127.0.0.2')
        .replaceAll('0.0.0.0', '127.0.0.1')
        .replaceAll(':2379', `:${port}`)
        .replaceAll(':9963', `:${metricsPort}`),
    ),
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=clustermesh-apiserver=${peerUrl}`,
  ];
}

/** Runs a program to its end, whatever that is. */
function execute(program: string, args: readonly string[], env: NodeJS.ProcessEnv) {
  return new Promise<{ ok: boolean; stdout: string; stderr: string }>((resolve) => {
    execFile(program, args, { env }, (error, stdout, stderr) => resolve({ ok: error === null, stdout, stderr }));
  });
}

const CASES = [
  { version: '1.16.19', key: 'rsa' },
  { version: '1.20.0', key: 'rsa' },
  // A CA as cert-manager makes them by choice; the certificates keep their RSA keys.
  { version: '1.20.0', key: 'P-256' },
] as const;

describe.skipIf(missing.length > 0).each(CASES)(
  'the etcd of Cilium $version, with a CA of key type $key',
  ({ version, key }) => {
    let folder: string;
    let etcd: ChildProcess;
    let port: number;
    let log = '';

    /** Issues a certificate into a folder of its own, as its Secret would be mounted. */
    async function mount(name: string, authority: Authority, spec: CertificateSpec): Promise<void> {
      const { certificate, privateKey } = await issueCertificate(authority, spec);
      mkdirSync(join(folder, name));
      const files = { 'ca.crt': authority.certificate, 'tls.crt': certificate, 'tls.key': privateKey };
      for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, name, file), text, { mode: 0o600 });
    }

    /** Runs etcdctl with a mounted certificate, or with the CA only; as long as a busy machine may take. */
    function etcdctl(name: string | undefined, ...command: string[]) {
      return etcdctlWithin({ dial: '30s', command: '60s' }, name, ...command);
    }

    /** The same where no answer is one: etcdctl dials again until its time is up. */
    function etcdctlBriefly(name: string | undefined, ...command: string[]) {
      return etcdctlWithin({ dial: '1s', command: '2s' }, name, ...command);
    }

    function etcdctlWithin(
      timeouts: { dial: string; command: string },
      name: string | undefined,
      ...command: string[]
    ) {
      const file = (folderName: string, fileName: string) => join(folder, folderName, fileName);
      const credentials = name ? [`--cert=${file(name, 'tls.crt')}`, `--key=${file(name, 'tls.key')}`] : [];
      const server = [
        `--endpoints=https://127.0.0.1:${port}`,
        `--cacert=${file('clustermesh-apiserver-server-cert', 'ca.crt')}`,
        `--dial-timeout=${timeouts.dial}`,
        `--command-timeout=${timeouts.command}`,
      ];
      return execute('etcdctl', [...server, ...credentials, ...command], { PATH: process.env.PATH, ETCDCTL_API: '3' });
    }

    async function admin(...command: string[]): Promise<string> {
      const result = await etcdctl('clustermesh-apiserver-admin-cert', ...command);
      if (!result.ok) throw new Error(`etcdctl ${command.join(' ')}: ${result.stderr}\n${log}`);
      return result.stdout;
    }

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'meshctl-etcd-'));
      const authority =
        key === 'rsa' ? await createAuthority() : authorityWith(distinguishedName('Corporate CA'), KEY_PAIRS[key]());
      const stranger = await createAuthority();
      await Promise.all([
        ...certificateSpecs(CLUSTER).map(({ secret, spec }) => mount(secret, authority, spec)),
        mount('peer', authority, clientSpec('remote-mesh-2')),
        mount('unknown-peer', authority, clientSpec('remote-mesh-3')),
        mount('stranger', stranger, clientSpec('remote-mesh-2')),
      ]);
      port = await freePort();
      const args = await etcdArguments(version, folder, port, [await freePort(), await freePort()]);
      etcd = spawn('etcd', args, { env: { PATH: process.env.PATH }, stdio: ['ignore', 'pipe', 'pipe'] });
      for (const stream of [etcd.stdout, etcd.stderr]) stream?.on('data', (chunk) => (log += chunk));

      const deadline = Date.now() + 20_000;
      while (!(await etcdctlBriefly('clustermesh-apiserver-admin-cert', 'get', 'ready')).ok) {
        if (etcd.exitCode !== null || Date.now() > deadline) throw new Error(`etcd does not serve:\n${log}`);
        await delay(100);
      }
      // As `clustermesh-apiserver etcdinit` leaves it, and as the users of the peers are made.
      await admin('put', CLUSTER_CONFIG, '{"id":1}');
      await admin('role', 'add', 'remote');
      await admin('role', 'grant-permission', '--prefix=true', 'remote', 'read', 'cilium/');
      for (const user of ['root', 'admin-mesh-1', 'local-mesh-1', 'remote', 'remote-mesh-2']) {
        await admin('user', 'add', user, '--no-password');
        await admin('user', 'grant-role', user, user === 'root' || user.startsWith('admin') ? 'root' : 'remote');
      }
      await admin('auth', 'enable');
    });

    afterAll(async () => {
      if (etcd && etcd.exitCode === null && etcd.signalCode === null) {
        etcd.kill('SIGKILL');
        await once(etcd, 'exit');
      }
      rmSync(folder, { recursive: true });
    });

    it.each([
      'clustermesh-apiserver-admin-cert',
      'clustermesh-apiserver-local-cert',
      'clustermesh-apiserver-remote-cert',
      'peer',
    ])('lets %s in', async (name) => {
      const { ok, stdout, stderr } = await etcdctl(name, 'get', CLUSTER_CONFIG, '--print-value-only');
      expect(stderr).toBe('');
      expect({ ok, value: stdout.trim() }).toEqual({ ok: true, value: '{"id":1}' });
    });

    it('takes the user from the common name', async () => {
      expect((await etcdctl('peer', 'put', CLUSTER_CONFIG, 'x')).stderr).toContain('permission denied');
      expect(await admin('put', 'cilium/x', 'y')).toContain('OK');
      // Issued by the right CA, but nobody made the user: a peer is cut off by taking its user away.
      const { ok, stderr } = await etcdctl('unknown-peer', 'get', CLUSTER_CONFIG);
      expect(ok).toBe(false);
      expect(stderr).toMatch(/permission denied|invalid auth token|user name is empty|authentication failed/);
    });

    it('refuses a certificate of a different CA, and none', async () => {
      const refused = await Promise.all(
        ['stranger', undefined].map((name) => etcdctlBriefly(name, 'get', CLUSTER_CONFIG)),
      );
      for (const { ok, stdout } of refused) expect({ ok, stdout }).toEqual({ ok: false, stdout: '' });
      // Not because it did not run.
      expect(await admin('get', CLUSTER_CONFIG)).toContain(CLUSTER_CONFIG);
      await expect.poll(() => log).toMatch(/unknown authority|bad certificate/);
      await expect.poll(() => log).toMatch(/didn't provide a certificate/);
    });

    it('is proof to openssl for its purposes', () => {
      const verify = (name: string, ...options: string[]) => {
        const file = (fileName: string) => join(folder, name, fileName);
        const command = ['verify', '-x509_strict', '-CAfile', file('ca.crt'), ...options, file('tls.crt')];
        return spawnSync('openssl', command).status === 0;
      };
      const server = 'clustermesh-apiserver-server-cert';
      for (const purpose of ['sslserver', 'sslclient']) expect(verify(server, '-purpose', purpose)).toBe(true);
      expect(verify(server, '-verify_ip', '203.0.113.7')).toBe(true);
      expect(verify(server, '-verify_ip', '203.0.113.8')).toBe(false);
      for (const { secret } of certificateSpecs(CLUSTER).slice(1)) {
        expect(verify(secret, '-purpose', 'sslclient')).toBe(true);
        expect(verify(secret, '-purpose', 'sslserver')).toBe(false);
      }
    });
  },
);
