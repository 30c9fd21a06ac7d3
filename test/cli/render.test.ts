import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { Host } from '../../src/cli/terminal/host.ts';
import { SYSTEM_CLOCK } from '../../src/cli/terminal/system-clock.ts';
import { run } from '../../src/main.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { secretTexts } from '../../src/mesh/objects/secret-data.ts';
import { keyMatches } from '../../src/pki/read.ts';
import { CHECKOUT } from '../support/schemas.ts';

const NOW = new Date('2026-03-01T12:00:00Z');
const MESH_1 = ['--cilium-version', '1.20.0', '--cluster-name', 'mesh-1', '--cluster-id', '1'];

async function render(...args: string[]) {
  const written = { stdout: '', stderr: '' };
  const sink = (name: 'stdout' | 'stderr') => ({
    isTty: false,
    write(text: string) {
      written[name] += text;
    },
  });
  const host: Host = {
    stdout: sink('stdout'),
    stderr: sink('stderr'),
    env: {},
    cwd: '/',
    now: () => NOW,
    clock: SYSTEM_CLOCK,
    signal: new AbortController().signal,
    installation: CHECKOUT,
  };
  const exitCode = await run(['clustermesh', 'render', ...args], host);
  return { exitCode, ...written };
}

async function renderList(...args: string[]): Promise<KubeObject[]> {
  const { exitCode, stdout } = await render(...args, '-o', 'json');
  expect(exitCode).toBe(0);
  const list = JSON.parse(stdout) as { apiVersion: string; kind: string; items: KubeObject[] };
  expect(list).toMatchObject({ apiVersion: 'v1', kind: 'List' });
  return list.items;
}

function find(objects: readonly KubeObject[], kind: string, name = 'clustermesh-apiserver'): KubeObject {
  const object = objects.find((candidate) => candidate.kind === kind && candidate.metadata.name === name);
  if (!object) throw new Error(`there is no ${kind} ${name}`);
  return object;
}

