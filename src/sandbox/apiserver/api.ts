import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex, Readable, Writable } from 'node:stream';
import type { WebSocket } from 'ws';
import type { ClusterStore } from './storage/store.ts';

export interface ExecRequest {
  namespace: string;
  pod: string;
  container: string;
  command: string[];
  stdin?: Readable | undefined;
  stdout: Writable;
  stderr: Writable;
  tty: boolean;
  signal: AbortSignal;
}

/** What runs "inside" pods: the stand-ins. */
export interface PodRuntime {
  /** Resolves with the exit code. Throws ApiError when the container is not running. */
  exec(request: ExecRequest): Promise<number>;
  /** A connection to a port of the pod. Rejects with an Error whose message the client sees. */
  portForward(namespace: string, pod: string, port: number): Promise<Duplex>;
  /** The container's log. */
  logs(namespace: string, pod: string, container: string): string;
}

export interface ApiServerOptions {
  /** For messages. */
  name: string;
  /** PEM of the serving certificate (SAN 127.0.0.1, localhost) and key. */
  certificate: string;
  privateKey: string;
  /** PEM of the CA that client certificates must chain to; CN is the user, O the groups. */
  clientCa: string;
  /** Serves HTTP without TLS, as `kubectl proxy` does, and takes whoever shows no token for this user. */
  proxiedAs?: { user: string; groups: readonly string[] } | undefined;
  /** e.g. `v1.36.1`. */
  kubernetesVersion: string;
  runtime: PodRuntime;
  /** What the cluster holds: a store of createStore(), for example that of a server that was closed. Default: a new one. */
  store?: ClusterStore;
  /** Static bearer tokens -> user, for tests of authentication. */
  tokens?: ReadonlyMap<string, { user: string; groups: string[] }>;
  /**
   * Authorization; group system:masters may always do everything. `undefined` allows; a string is the reason for 403.
   * Default: by the roles and bindings in the store.
   */
  authorize?: (request: AccessRequest) => string | undefined;
  /** Called before each request is served; may throw an ApiError or delay: for fault tests. */
  intercept?: (
    request: AccessRequest & { httpMethod: string; path: string; dryRun: boolean },
  ) => Promise<Fault | undefined>;
}

/** A connection that breaks: before the request is served, or after it was and before the answer is on its way. */
export type Fault = 'drop' | 'drop-answer';

export interface AccessRequest {
  user: string;
  groups: readonly string[];
  verb: string;
  apiGroup: string;
  resource: string;
  subresource?: string;
  namespace?: string;
  name?: string;
}

/** What serves each request that comes in, also for a client of the same process that needs no socket for it. */
export interface RequestHandlers {
  /** Whether it would take a connection. */
  isListening(): boolean;
  /** Serves one request; destroys its socket where a fault test wants the connection dropped. */
  serve(request: IncomingMessage, response: ServerResponse): void;
  /**
   * Gives what serves the WebSocket that a request asks for, once it is open; undefined if a fault test wants the connection
   * dropped. Rejects with ApiError.
   */
  open(request: IncomingMessage): Promise<((client: WebSocket) => void) | undefined>;
}

export interface ApiServer {
  /** `https://127.0.0.1:PORT`, or `http://…` where it is proxied. */
  url: string;
  store: ClusterStore;
  handlers: RequestHandlers;
  /** Ends all connections, watches and execs. */
  close(): Promise<void>;
}
