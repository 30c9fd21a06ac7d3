/**
 * Connections to the sandbox's own etcds without TLS and HTTP/2 between, which cost a third of all processor time of the tests. Both sides
 * verify each other's certificates all the same (test/contract/sandbox-etcd.test.ts compares). Agents, KVStoreMeshes and apiservers of the
 * sandbox say what fails by the functions that do so over TLS. meshctl itself comes over TLS wherever anything would fail, so that what
 * it says is said of a real handshake; so does what is not of this process.
 */
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import type { call } from '../../src/etcd/grpc-call.ts';
import type { EtcdRead } from '../../src/etcd/handshake.ts';
import { certificateBlocks } from '../../src/mesh/certificates/pem.ts';
import { remembered } from '../../src/mesh/remembered.ts';
import { parseCertificates, verifyCertificate } from '../../src/sandbox/cilium/certificate-verification.ts';
import { answerEtcdCall } from '../../src/sandbox/cilium/etcd-calls.ts';
import { etcdIdAt } from '../../src/sandbox/cilium/etcd-id.ts';
import { prefixEnd } from '../../src/sandbox/cilium/etcd-permissions.ts';
import {
  ConnectionFailure,
  type EtcdSession,
  REFUSED,
  type SessionOptions,
  secureContext,
} from '../../src/sandbox/cilium/etcd-session.ts';
import type { EtcdOptions, EtcdStandIn, startEtcd } from '../../src/sandbox/cilium/etcd-stand-in.ts';
import { ANYWHERE, createEtcdState, type EtcdClient, type EtcdState } from '../../src/sandbox/cilium/etcd-state.ts';

interface InProcessEtcd {
  state: EtcdState;
  /** Its CAs, PEM, and its time. */
  options: Pick<EtcdOptions, 'ca' | 'now'>;
  /** What it shows at the next handshake, PEM. */
  certificate: string;
  /** Ends one session each. */
  sessions: Set<() => void>;
}

/** By port. Files of one worker share modules, and a module that was loaded for an earlier file asks here too. */
const shared = globalThis as {
  meshctlTestEtcds?: Map<number, InProcessEtcd>;
  meshctlTestForwarded?: WeakMap<object, Promise<Duplex>>;
};
shared.meshctlTestEtcds ??= new Map();
shared.meshctlTestForwarded ??= new WeakMap();
const etcds = shared.meshctlTestEtcds;
/** Where connections lead that a kubelet forwards, by what meshctl has of them: a WebSocket, and then the stream over that. */
const forwarded = shared.meshctlTestForwarded;

/** Starts an etcd that can be asked both ways. */
export function startInProcess(start: typeof startEtcd, options: EtcdOptions): EtcdStandIn {
  const state = createEtcdState(options);
  const etcd = start(options, state);
  const own: InProcessEtcd = { state, options, certificate: options.certificate, sessions: new Set() };
  let port: number | undefined;
  let isClosed = false;
  return {
    ...etcd,
    listening: etcd.listening.then((listening) => {
      port = listening;
      if (!isClosed) etcds.set(port, own);
      return port;
    }),
    setServerCertificate(certificate, privateKey) {
      etcd.setServerCertificate(certificate, privateKey);
      own.certificate = certificate;
    },
    close() {
      isClosed = true;
      if (port !== undefined) etcds.delete(port);
      etcd.close();
      for (const end of own.sessions) end();
    },
  };
}

/** Told from other sockets by this: of a class there is one for each file. */
const IN_PROCESS = Symbol.for('meshctl test: connection to an etcd of this process');

let lastPort = 1_000_000;

/** Connects only when somebody writes to it, or reads: a session in this process does neither. */
class IdleSocket extends Duplex {
  readonly [IN_PROCESS] = true;
  readonly localPort = ++lastPort;
  readonly remotePort: number;
  private real: Socket | undefined;

  constructor(port: number) {
    super();
    this.remotePort = port;
  }

  private open(): Socket {
    if (this.real) return this.real;
    const real = connect({ port: this.remotePort, host: '127.0.0.1', noDelay: true });
    real.on('data', (chunk) => this.push(chunk) || real.pause());
    real.once('end', () => this.push(null));
    real.once('error', (error) => this.destroy(error));
    real.once('close', () => this.destroy());
    this.real = real;
    return real;
  }

  override _read(): void {
    this.open().resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.open().write(chunk, done);
  }

  override _final(done: () => void): void {
    if (this.real) this.real.end(done);
    else done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.real?.destroy();
    done(error);
  }
}

/** A connection to an etcd of this process; undefined where another one listens at a port, or none. */
export async function dialInProcess(port: number): Promise<Socket | undefined> {
  await turn();
  return etcds.has(port) ? (new IdleSocket(port) as unknown as Socket) : undefined;
}

export function isInProcess(socket: Socket): boolean {
  return IN_PROCESS in socket;
}

