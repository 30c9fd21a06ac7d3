import { refOf } from '../../src/mesh/objects/kube-object.ts';
import { templateSpec } from '../../src/mesh/objects/workload.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { podsOf } from './cluster-pods.ts';
import type { FaultEntry } from './fault.ts';
import { change } from './fault-parts.ts';
import { found, refsOf } from './sandbox-mesh.ts';

/** What runs is not what is written: an upgrade of Cilium was begun, and is held or half done. */
export const VERSION_FAULTS: readonly FaultEntry[] = [
  {
    id: 'agents-held',
    what: 'the DaemonSet is on OnDelete, and was given a newer Cilium',
    arrange: ({ two }) => setTemplate(two, '1.20.4'),
    harmless: true,
    status: [],
    check: ['‼agents-version'],
    connect: 'keeps',
    unconcerned: ['status', 'enable'],
  },
  {
    id: 'agents-older-than-written',
    what: 'agents were replaced by those of an older Cilium, and their DaemonSet, on OnDelete, has the newer one again',
    arrange: async ({ two }) => {
      setTemplate(two, '1.18.2');
      for (const { metadata, ...pod } of podsOf(two))
        if (metadata.labels?.['k8s-app'] === 'cilium') two.store.delete(refOf({ ...pod, metadata }));
      await two.settled();
      setTemplate(two, '1.20.0');
    },
    harmless: true,
    status: [],
    check: ['‼agents-version', 'apiserver-version', 'version-skew'],
    connect: 'Incompatible',
    unconcerned: ['status'],
    apart: { status: 'versions that do not go together are in the way of no connection that stands: it only warns' },
  },
];

function setTemplate(cluster: SandboxCluster, version: string): void {
  change(cluster, { ...refsOf(cluster).deployment('cilium'), kind: 'DaemonSet' }, (daemonSet) => {
    Object.assign(daemonSet.spec as object, { updateStrategy: { type: 'OnDelete' } });
    const agent = templateSpec(daemonSet).containers?.find(({ name }) => name === 'cilium-agent');
    found(agent, 'its agent').image = `quay.io/cilium/cilium:v${version}`;
  });
}
