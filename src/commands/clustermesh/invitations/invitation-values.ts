import { hostPort } from '../../../mesh/apiserver/endpoints.ts';
import { MeshctlError } from '../../../mesh/errors.ts';
import { parseFingerprint } from '../../../mesh/invitation/fingerprint.ts';
import { LONGEST_INVITATION_MS } from '../../../mesh/invitation/validity.ts';
import type { EndpointOverride } from '../../../mesh/peers/endpoint-overrides.ts';
import { parseSpan } from '../../../mesh/span.ts';

const SHORTEST_INVITATION_MS = 5 * 60_000;

/** How long an invitation is good. @returns milliseconds. @throws MeshctlError `Usage` for less than 5m, or more than 30d */
export function parseInvitationSpan(text: string): number {
  const spanMs = parseSpan(text);
  if (spanMs >= SHORTEST_INVITATION_MS && spanMs <= LONGEST_INVITATION_MS) return spanMs;
  throw new MeshctlError('Usage', `an invitation cannot be good for ${text}`, { hint: 'Give 5m to 30d.' });
}

/** A certificate's SHA-256 in any spelling. @returns hexadecimal digits */
export function parseCaFingerprint(text: string): string {
  const digits = parseFingerprint(text);
  if (digits !== undefined) return digits;
  throw new MeshctlError('Usage', `"${text}" is not a SHA-256 fingerprint`, {
    hint: 'Write it as it was shown to the other owner: SHA256: and 64 hexadecimal digits.',
  });
}

/** Endpoints of this very cluster, of which no other is named. @returns `host:port` each; undefined for none */
export function offeredEndpoints(overrides: readonly EndpointOverride[] | undefined): string[] | undefined {
  return overrides?.map((override) => {
    if ('service' in override || override.cluster !== undefined) {
      throw new MeshctlError('Usage', '--endpoint is an address of this cluster', {
        hint: 'Write it like mesh.example.com:2379; leave it out for what the Service has.',
      });
    }
    return hostPort(override.host, override.port);
  });
}
