import type { X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { remembered } from '../../../mesh/remembered.ts';
import type { ApiServerOptions } from '../api.ts';
import { ApiError, unauthorized } from '../errors.ts';

/** Who makes a request. */
export interface Identity {
  user: string;
  groups: readonly string[];
  /** Names the client certificate. */
  credentialId?: string;
}

const AUTHENTICATED = 'system:authenticated';

/** The group that may do everything. */
export const MASTERS = 'system:masters';

function fromCertificate(socket: TLSSocket): Identity | undefined {
  if (!socket.authorized) return undefined;
  const certificate = socket.getPeerX509Certificate();
  return certificate && identityIn(certificate);
}

/** Whoever calls makes many connections with one certificate. */
const identityIn = remembered(readIdentity, 100, ({ fingerprint256 }) => fingerprint256);

function readIdentity(certificate: X509Certificate): Identity | undefined {
  const subject = certificate.toLegacyObject().subject as unknown as
    | { CN?: string | string[]; O?: string | string[] }
    | undefined;
  const user = [subject?.CN].flat()[0];
  if (user === undefined) return undefined;
  const groups = [...[subject?.O].flat().filter((group) => group !== undefined), AUTHENTICATED];
  const credentialId = `X509SHA256=${certificate.fingerprint256.replaceAll(':', '').toLowerCase()}`;
  return { user, groups, credentialId };
}

/**
 * Gives the identity of a request: of a client certificate that chains to the client CA (CN the user, O the groups), of a
 * bearer token, or of the proxy before it. That throws 401 where there is none of them, or where the certificate does not verify
 * (also expired). A certificate is read once for each connection.
 */
export function createAuthentication({
  tokens,
  proxiedAs,
}: Pick<ApiServerOptions, 'tokens' | 'proxiedAs'>): (request: IncomingMessage) => Identity {
  const ofConnections = new WeakMap<object, Identity | undefined>();
  const proxied = proxiedAs && { user: proxiedAs.user, groups: [...proxiedAs.groups, AUTHENTICATED] };
  return ({ headers, socket }) => {
    const token = /^Bearer\s+(\S+)$/i.exec(headers.authorization ?? '')?.[1];
    if (token !== undefined) {
      const known = tokens?.get(token);
      if (!known) throw unauthorized();
      return { user: known.user, groups: [...known.groups, AUTHENTICATED] };
    }
    if (proxied) return proxied;
    if (!ofConnections.has(socket)) ofConnections.set(socket, fromCertificate(socket as TLSSocket));
    const identity = ofConnections.get(socket);
    if (!identity) throw unauthorized();
    return identity;
  };
}

/** The identity that a request asks to act as (`kubectl --as`), or undefined. */
export function impersonated(request: IncomingMessage): Identity | undefined {
  const user = request.headers['impersonate-user'];
  if (typeof user !== 'string') return undefined;
  const groups = request.headersDistinct['impersonate-group'] ?? [];
  return { user, groups: [...new Set([...groups, AUTHENTICATED])] };
}

/** The 403 of a request that may not be made. */
export function forbidden(
  identity: Identity,
  access: { verb: string; apiGroup: string; resource: string; subresource?: string; namespace?: string; name?: string },
  why: string,
): ApiError {
  const resource = access.subresource ? `${access.resource}/${access.subresource}` : access.resource;
  const qualified = access.apiGroup ? `${access.resource}.${access.apiGroup}` : access.resource;
  const name = access.name ? ` "${access.name}"` : '';
  const scope = access.namespace ? `in the namespace "${access.namespace}"` : 'at the cluster scope';
  const reason = why ? `: ${why}` : '';
  const message = `${qualified}${name} is forbidden: User "${identity.user}" cannot ${access.verb} resource "${resource}" in API group "${access.apiGroup}" ${scope}${reason}`;
  const details = {
    ...(access.name ? { name: access.name } : {}),
    ...(access.apiGroup ? { group: access.apiGroup } : {}),
    kind: access.resource,
  };
  return new ApiError(403, 'Forbidden', message, details);
}
