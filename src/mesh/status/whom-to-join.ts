import { type Contexts, contextOf, thoseReady } from '../faults/fault-advice.ts';
import { unreadyIn } from '../faults/unready.ts';
import { mayBePeersOf, type StatusReport } from './status.ts';

/**
 * The contexts of the clusters that a cluster which is alone can be connected to: those that are to be its peers, where anything
 * says so; else all those that were asked with it and that are enabled. Of several not those to which nobody can be connected.
 * @param contexts of clusters that were not asked, as far as they are known
 * @returns none where nobody but the operator knows
 */
export function whomToJoin(
  report: StatusReport,
  reports: readonly StatusReport[],
  contexts: Contexts = new Map(),
): string[] {
  const unready = unreadyIn(reports);
  // Another one may have its name: it is no way to itself.
  const others = mayBePeersOf(report, reports);
  const asked = new Map(others.map(({ cluster, context }) => [cluster.name, context]));
  const enabled = others.filter((other) => other.enabled).map(({ cluster }) => cluster.name);
  const { onRecord = enabled } = report;
  return thoseReady(onRecord, (name) => unready.has(name)).map((name) => asked.get(name) ?? contextOf(contexts, name));
}
