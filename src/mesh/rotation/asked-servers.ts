import { replicasOf } from '../apiserver/deployment.ts';
import { apiserverDeployment } from '../apiserver/live.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import type { Member } from '../connect/member.ts';
import { idleServer, noReplicas } from '../connect/provable.ts';
import { MeshctlError } from '../errors.ts';
import { type Step, TLS_KEYS } from '../plan/plan.ts';

/** The contexts whose etcd a rotation asks before it writes. */
export interface AskedServers {
  /** Their CA signs a new certificate for a peer, which is proved. */
  proved: ReadonlySet<string>;
  /** Their pods are replaced. */
  restarted: ReadonlySet<string>;
  /** They get certificates of their own, which are proved once they are written. */
  renewed: ReadonlySet<string>;
}

/** Whom the steps of all phases make a rotation ask. */
export function askedServers(steps: readonly Step[]): AskedServers {
  const writes = steps.filter(({ action }) => action !== 'keep');
  const restarted = writes.flatMap(({ write, cluster }) => (write?.method === 'restart' ? [cluster] : []));
  const issued = writes.flatMap(({ write, cluster }) =>
    write?.method === 'issue' ? write.certificates.map(({ keys, signer }) => ({ keys, signer, cluster })) : [],
  );
  const isOwn = ({ keys }: (typeof issued)[number]) => keys.ca === TLS_KEYS.ca;
  return {
    proved: new Set(issued.flatMap((one) => (isOwn(one) ? [] : [one.signer]))),
    restarted: new Set(restarted),
    renewed: new Set(issued.flatMap((one) => (isOwn(one) ? [one.cluster] : []))),
  };
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

/** Whether a cluster is among them. One without a clustermesh-apiserver shows nobody its certificates. */
export function isAsked(snapshot: ClusterSnapshot, { proved, restarted, renewed }: AskedServers): boolean {
  const { context } = snapshot;
  if (proved.has(context) || restarted.has(context)) return true;
  return renewed.has(context) && apiserverDeployment(snapshot) !== undefined;
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
  const servers = askedServers(steps);
  return members.map(({ snapshot }) => snapshot).filter((snapshot) => isAsked(snapshot, servers));
}
