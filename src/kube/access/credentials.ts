import { X509Certificate } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import type { Clock } from '../../mesh/clock.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import type { CertificateTime } from '../errors.ts';
import { type AuthKind, authKindOf } from './auth-kind.ts';
import type { ExecEntry, SelectedContext } from './kubeconfig-entries.ts';
import { plainLogin } from './plain-login.ts';
import type { ServerProxy } from './proxy.ts';
import { type ReadLimits, readTextFile } from './read-text-file.ts';
import { shareLogin } from './shared-login.ts';

/** What every connection to one API server needs. Holds secrets: never printed. */
export interface Credentials {
  agent: http.Agent;
  headers: Record<string, string | string[]>;
  /** `user:password` for basic authentication. */
  auth?: string | undefined;
  /** The time of the client certificate. */
  certificateTime?: CertificateTime | undefined;
}

export interface Impersonation {
  as?: string | undefined;
  asGroup?: readonly string[] | undefined;
}

/** Obtains credentials once and keeps them until they are refused. */
export interface CredentialSource {
  readonly auth: AuthKind;
  /**
   * Got for whoever asks, until the last who waits for it gives up.
   * @param signal of the request that wants it: a rollback has another one than the run, whose user has pressed Ctrl-C
   * @throws MeshctlError `Unauthenticated` (a plugin failed), `KubeconfigInvalid` (a file is missing or unreadable), for a
   * while also for the requests that come after; what the signal's abortion means
   */
  get(signal: AbortSignal): Promise<Credentials>;
  /** Forgets what the API server refused with 401. False when asking again cannot give anything else. */
  renew(refused: Credentials): boolean;
  /** Lets the next request try again what has just failed. */
  tryAgain(): void;
  /** Closes all connections. */
  close(): void;
}

export interface CredentialOptions extends Impersonation {
  /** By which the server is reached. */
  proxy?: ServerProxy | undefined;
  /** For a credential plugin, in milliseconds. */
  timeoutMs: number;
  ms: Clock['ms'];
}

/**
 * The credentials of a context, read when they are first asked for.
 * @throws MeshctlError `Usage` for a group without a user
 */
export function openCredentials(context: SelectedContext, options: CredentialOptions): CredentialSource {
  const auth = authKindOf(context.user);
  const impersonationHeaders = headersOf(context, options);
  const agents = new Set<http.Agent>();
  // A connection to a proxy is no agent's before the proxy has answered.
  const closing = new AbortController();
  const login = shareLogin(async (signal) => {
    const credentials = await obtain(context, auth, impersonationHeaders, { ...options, signal });
    Object.assign(credentials.agent, { proxyRequestOptions: { signal: closing.signal } });
    agents.add(credentials.agent);
    return credentials;
  }, options.ms);
  return {
    auth,
    get: login.get,
    renew: (refused) =>
      (auth.kind === 'exec' || auth.kind === 'token file' || auth.kind === 'auth provider') && login.renew(refused),
    tryAgain: login.tryAgain,
    close() {
      closing.abort();
      for (const agent of agents) agent.destroy();
    },
  };
}

/** Flags win over the kubeconfig, as in kubectl. */
function headersOf({ name, user }: SelectedContext, { as, asGroup }: Impersonation): Record<string, string | string[]> {
  const asUser = as ?? user.impersonateUser;
  const groups = asGroup?.length ? asGroup : as ? [] : (user.impersonateGroups ?? []);
  if (!asUser && groups.length > 0) {
    throw new MeshctlError('Usage', `context "${name}": a group can be impersonated only together with a user`, {
      hint: 'Add --as USER to --as-group.',
      details: { context: name },
    });
  }
  return {
    ...(asUser ? { 'Impersonate-User': asUser } : {}),
    ...(groups.length > 0 ? { 'Impersonate-Group': [...groups] } : {}),
    ...(user.impersonateUid && !as ? { 'Impersonate-Uid': user.impersonateUid } : {}),
  };
}

async function obtain(
  context: SelectedContext,
  auth: AuthKind,
  impersonationHeaders: Record<string, string | string[]>,
  { proxy, timeoutMs, signal }: CredentialOptions & { signal: AbortSignal },
): Promise<Credentials> {
  const limits = { timeoutMs, signal };
  const { cluster, user } = await withFilesRead(context, limits);
  const plugin = user.plugin && (await pluginCredential({ ...context, cluster }, user.plugin, limits));
  const options = await loginOf(cluster, { ...user, exec: undefined, ...plugin }, proxy).catch((error: unknown) => {
    throw credentialError(context, auth, error);
  });
  const agent = options.agent instanceof http.Agent ? options.agent : new http.Agent();
  tuneAgent(context, agent);
  const headers = { ...(options.headers as Record<string, string> | undefined), ...impersonationHeaders };
  requireSendable(context, headers);
  return {
    agent,
    headers,
    auth: options.auth ?? undefined,
    certificateTime: timeOf(options.cert),
  };
}

/** Most users need nothing of client-node, which takes longer to load than all else that a request needs. */
async function loginOf(
  cluster: SelectedContext['cluster'],
  user: SelectedContext['user'],
  proxy: ServerProxy | undefined,
): Promise<https.RequestOptions> {
  if (!proxy && !user.authProvider) return plainLogin(cluster, user);
  const { clientNodeLogin } = await import('./client-node-login.ts');
  return clientNodeLogin(cluster, user, proxy?.url);
}

