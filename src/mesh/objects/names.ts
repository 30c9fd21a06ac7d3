import type { ObjectRef } from './kube-object.ts';

/** The names that Cilium fixes for the objects of Cluster Mesh (Cilium's chart, templates/clustermesh-apiserver). */
export const APISERVER = 'clustermesh-apiserver';
/** Label of the clustermesh-apiserver's pods. */
export const APISERVER_SELECTOR = 'k8s-app=clustermesh-apiserver';
export const KVSTOREMESH_CONTAINER = 'kvstoremesh';
export const ETCD_CONTAINER = 'etcd';
export const AGENT_SELECTOR = 'k8s-app=cilium';
/** Cilium's operator (charts 1.16 to 1.21, cilium-operator/deployment.yaml). */
export const OPERATOR_SELECTOR = 'io.cilium/app=operator';
export const AGENT_CONTAINER = 'cilium-agent';
/** Print for each peer how a new connection to it goes; the names of peers may follow. */
export const AGENT_TROUBLESHOOT = ['cilium-dbg', 'troubleshoot', 'clustermesh'] as const;
export const KVSTOREMESH_TROUBLESHOOT = ['/usr/bin/clustermesh-apiserver', 'kvstoremesh-dbg', 'troubleshoot'] as const;
/** Secret with a file per peer, mounted by the agents. */
export const AGENT_PEERS_SECRET = 'cilium-clustermesh';
/** Secret with a file per peer, mounted by KVStoreMesh. */
export const KVSTOREMESH_PEERS_SECRET = 'cilium-kvstoremesh';
export const REMOTE_USERS_CONFIGMAP = 'clustermesh-remote-users';
/** The etcd role that may read what a cluster publishes for its peers. */
export const REMOTE_ROLE = 'remote';
/** The etcd user that every clustermesh-apiserver has from its start, for peers that share the CA. */
export const SHARED_USER = 'remote';
export const CA_SECRET = 'cilium-ca';
export const SERVER_CERT_SECRET = 'clustermesh-apiserver-server-cert';
export const ADMIN_CERT_SECRET = 'clustermesh-apiserver-admin-cert';
export const REMOTE_CERT_SECRET = 'clustermesh-apiserver-remote-cert';
export const LOCAL_CERT_SECRET = 'clustermesh-apiserver-local-cert';
export const CILIUM_CONFIG = 'cilium-config';
/** Where agents and KVStoreMesh find the mounted files. */
export const CONFIG_DIRECTORY = '/var/lib/cilium/clustermesh';
/** The port of etcd in the clustermesh-apiserver. */
export const ETCD_PORT = 2379;
/** Key prefix under which each cluster describes itself in its etcd. */
export const CLUSTER_CONFIG_PREFIX = 'cilium/cluster-config/';
/** Keys that say which of a cluster's state an etcd has in full, by cluster; in KVStoreMesh's copies of its peers' state too. */
export const SYNCED_PREFIX = 'cilium/synced/';

/** The name by which clusters reach a peer whose certificate does not cover its address. */
export function meshHostname(cluster: string): string {
  return `${cluster}.mesh.cilium.io`;
}

/** The apiserver's name within its own cluster; every server certificate covers it. */
export function serviceHostname(namespace: string): string {
  return `${APISERVER}.${namespace}.svc`;
}

/** The etcd user of a cluster's own agents (Cilium's pkg/kvstore/etcdinit); made when the pod starts, from the name of then. */
export function localUserName(cluster: string): string {
  return `local-${cluster}`;
}

/** Kubernetes' DNS label (RFC 1123), which namespaces and Services have for a name. */
export const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** A Secret by its name. */
export function secretRef(namespace: string, name: string): ObjectRef {
  return { apiVersion: 'v1', kind: 'Secret', namespace, name };
}

/** A ConfigMap by its name. */
export function namespaceRef(name: string): ObjectRef {
  return { apiVersion: 'v1', kind: 'Namespace', name };
}

export function configMapRef(namespace: string, name: string): ObjectRef {
  return { apiVersion: 'v1', kind: 'ConfigMap', namespace, name };
}

/** The DaemonSet of Cilium's agents. */
export function agentDaemonSetRef(namespace: string): ObjectRef {
  return { apiVersion: 'apps/v1', kind: 'DaemonSet', namespace, name: 'cilium' };
}

/** The Service at which peers dial the clustermesh-apiserver. */
export function apiserverServiceRef(namespace: string): ObjectRef {
  return { apiVersion: 'v1', kind: 'Service', namespace, name: APISERVER };
}

/** By which a rotation of certificates says that it is at work in a cluster. */
export function rotationLeaseRef(namespace: string): ObjectRef {
  return { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', namespace, name: 'meshctl-certs-rotate' };
}

/** By which runs of apply say that they are at work in a cluster, and may take back what they have made there. */
export function applyLeaseRef(namespace: string): ObjectRef {
  return { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', namespace, name: 'meshctl-apply' };
}

/** The Deployment of the clustermesh-apiserver. */
export function apiserverDeploymentRef(namespace: string): ObjectRef {
  return { apiVersion: 'apps/v1', kind: 'Deployment', namespace, name: APISERVER };
}
