/**
 * With what a cluster logs in to a peer's etcd.
 * - per-peer: a certificate of its own, issued by the peer's CA.
 * - shared-ca: its own remote-cert, where both clusters have one CA.
 * - legacy: the peer's remote-cert, which all of the peer's clients then share.
 */
export type CredentialKind = 'per-peer' | 'shared-ca' | 'legacy';
export type CredentialChoice = 'auto' | CredentialKind;
export const CREDENTIAL_CHOICES: readonly CredentialChoice[] = ['auto', 'per-peer', 'shared-ca', 'legacy'];
