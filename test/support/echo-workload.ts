import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';

/** The article's: an echo server that tells its name behind a global Service `rebel-base`, and a client `x-wing`. */
export function echoWorkload(cluster: string): KubeObject[] {
  const metadata = (name: string) => ({ name, namespace: 'default' });
  const deployment = (name: string, app: string, image: string, replicas: number): KubeObject => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: metadata(name),
    spec: {
      replicas,
      selector: { matchLabels: { app } },
      template: { metadata: { labels: { app } }, spec: { containers: [{ name: app, image }] } },
    },
  });
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { ...metadata('rebel-base'), annotations: { 'service.cilium.io/global': 'true' } },
      spec: {
        type: 'ClusterIP',
        clusterIP: '10.96.7.7',
        selector: { app: 'rebel-base' },
        ports: [{ port: 80, targetPort: 8080 }],
      },
    },
    deployment(`echo-${cluster}`, 'rebel-base', 'ealen/echo-server:1.0', 2),
    deployment('x-wing', 'x-wing', 'curlimages/curl:8.9.1', 1),
  ];
}
