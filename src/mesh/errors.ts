/**
 * What can go wrong, as codes. The code decides the exit status (see {@link exitCodeOf}); message and hint are for people.
 */
export type ErrorCode =
  // The command line or the kubeconfig is wrong: exit 2.
  | 'Usage'
  | 'KubeconfigMissing'
  | 'KubeconfigInvalid'
  | 'ContextUnknown'
  // A cluster cannot be reached, does not let us in, or its API server fails: exit 3.
  | 'ClusterUnreachable'
  | 'ApiFailure'
  | 'Unauthenticated'
  | 'Forbidden'
  // Nothing is known to be wrong, and what it hangs on could not be seen: exit 3.
  | 'NetworkUnproved'
  // The operation failed or the mesh is not healthy: exit 1.
  | 'CiliumMissing'
  | 'CiliumUnsupported'
  | 'ClusterIdentity'
  | 'ClusterMeshNotEnabled'
  | 'CertificateAuthority'
  | 'Incompatible'
  | 'NotFound'
  | 'Conflict'
  | 'Rejected'
  | 'ExecFailed'
  | 'PortForwardFailed'
  | 'CredentialRefused'
  | 'InvitationRefused'
  | 'NetworkBlocked'
  | 'Timeout'
  | 'Declined'
  | 'HelmFailed'
  | 'SandboxFailed'
  | 'DemoFailed'
  // The user stopped it: exit 130.
  | 'Interrupted'
  // A bug in meshctl: exit 70.
  | 'Bug';

const EXIT_CODES: Partial<Record<ErrorCode, number>> = {
  Usage: 2,
  KubeconfigMissing: 2,
  KubeconfigInvalid: 2,
  ContextUnknown: 2,
  ClusterUnreachable: 3,
  ApiFailure: 3,
  Unauthenticated: 3,
  Forbidden: 3,
  NetworkUnproved: 3,
  Interrupted: 130,
  Bug: 70,
};

/** The process exit status that belongs to an error code: 1 unless the code says otherwise. */
export function exitCodeOf(code: ErrorCode): number {
  return EXIT_CODES[code] ?? 1;
}

/**
 * The exit status of what a command has found, by one rule for all that judge: what is proved to be wrong is so whatever could not be
 * seen, so that who puts up with a cluster that is down still hears of a mesh that is broken.
 * @param unseen a cluster did not answer, or the user may not read all that the answer hangs on
 * @param unproved it is not known to be well, which is a failure only where all was seen
 */
export function exitOf({
  failed = false,
  unseen = false,
  unproved = false,
}: {
  failed?: boolean;
  unseen?: boolean;
  unproved?: boolean;
}): number {
  if (failed) return 1;
  if (unseen) return exitCodeOf('ClusterUnreachable');
  return unproved ? 1 : 0;
}

/** The same of several failures of one run: a cluster that cannot be asked does not hide what has failed in another one. 0 for none. */
export function exitOfAll(errors: readonly Pick<MeshctlError, 'code'>[]): number {
  const statuses = errors.map(({ code }) => exitCodeOf(code));
  return statuses.includes(exitOf({ failed: true })) ? exitOf({ failed: true }) : (statuses[0] ?? 0);
}

export interface MeshctlErrorOptions {
  /** What the operator can do about it: one sentence or command, shown after the message. */
  hint?: string | undefined;
  cause?: unknown;
  /** Facts for `-o json`: context, object, HTTP status, … Never secret bytes. */
  details?: Record<string, unknown> | undefined;
}

/** The one error class. The message names the context, the object and what happened, in one sentence without a final stop. */
export class MeshctlError extends Error {
  readonly code: ErrorCode;
  /** Set anew only where a rollback takes away what it looks at, and where an interrupted run knows the way on. */
  hint: string | undefined;
  readonly details: Record<string, unknown>;

  constructor(code: ErrorCode, message: string, options: MeshctlErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'MeshctlError';
    this.code = code;
    this.hint = options.hint;
    this.details = options.details ?? {};
  }
}

/** What an API server answers to who asks, or by a rule of its own: to ask again changes nothing. */
const REFUSALS: readonly ErrorCode[] = ['Unauthenticated', 'Forbidden', 'Rejected'];

/** Whether an API server has refused, so that waiting is in vain. */
export function isRefusal({ code }: Pick<MeshctlError, 'code'>): boolean {
  return REFUSALS.includes(code);
}

/** Nobody has judged what was asked for: to ask the same cluster for more tells nothing. */
const UNANSWERED: readonly ErrorCode[] = ['ClusterUnreachable', 'Timeout', 'Unauthenticated'];

/** Whether an API server has neither accepted nor refused: it gave no answer, or does not know who asks. */
export function isUnjudged({ code }: Pick<MeshctlError, 'code'>): boolean {
  return UNANSWERED.includes(code);
}

/** Whether an API server is away or failing, rather than refusing. */
export function isAway({ code }: Pick<MeshctlError, 'code'>): boolean {
  return code === 'ClusterUnreachable' || code === 'ApiFailure';
}

/** What an API server's certificate, or what answers in its place, is refused for here, by Node.js's codes: time mends none of it. */
const LASTING_CODES: readonly unknown[] = [
  ...['EPROTO', 'ERR_SSL_WRONG_VERSION_NUMBER', 'CERT_HAS_EXPIRED', 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ...['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'UNABLE_TO_GET_ISSUER_CERT', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY'],
  ...['SELF_SIGNED_CERT_IN_CHAIN', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'CERT_SIGNATURE_FAILURE'],
];

/** Whether a cluster that could not be asked may answer at the next attempt: nobody waits for what stays so until it is mended here. */
export function mayAnswerLater({ code, details }: Pick<MeshctlError, 'code' | 'details'>): boolean {
  return (isAway({ code }) || code === 'Timeout') && !LASTING_CODES.includes(details.code);
}

/** What an aborted signal means: the deadline that its owner set, or the user's Ctrl-C. */
export function errorOfAbort(signal: AbortSignal): MeshctlError {
  const { reason } = signal as { reason: unknown };
  if (reason instanceof MeshctlError) return reason;
  if (reason instanceof Error && reason.name === 'TimeoutError') return new MeshctlError('Timeout', 'timed out');
  return new MeshctlError('Interrupted', 'interrupted');
}

/** An error that does not end a run, as the warning that tells of it. */
export function warningOf({ message, hint }: MeshctlError): string {
  return hint ? `${message} → ${hint}` : message;
}

/** Whether something could not be created because it is there. */
export function alreadyExists(error: unknown): boolean {
  return error instanceof MeshctlError && error.details.reason === 'AlreadyExists';
}
