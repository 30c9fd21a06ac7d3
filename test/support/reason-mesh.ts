import { expect } from 'vitest';
import type { FailureClass } from '../../src/mesh/status/failure-reason.ts';
import type { StatusComponent } from '../../src/mesh/status/status.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { restorerOf, type Undo } from './check-scenarios.ts';
import { nudge } from './cluster-pods.ts';
import { connect, enable, type Meshctl, meshctlWith } from './e2e-cli.ts';
import { lookAtStatus, untilHealthy } from './open-look.ts';
import { eventually, found, refs, setSecret, startTestSandbox, type TestSandbox } from './sandbox-mesh.ts';

/** Kubelets look when they are nudged, and who was denied does not dial again by itself: nothing happens by the way. */
const NEVER_MS = 3_600_000;

/** mesh-1 is connected to mesh-2 and mesh-3; what is broken is its connection to mesh-2. */
export interface ReasonMesh {
  sandbox: TestSandbox;
  meshctl: Meshctl;
  one: SandboxCluster;
  two: SandboxCluster;
  three: SandboxCluster;
  /** Sets keys of the Secret by which mesh-1 dials its peers. */
  setFiles(files: Record<string, string | undefined>): Undo;
  /** The peering file of mesh-1 for a peer, as it is now. */
  fileOf(peer: string): string;
  /** Lets a cluster's pods see their Secrets and ConfigMaps as they are now. */
  nudge(cluster: SandboxCluster): void;
  /** Nudges both sides, and lets mesh-1 dial mesh-2 anew. */
  redial(): void;
  /** Waits until the status of mesh-1 gives this reason for mesh-2. @param laterMs looked at so much later, if nothing changed */
  sees(reason: FailureClass, component?: StatusComponent, laterMs?: number): Promise<void>;
}

/** @param kvstoremesh whether the clusters run it */
export async function startReasonMesh(kvstoremesh: boolean): Promise<ReasonMesh> {
  const timings = { secretSyncMs: NEVER_MS, permissionDeniedRetryMs: NEVER_MS };
  const sandbox = await startTestSandbox({ clusters: 3, nodes: 1, timings });
  const meshctl = meshctlWith(sandbox.kubeconfigPath);
  await meshctl.ok(enable('mesh-1,mesh-2,mesh-3', `--enable-kvstoremesh=${kvstoremesh}`));
  for (const peer of ['mesh-2', 'mesh-3']) await meshctl.ok(connect('mesh-1', peer));
  await untilHealthy(sandbox, ['mesh-1']);
  const [one, two, three] = ['mesh-1', 'mesh-2', 'mesh-3'].map((name) =>
    found(
      sandbox.clusters.find((cluster) => cluster.name === name),
      name,
    ),
  ) as [SandboxCluster, SandboxCluster, SandboxCluster];
  const secret = kvstoremesh ? 'cilium-kvstoremesh' : 'cilium-clustermesh';
  let dials = 0;

  function setFiles(files: Record<string, string | undefined>): Undo {
    const undo = restorerOf(one, refs.secret(secret));
    setSecret(one, secret, files);
    return undo;
  }

  function fileOf(peer: string): string {
    const { data } = found(one.store.get(refs.secret(secret)), secret) as { data?: Record<string, string> };
    return Buffer.from(data?.[peer] ?? '', 'base64').toString();
  }

  return {
    ...{ sandbox, meshctl, one, two, three, setFiles, fileOf, nudge },
    redial() {
      nudge(two);
      dials += 1;
      const [text] = fileOf('mesh-2').split('# dial');
      setSecret(one, secret, { 'mesh-2': `${text}# dial ${dials}\n` });
      nudge(one);
    },
    async sees(reason, component = kvstoremesh ? 'kvstoremesh' : 'agent', laterMs = 0) {
      const report = await eventually(
        () => lookAtStatus(sandbox, 'mesh-1', laterMs),
        ({ problems }) => {
          const [problem, ...more] = problems.filter(({ peer }) => peer === 'mesh-2');
          return problem?.component === component && problem.class === reason && more.length === 0;
        },
        `the status says ${reason}`,
      );
      expect(report.healthy).toBe(false);
    },
  };
}
