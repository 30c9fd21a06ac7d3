import type { Target } from '../flows/flow.ts';
import { readSnapshot } from '../kube/snapshot.ts';
import { listCertificates } from '../mesh/certificate-inventory.ts';
import { certificatesText } from '../views/certs-view.ts';
import { printable } from '../views/printable.ts';
import { unreachableLines } from '../views/unreachable-view.ts';
import type { CommandContext, CommandResult, ParsedOptions } from './command.ts';
import {
  exitCodeWith,
  type SeveralClustersFlags,
  unreachableData,
  whereItSucceeds,
  withAnsweringClusters,
} from './several-clusters.ts';

/** `meshctl clustermesh certs list`: every certificate of the mesh, never a key. */
export async function run(context: CommandContext, parsed: ParsedOptions): Promise<CommandResult> {
  const flags = parsed as unknown as SeveralClustersFlags;
  return withAnsweringClusters(context, flags, async (targets, silent) => {
    const read = ({ client, namespace }: Target) => readSnapshot(client, { namespace, purpose: 'connect' });
    const { done, failed } = await whereItSucceeds(context, targets, read);
    const certificates = printable(done.flatMap((snapshot) => listCertificates(snapshot, context.now())));
    const unreachable = printable(unreachableData([...silent, ...failed]));
    return {
      kind: 'CertificateList',
      data: { certificates, ...(unreachable.length > 0 ? { unreachable } : {}) },
      text: (theme) => [certificatesText(certificates, theme), ...unreachableLines(unreachable, theme)].join('\n'),
      exitCode: exitCodeWith(unreachable),
    };
  });
}
