import http from 'node:http';
import https from 'node:https';
import type { SelectedContext } from './kubeconfig-entries.ts';

/** What requests straight to the server are sent with, by what the kubeconfig has: certificates, a token or a password. */
export function plainLogin(cluster: SelectedContext['cluster'], user: SelectedContext['user']): https.RequestOptions {
  const decoded = (base64: string | undefined) => (base64 ? Buffer.from(base64, 'base64') : undefined);
  const tls: https.AgentOptions = {
    ca: decoded(cluster.caData),
    cert: decoded(user.certData),
    key: decoded(user.keyData),
    servername: cluster.tlsServerName,
    // Left out, NODE_TLS_REJECT_UNAUTHORIZED decides.
    ...(cluster.skipTLSVerify ? { rejectUnauthorized: false } : {}),
  };
  return {
    agent: cluster.server.startsWith('http:') ? new http.Agent() : new https.Agent(tls),
    cert: tls.cert,
    headers: user.token ? { Authorization: `Bearer ${user.token}` } : {},
    auth: user.username ? `${user.username}:${user.password}` : undefined,
  };
}
