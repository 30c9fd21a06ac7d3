import { readSnapshot } from '../kube/snapshot.ts';
import { listCertificates } from '../mesh/certificate-inventory.ts';
import { certificatesText } from '../views/certs-view.ts';
import { printable } from '../views/printable.ts';
import type { CommandContext, CommandResult, ParsedOptions } from './command.ts';
import { type SeveralClustersFlags, withChosenClusters } from './several-clusters.ts';

/** `meshctl clustermesh certs list`: every certificate of the mesh, never a key. */
export async function run(context: CommandContext, parsed: ParsedOptions): Promise<CommandResult> {
  const flags = parsed as unknown as SeveralClustersFlags;
  const certificates = await withChosenClusters(context, flags, async (targets) => {
    const snapshots = await Promise.all(
      targets.map(({ client, namespace }) => readSnapshot(client, { namespace, purpose: 'connect' })),
    );
    return printable(snapshots.flatMap((snapshot) => listCertificates(snapshot, context.now())));
  });
  return { kind: 'CertificateList', data: { certificates }, text: (theme) => certificatesText(certificates, theme) };
}
