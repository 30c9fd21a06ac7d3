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
  /** Those of them of whose present ones some cannot stay: they are no good, or soon will be. */
  mended: ReadonlySet<string>;
}

/** Whom the steps of all phases make a rotation ask. */
export function askedServers(steps: readonly Step[]): AskedServers {
  const writes = steps.filter(({ action }) => action !== 'keep');
  const restarted = writes.flatMap(({ write, cluster }) => (write?.method === 'restart' ? [cluster] : []));
  const issued = writes.flatMap(({ write, cluster }) =>
    write?.method === 'issue'
      ? write.certificates.map(({ keys, signer }) => ({ keys, signer, cluster, mends: write.mends }))
      : [],
  );
  const isOwn = ({ keys }: (typeof issued)[number]) => keys.ca === TLS_KEYS.ca;
  return {
    proved: new Set(issued.flatMap((one) => (isOwn(one) ? [] : [one.signer]))),
    restarted: new Set(restarted),
    renewed: new Set(issued.flatMap((one) => (isOwn(one) ? [one.cluster] : []))),
    mended: new Set(issued.flatMap((one) => (isOwn(one) && one.mends ? [one.cluster] : []))),
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

/**
 * The contexts that get certificates of their own without being asked, before or after: those that they have cannot stay, and no pod
 * is ready, maybe for want of good ones. A run that waited for one would wait for what only it brings.
 * @param steps of all phases: whose CA signs for peers is asked in any case
 */
export function unprovedAmong(members: readonly Member[], steps: readonly Step[]): ReadonlySet<string> {
  return new Set(unproved(members, steps).map(({ context }) => context));
}

/** What to tell of them. */
export function unprovedRenewals(members: readonly Member[], steps: readonly Step[]): string[] {
  return unproved(members, steps)
    .flatMap((snapshot) => idleServer(snapshot) ?? [])
    .map(
      ({ says, hint }) =>
        `${says}, and its own certificates cannot stay: new ones are written without being proved → ${hint}`,
    );
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
  const left = unprovedAmong(members, steps);
  return members
    .map(({ snapshot }) => snapshot)
    .filter((snapshot) => isAsked(snapshot, servers) && !left.has(snapshot.context));
}

function unproved(members: readonly Member[], steps: readonly Step[]): ClusterSnapshot[] {
  const { proved, restarted, mended } = askedServers(steps);
  const isLeft = ({ context }: ClusterSnapshot) =>
    mended.has(context) && !proved.has(context) && !restarted.has(context);
  return members
    .map(({ snapshot }) => snapshot)
    .filter((one) => isLeft(one) && apiserverDeployment(one) !== undefined && idleServer(one) !== undefined);
}
