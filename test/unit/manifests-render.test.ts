import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { installedPackage } from '../../src/cli/installed-package.ts';
import { loadTemplates, TEMPLATE_NAMES, type Templates } from '../../src/manifests/load.ts';
import { renderClusterMesh } from '../../src/manifests/render.ts';
import type { RenderValues } from '../../src/manifests/values.ts';
import { apiserverDeployment } from '../../src/mesh/apiserver/live.ts';
import { DEFAULT_SETTINGS } from '../../src/mesh/cilium/install.ts';
import { parseVersion } from '../../src/mesh/cilium/versions/versions.ts';
import { missingRights } from '../../src/mesh/objects/access-rules.ts';
import { type KubeObject, keyOf, refOf } from '../../src/mesh/objects/kube-object.ts';
import { restrictedViolations } from '../../src/mesh/objects/pod-security.ts';
import { CHECKOUT, PACKAGE_ROOT } from '../support/schemas.ts';

interface Container {
  name: string;
  image: string;
  args: string[];
  env: { name: string }[];
}
interface Deployment {
  replicas: number;
  template: {
    metadata: { annotations?: Record<string, string>; labels: Record<string, string> };
    spec: { initContainers: Container[]; containers: Container[]; volumes: { name: string }[] };
  };
}
interface Rule {
  apiGroups: string[];
  resources: string[];
  verbs: string[];
}

let templates: Templates;
beforeAll(async () => {
  templates = await loadTemplates(CHECKOUT);
});

function render(version: string, changes: Partial<RenderValues> = {}): Map<string, KubeObject> {
  const ciliumVersion = parseVersion(version);
  if (!ciliumVersion) throw new Error(`${version} is no version`);
  const objects = renderClusterMesh(templates, {
    ciliumVersion,
    image: `quay.io/cilium/clustermesh-apiserver:v${version}`,
    namespace: 'kube-system',
    clusterName: 'mesh-1',
    maxConnectedClusters: 255,
    settings: DEFAULT_SETTINGS,
    serviceType: 'LoadBalancer',
    serviceAnnotations: {},
    replicas: 1,
    kvstoremesh: true,
    ...changes,
  });
  return new Map(objects.map((object) => [keyOf(refOf(object)), object]));
}

function object(objects: Map<string, KubeObject>, key: string): KubeObject {
  const found = objects.get(key);
  if (!found) throw new Error(`${key} was not rendered`);
  return found;
}

function deployment(objects: Map<string, KubeObject>): Deployment {
  return object(objects, 'Deployment/kube-system/clustermesh-apiserver').spec as Deployment;
}

function argsOf(objects: Map<string, KubeObject>, container: string): string[] {
  const { initContainers, containers } = deployment(objects).template.spec;
  return [...initContainers, ...containers].find(({ name }) => name === container)?.args ?? [];
}

function service(objects: Map<string, KubeObject>): Record<string, unknown> & { ports: Record<string, unknown>[] } {
  return object(objects, 'Service/kube-system/clustermesh-apiserver').spec as ReturnType<typeof service>;
}

function rules(objects: Map<string, KubeObject>): Rule[] {
  return object(objects, 'ClusterRole/-/clustermesh-apiserver').rules as Rule[];
}

const VERSIONS = ['1.16.0', '1.17.0', '1.18.0', '1.18.5', '1.19.0', '1.20.0', '1.21.0-pre.0'] as const;

/** Whether each of VERSIONS has something. */
function versionsWith(
  has: (objects: Map<string, KubeObject>) => boolean,
  changes: Partial<RenderValues> = {},
): string[] {
  return VERSIONS.filter((version) => has(render(version, changes)));
}

