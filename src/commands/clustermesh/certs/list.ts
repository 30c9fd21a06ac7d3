import type { Target } from '../../../flows/flow.ts';
import { withRotatingRun } from '../../../flows/read-runs.ts';
import { whereItSucceeds } from '../../../flows/where-it-succeeds.ts';
import { certificateFaults, listCertificates } from '../../../mesh/certificates/inventory.ts';
import type { ClusterSnapshot } from '../../../mesh/cluster-snapshot.ts';
import { exitOf } from '../../../mesh/errors.ts';
import { describeKey } from '../../../mesh/objects/kube-object.ts';
import { knownAs } from '../../../mesh/peers/concerned-peers.ts';
import { allPeersOutside, ledNowhere } from '../../../mesh/peers/peers-outside.ts';
import { goesOnWithUnread, unfinishedRotations } from '../../../mesh/rotation/unfinished-rotation.ts';
import { readSnapshot } from '../../../snapshot/read-snapshot.ts';
import {
  certificateNotes,
  certificateSecrets,
  certificatesText,
  type UnreadSecrets,
  unreadWords,
} from '../../../views/certificates/certs-view.ts';
import { lackingData } from '../../../views/lacking-view.ts';
import { printable } from '../../../views/printable.ts';
import { unreachableLines } from '../../../views/unreachable-view.ts';
import type { CommandContext, CommandResult } from '../../command.ts';
import type { FlagsOf } from '../../options/flags-of.ts';
import { withContextsNamed } from '../../targets/contexts-of-clusters.ts';
import { lackingToLook } from '../../targets/lacking-rights.ts';
import { readerOfOthers } from '../../targets/other-clusters.ts';
import { unreachableData, warnOfMissing, withAnsweringClusters } from '../../targets/several-clusters.ts';
import type { CERTS_LIST } from './list-spec.ts';

/**
 * `meshctl clustermesh certs list`: every certificate of the mesh, never a key. Exit 1 where one on which a connection hangs is
 * not there or of no use, as `status` and `check` have it, 3 where some may not be read: nobody is to take that for none.
 */
export async function run(context: CommandContext, flags: FlagsOf<typeof CERTS_LIST>): Promise<CommandResult> {
  return withAnsweringClusters(context, flags, async (targets, silent) => {
    const read = async (target: Target) => {
      const { client, namespace } = target;
      return withRotatingRun(context, target, await readSnapshot(client, { namespace, purpose: 'health' }));
    };
    const { done, failed } = await whereItSucceeds(context, targets, read);
    const now = context.now();
    const certificates = printable(done.flatMap((snapshot) => listCertificates(snapshot, now)));
    const contexts = new Map(done.map((snapshot) => [knownAs(snapshot), snapshot.context]));
    const found = done.map((snapshot) => ({ snapshot, others: done.filter((other) => other !== snapshot) }));
    const unanswered = [...silent, ...failed];
    const named = <T extends { hint: string; context: string }>(rows: readonly T[]) =>
      withContextsNamed(context, flags, rows, unanswered);
    const faults = printable(
      await named(found.flatMap(({ snapshot, others }) => certificateFaults(snapshot, { now, others }, contexts))),
    );
    const others = goesOnWithUnread(done) ? await readerOfOthers(context, flags, targets)() : [];
    const rotations = printable(await named(unfinishedRotations(done, others)));
    const unreachable = printable(unreachableData(unanswered));
    const isWhole = flags.all && unanswered.length === 0;
    const unled = isWhole ? allPeersOutside(done).filter(({ isOfOthers }) => !isOfOthers) : [];
    const outside = printable(unled.map(({ name }) => name));
    const unread = printable(done.flatMap(unreadSecrets));
    for (const words of unread) context.progress.warn(unreadWords(words));
    const lacking = printable(
      await lackingToLook(
        context,
        targets.filter(({ client }) => unread.some((one) => one.context === client.context)),
      ),
    );
    for (const { context: name, says, hint } of lacking) context.progress.warn(`context "${name}": ${says} → ${hint}`);
    if (flags.output === 'name' || !flags.headers) {
      for (const note of certificateNotes({ faults, rotations })) context.progress.warn(note);
      warnOfMissing(context, unreachable);
    }
    return {
      kind: 'CertificateList',
      data: {
        ...{ certificates, faults, rotations },
        ...(unread.length > 0 ? { unread } : {}),
        ...lackingData(lacking),
        ...(outside.length > 0 ? { outside } : {}),
        ...(unreachable.length > 0 ? { unreachable } : {}),
      },
      text: (theme) => {
        if (flags.output === 'name')
          return certificateSecrets({ certificates }, flags.all || targets.length + silent.length > 1);
        const table = certificatesText({ certificates, faults, rotations, unread, read: done.length > 0 }, theme, {
          headers: flags.headers,
          wide: flags.output === 'wide',
        });
        const nowhere = outside.length > 0 ? [theme.dim(ledNowhere(outside, 'own certificates are not listed'))] : [];
        return [table, ...(flags.headers ? [...nowhere, ...unreachableLines(unreachable, theme)] : [])].join('\n');
      },
      exitCode: exitOf({ failed: faults.some(({ outage }) => outage), unseen: unreachable.length + unread.length > 0 }),
    };
  });
}

/** Secrets that may not be read: no row and no fault tells of them. */
function unreadSecrets({ context, unread = new Set() }: ClusterSnapshot): UnreadSecrets[] {
  const secrets = [...unread].filter((key) => key.startsWith('Secret/')).map(describeKey);
  return secrets.length > 0 ? [{ context, secrets }] : [];
}
