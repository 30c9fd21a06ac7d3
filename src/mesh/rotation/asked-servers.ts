import { replicasOf } from '../apiserver/deployment.ts';
import { apiserverDeployment } from '../apiserver/live.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import type { Member } from '../connect/member.ts';
import { idleServer, noReplicas } from '../connect/provable.ts';
import { MeshctlError } from '../errors.ts';
import type { Step } from '../plan/plan.ts';

/** The contexts whose etcd a rotation asks before it writes. */
export interface AskedServers {
  /** Their CA signs a new certificate for a peer, which is proved. */
  proved: ReadonlySet<string>;
  /** Their pods are replaced. */
  restarted: ReadonlySet<string>;
}

/** Whom the steps of all phases make a rotation ask. */
export function askedServers(steps: readonly Step[]): AskedServers {
  const writes = steps.filter(({ action }) => action !== 'keep');
  const restarted = writes.flatMap(({ write, cluster }) => (write?.method === 'restart' ? [cluster] : []));
  const signers = writes.flatMap(({ write }) =>
    write?.method === 'issue' ? write.certificates.filter(({ keys }) => keys.ca !== 'ca.crt') : [],
  );
  return { proved: new Set(signers.map(({ signer }) => signer)), restarted: new Set(restarted) };
}

/**
 * Refuses a rotation that would have to ask where no pod is wanted: no wait brings one.
 * @throws MeshctlError `CredentialRefused`, with the command that brings it back
 */
export function requireAskable(members: readonly Member[], steps: readonly Step[]): void {
  for (const snapshot of asked(members, steps)) {
    const deployment = apiserverDeployment(snapshot);
    if (replicasOf(deployment) === 0) throw noReplicas(snapshot, deployment);
  }
}

/** Where a run waits, before it writes, until a pod is ready. */
export function waitWarnings(members: readonly Member[], steps: readonly Step[]): string[] {
  return asked(members, steps)
    .flatMap((snapshot) => idleServer(snapshot) ?? [])
    .map(({ says, hint }) => `${says}, and nothing is written before one is → ${hint}`);
}

/** Whom the steps make a rotation ask, and where no pod is ready to answer: by context, with what brings one up. */
export function idleAmong(
  members: readonly Member[],
  steps: readonly Step[],
): { context: string; error: MeshctlError; isUnusable: true }[] {
  return asked(members, steps).flatMap((snapshot) => {
    const idle = idleServer(snapshot);
    if (!idle) return [];
    const { context, says, hint } = idle;
    const error = new MeshctlError('CredentialRefused', says, { hint, details: { context, reason: 'no-ready-pod' } });
    return [{ context, error, isUnusable: true }];
  });
}

function asked(members: readonly Member[], steps: readonly Step[]): ClusterSnapshot[] {
  const { proved, restarted } = askedServers(steps);
  return members.map(({ snapshot }) => snapshot).filter(({ context }) => proved.has(context) || restarted.has(context));
}