/** As `openEtcdSession`, over what `dialInProcess` gave. */
export async function openInProcess(socket: Socket, options: SessionOptions): Promise<EtcdSession> {
  try {
    return await shakeHands(socket, options);
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

async function shakeHands(socket: Socket, options: SessionOptions): Promise<EtcdSession> {
  const { files, host, now, plain, takeAlert } = options;
  const port = socket.remotePort ?? 0;
  if (plain) throw new ConnectionFailure('etcd', 'context deadline exceeded');
  secureContext(files);
  await turn();
  const etcd = etcds.get(port);
  if (socket.destroyed) throw new ConnectionFailure('tls', 'EOF');
  // It has ended, and its sockets with it.
  if (!etcd) throw new ConnectionFailure('tls', 'remote error: read ECONNRESET');
  const failure = verifyCertificate(leafOf(etcd.certificate), {
    roots: parseCertificates(files.ca),
    now,
    host,
    usage: 'server',
  });
  if (failure !== undefined) throw new ConnectionFailure('tls', `tls: failed to verify certificate: ${failure}`);

  const client = etcd.state.admit(leafOf(files.certificate), socket.localPort);
  const off: (() => void)[] = [];
  const closed = new Promise<void>((done) => socket.once('close', done));
  const end = () => socket.destroy();
  etcd.sessions.add(end);
  void closed.then(() => {
    etcd.sessions.delete(end);
    for (const stop of off) stop();
  });
  // With TLS 1.3 the client is done before the server has looked at its certificate.
  if (!client) setImmediate(end);
  const lost = () => {
    const alert = takeAlert(socket.localPort ?? 0);
    return alert === undefined
      ? new ConnectionFailure('etcd', 'rpc error: code = Unavailable desc = error reading from server: EOF')
      : new ConnectionFailure('client-auth', alert);
  };
  const read = async (key: string, rangeEnd?: string) => {
    await turn();
    if (!client || socket.destroyed) throw lost();
    const found = etcd.state.range(client, key, rangeEnd);
    if (!found) throw new ConnectionFailure('etcd', REFUSED);
    await turn();
    return new Map(found);
  };
  return {
    etcdId: etcdIdAt(port),
    get: async (key) => (await read(key)).get(key),
    list: (prefix) => read(prefix, prefixEnd(prefix)),
    onChange(listener) {
      off.push(
        etcd.state.onChange((prefixes) =>
          setImmediate(() => {
            if (socket.destroyed) return;
            for (const changed of prefixes) listener((prefix) => changed === ANYWHERE || changed === prefix);
          }),
        ),
      );
    },
    closed,
    close: end,
  };
}

export function noteForwarded(end: object, connection: Promise<Duplex> | undefined): void {
  if (connection) forwarded.set(end, connection);
}

export function forwardedTo(end: object): Promise<Duplex> | undefined {
  return forwarded.get(end);
}

/** What `shakeHands` of src/etcd gives, as far as it is asked for more than a call. */
class InProcessTls {
  readonly [IN_PROCESS] = true;
  readonly etcd: InProcessEtcd;
  readonly client: EtcdClient;
  readonly clusterId: string;

  constructor(etcd: InProcessEtcd, client: EtcdClient, clusterId: string) {
    this.etcd = etcd;
    this.client = client;
    this.clusterId = clusterId;
  }

  getPeerCertificate(): PeerCertificate {
    return leafOf(this.etcd.certificate).toLegacyObject() as PeerCertificate;
  }
}

/** As `shakeHands` of src/etcd, where both sides take each other; undefined where TLS is to say what is wrong, or leads elsewhere. */
export async function shakeHandsInProcess(read: EtcdRead): Promise<TLSSocket | undefined> {
  const connection = (await forwardedTo(read.socket)?.catch(() => undefined)) as Socket | undefined;
  if (!connection || connection.destroyed) return undefined;
  await turn();
  const { remotePort = 0, localPort } = connection;
  const etcd = etcds.get(remotePort);
  if (!etcd || read.socket.destroyed || !doAccept(etcd, read)) return undefined;
  const client = etcd.state.admit(leafOf(read.certificate), localPort);
  return client && (new InProcessTls(etcd, client, etcdIdAt(remotePort)) as unknown as TLSSocket);
}

/** Whether each side takes the other's certificate. meshctl goes by this machine's clock first, and OpenSSL says what of it fails. */
function doAccept({ certificate, options }: InProcessEtcd, read: EtcdRead): boolean {
  try {
    const ofServer = { roots: parseCertificates(read.ca), now: new Date(), host: read.serverName };
    const ofClient = { roots: parseCertificates(options.ca), now: options.now() };
    return (
      isPair(read) &&
      verifyCertificate(leafOf(certificate), { ...ofServer, usage: 'server' }) === undefined &&
      verifyCertificate(leafOf(read.certificate), { ...ofClient, usage: 'client' }) === undefined
    );
  } catch {
    return false;
  }
}

const isPair = remembered(
  ({ certificate, privateKey }: EtcdRead) => leafOf(certificate).checkPrivateKey(createPrivateKey(privateKey)),
  20,
  ({ certificate, privateKey }) =>
    createHash('sha256')
      .update(JSON.stringify([certificate, privateKey]))
      .digest('base64'),
);

/** As `call` of src/etcd, over what `shakeHandsInProcess` gave; undefined for what comes over TLS. */
export function callInProcess(...[secured, , request]: Parameters<typeof call>): ReturnType<typeof call> | undefined {
  return IN_PROCESS in secured ? answered(secured as unknown as InProcessTls, request) : undefined;
}

async function answered(
  { etcd: { state }, client, clusterId }: InProcessTls,
  request: Parameters<typeof call>[2],
): ReturnType<typeof call> {
  await turn();
  const { status, words, message } = answerEtcdCall(state, client, { ...request, clusterId });
  await turn();
  return { status, message: words, messages: message ? [message] : [] };
}

function leafOf(pem: string): X509Certificate {
  const [leaf = ''] = certificateBlocks(pem);
  const [certificate] = parseCertificates(leaf);
  return certificate ?? new X509Certificate(pem);
}

/** What is sent arrives in a later turn. */
function turn(): Promise<void> {
  return new Promise((done) => setImmediate(done));
}
