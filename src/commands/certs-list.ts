import { readSnapshot } from '../kube/snapshot.ts';
import { listCertificates } from '../mesh/certificate-inventory.ts';
import { certificatesText } from '../views/certs-view.ts';
import { printable } from '../views/printable.ts';
import { allCiliumContexts } from './all-contexts.ts';
import { type ClusterFlags, withClusters } from './cluster-flags.ts';
import type { CommandContext, CommandResult, ParsedOptions } from './command.ts';

interface CertsListFlags extends ClusterFlags {
  context?: string[];
  all: boolean;
}

/** `meshctl clustermesh certs list`: every certificate of the mesh, never a key. */
export async function run(context: CommandContext, parsed: ParsedOptions): Promise<CommandResult> {
  const flags = parsed as unknown as CertsListFlags;
  const { namespace } = flags;
  const contexts = flags.all ? await allCiliumContexts(context, flags) : (flags.context ?? [undefined]);
  const certificates = await withClusters(context, flags, contexts, async (clients) => {
    const snapshots = await Promise.all(
      clients.map((client) => readSnapshot(client, { namespace, purpose: 'connect' })),
    );
    return printable(snapshots.flatMap((snapshot) => listCertificates(snapshot, context.now())));
  });
  return { kind: 'CertificateList', data: { certificates }, text: (theme) => certificatesText(certificates, theme) };
}
