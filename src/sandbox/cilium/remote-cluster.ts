/** One peer of an agent or of KVStoreMesh: connects, and stays connected. What it is to Cilium's API: `remote-cluster-status.ts`. */
import type { Socket } from 'node:net';
import { DialError } from '../pods/network-types.ts';
import { type ClientFiles, ConnectionFailure, type EtcdSession, openEtcdSession } from './etcd-session.ts';
import { type Files, type PeerFile, parsePeerFile, readClientFiles } from './peer-files.ts';
import { type PeerState, STATE_KINDS, type StateKind, statePrefix, syncedKey } from './peer-state.ts';
import { type ClusterConfig, type RemoteClusterStatus, remoteClusterStatus } from './remote-cluster-status.ts';

export interface ConnectionTimings {
  /** Pause after a failed attempt. */
  retryMs: number;
  /**
   * Pause after etcd said `permission denied`. Real Cilium was measured to try again only after 160 s: the watch of the
   * heartbeat key backs off. That is too long for a demonstration, but it must stay clearly longer than `retryMs`, so
   * that dialling before the user exists hurts here too.
   */
  permissionDeniedRetryMs: number;
  /** How often a connection is tried on which nothing is heard; what has changed is read at once, as if it were pushed. */
  resyncMs: number;
  /** How long KVStoreMesh keeps what it has of a peer that was removed, and does not take it up again: three minutes in Cilium. */
  drainMs: number;
}

export interface RemoteClusterOptions {
  name: string;
  /** The peering file's text now. */
  text: string;
  files(): Files;
  dial(host: string, port: number, aliases: ReadonlyMap<string, string[]>): Promise<Socket>;
  takeAlert(localPort: number): string | undefined;
  /** Why a peer with this configuration cannot be accepted, e.g. our own cluster id. */
  refuses(config: ClusterConfig): string | undefined;
  /** Connected, and the peer's state has been read (again). */
  onState(config: ClusterConfig, state: PeerState): void;
  log(line: string): void;
  now(): Date;
  timings: ConnectionTimings;
}

export interface RemoteCluster {
  status(): RemoteClusterStatus;
  /** The peering file's text changed: connects anew, at once. */
  reconfigure(text: string): void;
  /** Files changed that are not the peering file: tries again now unless connected, with the CAs that the client has read. */
  retryNow(): void;
  close(): void;
}

/**
 * An etcd client reads the CAs that it trusts when it is made, and only then; its certificate at each handshake. Cilium makes
 * another one where the peering file's own text has changed, where it has noticed that a connection is lost, and where the
 * first one has not come in time (pkg/clustermesh/common/config.go; initialConnectionTimeout in pkg/kvstore/etcd.go).
 */
const INITIAL_CONNECTION_TIMEOUT_MS = 15 * 60_000;
/** Measured. What the kubelet brings meanwhile the next client reads; here, which need not wait for it, each attempt. */
const LOSS_NOTICED_AFTER_MS = 2 * 60_000;

const HEARTBEAT = 'cilium/.heartbeat';

