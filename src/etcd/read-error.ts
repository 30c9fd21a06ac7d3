/** Why etcd could not be read, as far as the operator's next step differs. */
export type EtcdReadReason =
  /** etcd's certificate is not from `ca`. */
  | 'tls-unknown-ca'
  /** etcd's certificate has expired or is not valid yet. */
  | 'tls-expired'
  /** etcd's certificate does not hold `serverName`. */
  | 'tls-name'
  /** etcd shows another certificate than the one that was asked for. */
  | 'tls-not-shown'
  /** etcd does not accept the client certificate. */
  | 'tls-client-rejected'
  /** The certificate is good, but its user does not exist or may not read the key. */
  | 'permission-denied'
  /** No connection, or etcd cannot answer now. */
  | 'unavailable'
  | 'timeout'
  /** It answers, but not as etcd does. */
  | 'protocol';

/** Carries the reason to where the operator's sentence is made; the message is one clause without context. */
export class EtcdReadError extends Error {
  readonly reason: EtcdReadReason;
  readonly seen: EtcdSeen;

  constructor(reason: EtcdReadReason, message: string, cause?: unknown, seen: EtcdSeen = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'EtcdReadError';
    this.reason = reason;
    this.seen = seen;
  }
}

/** What etcd itself showed of a handshake that failed. */
export interface EtcdSeen {
  /** Of `tls-name`, its certificate: SHA-256 of the DER bytes, lower-case hexadecimal. */
  certificateSha256?: string | undefined;
  /** Of `tls-client-rejected`, the alert that it sent; else it only hung up. */
  alert?: string | undefined;
}
