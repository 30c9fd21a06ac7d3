import type { KubeObject } from '../mesh/objects/kube-object.ts';
import { readTemplate, type TemplateSource } from './load.ts';

/**
 * Kubernetes' own test image: a web server that tells its name, and curl. The digest is that of tag 2.53 in Kubernetes'
 * end-to-end tests.
 */
export const CONNECTIVITY_IMAGE =
  'registry.k8s.io/e2e-test-images/agnhost:2.53@sha256:99c6b4bb4a1e1df3f0b3752168c89358794d02258ebebc26bf21c29399011a85';

/** The objects of the connectivity test in one cluster. */
export interface ConnectivityObjects {
  namespace: KubeObject;
  /** What the test needs from the start, in the order in which it is created: first the client, by which a run holds its place. */
  workload: readonly KubeObject[];
  /** Lets only clients of one cluster into the echo pods. */
  policy(fromCluster: string): KubeObject;
}

export interface ConnectivityValues {
  namespace: string;
  /** The cluster's name in the mesh. */
  cluster: string;
  image: string;
}

/** The name of the client's Deployment. */
export const CLIENT_DEPLOYMENT = 'client';

/** The name of a cluster's echo Deployment; its pods' names begin with it. */
export function echoDeploymentName(cluster: string): string {
  return `echo-${cluster}`;
}

/**
 * Reads `templates/connectivity/` of the installed package and fills it in.
 * @throws MeshctlError `Bug` when one is missing or is no object: the package is damaged
 */
export async function renderConnectivity(
  installation: TemplateSource,
  values: ConnectivityValues,
): Promise<ConnectivityObjects> {
  const read = (name: string) => readTemplate(installation, `templates/connectivity/${name}.yaml`);
  const [namespace, service, echo, client, policy] = await Promise.all([
    read('namespace'),
    read('service'),
    read('echo'),
    read('client'),
    read('policy'),
  ]);
  const placed = (object: KubeObject, name = object.metadata.name): KubeObject => ({
    ...object,
    metadata: { ...object.metadata, name, namespace: values.namespace },
  });
  return {
    namespace: { ...namespace, metadata: { ...namespace.metadata, name: values.namespace } },
    workload: [
      withImage(placed(client), values.image),
      placed(service),
      withImage(placed(echo, echoDeploymentName(values.cluster)), values.image),
    ],
    policy: (fromCluster) => onlyFrom(placed(policy), fromCluster),
  };
}

interface DeploymentSpec {
  template: { spec: { containers: Record<string, unknown>[] } };
}

function withImage(deployment: KubeObject, image: string): KubeObject {
  const spec = structuredClone(deployment.spec) as DeploymentSpec;
  for (const container of spec.template.spec.containers) container.image = image;
  return { ...deployment, spec };
}

interface PolicySpec {
  ingress: { fromEndpoints: { matchLabels: Record<string, string> }[] }[];
}

function onlyFrom(policy: KubeObject, cluster: string): KubeObject {
  const spec = structuredClone(policy.spec) as PolicySpec;
  for (const { fromEndpoints } of spec.ingress) {
    for (const { matchLabels } of fromEndpoints) matchLabels['io.cilium.k8s.policy.cluster'] = cluster;
  }
  return { ...policy, spec };
}
