/**
 * Connections of the sandbox's agents, KVStoreMeshes and apiservers to the sandbox's own etcds, without TLS and HTTP/2 between: these
 * cost a third of all processor time of the tests. Both sides verify each other's certificates all the same, by the functions that
 * do so over TLS (test/contract/in-process-etcd.test.ts compares). What is not a stand-in comes over TLS here too.
 */
import { X509Certificate } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { certificateBlocks } from '../../src/mesh/certificates/pem.ts';
import { parseCertificates, verifyCertificate } from '../../src/sandbox/cilium/certificate-verification.ts';
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
import { ANYWHERE, createEtcdState, type EtcdState } from '../../src/sandbox/cilium/etcd-state.ts';

interface InProcessEtcd {
  state: EtcdState;
  /** What it shows at the next handshake, PEM. */
  certificate: string;
  /** Ends one session each. */
  sessions: Set<() => void>;
}

/** By port. Files of one worker share modules, and a module that was loaded for an earlier file asks here too. */
const shared = globalThis as { meshctlTestEtcds?: Map<number, InProcessEtcd> };
shared.meshctlTestEtcds ??= new Map();
const etcds = shared.meshctlTestEtcds;

/** Starts an etcd that can be asked both ways. */
export function startInProcess(start: typeof startEtcd, options: EtcdOptions): EtcdStandIn {
  const state = createEtcdState(options);
  const etcd = start(options, state);
  const own: InProcessEtcd = { state, certificate: options.certificate, sessions: new Set() };
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

function leafOf(pem: string): X509Certificate {
  const [leaf = ''] = certificateBlocks(pem);
  const [certificate] = parseCertificates(leaf);
  return certificate ?? new X509Certificate(pem);
}

/** What is sent arrives in a later turn. */
function turn(): Promise<void> {
  return new Promise((done) => setImmediate(done));
}
