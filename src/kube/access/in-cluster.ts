import { join } from 'node:path';
import type { Kubeconfig } from './kubeconfig-entries.ts';
import { readTextFile } from './read-text-file.ts';

/** Where a pod finds its service account (Kubernetes, "Accessing the API from a Pod"). */
const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
/** The context that a pod's own service account is. */
const IN_CLUSTER_CONTEXT = 'in-cluster';

/**
 * The service account of the pod that this runs in, as a kubeconfig; its token is read anew whenever it is refused.
 * Undefined outside of pods.
 */
export async function inClusterKubeconfig(
  { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port }: Readonly<Record<string, string | undefined>>,
  folder: string = SERVICE_ACCOUNT,
): Promise<Kubeconfig | undefined> {
  if (!host || !port) return undefined;
  const tokenFile = join(folder, 'token');
  if ((await readTextFile(tokenFile, `the service account's token ${tokenFile}`)) === undefined) return undefined;
  const namespaceFile = join(folder, 'namespace');
  const namespace = (await readTextFile(namespaceFile, namespaceFile))?.trim();
  const name = IN_CLUSTER_CONTEXT;
  return {
    files: [folder],
    currentContext: name,
    unnamed: true,
    contexts: [{ name, cluster: name, user: name, ...(namespace ? { namespace } : {}) }],
    clusters: [
      {
        name,
        server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
        skipTLSVerify: false,
        caFile: join(folder, 'ca.crt'),
      },
    ],
    users: [{ name, tokenFile }],
  };
}
