import type { KubeconfigUser } from './kubeconfig-entries.ts';

/** How a context proves who the user is; for messages. */
export type AuthKind =
  | { kind: 'exec'; command: string }
  | { kind: 'client certificate' | 'token' | 'token file' | 'password' | 'auth provider' | 'none' };

/** How a user of a kubeconfig logs in; of several ways, the one that client-go takes. */
export function authKindOf(user: KubeconfigUser): AuthKind {
  if (user.plugin) return { kind: 'exec', command: user.plugin.command };
  if (user.authProvider) return { kind: 'auth provider' };
  if (user.tokenFile) return { kind: 'token file' };
  if (user.token) return { kind: 'token' };
  if (user.certData || user.certFile) return { kind: 'client certificate' };
  return { kind: user.username ? 'password' : 'none' };
}

/** What to run when a credential plugin has nothing valid to give. */
export function loginHint(command: string): string {
  const name = command.split(/[\\/]/).at(-1) ?? command;
  if (name.startsWith('aws')) return 'Log in again, e.g. aws sso login';
  if (name.startsWith('gke-gcloud') || name === 'gcloud') return 'Log in again: gcloud auth login';
  if (name.startsWith('kubelogin') || name === 'az') return 'Log in again, e.g. az login';
  return `Log in again with what ${name} takes its credentials from.`;
}