describe('by version', () => {
  const has = (container: string, arg: string) => (objects: Map<string, KubeObject>) =>
    argsOf(objects, container).includes(arg);

  it.each([
    ['apiserver', '--enable-external-workloads=false', ['1.16.0', '1.17.0']],
    ['apiserver', '--kvstore-opt=etcd.qps=20', ['1.16.0', '1.17.0', '1.18.0', '1.18.5', '1.19.0']],
    ['apiserver', '--kvstore-opt=etcd.qps=50', ['1.20.0', '1.21.0-pre.0']],
    ['apiserver', '--clustermesh-default-global-namespace=true', ['1.20.0', '1.21.0-pre.0']],
    ['apiserver', '--cluster-users-enabled', [...VERSIONS]],
    ['apiserver', '--max-connected-clusters=255', [...VERSIONS]],
    ['kvstoremesh', '--max-connected-clusters=255', [...VERSIONS]],
    ['kvstoremesh', '--enable-heartbeat=false', ['1.18.0', '1.18.5', '1.19.0', '1.20.0', '1.21.0-pre.0']],
    ['kvstoremesh', '--clustermesh-cache-ttl=0s', ['1.19.0', '1.20.0', '1.21.0-pre.0']],
    ['etcd', '--enable-grpc-gateway=false', ['1.19.0', '1.20.0', '1.21.0-pre.0']],
    ['etcd', '--listen-client-urls=https://0.0.0.0:2379', ['1.18.5', '1.19.0', '1.20.0', '1.21.0-pre.0']],
    [
      'etcd',
      '--listen-client-urls=https://127.0.0.1:2379,https://[$(HOSTNAME_IP)]:2379',
      ['1.16.0', '1.17.0', '1.18.0'],
    ],
  ])('%s %s', (container, arg, versions) => {
    expect(versionsWith(has(container, arg))).toEqual(versions);
  });

  it("puts the pod's address into etcd's environment where its arguments use it", () => {
    for (const version of [...VERSIONS, '1.18.4', '1.19.0-pre.2', '1.19.0-pre.3']) {
      const etcd = deployment(render(version)).template.spec.containers.find(({ name }) => name === 'etcd');
      const uses = etcd?.args.some((arg) => arg.includes('$(HOSTNAME_IP)'));
      expect(etcd?.env.some(({ name }) => name === 'HOSTNAME_IP')).toBe(uses);
      for (const flag of ['--listen-client-urls', '--advertise-client-urls', '--listen-metrics-urls']) {
        expect(etcd?.args.filter((arg) => arg.startsWith(`${flag}=`))).toHaveLength(1);
      }
    }
  });

  it('names the default container', () => {
    const named = versionsWith(
      (objects) =>
        deployment(objects).template.metadata.annotations?.['kubectl.kubernetes.io/default-container'] === 'apiserver',
    );
    expect(named).toEqual(['1.18.0', '1.18.5', '1.19.0', '1.20.0', '1.21.0-pre.0']);
  });

  it('lets the apiserver read what it reads', () => {
    const reads = (resource: string, verb: string) => (objects: Map<string, KubeObject>) =>
      rules(objects).some(({ resources, verbs }) => resources.includes(resource) && verbs.includes(verb));
    expect(versionsWith(reads('customresourcedefinitions', 'get'))).toEqual(VERSIONS.slice(1));
    expect(versionsWith(reads('customresourcedefinitions', 'list'))).toEqual([...VERSIONS]);
    expect(versionsWith(reads('ciliumendpointslices', 'watch'))).toEqual(VERSIONS.slice(2));
    expect(versionsWith(reads('endpoints', 'watch'))).toEqual(VERSIONS.slice(0, 5));
    expect(versionsWith(reads('services', 'watch'))).toEqual([...VERSIONS]);
  });

  it('has a target port from 1.21 on', () => {
    expect(versionsWith((objects) => service(objects).ports[0]?.targetPort === 2379)).toEqual(['1.21.0-pre.0']);
  });

  it('knows the own cluster as a user before 1.17, with KVStoreMesh', () => {
    const users = (objects: Map<string, KubeObject>) =>
      (object(objects, 'ConfigMap/kube-system/clustermesh-remote-users').data as Record<string, string>)['users.yaml'];
    expect(users(render('1.16.19'))).toBe('users:\n- name: remote-mesh-1\n  role: remote\n');
    expect(users(render('1.16.19', { kvstoremesh: false }))).toBe('users:\n');
    expect(users(render('1.17.0'))).toBe('users:\n');
  });

  it("takes a vendor's build for its release, and later versions for the newest known", () => {
    const spec = (version: string) =>
      JSON.stringify([...render(version, { image: 'registry.example/clustermesh-apiserver:1' }).values()]);
    expect(spec('1.18.5-cee.1')).toBe(spec('1.18.5'));
    expect(spec('1.24.0')).toBe(spec('1.21.0'));
  });
});

