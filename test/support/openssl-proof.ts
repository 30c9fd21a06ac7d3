import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CERTIFICATE_SECRETS } from '../../src/mesh/certificates/cluster-certificates.ts';
import {
  KVSTOREMESH_PEERS_SECRET,
  LOCAL_CERT_SECRET,
  REMOTE_CERT_SECRET,
  SERVER_CERT_SECRET,
  serviceHostname,
} from '../../src/mesh/objects/names.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { found } from './sandbox-mesh.ts';

const CLIENT = ['-purpose', 'sslclient'] as const;
const SERVER = ['-purpose', 'sslserver'] as const;

/**
 * What openssl has against the Secrets of two clusters that are connected with KVStoreMesh and have a CA each, where each
 * side of a connection relies on the other: chain, purpose, name and address, key. Empty for nothing, and where there is no
 * openssl.
 */
export function opensslObjections(clusters: readonly SandboxCluster[]): string[] {
  if (spawnSync('openssl', ['version']).status !== 0) {
    console.warn('openssl is not on PATH: it judges no certificates');
    return [];
  }
  const folder = mkdtempSync(join(tmpdir(), 'meshctl-openssl-'));
  try {
    const [one, two] = [found(clusters[0], 'a cluster'), found(clusters[1], 'a second cluster')];
    return [...objectionsBetween(folder, one, two), ...objectionsBetween(folder, two, one)];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function objectionsBetween(folder: string, here: SandboxCluster, there: SandboxCluster): string[] {
  const objections: string[] = [];
  /** Notes what `openssl verify` says of a certificate unless that is as expected: OK, or what it objects to. */
  const judge = (
    what: string,
    trusted: string,
    certificate: string,
    options: readonly string[],
    expected: 'OK' | RegExp = 'OK',
  ): void => {
    const leaf = write(folder, 'leaf.pem', certificate);
    const ca = write(folder, 'ca.pem', trusted);
    const said = openssl('verify', '-x509_strict', '-CAfile', ca, ...options, leaf).replace(`${leaf}: `, '');
    if (expected === 'OK' ? said !== expected : !expected.test(said))
      objections.push(`${here.name}: ${what} ${options.join(' ')}: ${said}`);
  };
  const judgeKey = (what: string, certificate: string, key: string): void => {
    const ofCertificate = openssl('x509', '-noout', '-pubkey', '-in', write(folder, 'leaf.pem', certificate));
    const ofKey = openssl('pkey', '-pubout', '-in', write(folder, 'leaf.key', key));
    if (ofCertificate !== ofKey || !ofKey.includes('PUBLIC KEY')) objections.push(`${here.name}: ${what}: another key`);
  };

  const own = filesOf(here, SERVER_CERT_SECRET);
  const their = filesOf(there, SERVER_CERT_SECRET);
  for (const name of CERTIFICATE_SECRETS.filter((secret) => secret !== REMOTE_CERT_SECRET)) {
    const file = filesOf(here, name);
    judge(name, own('ca.crt'), file('tls.crt'), CLIENT);
    judgeKey(name, file('tls.crt'), file('tls.key'));
  }
  // The agents dial their own cluster's cache.
  const hostname = ['-verify_hostname', serviceHostname(here.namespace)];
  judge('cache', filesOf(here, LOCAL_CERT_SECRET)('ca.crt'), own('tls.crt'), [...SERVER, ...hostname]);

  // KVStoreMesh dials the other cluster's etcd, and is let in there.
  const peer = filesOf(here, KVSTOREMESH_PEERS_SECRET);
  const trusted = peer(`${there.name}.etcd-client-ca.crt`);
  const address = found(/https:\/\/([\d.]+):/.exec(peer(there.name))?.[1], `an address in ${peer(there.name)}`);
  judge('peer', trusted, their('tls.crt'), [...SERVER, '-verify_hostname', `${there.name}.mesh.cilium.io`]);
  judge('peer', trusted, their('tls.crt'), [...SERVER, '-verify_ip', address]);
  judge('peer', trusted, their('tls.crt'), ['-verify_hostname', 'elsewhere.example.com'], /hostname mismatch/i);
  const credential = peer(`${there.name}.etcd-client.crt`);
  judgeKey('credential', credential, peer(`${there.name}.etcd-client.key`));
  judge('credential', their('ca.crt'), credential, CLIENT);
  judge('credential', their('ca.crt'), credential, SERVER, /unsuitable certificate purpose/i);
  // What one CA has signed is nothing to the other cluster.
  judge('credential at home', own('ca.crt'), credential, [], /unable to get local issuer|signature failure/i);
  return objections;
}

function filesOf(cluster: SandboxCluster, name: string): (file: string) => string {
  const secret = cluster.store.get({ apiVersion: 'v1', kind: 'Secret', namespace: cluster.namespace, name });
  const data = found(secret, name).data as Record<string, string>;
  return (file) => Buffer.from(found(data[file], `${file} in ${name}`), 'base64').toString();
}

function openssl(...args: string[]): string {
  const { stdout, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
  return (stdout + stderr).trim();
}

function write(folder: string, name: string, content: string): string {
  writeFileSync(join(folder, name), content, { mode: 0o600 });
  return join(folder, name);
}
