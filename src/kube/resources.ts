import { MeshctlError } from '../mesh/errors.ts';
import type { ObjectRef } from '../mesh/objects/kube-object.ts';

/** A kind's name in URLs, and whether its objects live in namespaces. */
interface Resource {
  plural: string;
  namespaced: boolean;
}

const namespaced = (plural: string): Resource => ({ plural, namespaced: true });
const clusterScoped = (plural: string): Resource => ({ plural, namespaced: false });

/** The kinds that meshctl touches. Names are unique among them, so the kind alone is the key. */
const RESOURCES: Readonly<Record<string, Resource>> = {
  // v1
  ConfigMap: namespaced('configmaps'),
  Endpoints: namespaced('endpoints'),
  Event: namespaced('events'),
  Namespace: clusterScoped('namespaces'),
  Node: clusterScoped('nodes'),
  PersistentVolumeClaim: namespaced('persistentvolumeclaims'),
  Pod: namespaced('pods'),
  Secret: namespaced('secrets'),
  Service: namespaced('services'),
  ServiceAccount: namespaced('serviceaccounts'),
  // apps/v1
  DaemonSet: namespaced('daemonsets'),
  Deployment: namespaced('deployments'),
  ReplicaSet: namespaced('replicasets'),
  StatefulSet: namespaced('statefulsets'),
  // batch/v1
  CronJob: namespaced('cronjobs'),
  Job: namespaced('jobs'),
  // rbac.authorization.k8s.io/v1
  ClusterRole: clusterScoped('clusterroles'),
  ClusterRoleBinding: clusterScoped('clusterrolebindings'),
  Role: namespaced('roles'),
  RoleBinding: namespaced('rolebindings'),
  // policy/v1, discovery.k8s.io/v1, coordination.k8s.io/v1, apiextensions.k8s.io/v1, networking.k8s.io/v1
  PodDisruptionBudget: namespaced('poddisruptionbudgets'),
  EndpointSlice: namespaced('endpointslices'),
  Lease: namespaced('leases'),
  CustomResourceDefinition: clusterScoped('customresourcedefinitions'),
  NetworkPolicy: namespaced('networkpolicies'),
  ServiceCIDR: clusterScoped('servicecidrs'),
  // authorization.k8s.io/v1
  SelfSubjectAccessReview: clusterScoped('selfsubjectaccessreviews'),
  // cilium.io
  CiliumNode: clusterScoped('ciliumnodes'),
  CiliumEndpoint: namespaced('ciliumendpoints'),
  CiliumIdentity: clusterScoped('ciliumidentities'),
  CiliumNetworkPolicy: namespaced('ciliumnetworkpolicies'),
  CiliumClusterwideNetworkPolicy: clusterScoped('ciliumclusterwidenetworkpolicies'),
  CiliumPodIPPool: clusterScoped('ciliumpodippools'),
  CiliumLoadBalancerIPPool: clusterScoped('ciliumloadbalancerippools'),
  // metallb.io, monitoring.coreos.com, multicluster.x-k8s.io
  IPAddressPool: namespaced('ipaddresspools'),
  ServiceMonitor: namespaced('servicemonitors'),
  ServiceExport: namespaced('serviceexports'),
  ServiceImport: namespaced('serviceimports'),
  // sandbox.meshctl.io
  NetworkRule: clusterScoped('networkrules'),
};

/** The kind's name in URLs and RBAC rules, e.g. `clusterroles`. Throws `Bug` for a kind that is not in the table. */
export function pluralOf(kind: string): string {
  return resourceOf(kind).plural;
}

/** The API group of an apiVersion, empty for the core group. */
export function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf('/');
  return slash < 0 ? '' : apiVersion.slice(0, slash);
}

/** The URL path of a kind's collection, in one namespace or (without one) in all. */
export function collectionPath(type: { apiVersion: string; kind: string; namespace?: string | undefined }): string {
  const { plural, namespaced: isNamespaced } = resourceOf(type.kind);
  const root = type.apiVersion.includes('/') ? `/apis/${type.apiVersion}` : `/api/${type.apiVersion}`;
  return isNamespaced && type.namespace
    ? `${root}/namespaces/${segment(type.namespace, 'a namespace')}/${plural}`
    : `${root}/${plural}`;
}

/** The URL path of an object or of one of its subresources. Throws `Bug` when a namespaced object lacks its namespace. */
export function objectPath(ref: ObjectRef, subresource?: string): string {
  if (resourceOf(ref.kind).namespaced && !ref.namespace) {
    throw new MeshctlError('Bug', `${ref.kind} ${ref.name} was addressed without a namespace`);
  }
  const path = `${collectionPath(ref)}/${segment(ref.name, `a ${ref.kind}`)}`;
  return subresource ? `${path}/${subresource}` : path;
}

/**
 * A name as one segment of a path. Kubernetes allows no name that could be another path (apimachinery, IsValidPathSegmentName);
 * `..` would lead to another object.
 */
export function segment(name: string, what: string): string {
  if (name === '' || name === '.' || name === '..' || /[/%]/.test(name)) {
    throw new MeshctlError('Rejected', `"${name}" cannot be the name of ${what}`);
  }
  return encodeURIComponent(name);
}

function resourceOf(kind: string): Resource {
  const resource = Object.hasOwn(RESOURCES, kind) ? RESOURCES[kind] : undefined;
  if (!resource) throw new MeshctlError('Bug', `no REST resource is known for kind ${kind}`);
  return resource;
}
