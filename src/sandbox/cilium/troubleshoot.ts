/**
 * What `cilium-dbg troubleshoot clustermesh` and `kvstoremesh-dbg troubleshoot` print: each step of a connection made
 * anew, in the form of Cilium's pkg/kvstore/etcd_debug.go. It is where the real agent says why it cannot connect; its
 * status says no more than that it is waiting.
 */
import type { X509Certificate } from 'node:crypto';
import { isIP, type Socket } from 'node:net';
import { readCertificate } from '../../pki/read.ts';
import type { VirtualNetwork } from '../pods/network.ts';
import type { ContainerContext } from '../pods/process.ts';
import { parseCertificates, verifyCertificate } from './certificate-verification.ts';
import { type ClientFiles, ConnectionFailure, openEtcdSession, secureContext } from './etcd-session.ts';
import { type PeerFile, parsePeerFile, peersIn, readClientFiles } from './peer-files.ts';
import { CONFIG_DIRECTORY, type OwnCluster, type Peers } from './peers.ts';

export interface TroubleshootOptions {
  context: ContainerContext;
  peers: Peers;
  own: OwnCluster;
  network: VirtualNetwork;
  now(): Date;
  /** Peers to look at; all if empty. */
  names: readonly string[];
}

export async function troubleshoot(options: TroubleshootOptions): Promise<string> {
  const files = options.context.files();
  const configured = peersIn(files, CONFIG_DIRECTORY);
  const lines = [`Found ${configured.size} cluster configurations`];
  if (options.names.length > 0) {
    lines.push(`Troubleshooting filtered subset of clusters: ${options.names.join(', ')}`);
  }
  for (const name of options.names.length > 0 ? [...options.names].sort() : [...configured.keys()].sort()) {
    lines.push('', `Cluster "${name}":`);
    if (name === options.own.name) lines.push('ℹ️  This entry corresponds to the local cluster');
    const text = configured.get(name);
    if (text === undefined) lines.push('❌ Configuration not found');
    else lines.push(...(await peerLines(name, text, options)));
  }
  return `${lines.join('\n')}\n`;
}

async function peerLines(name: string, text: string, options: TroubleshootOptions): Promise<string[]> {
  const lines = [`📄 Configuration path: ${CONFIG_DIRECTORY}/${name}`];
  let file: PeerFile;
  let credentials: ClientFiles;
  try {
    file = parsePeerFile(text);
    credentials = readClientFiles(file, options.context.files());
    // etcd's client loads the key pair with its configuration.
    secureContext(credentials);
  } catch (error) {
    return [...lines, `❌ Cannot parse etcd configuration: ${(error as Error).message}`];
  }
  const outcomes: string[] = [];
  lines.push('', '🔌 Endpoints:');
  for (const { host, port } of file.endpoints) {
    const authority = `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
    lines.push(`   - ${file.plain ? 'http' : 'https'}://${authority}`);
    const { steps, outcome } = await endpointLines(host, port, authority, file, credentials, options);
    lines.push(...steps.map((step) => `     ${step}`));
    outcomes.push(outcome);
  }
  lines.push(
    '',
    '🔑 Digital certificates:',
    ...certificateLines(credentials, options.now()).map((line) => `   ${line}`),
  );
  // etcd's client goes on with whichever endpoint answers.
  const client = outcomes.find((outcome) => outcome.startsWith('✅')) ?? outcomes.at(-1);
  return [...lines, '', '⚙️ Etcd client:', ...(client === undefined ? [] : [`   ${client}`])];
}

async function endpointLines(
  host: string,
  port: number,
  authority: string,
  { aliases, plain }: PeerFile,
  files: ClientFiles,
  { peers, network, now }: TroubleshootOptions,
): Promise<{ steps: string[]; outcome: string }> {
  const steps: string[] = [];
  const failed = (step: string, error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    return { steps: [...steps, `❌ ${step}: ${message}`], outcome: `❌ Failed to establish connection: ${message}` };
  };
  if (!isIP(host)) {
    try {
      steps.push(`✅ Hostname resolved to: ${peers.resolve(host, aliases).join(', ')}`);
    } catch (error) {
      return failed('Cannot resolve hostname', error);
    }
  }
  let socket: Socket;
  try {
    socket = await peers.dial(host, port, aliases);
  } catch (error) {
    return failed(`Cannot establish TCP connection to ${authority}`, error);
  }
  steps.push(`✅ TCP connection successfully established to ${authority}`);
  const takeAlert = (localPort: number) => network.alerts.get(localPort);
  try {
    const session = await openEtcdSession(socket, { files, plain, host, now: now(), takeAlert });
    steps.push(`✅ TLS connection successfully established to ${authority}`);
    try {
      await session.list('cilium/.heartbeat');
      steps.push('ℹ️  Etcd server version: 3.6.0-sandbox');
      const outcome = `✅ Etcd connection successfully established\n   ℹ️  Etcd cluster ID: ${session.etcdId}`;
      return { steps, outcome };
    } catch (error) {
      if (error instanceof ConnectionFailure && error.stage === 'client-auth') {
        return failed('TLS client authentication failed', error);
      }
      return { steps, outcome: `❌ Failed to retrieve key from etcd: ${(error as Error).message}` };
    } finally {
      session.close();
    }
  } catch (error) {
    // Without TLS there is no such step: it is the client that fails.
    if (plain) return { steps, outcome: `❌ Failed to establish connection: ${(error as Error).message}` };
    return failed(`Cannot establish TLS connection to ${authority}`, error);
  }
}

function certificateLines({ ca, certificate }: ClientFiles, now: Date): string[] {
  const roots = readable(ca);
  const [leaf] = readable(certificate);
  const lines = ['✅ TLS Root CA certificates:', ...roots.flatMap(describe).map((line) => `   ${line}`)];
  if (!leaf) return [...lines, '⚠️ No available TLS client certificates'];
  lines.push('✅ TLS client certificates:', ...describe(leaf).map((line) => `   ${line}`));
  const failure = verifyCertificate(leaf, { roots, now, usage: 'client' });
  if (failure !== undefined) lines.push(`     ⚠️ Cannot verify certificate with the configured root CAs: ${failure}`);
  return lines;
}

function readable(pem: string): X509Certificate[] {
  try {
    return parseCertificates(pem);
  } catch {
    return [];
  }
}

function describe(certificate: X509Certificate): string[] {
  const colons = (hex: string) => (hex.toLowerCase().match(/../g) ?? []).join(':');
  const name = (text: string) => text.split('\n').reverse().join(',');
  const { dnsNames, ipAddresses } = readCertificate(certificate.toString());
  const names = [...dnsNames, ...ipAddresses].map((entry) => `  - ${entry}`);
  return [
    `- Serial number:       ${colons(certificate.serialNumber)}`,
    `  Subject:             ${name(certificate.subject)}`,
    ...(names.length > 0 ? ['  Subject alternative names:', ...names] : []),
    `  Issuer:              ${name(certificate.issuer)}`,
    '  Validity:',
    `    Not before:  ${goTime(certificate.validFrom)}`,
    `    Not after:   ${goTime(certificate.validTo)}`,
  ];
}

/** As Go prints a time in UTC. */
function goTime(text: string): string {
  return `${new Date(text).toISOString().slice(0, 19).replace('T', ' ')} +0000 UTC`;
}
