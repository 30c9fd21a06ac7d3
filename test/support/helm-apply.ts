import { type KubeObject, refOf } from '../../src/mesh/objects/kube-object.ts';
import { MANAGED_BY, RELEASE_NAME, RELEASE_NAMESPACE } from '../../src/mesh/objects/ownership.ts';
import { templateSpec, workloadSpec } from '../../src/mesh/objects/workload.ts';
import { serverSideApply } from '../../src/sandbox/apiserver/fields/server-side-apply.ts';
import { createObject, schemaOf, updateObject } from '../../src/sandbox/apiserver/storage/lifecycle.ts';
import type { ClusterStore } from '../../src/sandbox/apiserver/storage/store.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';

/** What a tool does that applies a manifest server-side. Throws 409 as the API server does. */
export function applyAs({ store }: SandboxCluster, name: string, object: KubeObject, force = false): KubeObject {
  const { state } = store as ClusterStore;
  const resource = state.kinds.require(object.apiVersion, object.kind);
  const live = store.get(refOf(object));
  const manager = { name };
  const { object: next, owners } = serverSideApply(schemaOf(resource), live, object, manager, force);
  return live
    ? updateObject(state, resource, live, next, { manager, owners })
    : createObject(state, resource, next, { manager, owners });
}

/** What Helm 4 does with an object of its release. */
export function helmApplies(cluster: SandboxCluster, object: KubeObject, force = false): KubeObject {
  const { name, namespace: of, labels, annotations = {} } = object.metadata;
  const own = Object.fromEntries(Object.entries(annotations).filter(([mark]) => !mark.startsWith('meshctl.io/')));
  const made = {
    ...object,
    metadata: {
      name,
      ...(of === undefined ? {} : { namespace: of }),
      labels: { ...labels, [MANAGED_BY]: 'Helm' },
      annotations: { ...own, [RELEASE_NAME]: 'cilium', [RELEASE_NAMESPACE]: cluster.namespace },
    },
  } as KubeObject;
  return applyAs(cluster, 'helm', made, force);
}

/** An object as the chart would make it: as it is, but for what meshctl notes on it and what the API server fills in. */
export function asChart(live: KubeObject): KubeObject {
  const { status: _, ...object } = structuredClone(live);
  const marks = workloadSpec(object).template?.metadata?.annotations ?? {};
  for (const mark of Object.keys(marks)) if (mark.startsWith('meshctl.io/')) delete marks[mark];
  return object as KubeObject;
}

/** The same with another image. */
export function withImage(live: KubeObject, image: string): KubeObject {
  const object = asChart(live);
  for (const container of templateSpec(object).containers ?? []) container.image = image;
  return object;
}
