import { kubectlCommand } from '../../mesh/command-line.ts';
import { MeshctlError, mayAnswerLater } from '../../mesh/errors.ts';
import { type ApiAction, attemptOf } from '../errors.ts';
import { isBrokenConnection } from './retry.ts';

/** The words for where no answer came from an API server, not in time, or none of its kind. */

const TRANSPORT_WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ENOTFOUND: 'host name not found',
  EAI_AGAIN: 'host name cannot be looked up now',
  ETIMEDOUT: 'no answer',
  ECONNRESET: 'connection reset',
  EPIPE: 'connection reset',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  EPROTO: 'it does not speak TLS as expected',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for other names',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is from an unknown CA',
  UNABLE_TO_GET_ISSUER_CERT: 'its certificate is from an unknown CA',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is from an unknown CA',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is from an unknown CA',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is from an unknown CA',
  CERT_SIGNATURE_FAILURE: 'its certificate is from an unknown CA',
};

/** Turns a failure to get any answer into the one error that the operator reads. */
export function errorOfTransport(action: ApiAction, error: unknown): MeshctlError {
  if (error instanceof MeshctlError) return error;
  const { code = '', message = String(error) } = error as NodeJS.ErrnoException;
  const details = {
    ...{ context: action.context, server: action.server },
    ...(code ? { code } : {}),
    ...(isCutWhileConnecting(error) ? { unsent: true } : {}),
  };
  // The server hung up on the client's certificate (kube-apiserver itself would answer 401, a proxy in front may not).
  if (/^ERR_SSL_.*ALERT/.test(code)) {
    return new MeshctlError(
      'Unauthenticated',
      `context "${action.context}": ${action.server} refuses the TLS connection: ${message.replace(/^.*?alert /, 'alert ')}`,
      { hint: 'Check the client certificate in the kubeconfig.', cause: error, details },
    );
  }
  const words = TRANSPORT_WORDS[code] ?? (message || code);
  return new MeshctlError(
    'ClusterUnreachable',
    `context "${action.context}": cannot reach the API server ${serverOf(action)}: ${words}`,
    { hint: transportHint(action, code), cause: error, details },
  );
}

function serverOf({ server, through }: ApiAction): string {
  return through ? `${server} through ${through}` : server;
}

function transportHint(action: ApiAction, code: string): string {
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    return "Renew the API server's certificate, and check this machine's clock.";
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return 'Use a server address that the certificate names, or set tls-server-name in the kubeconfig.';
  if (TRANSPORT_WORDS[code]?.endsWith('unknown CA'))
    return "Fetch the cluster's kubeconfig again: its CA is not the API server's.";
  if (action.through)
    return `Is the proxy up, and does it let connections to that server through? It is ${action.through}.`;
  return `Is the cluster up, and reachable from here? Try: ${kubectlCommand({ context: action.context }, ['get', 'ns'])}`;
}

/** A request that got no complete answer in time. */
export function errorOfTimeout(action: ApiAction, timeoutMs: number): MeshctlError {
  return new MeshctlError(
    'ClusterUnreachable',
    `context "${action.context}": the API server ${serverOf(action)} did not answer within ${timeoutMs / 1000} s (${attemptOf(action)})`,
    { hint: transportHint(action, ''), details: { context: action.context, server: action.server, timeoutMs } },
  );
}

/** An answer that breaks the protocol. */
export function errorOfProtocol(action: ApiAction, what: string): MeshctlError {
  return new MeshctlError('ApiFailure', `context "${action.context}": cannot ${attemptOf(action)}: ${what}`, {
    hint: `Is ${action.server} a Kubernetes API server?`,
    details: { context: action.context, server: action.server },
  });
}

/** There was no connection to send anything over. EHOSTUNREACH and ENETUNREACH are not among them: Linux tells them of one that stands, too. */
const NOT_CONNECTED: ReadonlySet<unknown> = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN']);

/** An error of a socket, as `send` leaves it. */
interface SocketError extends NodeJS.ErrnoException {
  /** Set where the connection was not there yet, or its TLS. */
  isConnecting?: boolean;
}

/** So a proxy ends it that forwards to a server which restarts, as Docker's does. */
export function isCutWhileConnecting(error: unknown): boolean {
  const { code, isConnecting } = error as SocketError;
  return isConnecting === true && isBrokenConnection(code);
}

function hadNoConnection({ details }: Pick<MeshctlError, 'details'>): boolean {
  return details.unsent === true || NOT_CONNECTED.has(details.code);
}

/** Whether a request is sure not to have been sent, at its first attempt nor at a later one. */
export function neverArrived(error: Pick<MeshctlError, 'details'>): boolean {
  return error.details.repeated !== true && hadNoConnection(error);
}

/**
 * Whether a request has found no connection in the end, and may be sent later. So may one of which an earlier attempt may have arrived: it
 * has been repeated already, as only what may come twice is.
 */
export function mayBeSentAgain(error: MeshctlError): boolean {
  return hadNoConnection(error) && mayAnswerLater(error);
}

/** Attempts of one request: once one may have arrived, what becomes of the later ones says so too (`details.repeated`). */
export function attemptsOf<T>(attempt: () => Promise<T>): () => Promise<T> {
  let mayHaveArrived = false;
  return async () => {
    try {
      return await attempt();
    } catch (error) {
      if (error instanceof MeshctlError) {
        mayHaveArrived ||= error.details.repeated === true;
        if (mayHaveArrived) error.details.repeated = true;
      }
      throw error;
    }
  };
}

/** Whether there was no connection for a request, or it broke; what changes something may have arrived then. */
export function wasNotAnswered(error: MeshctlError): boolean {
  return hadNoConnection(error) || isBrokenConnection(error.details.code);
}