export function connectRemoteCluster(options: RemoteClusterOptions): RemoteCluster {
  const { name, timings, now, log } = options;
  let text = options.text;
  let session: EtcdSession | undefined;
  /** The CAs of the present client, until it has a connection. */
  let trusted: { ca: string; since: number } | undefined;
  /** When a client stands that takes the place of one whose connection was lost. */
  let noticed = 0;
  let config: ClusterConfig | undefined;
  let asked = false;
  let state: PeerState | undefined;
  /** As it was last read: it stays when the connection breaks (pkg/kvstore/store/watchstore.go), and is counted. */
  let heard: PeerState | undefined;
  let failures = 0;
  let lastFailure: Date | undefined;
  let attempt = 0;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  let wake: (() => void) | undefined;

  function pause(ms: number): Promise<void> {
    return new Promise((done) => {
      wake = () => {
        clearTimeout(timer);
        done();
      };
      timer = setTimeout(wake, ms);
    });
  }

  function reset() {
    session?.close();
    session = undefined;
    config = undefined;
    asked = false;
    state = undefined;
  }

  /** Runs until a newer attempt replaces it or the peer is closed. */
  async function run(serial: number) {
    const current = () => !closed && serial === attempt;
    while (current()) {
      let failure: unknown;
      try {
        const opened = await open();
        if (!current()) {
          opened.close();
          return;
        }
        session = opened;
        trusted = undefined;
        log(`level=info msg="Connection to remote cluster established" clusterName=${name}`);
        await follow(opened, current);
      } catch (error) {
        failure = error;
      }
      if (!current()) return;
      if (!session) {
        log(
          `level=warn msg="Unable to establish etcd connection to remote cluster" clusterName=${name} error="${textOf(failure)}"`,
        );
      } else {
        failures += 1;
        lastFailure = now();
        noticed = lastFailure.getTime() + LOSS_NOTICED_AFTER_MS;
        log(
          `level=warn msg="Error observed on etcd connection, reconnecting etcd" clusterName=${name} error="${textOf(failure)}"`,
        );
      }
      reset();
      const denied = failure instanceof ConnectionFailure && /permission denied/.test(failure.message);
      await pause(denied ? timings.permissionDeniedRetryMs : timings.retryMs);
    }
  }

  async function open(): Promise<EtcdSession> {
    const file = parsePeerFile(text);
    const credentials = withTrustOf(readClientFiles(file, options.files()));
    let failure: unknown;
    for (const endpoint of file.endpoints) {
      try {
        const opened = await openAt(endpoint, file, credentials);
        // The real agent counts as connected once its watch of the heartbeat has started.
        await opened.list(HEARTBEAT).catch((error: unknown) => {
          opened.close();
          throw error;
        });
        return opened;
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  function withTrustOf(files: ClientFiles): ClientFiles {
    const time = now().getTime();
    if (time < noticed) return files;
    if (!trusted || time - trusted.since > INITIAL_CONNECTION_TIMEOUT_MS) trusted = { ca: files.ca, since: time };
    return { ...files, ca: trusted.ca };
  }

  async function openAt(
    { host, port }: PeerFile['endpoints'][number],
    { aliases, plain }: PeerFile,
    credentials: Parameters<typeof openEtcdSession>[1]['files'],
  ): Promise<EtcdSession> {
    let socket: Socket;
    try {
      socket = await options.dial(host, port, aliases);
    } catch (error) {
      if (!(error instanceof DialError)) throw error;
      throw new ConnectionFailure(error.code === 'ENOTFOUND' ? 'resolve' : 'tcp', error.message, error);
    }
    return openEtcdSession(socket, { files: credentials, plain, host, now: now(), takeAlert: options.takeAlert });
  }

  /** Reads the peer's configuration, then its state and again what of that has changed, until the connection ends. */
  async function follow(opened: EtcdSession, current: () => boolean) {
    let over = false;
    let changed = false;
    /** What has to be read. */
    const stale = new Set<StateKind>(STATE_KINDS);
    void opened.closed.then(() => {
      over = true;
      if (current()) wake?.();
    });
    opened.onChange((concerns) => {
      const kinds = STATE_KINDS.filter((kind) =>
        concerns(statePrefix(kind, name, config?.capabilities?.cached ?? false)),
      );
      if (config && kinds.length === 0) return;
      for (const kind of kinds) stale.add(kind);
      changed = true;
      if (current()) wake?.();
    });
    asked = true;
    while (current() && !over) {
      changed = false;
      config ??= await readConfig(opened);
      if (config) {
        const refusal = options.refuses(config);
        if (refusal !== undefined) {
          log(`level=warn msg="Connection to remote cluster failed" clusterName=${name} error="${refusal}"`);
        } else {
          state = await readState(opened, config.capabilities ?? {}, stale);
          heard = state;
          if (current()) options.onState(config, state);
        }
      }
      if (!over && !changed) await pause(config ? timings.resyncMs : timings.retryMs);
    }
    throw new ConnectionFailure('etcd', 'not able to connect to any etcd endpoints');
  }

  /** Undefined where it is not there, or not for us: Cilium keeps the connection and asks again. */
  async function readConfig(opened: EtcdSession): Promise<ClusterConfig | undefined> {
    try {
      const value = await opened.get(`cilium/cluster-config/${name}`);
      if (value !== undefined) return JSON.parse(value) as ClusterConfig;
      log(`level=warn msg="Unable to get remote cluster configuration" clusterName=${name} error="not found"`);
    } catch (error) {
      if (!(error instanceof ConnectionFailure) || !/permission denied/.test(error.message)) throw error;
      log(`level=warn msg="Unable to get remote cluster configuration" clusterName=${name} error="${error.message}"`);
    }
    return undefined;
  }

  async function readState(
    opened: EtcdSession,
    { cached = false, syncedCanaries = false }: NonNullable<ClusterConfig['capabilities']>,
    stale: Set<StateKind>,
  ): Promise<PeerState> {
    // Once for each connection, and before the state, so that what a canary promises is read.
    const isComplete = !syncedCanaries || state?.synced.size === STATE_KINDS.length;
    const canaries = isComplete ? undefined : await opened.list(`cilium/synced/${name}/`);
    const isSynced = (kind: StateKind) => canaries?.has(syncedKey(kind, name, cached)) ?? true;
    // A connection on which nothing comes any more shows it.
    if (isComplete && stale.size === 0) await opened.list(HEARTBEAT);
    const read = async (kind: StateKind) => {
      if (state && isComplete && !stale.has(kind)) return state[kind];
      stale.delete(kind);
      return opened.list(statePrefix(kind, name, cached));
    };
    return {
      synced: new Set(STATE_KINDS.filter(isSynced)),
      nodes: await read('nodes'),
      endpoints: await read('endpoints'),
      identities: await read('identities'),
      services: await read('services'),
    };
  }

  /** With another client. */
  function start() {
    trusted = undefined;
    noticed = 0;
    tryAgain();
  }

  function tryAgain() {
    reset();
    attempt += 1;
    wake?.();
    void run(attempt);
  }

  start();

  return {
    status: () => remoteClusterStatus({ name, session, asked, config, state, heard, failures, lastFailure }),
    reconfigure(next) {
      text = next;
      start();
    },
    retryNow() {
      if (!session) tryAgain();
    },
    close() {
      closed = true;
      reset();
      wake?.();
    },
  };
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