/** What no request could be made with. @throws MeshctlError `KubeconfigInvalid`, naming the field and nothing of its value */
function requireSendable({ name, user, files }: SelectedContext, headers: http.OutgoingHttpHeaders): void {
  for (const [header, value] of Object.entries(headers)) {
    if ([value].flat().every((text) => !/[\0-\x08\x0a-\x1f\x7f]|[^\0-\xff]/.test(String(text)))) continue;
    const field = header.toLowerCase() === 'authorization' ? 'token' : header;
    throw new MeshctlError(
      'KubeconfigInvalid',
      `context "${name}": the ${field} of user "${user.name}" (kubeconfig ${files.join(', ')}) has a line break or another character that no header may have`,
      { details: { context: name } },
    );
  }
}

/** What agents are made without, also the proxies' by client-node. */
function tuneAgent(context: SelectedContext, agent: http.Agent): void {
  const tunable = agent as http.Agent & { keepAlive: boolean; options?: https.AgentOptions };
  // One agent per cluster keeps connections for all its requests.
  tunable.keepAlive = true;
  // As in Go, which every other client of the API server uses: any certificate in the CA file is an anchor.
  const options = Object.assign(tunable.options ?? {}, { allowPartialTrustChain: true });
  // Without it each connection parses the certificates and the key anew, which costs more than the handshake itself.
  if (agent instanceof https.Agent) Object.assign(options, { secureContext: sharedContext(context, options) });
}

/** @throws MeshctlError `KubeconfigInvalid` for a certificate or a key that is none */
function sharedContext({ name, user, files }: SelectedContext, options: SecureContextOptions): SecureContext {
  try {
    return createSecureContext(options);
  } catch (error) {
    const what = options.cert || options.key ? `client certificate or key of user "${user.name}"` : 'CA of the cluster';
    throw new MeshctlError(
      'KubeconfigInvalid',
      `context "${name}": the ${what} (kubeconfig ${files.join(', ')}) cannot be read`,
      {
        cause: error,
        details: { context: name },
      },
    );
  }
}

/**
 * A context with the content of the files that it names in place of their names. client-node would read them where no
 * signal reaches: a pipe would stop the whole process.
 */
async function withFilesRead(
  { name, cluster, user, files }: SelectedContext,
  limits: ReadLimits,
): Promise<Pick<SelectedContext, 'cluster' | 'user'>> {
  const read = async (path: string | undefined): Promise<string | undefined> => {
    if (!path) return undefined;
    const what = `file ${path} of kubeconfig ${files.join(', ')}`;
    const text = await readTextFile(path, what, limits);
    if (text !== undefined) return text;
    throw new MeshctlError('KubeconfigInvalid', `context "${name}": ${what} does not exist`, {
      hint: `Put the file there, or ask whoever gave you context "${name}" for a new copy of its entry.`,
      details: { context: name },
    });
  };
  const base64 = async (data: string | undefined, path: string | undefined): Promise<string | undefined> => {
    const text = data ? undefined : await read(path);
    return text === undefined ? data : Buffer.from(text).toString('base64');
  };
  // One after the other: of several that are missing, it is always the same of which is told.
  const caData = await base64(cluster.caData, cluster.caFile);
  const certData = await base64(user.certData, user.certFile);
  const keyData = await base64(user.keyData, user.keyFile);
  const token = await read(user.tokenFile);
  const { caFile: _caFile, ...ownCluster } = cluster;
  const { certFile: _certFile, keyFile: _keyFile, ...ownUser } = user;
  return {
    cluster: { ...ownCluster, ...(caData === undefined ? {} : { caData }) },
    user: {
      ...ownUser,
      ...(certData === undefined ? {} : { certData }),
      ...(keyData === undefined ? {} : { keyData }),
      ...(token === undefined ? {} : { token: token.trim() }),
    },
  };
}

/** What a plugin gave, as client-node takes it. @param context with its files read: a plugin is handed the CA itself */
async function pluginCredential(
  context: SelectedContext,
  entry: ExecEntry,
  limits: { timeoutMs: number; signal: AbortSignal },
): Promise<{ token?: string; certData?: string; keyData?: string }> {
  const { runPlugin } = await import('./exec-plugin.ts');
  const { token, certificate, privateKey } = await runPlugin(context, entry, limits);
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  return {
    ...(token === undefined ? {} : { token }),
    ...(certificate && privateKey ? { certData: base64(certificate), keyData: base64(privateKey) } : {}),
  };
}

function timeOf(certificate: unknown): CertificateTime | undefined {
  if (typeof certificate !== 'string' && !Buffer.isBuffer(certificate)) return undefined;
  try {
    const { validFrom, validTo } = new X509Certificate(certificate);
    return { notBefore: new Date(validFrom), notAfter: new Date(validTo) };
  } catch {
    // An unreadable certificate fails in the handshake, with OpenSSL's own words.
    return undefined;
  }
}

function credentialError(context: SelectedContext, auth: AuthKind, error: unknown): MeshctlError {
  const message = error instanceof Error ? error.message : String(error);
  const details = { context: context.name, auth: auth.kind };
  if (auth.kind === 'auth provider') {
    return new MeshctlError(
      'Unauthenticated',
      `context "${context.name}": the auth provider gave no token: ${message}`,
      {
        hint: 'Log in again, e.g. with kubectl and the same context.',
        details,
      },
    );
  }
  return new MeshctlError('KubeconfigInvalid', `context "${context.name}" cannot be used: ${message}`, { details });
}
