import type { FileMember } from '../../flows/file/file-member.ts';
import type { WithOthers } from '../../flows/services/read-withdrawals.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import type { CommandContext } from '../command.ts';
import type { ClusterFlags } from '../targets/cluster-flags.ts';
import { readerOfOthers, withOtherTargets } from '../targets/other-clusters.ts';

/** Reads the clusters of the kubeconfig that no file names, where a plan hangs on what they say. */
export function othersOf(
  context: CommandContext,
  flags: ClusterFlags,
  members: readonly FileMember[],
): () => Promise<readonly ClusterSnapshot[]> {
  return readerOfOthers(
    context,
    flags,
    members.map(({ target }) => target),
  );
}

/** Opens them instead, for who reads them by itself. */
export function withOthersOf(context: CommandContext, flags: ClusterFlags, members: readonly FileMember[]): WithOthers {
  const own = members.map(({ target }) => target);
  return (work) => withOtherTargets(context, flags, own, work);
}