describe('by settings of Cilium', () => {
  const settings = {
    debug: true,
    mcsApi: true,
    endpointSlices: true,
    defaultGlobalNamespace: false,
    cacheTtl: '5m0s',
  };

  it.each([
    ['apiserver', '--clustermesh-enable-mcs-api', VERSIONS.slice(1)],
    ['apiserver', '--enable-cilium-endpoint-slice', VERSIONS.slice(2)],
    ['apiserver', '--clustermesh-default-global-namespace=false', VERSIONS.slice(5)],
    ['kvstoremesh', '--clustermesh-cache-ttl=5m0s', VERSIONS.slice(4)],
    ['etcd-init', '--debug', [...VERSIONS]],
    ['apiserver', '--debug', [...VERSIONS]],
    ['kvstoremesh', '--debug', [...VERSIONS]],
    ['etcd', '--debug', []],
  ])('%s %s', (container, arg, versions) => {
    expect(versionsWith((objects) => argsOf(objects, container).includes(arg), { settings })).toEqual(versions);
    expect(versionsWith((objects) => argsOf(objects, container).includes(arg))).toEqual([]);
  });

  it('reads service exports for the MCS API', () => {
    const exports = (objects: Map<string, KubeObject>) =>
      rules(objects).some(({ apiGroups }) => apiGroups.includes('multicluster.x-k8s.io'));
    expect(versionsWith(exports, { settings })).toEqual(VERSIONS.slice(1));
    expect(versionsWith(exports)).toEqual([]);
  });

  it('grants nothing that an operator by the roles of the package has not, since no API server would let them', () => {
    const role = readFileSync(new URL('templates/rbac/cluster-role.yaml', PACKAGE_ROOT), 'utf8');
    const { rules: held } = parse(role) as { rules: Rule[] };
    const granted = VERSIONS.flatMap((version) => rules(render(version, { settings })));
    expect(granted.length).toBeGreaterThan(VERSIONS.length);
    expect(missingRights(granted, held)).toEqual([]);
  });

  it('takes a mesh of 511 clusters', () => {
    const objects = render('1.20.0', { maxConnectedClusters: 511 });
    expect(argsOf(objects, 'apiserver')).toContain('--max-connected-clusters=511');
    expect(argsOf(objects, 'kvstoremesh')).toContain('--max-connected-clusters=511');
  });
});