describe('clustermesh render', () => {
  it('prints YAML documents, the same objects as the JSON list', async () => {
    const { exitCode, stdout } = await render(...MESH_1);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^# .*cluster-name: mesh-1, cluster-id: "1"\n---\napiVersion: v1\nkind: ServiceAccount\n/);
    const documents = parseAllDocuments(stdout).map((document) => {
      expect(document.errors).toEqual([]);
      return document.toJS() as KubeObject;
    });
    expect(documents).toEqual(await renderList(...MESH_1));
  });

  it('leaves out what only the cluster knows: certificates, users, peers', async () => {
    const objects = await renderList(...MESH_1);
    expect(objects.filter(({ type }) => type === 'kubernetes.io/tls')).toEqual([]);
    expect(objects.map(({ metadata }) => metadata.name)).not.toContain('cilium-ca');
    for (const [kind, name] of [
      ['ConfigMap', 'clustermesh-remote-users'],
      ['Secret', 'cilium-clustermesh'],
      ['Secret', 'cilium-kvstoremesh'],
    ] as const) {
      expect(find(objects, kind, name)).not.toHaveProperty('data');
    }
  });

  it('lets cert-manager make the certificates, as Cilium’s chart does', async () => {
    const objects = await renderList(...MESH_1, '--certificates', 'cert-manager', '--issuer', 'ClusterIssuer/mesh');
    const certificates = objects.filter(({ kind }) => kind === 'Certificate');
    expect(certificates.map(({ metadata }) => metadata.name)).toEqual(
      ['server', 'admin', 'local', 'remote'].map((name) => `clustermesh-apiserver-${name}-cert`),
    );
    expect(certificates[0]).toMatchObject({
      apiVersion: 'cert-manager.io/v1',
      metadata: { namespace: 'kube-system' },
      spec: {
        issuerRef: { group: 'cert-manager.io', kind: 'ClusterIssuer', name: 'mesh' },
        secretName: 'clustermesh-apiserver-server-cert',
        commonName: 'clustermesh-apiserver.kube-system.svc',
        dnsNames: ['clustermesh-apiserver.kube-system.svc', '*.mesh.cilium.io'],
        ipAddresses: ['127.0.0.1', '::1'],
        usages: ['digital signature', 'key encipherment', 'server auth', 'client auth'],
        duration: '26280h0m0s',
      },
    });
    expect(certificates[3]?.spec).toMatchObject({ commonName: 'remote' });
    expect(objects.filter(({ type }) => type === 'kubernetes.io/tls')).toEqual([]);
    for (const [argv, says] of [
      [['--certificates', 'cert-manager'], '--certificates cert-manager needs --issuer'],
      [['--issuer', 'x'], '--issuer is for --certificates cert-manager'],
      [['--certificates', 'cert-manager', '--issuer', 'a/b/c'], 'is not an issuer'],
      [['--server-name', '10.0.0.7'], '--server-name is for --certificates'],
      [['--certificates', 'inline', '--server-name', '10.0.7'], 'neither an IP address nor the name of a host'],
    ] as const) {
      expect(await render(...MESH_1, ...argv)).toMatchObject({ exitCode: 2, stderr: expect.stringContaining(says) });
    }
  });

  it.each([['cert-manager', '--issuer', 'mesh'], ['inline']])(
    'covers the addresses that are named, by %s, and else says so',
    async (...source) => {
      const argv = [...MESH_1, '--certificates', ...source];
      const warning = "covers none of the Service's addresses";
      expect((await render(...argv)).stderr).toContain(warning);
      const named = [...argv, '--server-name', '10.0.0.7', '--server-name', 'mesh.example.com'];
      expect((await render(...named, '--load-balancer-ip', '10.0.0.8')).stderr).not.toContain(warning);
      const objects = await renderList(...named, '--load-balancer-ip', '10.0.0.8');
      const server = objects.find(({ metadata }) => metadata.name === 'clustermesh-apiserver-server-cert');
      const { 'tls.crt': pem } = secretTexts(server);
      const names = pem ? new X509Certificate(pem).subjectAltName : JSON.stringify(server?.spec);
      for (const name of ['10.0.0.7', '10.0.0.8', 'mesh.example.com', '*.mesh.cilium.io'])
        expect(names).toContain(name);
    },
  );

  it('says that the issuer has to sign with the CA that peers trust', async () => {
    const { stderr } = await render(...MESH_1, '--certificates', 'cert-manager', '--issuer', 'ClusterIssuer/mesh');
    expect(stderr).toContain('if ClusterIssuer mesh signs with another one, they are cut off');
  });

  it('warns of a load balancer that may be on the internet, unless it is kept off it', async () => {
    expect((await render(...MESH_1)).stderr).toContain('on the internet on most clouds');
    const platform = await render(...MESH_1, '--platform', 'gke', '-o', 'json');
    expect(platform.stderr).not.toContain('internet');
    expect(platform.stdout).toContain('"networking.gke.io/load-balancer-type": "Internal"');
    for (const argv of [
      ['--platform', 'bare-metal'],
      ['--service-annotation', 'a=b'],
      ['--platform', 'lke', '--service-annotation', 'service.beta.kubernetes.io/linode-loadbalancer-firewall-acl={}'],
      ['--service-type', 'ClusterIP'],
    ]) {
      expect((await render(...MESH_1, ...argv)).stderr).not.toContain('internet');
    }
    expect((await render(...MESH_1, '--platform', 'lke')).stderr).toContain(
      'load balancers of lke are on the internet: let a firewall keep others out, or --service-annotation \'service.beta.kubernetes.io/linode-loadbalancer-firewall-acl={"allowList":{"ipv4":["<range>"]}}\'',
    );
    expect((await render(...MESH_1, '--platform', 'gke', '--service-type', 'NodePort')).exitCode).toBe(2);
  });

  it('issues them with --certificates inline', async () => {
    const objects = await renderList(...MESH_1, '--certificates', 'inline');
    const text = (name: string, key: string) => {
      const data = find(objects, 'Secret', name).data as Record<string, string>;
      return Buffer.from(data[key] ?? '', 'base64').toString();
    };
    expect(objects[0]?.metadata.name).toBe('cilium-ca');
    const ca = text('cilium-ca', 'ca.crt');
    expect(keyMatches(ca, text('cilium-ca', 'ca.key'))).toBe(true);
    for (const [name, subject] of Object.entries({
      server: 'clustermesh-apiserver.kube-system.svc',
      admin: 'admin-mesh-1',
      local: 'local-mesh-1',
      remote: 'remote',
    })) {
      const secret = `clustermesh-apiserver-${name}-cert`;
      const certificate = text(secret, 'tls.crt');
      expect(new X509Certificate(certificate).subject).toBe(`CN=${subject}`);
      expect(new X509Certificate(certificate).verify(new X509Certificate(ca).publicKey)).toBe(true);
      expect(keyMatches(certificate, text(secret, 'tls.key'))).toBe(true);
      expect(text(secret, 'ca.crt')).toBe(ca);
    }
  });

  it('says in the manifests that they hold private keys', async () => {
    const { stdout } = await render(...MESH_1, '--certificates', 'inline');
    expect(stdout).toMatch(/^# [^\n]*\n# It contains private keys[^\n]*\n---\n/);
    expect((await render(...MESH_1)).stdout).not.toContain('private keys');
  });

  it('takes every option', async () => {
    const objects = await renderList(
      ...['--cilium-version', 'v1.19.6', '--cluster-name', 'edge-7', '--cluster-id', '300'],
      ...['--max-connected-clusters', '511', '--service-type', 'NodePort', '--node-port', '31000', '--replicas', '2'],
      ...['--service-annotation', 'a.example/b=c=d', '--service-annotation', 'e=', '-n', 'cilium'],
      ...['--enable-kvstoremesh=false', '--image', 'registry.example/mesh:1'],
    );
    const service = find(objects, 'Service');
    expect(service.metadata).toMatchObject({ namespace: 'cilium', annotations: { 'a.example/b': 'c=d', e: '' } });
    expect(service.spec).toMatchObject({
      type: 'NodePort',
      ports: [{ port: 2379, nodePort: 31000 }],
      sessionAffinity: 'ClientIP',
    });
    const deployment = JSON.stringify(find(objects, 'Deployment'));
    expect(deployment).toContain('--max-connected-clusters=511');
    expect(deployment).toContain('"image":"registry.example/mesh:1"');
    expect(deployment).not.toContain('kvstoremesh');
  });

  it('has a load balancer by default, and a NodePort of its own for each id', async () => {
    expect(find(await renderList(...MESH_1), 'Service').spec).toMatchObject({ type: 'LoadBalancer' });
    const ports = async (id: string) => {
      const cluster = ['--cilium-version', '1.20.0', '--cluster-name', `mesh-${id}`, '--cluster-id', id];
      return find(await renderList(...cluster, '--service-type', 'NodePort'), 'Service').spec;
    };
    expect(await ports('1')).toMatchObject({ ports: [{ nodePort: 32379 }] });
    expect(await ports('2')).toMatchObject({ ports: [{ nodePort: 32380 }] });
  });

  it.each([
    ['--cluster-name', 'default', 2, /--cluster-name default: the name is "default"/],
    ['--cluster-name', 'Mesh_1', 2, /--cluster-name Mesh_1: only lower-case/],
    ['--cluster-name', 'm'.repeat(33), 2, /33 characters, 32 are allowed/],
    ['--cluster-id', '256', 2, /--cluster-id 256: ids go from 1 to 255/],
    ['--cluster-id', '0', 2, /"0" is not a whole number of at least 1/],
    ['--cilium-version', 'latest', 2, /--cilium-version "latest" is not a version/],
    ['--cilium-version', '1.15.9', 1, /Cilium 1.15.9 is older than meshctl supports \(1.16 to 1.21\)/],
    ['--service-type', 'ExternalName', 2, /ExternalName/],
    ['--node-port', '32379', 2, /--node-port cannot be used with a Service of type LoadBalancer/],
    ['--max-connected-clusters', '300', 2, /300/],
  ])('refuses %s %s', async (flag, value, exitCode, message) => {
    const result = await render(...MESH_1, flag, value);
    expect(result).toMatchObject({ exitCode, stdout: '' });
    expect(result.stderr).toMatch(message);
  });

  it('asks for what it needs', async () => {
    const { exitCode, stderr } = await render('--cilium-version', '1.20.0', '--cluster-id', '1');
    expect(exitCode).toBe(2);
    expect(stderr).toContain('--cluster-name');
  });
});
