import { stringify } from 'yaml';
import type { SandboxCluster } from './cluster.ts';

/** A kubeconfig with one context per cluster, the first one current. */
export function kubeconfigFor(clusters: readonly Pick<SandboxCluster, 'context' | 'url' | 'access'>[]): string {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  return stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: clusters.map(({ context, url, access }) => ({
        name: context,
        cluster: { server: url, ...(access && { 'certificate-authority-data': base64(access.ca) }) },
      })),
      users: clusters.map(({ context, access }) => ({
        name: context,
        user: access
          ? {
              'client-certificate-data': base64(access.certificate),
              'client-key-data': base64(access.privateKey),
            }
          : {},
      })),
      contexts: clusters.map(({ context }) => ({
        name: context,
        context: { cluster: context, user: context, namespace: 'default' },
      })),
      'current-context': clusters[0]?.context ?? '',
    },
    { lineWidth: 0 },
  );
}
