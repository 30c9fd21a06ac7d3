import type { ClusterClient } from '../../src/kube/client.ts';
import type { ApiServerOptions } from '../../src/sandbox/apiserver/api.ts';
import type { Store } from '../../src/sandbox/apiserver/storage/object-store.ts';
import { startTestServer } from './apiserver.ts';
import { kubeconfigFor, openClient } from './kube-server.ts';

/** An API server of the sandbox with the one namespace `n`, and a client with all rights. */
export interface KubeSandbox {
  client: ClusterClient;
  store: Store;
  /** Another client with all rights, e.g. one whose signal the test aborts. */
  open(options?: Parameters<typeof openClient>[1]): ClusterClient;
  close(): Promise<void>;
}

export async function startKubeSandbox(options: Partial<ApiServerOptions> = {}): Promise<KubeSandbox> {
  const api = await startTestServer(options);
  api.server.store.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'n' } });
  const base64 = (pem: string) => Buffer.from(pem).toString('base64');
  const user = { certData: base64(api.admin.certificate), keyData: base64(api.admin.privateKey) };
  const clients: ClusterClient[] = [];
  const open = (more: Parameters<typeof openClient>[1] = {}) => {
    const client = openClient(kubeconfigFor(api.server.url, { ca: api.ca, user }), more);
    clients.push(client);
    return client;
  };
  return {
    client: open(),
    store: api.server.store,
    open,
    async close() {
      for (const client of clients) client.close();
      await api.close();
    },
  };
}
