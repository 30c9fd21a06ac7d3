import type { Cluster, Context, User } from '@kubernetes/client-node/dist/config_types.js';
import { kubectlCommand } from '../../mesh/command-line.ts';

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
  /** Default: `--kubeconfig` and `--context`. */
  namedBy?: NamedBy | undefined;
  /** The file that a context is from, by its name. */
  contextFiles?: ReadonlyMap<string, string> | undefined;
  /** The name of its only context is meshctl's own: whoever types a command in the same pod cannot give it to kubectl. */
  unnamed?: true | undefined;
}

/** The flags by which an operator names the file, and contexts of it: those of one side may be other ones. */
export interface NamedBy {
  file: '--kubeconfig' | '--destination-kubeconfig';
  contexts: '--context' | '--destination-context';
}

/** Whether a file is that of one side alone, so that neither the run's flag nor KUBECONFIG names it. */
export function isOfOneSide({ namedBy }: Pick<Kubeconfig, 'namedBy'>): boolean {
  return namedBy?.file === '--destination-kubeconfig';
}

/** `kubectl config …` about a kubeconfig, which names it where the run's own flag would not. @param words behind `config` */
export function configCommand(kubeconfig: Pick<Kubeconfig, 'namedBy' | 'files'>, words: readonly string[]): string {
  const file = isOfOneSide(kubeconfig) ? kubeconfig.files.flatMap((path) => ['--kubeconfig', path]) : [];
  return kubectlCommand({}, [...file, 'config', ...words]);
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
