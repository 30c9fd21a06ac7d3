import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';

/** A Service without a selector, which its annotations make global: only {@link backendsOf} gives it backends. */
export function sharedService(
  namespace: string,
  name: string,
  annotations: Readonly<Record<string, string>> = {},
): KubeObject {
  return {
    ...{ apiVersion: 'v1', kind: 'Service', spec: { ports: [{ port: 80 }] } },
    metadata: { name, namespace, annotations: { 'service.cilium.io/global': 'true', ...annotations } },
  };
}

/** Its EndpointSlice, with one backend. */
export function backendsOf(namespace: string, name: string): KubeObject {
  return {
    ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4' },
    ...{ ports: [{ name: '', port: 80, protocol: 'TCP' }], endpoints: [{ addresses: ['10.9.0.1'] }] },
    metadata: { name, namespace, labels: { 'kubernetes.io/service-name': name } },
  };
}
