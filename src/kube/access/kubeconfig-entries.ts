import type { Cluster, Context, User } from '@kubernetes/client-node/dist/config_types.js';

/** One or several kubeconfig files, merged as kubectl does: whoever names something first keeps it. */
export interface Kubeconfig {
  /** The files that were read. */
  files: readonly string[];
  currentContext?: string | undefined;
  contexts: readonly Context[];
  clusters: readonly KubeconfigCluster[];
  users: readonly KubeconfigUser[];
  /** Names that several files give to different things; the first file's counts, as in kubectl. */
  shadowed?: readonly ShadowedEntry[] | undefined;
  /** The file that a context is from, by its name. */
  contextFiles?: ReadonlyMap<string, string> | undefined;
  /** The name of its only context is meshctl's own: whoever types a command in the same pod cannot give it to kubectl. */
  unnamed?: true | undefined;
}

/** An entry of a later file that counts for nothing, because an earlier file has another one of that name. */
export interface ShadowedEntry {
  kind: 'context' | 'cluster' | 'user';
  name: string;
  /** The file whose entry counts. */
  file: string;
  /** The file whose entry does not. */
  other: string;
}

/** A context with the cluster and user that it names. */
export interface SelectedContext {
  name: string;
  namespace?: string | undefined;
  cluster: KubeconfigCluster;
  /** Without a name in the context, an anonymous user. */
  user: KubeconfigUser;
  files: readonly string[];
  /** Why it may not be what its author meant. */
  warnings: readonly string[];
}

/** A kubeconfig cluster with what client-node passes over. */
export interface KubeconfigCluster extends Cluster {
  /** What the cluster tells a credential plugin, of any form: its extension `client.authentication.k8s.io/exec`. */
  execConfig?: unknown;
}

/** A kubeconfig user with the fields that client-node passes over. */
export interface KubeconfigUser extends User {
  /** `tokenFile`, absolute. */
  tokenFile?: string | undefined;
  /** `as-groups`. */
  impersonateGroups?: readonly string[] | undefined;
  /** `as-uid`. */
  impersonateUid?: string | undefined;
  /** `exec`, where it names a command. */
  plugin?: ExecEntry | undefined;
}

/** The `exec` entry of a kubeconfig user (client.authentication.k8s.io). */
export interface ExecEntry {
  command: string;
  args?: readonly string[] | undefined;
  env?: readonly { name: string; value: string }[] | undefined;
  apiVersion?: string | undefined;
  provideClusterInfo?: boolean | undefined;
  installHint?: string | undefined;
}
