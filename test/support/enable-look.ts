import { choicesOf } from '../../src/commands/options/enable-options.ts';
import { draftFrom } from '../../src/flows/enable/draft-enable.ts';
import { concernsOthers } from '../../src/flows/enable/enable.ts';
import { loadTemplates, templateRefs } from '../../src/manifests/load.ts';
import type { PeerEffect } from '../../src/mesh/plan/peer-effects.ts';
import { readSnapshot } from '../../src/snapshot/read-snapshot.ts';
import { clusterAt, type TestSandbox } from './sandbox-mesh.ts';
import { CHECKOUT } from './schemas.ts';

/**
 * What `clustermesh enable` with some flags would make of a cluster's peers: of what was read once, since the plan is a
 * function of that. For tables of flags; a command line reads everything anew for each.
 * @param others contexts of further clusters, which the command reads where its plan hangs on them
 */
export async function lookBeforeEnable(
  sandbox: TestSandbox,
  context: string,
  others: readonly string[],
): Promise<(flags: Parameters<typeof choicesOf>[0]) => readonly PeerEffect[]> {
  const templates = await loadTemplates(CHECKOUT);
  const namespaceOf = (of: string) => clusterAt(sandbox, of).namespace;
  const namespace = namespaceOf(context);
  const refs = templateRefs(templates, namespace);
  const snapshot = await readSnapshot(sandbox.client(context), { namespace, purpose: 'enable', refs });
  const rest = await Promise.all(
    others.map((of) => readSnapshot(sandbox.client(of), { namespace: namespaceOf(of), purpose: 'disconnect' })),
  );
  return (flags) => {
    const options = { waitMs: 0, ...choicesOf(flags) };
    const first = draftFrom(snapshot, templates, options, new Date());
    if (!concernsOthers(first)) return first.effects;
    return draftFrom(snapshot, templates, { ...options, others: [snapshot, ...rest] }, new Date()).effects;
  };
}
