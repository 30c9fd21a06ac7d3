/**
 * With what a cluster logs in to a peer's etcd.
 * - per-peer: a certificate of its own, issued by the peer's CA.
 * - shared-ca: its own remote-cert, where both clusters have one CA.
 * - legacy: the peer's remote-cert, which all of the peer's clients then share.
 */
const CREDENTIAL_KINDS = ['per-peer', 'shared-ca', 'legacy'] as const;
export type CredentialKind = (typeof CREDENTIAL_KINDS)[number];
export const CREDENTIAL_CHOICES = ['auto', ...CREDENTIAL_KINDS] as const;
export type CredentialChoice = (typeof CREDENTIAL_CHOICES)[number];
