import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';
import { ExecaError, execa } from 'execa';
import { errorOfAbort, MeshctlError } from '../../mesh/errors.ts';
import { withoutSecretWords } from '../../mesh/secret-words.ts';
import { loginHint } from './auth-kind.ts';
import type { ExecEntry, SelectedContext } from './kubeconfig-entries.ts';

/** What a credential plugin gave. Secret. */
export interface PluginCredential {
  token?: string | undefined;
  /** PEM. */
  certificate?: string | undefined;
  /** PEM. */
  privateKey?: string | undefined;
}

/** An ExecCredential has a token, or a certificate with its key; more than this is none. */
const MAX_OUTPUT_BYTES = 1024 * 1024;
/** What a process that the plugin left behind may still write to its stdout after the plugin has ended. */
const GRACE_MS = 500;
const MAX_LINES = 3;
const MAX_CHARACTERS = 300;
const PYTHON_TRACE = /^Traceback \(most recent call last\):\n(?:[ \t].*\n)*/gm;

/**
 * Runs a credential plugin as kubectl does, without a terminal: it has no stdin.
 * @param timeoutMs after which it is ended
 * @throws MeshctlError `Unauthenticated`, naming the plugin; `Interrupted`
 */
export async function runPlugin(
  context: SelectedContext,
  entry: ExecEntry,
  { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal },
): Promise<PluginCredential> {
  const ending = new AbortController();
  const running = execa(entry.command, [...(entry.args ?? [])], {
    env: {
      ...Object.fromEntries((entry.env ?? []).map(({ name, value }) => [name, value])),
      ...execInfo(context, entry),
    },
    stdin: 'ignore',
    stripFinalNewline: true,
    maxBuffer: MAX_OUTPUT_BYTES,
    timeout: timeoutMs,
    killSignal: 'SIGTERM',
    forceKillAfterDelay: GRACE_MS,
    cancelSignal: signal,
  });
  // Whoever inherited the plugin's stdout may keep it open for ever: the plugin's own end counts.
  const ended = once(running, 'exit', { signal: ending.signal })
    .then(() => delay(GRACE_MS, undefined, { signal: ending.signal }))
    .then(() => {
      running.stdout.destroy();
      running.stderr.destroy();
    })
    .catch(() => undefined);
  try {
    const { stdout } = await running;
    return credentialIn(stdout, context, entry);
  } catch (error) {
    if (signal.aborted) throw errorOfAbort(signal);
    throw pluginError(context, entry, error, timeoutMs);
  } finally {
    ending.abort();
    await ended;
  }
}

/**
 * Tells the plugin the version of the answer that is wanted and, where it asks for that, the cluster, with what client-go hands
 * over of it (rest/exec.go, ConfigToExecCluster).
 */
function execInfo({ cluster }: SelectedContext, { apiVersion, provideClusterInfo }: ExecEntry): Record<string, string> {
  const info = {
    apiVersion: apiVersion ?? 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    spec: {
      interactive: false,
      ...(provideClusterInfo
        ? {
            cluster: {
              server: cluster.server,
              'tls-server-name': cluster.tlsServerName,
              'insecure-skip-tls-verify': cluster.skipTLSVerify || undefined,
              'certificate-authority-data': cluster.caData,
              'proxy-url': cluster.proxyUrl,
              config: cluster.execConfig,
            },
          }
        : {}),
    },
  };
  return { KUBERNETES_EXEC_INFO: JSON.stringify(info) };
}

/** @throws Error with words that quote nothing of the answer: it may be a credential */
function credentialIn(stdout: string, context: SelectedContext, entry: ExecEntry): PluginCredential {
  let answer: unknown;
  try {
    answer = JSON.parse(stdout);
  } catch {
    throw failed(context, entry, 'its answer is not an ExecCredential');
  }
  const { status } = (answer ?? {}) as { status?: unknown };
  const { token, clientCertificateData, clientKeyData } = (status ?? {}) as Record<string, unknown>;
  const credential = {
    token: textOf(token),
    certificate: textOf(clientCertificateData),
    privateKey: textOf(clientKeyData),
  };
  const complete = credential.token !== undefined || (credential.certificate && credential.privateKey);
  if (!complete) throw failed(context, entry, 'its answer is not an ExecCredential');
  return credential;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function pluginError(context: SelectedContext, entry: ExecEntry, error: unknown, timeoutMs: number): MeshctlError {
  if (error instanceof MeshctlError) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'EACCES' || code === 'ENOTDIR') {
    const why = code === 'EACCES' ? 'may not be executed' : 'is not installed or not in PATH';
    const hint =
      entry.installHint?.trim() || `Install ${entry.command}, or fix the exec entry of user "${context.user.name}".`;
    return failed(context, entry, why, { hint, cause: error });
  }
  if (!(error instanceof ExecaError)) return failed(context, entry, 'it cannot be run', { cause: error });
  if (error.timedOut) {
    return failed(context, entry, `it did not end within ${timeoutMs / 1000} s`, {
      hint: `Run it by hand to see what it waits for, or give it longer with --request-timeout. It may want a login. ${loginHint(entry.command)}`,
    });
  }
  if (error.isMaxBuffer) return failed(context, entry, `it writes more than ${MAX_OUTPUT_BYTES} bytes`);
  // What the plugin wrote to stderr is meant for people; its answer on stdout may be a credential and stays out.
  return failed(context, entry, pluginWords(String(error.stderr ?? '')) || 'it gave no reason');
}

function failed(
  context: SelectedContext,
  entry: ExecEntry,
  why: string,
  { hint = loginHint(entry.command), cause }: { hint?: string; cause?: unknown } = {},
): MeshctlError {
  const verb = /^(is not installed|may not be)/.test(why) ? why : `failed: ${why}`;
  return new MeshctlError(
    'Unauthenticated',
    `context "${context.name}": credential plugin "${entry.command}" ${verb}`,
    { hint, ...(cause === undefined ? {} : { cause }), details: { context: context.name, auth: 'exec' } },
  );
}

/** The first lines of a plugin's stderr that say something, as one line; what comes later is often only punctuation. */
function pluginWords(stderr: string): string {
  const lines = withoutSecretWords(stripVTControlCharacters(stderr).replaceAll('\r', ''))
    .replaceAll(PYTHON_TRACE, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => /[\p{L}\p{N}]/u.test(line));
  const words = [...lines.slice(0, MAX_LINES).join(' ')];
  return words.length > MAX_CHARACTERS ? `${words.slice(0, MAX_CHARACTERS).join('')}…` : words.join('');
}