describe('by options', () => {
  it('exposes a load balancer', () => {
    const objects = render('1.20.0', {
      serviceAnnotations: { 'example.com/internal': 'true' },
      nodePort: 32379,
      loadBalancerClass: 'io.cilium/bgp',
    });
    expect(service(objects)).toMatchObject({
      type: 'LoadBalancer',
      loadBalancerClass: 'io.cilium/bgp',
      ports: [{ port: 2379 }],
      externalTrafficPolicy: 'Cluster',
    });
    expect(service(objects).ports[0]).not.toHaveProperty('nodePort');
    const { metadata } = object(objects, 'Service/kube-system/clustermesh-apiserver');
    expect(metadata.annotations).toEqual({ 'example.com/internal': 'true' });
  });

  it('exposes a node port, of the given number or the choice of the cluster', () => {
    const given = render('1.20.0', { serviceType: 'NodePort', nodePort: 32380, loadBalancerClass: 'x' });
    expect(service(given)).toMatchObject({ type: 'NodePort', ports: [{ port: 2379, nodePort: 32380 }] });
    expect(service(given)).not.toHaveProperty('loadBalancerClass');
    expect(service(render('1.20.0', { serviceType: 'NodePort' })).ports).toEqual([{ port: 2379 }]);
  });

  it('leaves out of a ClusterIP Service what the API server refuses there', () => {
    const spec = service(render('1.20.0', { serviceType: 'ClusterIP', nodePort: 32379 }));
    expect(spec.type).toBe('ClusterIP');
    expect(spec).not.toHaveProperty('externalTrafficPolicy');
  });

  it('keeps a client with one replica when there are several', () => {
    expect(service(render('1.20.0', { replicas: 2 })).sessionAffinity).toBe('ClientIP');
    expect(service(render('1.20.0'))).not.toHaveProperty('sessionAffinity');
    expect(deployment(render('1.20.0', { replicas: 3 })).replicas).toBe(3);
  });

  it('leaves KVStoreMesh out', () => {
    const objects = render('1.20.0', { kvstoremesh: false });
    const { containers, volumes } = deployment(objects).template.spec;
    expect(containers.map(({ name }) => name)).toEqual(['etcd', 'apiserver']);
    expect(volumes.map(({ name }) => name)).not.toContain('kvstoremesh-secrets');
    expect(objects.has('Secret/kube-system/cilium-kvstoremesh')).toBe(false);
    expect(objects.has('Secret/kube-system/clustermesh-apiserver-local-cert')).toBe(false);
    const metrics = object(objects, 'Service/kube-system/clustermesh-apiserver-metrics').spec as {
      ports: { name: string }[];
    };
    expect(metrics.ports.map(({ name }) => name)).toEqual(['apiserv-metrics', 'etcd-metrics']);
  });

  it('follows the namespace everywhere', () => {
    const objects = [...render('1.20.0', { namespace: 'cilium' }).values()];
    expect(JSON.stringify(objects)).not.toContain('kube-system');
    const clusterScoped = objects.filter(({ metadata }) => metadata.namespace === undefined).map(({ kind }) => kind);
    expect(clusterScoped).toEqual(['ClusterRole', 'ClusterRoleBinding']);
    expect(objects.find(({ kind }) => kind === 'ClusterRoleBinding')?.subjects).toEqual([
      { kind: 'ServiceAccount', name: 'clustermesh-apiserver', namespace: 'cilium' },
    ]);
  });

  it('runs the given image in every container', () => {
    const { initContainers, containers } = deployment(render('1.20.0', { image: 'registry.example/x:1' })).template
      .spec;
    const images = [...initContainers, ...containers].map(({ image }) => image);
    expect(images).toEqual(Array(4).fill('registry.example/x:1'));
  });
});

describe('renderClusterMesh', () => {
  it('creates first what others need, the Deployment last', () => {
    const kinds = [...render('1.20.0').values()].map(({ kind }) => kind);
    expect(kinds[0]).toBe('ServiceAccount');
    expect(kinds.at(-1)).toBe('Deployment');
  });

  it('marks its objects, but not the pods, as managed by meshctl', () => {
    const objects = render('1.20.0');
    for (const { metadata } of objects.values()) {
      expect(metadata.labels?.['app.kubernetes.io/managed-by']).toBe('meshctl');
    }
    expect(deployment(objects).template.metadata.labels).not.toHaveProperty('app.kubernetes.io/managed-by');
  });

  it('keeps values in their fields, whatever they hold', () => {
    const evil = 'a"\n  x: 1 # {{ }} $(X)';
    const objects = render('1.20.0', { serviceAnnotations: { [evil]: evil }, image: evil });
    const { metadata } = object(objects, 'Service/kube-system/clustermesh-apiserver');
    expect(metadata.annotations).toEqual({ [evil]: evil });
    expect(deployment(objects).template.spec.containers[0]?.image).toBe(evil);
  });

  it('leaves the templates as they are', () => {
    const before = structuredClone(templates);
    render('1.20.0', { kvstoremesh: false, replicas: 3 });
    expect(templates).toEqual(before);
  });
});

describe('loadTemplates', () => {
  it('reads one object from each file', () => {
    expect(Object.keys(templates)).toEqual([...TEMPLATE_NAMES]);
    for (const template of Object.values(templates)) {
      expect(template).toMatchObject({ apiVersion: expect.any(String), metadata: { name: expect.any(String) } });
    }
  });

  it('says that the package is damaged when one lacks', async () => {
    await expect(loadTemplates(installedPackage('no-such-package'))).rejects.toMatchObject({
      code: 'Bug',
    });
  });
});

it('asks for a seccomp profile only in a namespace that enforces "restricted"; the rest of that level is met anyway', () => {
  const violations = (changes: Partial<RenderValues>) =>
    restrictedViolations(apiserverDeployment({ objects: render('1.20.0', changes), namespace: 'kube-system' }));
  expect(violations({ restricted: true })).toEqual([]);
  expect(violations({})).toEqual(['seccompProfile (etcd-init, etcd, apiserver, kvstoremesh)']);
});
