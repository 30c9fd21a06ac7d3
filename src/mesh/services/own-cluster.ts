import { APISERVER_SELECTOR } from '../objects/names.ts';

/** What tells whether a Service is of use in its own cluster only. */
export interface ServicePlace {
  namespace: string | undefined;
  name: string;
  selector: Readonly<Record<string, string>> | undefined;
}

/**
 * What a Service leads to that each cluster has for itself, as the end of a sentence; undefined for one that can be global. A
 * pod gets no say in which cluster its connection ends, and there its token, its certificate or its question is a stranger's.
 */
export function ownClusterOnly({ namespace, name, selector = {} }: ServicePlace): string | undefined {
  if (namespace === 'default' && name === 'kubernetes') return 'leads pods to the API server of their own cluster';
  const has = (label: string) => Object.entries(selector).some(([key, value]) => `${key}=${value}` === label);
  if (has(APISERVER_SELECTOR)) return 'leads agents and peers to the etcd of this very cluster';
  return has(DNS_SELECTOR) ? 'answers for the names of this very cluster' : undefined;
}

/** The cluster's DNS, kube-dns or CoreDNS, whoever installed it. */
const DNS_SELECTOR = 'k8s-app=kube-dns';

/** Whether a Service is only another name in DNS (Kubernetes' ExternalName): it has no backends that clusters could share. */
export function isExternalName({ type }: { type?: string | undefined }): boolean {
  return type === 'ExternalName';
}
