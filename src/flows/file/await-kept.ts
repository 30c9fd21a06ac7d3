import pLimit from 'p-limit';
import { isRolledOut } from '../../mesh/apiserver/deployment.ts';
import { apiserverDeployment } from '../../mesh/apiserver/live.ts';
import { MeshctlError, warningOf } from '../../mesh/errors.ts';
import { awaitRollout } from '../enable/await-apiserver.ts';
import type { Flow } from '../flow.ts';
import type { FileOptions, MemberDraft } from './prepare-mesh.ts';

/** Whether a run that was stopped may have left a clustermesh-apiserver on its way up; one that is scaled to 0 is not. */
export function isComingUp({ draft: { snapshot } }: MemberDraft): boolean {
  const deployment = apiserverDeployment(snapshot);
  return deployment !== undefined && !isRolledOut(deployment);
}

/**
 * Waits for clusters that are as their file says, and that are not wholly rolled out: a run that was stopped may have left them
 * so. Nothing of this run is put back for them, since none of it has to do with that.
 * @returns which did not come up, and why, as warnings
 */
export async function awaitKept(
  flow: Flow,
  drafts: readonly MemberDraft[],
  { parallel, waitMs }: Pick<FileOptions, 'parallel' | 'waitMs'>,
): Promise<string[]> {
  const limit = pLimit(parallel);
  const waiting = drafts.filter(isComingUp).map(({ member }) =>
    limit(async () => {
      try {
        await awaitRollout(flow, member.target, waitMs);
        return [];
      } catch (error) {
        flow.signal.throwIfAborted();
        if (!(error instanceof MeshctlError)) throw error;
        flow.progress.warn(warningOf(error));
        return [warningOf(error)];
      }
    }),
  );
  return (await Promise.all(waiting)).flat();
}
