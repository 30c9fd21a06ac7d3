import type https from 'node:https';
import { KubeConfig } from '@kubernetes/client-node/dist/config.js';
import type { SelectedContext } from './kubeconfig-entries.ts';

/**
 * What requests are sent with through a proxy, or by an auth provider: client-node has both.
 * @throws what client-node throws, e.g. where the auth provider gives no token
 */
export async function clientNodeLogin(
  cluster: SelectedContext['cluster'],
  user: SelectedContext['user'],
  proxyUrl: string | undefined,
): Promise<https.RequestOptions> {
  const options: https.RequestOptions = {};
  const server = { ...cluster, proxyUrl };
  const config = new KubeConfig();
  config.loadFromOptions({
    // client-node refuses a plain HTTP server (kubectl proxy) unless there is nothing to verify.
    clusters: [server.server.startsWith('http:') ? { ...server, skipTLSVerify: true } : server],
    users: [user],
    contexts: [{ name: user.name, cluster: cluster.name, user: user.name }],
    currentContext: user.name,
  });
  await config.applyToHTTPSOptions(options);
  return options;
}
