import pLimit from 'p-limit';
import { requireReadyServers, requireSoundServers } from '../../mesh/connect/provable.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { requireServed } from '../../mesh/file/made-elsewhere.ts';
import { missingServicesHint } from '../../mesh/file/services.ts';
import { isForcedIn } from '../../mesh/plan/forcing.ts';
import { isChange } from '../../mesh/plan/plan.ts';
import type { ConnectRunOptions } from '../connect/connect.ts';
import { requireStartable } from '../enable/enable.ts';
import type { Flow } from '../flow.ts';
import { allOrFirstError } from '../parallel.ts';
import { isComingUp } from './await-kept.ts';
import type { FileOptions, MemberDraft, PreparedMesh } from './prepare-mesh.ts';

/**
 * Refuses, before anybody is asked, what would overwrite what others have set, and what others are to make first; also what enable
 * and connect refuse, which would come to it when the other clusters are written to.
 * @throws MeshctlError `Conflict`, `ClusterMeshNotEnabled`, `NotFound`, `Incompatible`, `CredentialRefused`
 */
export async function requireApplicable(
  flow: Flow,
  prepared: PreparedMesh,
  options: Pick<FileOptions, 'force' | 'forcing' | 'parallel'> & Pick<ConnectRunOptions, 'proof'>,
): Promise<void> {
  const { drafts, services, connections } = prepared;
  requireServed(connections.unserved);
  const limit = pLimit(options.parallel);
  const starting = drafts.map(({ member, draft }) =>
    limit(() =>
      requireStartable(flow, member.target, draft, {
        ...options,
        force: isForcedIn(options.force, member.target.client.context),
      }),
    ),
  );
  await allOrFirstError(starting, flow.progress);
  if (options.proof !== false) requireProvableAsIs(prepared, flow.now());
  const [missing] = services.missing;
  if (!missing) return;
  const words = services.missing.map(({ service, clusters }) => `no Service ${service} in ${clusters.join(', ')}`);
  throw new MeshctlError('NotFound', words.join('; '), {
    hint: missingServicesHint(services.missing),
    details: { services: services.missing.map(({ service, clusters }) => ({ service, clusters })) },
  });
}

/**
 * Refuses servers that the run leaves as they are, and against which it could prove no credential then.
 * @throws MeshctlError `CredentialRefused`
 */
function requireProvableAsIs(prepared: PreparedMesh, now: Date): void {
  if (standConnected(prepared)) return;
  const { members, enabled, drafts, connections } = prepared;
  const { directions, serve } = connections.now;
  const changing = new Set(changedDrafts(drafts).map(({ draft }) => draft.snapshot.context));
  const dialled = new Set([
    ...directions.map(({ server }) => server.identity.name),
    ...connections.later.map(({ to }) => to),
  ]);
  // What comes up is waited for first.
  const coming = new Set(drafts.filter(isComingUp).map(({ draft }) => draft.snapshot.context));
  const asIs = enabled.filter(
    ({ context }, index) =>
      !changing.has(context) && !coming.has(context) && dialled.has(members[index]?.wanted.name ?? ''),
  );
  requireReadyServers(asIs);
  requireSoundServers(
    directions.filter(({ server }) => !changing.has(server.snapshot.context)),
    serve.steps,
    now,
  );
}

/** What enable changes in clusters. */
export function changedDrafts(drafts: readonly MemberDraft[]): MemberDraft[] {
  return drafts.filter(({ draft }) => draft.plan.steps.some(isChange));
}

/** Whether nothing is to be enabled, nor connected. */
export function standConnected({ drafts, connections: { now, later } }: PreparedMesh): boolean {
  return (
    changedDrafts(drafts).length === 0 && later.length === 0 && ![...now.serve.steps, ...now.dial.steps].some(isChange)
  );
}
