import type { Duplex } from 'node:stream';
import type { Clock } from '../mesh/clock.ts';
import type { AccessRule } from '../mesh/objects/access-rules.ts';
import type { KubeObject, ObjectRef } from '../mesh/objects/kube-object.ts';
import type { ExecOptions, ExecResult } from './exec.ts';
import type { RunWork } from './http/lasting-transport.ts';
import type { RetryPolicy } from './http/retry.ts';
import type { RequestKind } from './http/transport.ts';
import type { ListPage, Selection, WatchEvent } from './list-watch.ts';
import type { PortForwardOptions } from './port-forward.ts';

/**
 * For one call: replaces the client's own signal, so that a rollback can go on after Ctrl-C. What was sent to be stored is let
 * end all the same.
 */
export interface CallOptions {
  signal?: AbortSignal | undefined;
}

export interface WriteOptions extends CallOptions {
  /** The API server checks everything and stores nothing. */
  dryRun?: boolean | undefined;
  /** Told when the request goes out: from then on it may be carried out, whatever becomes of the answer. */
  onSend?: (() => void) | undefined;
}

export interface ApplyOptions extends WriteOptions {
  /** Takes fields over from other managers instead of failing with `Conflict`. */
  force?: boolean | undefined;
}

export interface PatchOptions extends WriteOptions {
  /** Refused with `Conflict` when the object is no longer at this version. */
  resourceVersion?: string | undefined;
  subresource?: string | undefined;
}

export interface DeleteOptions extends WriteOptions {
  /** Refused with `Conflict` when it is another object of that name, or no longer at this version. */
  uid?: string | undefined;
  resourceVersion?: string | undefined;
}

/**
 * One cluster's API server, reached through one kubeconfig context. Objects are plain JSON in both directions.
 * Every method rejects with a MeshctlError that names the context and the object.
 */
export interface ClusterClient {
  readonly context: string;
  /** The API server's URL, without a password. */
  readonly server: string;
  /** The time of the API server, by its last answer; before the first one, this machine's. */
  now(): Date;
  /** How far that time is ahead of the run's, in milliseconds; behind is below zero, 0 what nobody minds. Undefined before an answer told. */
  aheadMs?(): number | undefined;
  /** The clock of whoever opened the client: by it go waits between looks, and how long an outage lasts. */
  readonly clock: Clock;
  /** Undefined when there is no such object, or its kind is not served. */
  get(ref: ObjectRef, options?: CallOptions): Promise<KubeObject | undefined>;
  /** Objects as their pages arrive. */
  list(selection: Selection, options?: CallOptions): AsyncIterable<KubeObject>;
  listAll(selection: Selection, options?: CallOptions): Promise<KubeObject[]>;
  /** What is kept of each object, so that a page and not the whole list is held: for thousands of Nodes or Services. */
  collect<T>(selection: Selection, keep: (object: KubeObject) => readonly T[], options?: CallOptions): Promise<T[]>;
  /** Pages with the version to watch from. */
  listPages(selection: Selection, options?: CallOptions): AsyncIterable<ListPage>;
  create(object: KubeObject, options?: WriteOptions): Promise<KubeObject>;
  /** Server-side apply with field manager `meshctl`. */
  apply(object: KubeObject, options?: ApplyOptions): Promise<KubeObject>;
  /** JSON merge patch: null removes a key. */
  patch(ref: ObjectRef, patch: Record<string, unknown>, options?: PatchOptions): Promise<KubeObject>;
  /** Background deletion. False when there was nothing to delete. */
  delete(ref: ObjectRef, options?: DeleteOptions): Promise<boolean>;
  /** Changes after `resourceVersion`, bookmarks left out; ends when the API server ends the watch. */
  watch(selection: Selection, resourceVersion: string, options?: WatchOptions): AsyncIterable<WatchEvent>;
  /** The API server's version, e.g. `v1.36.1`. */
  version(): Promise<string>;
  /** Names of the API groups served, without the core group. */
  apiGroups(): Promise<string[]>;
  /**
   * What the user may do in a namespace, and in the whole cluster; undefined where not all of it can be listed, since others
   * than roles decide too.
   */
  rules(namespace: string): Promise<AccessRule[] | undefined>;
  /** Who asks, as roles name the user; undefined where the API server does not tell (Kubernetes before 1.28). */
  user(): Promise<string | undefined>;
  exec(options: ExecOptions): Promise<ExecResult>;
  /** A connection to a port of a pod. Destroy it when done. */
  portForward(options: PortForwardOptions): Promise<Duplex>;
  /** Closes idle and open connections. */
  close(): void;
}

export interface WatchOptions extends CallOptions {
  /** When the API server shall end the watch. */
  timeoutMs?: number | undefined;
}

export interface ClientOptions {
  /** Default: the current context. */
  context?: string | undefined;
  as?: string | undefined;
  asGroup?: readonly string[] | undefined;
  requestTimeoutMs: number;
  /** e.g. `meshctl/0.1.0`. */
  userAgent: string;
  signal: AbortSignal;
  /** Gets a line per request; nothing secret. */
  debug?: ((line: string, kind: RequestKind) => void) | undefined;
  /** Gets the time of the API server, by each answer that says. */
  onClock?: ((date: Date) => void) | undefined;
  /** See {@link ClusterClient}; default: of this machine's time. */
  aheadMs?: (() => number | undefined) | undefined;
  /** Gets what the API server warns of, and what is odd about the kubeconfig; each text once. */
  warn?: ((text: string) => void) | undefined;
  /** HTTPS_PROXY, HTTP_PROXY, NO_PROXY; default: no proxy but the kubeconfig's. */
  env?: Readonly<Record<string, string | undefined>> | undefined;
  retry?: RetryPolicy | undefined;
  /** What it shares with the other clients of its run: once that writes, an API server that restarts is waited for. */
  work?: RunWork | undefined;
  /** Told, with the context, when that begins. */
  onOutage?: ((context: string) => void) | undefined;
  /** For waits between attempts and looks, and how long a login that failed is not tried again; default: the machine's. */
  clock?: Clock | undefined;
}
