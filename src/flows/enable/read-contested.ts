import pLimit from 'p-limit';
import { loadTemplates } from '../../manifests/load.ts';
import { contestedIn, enabledBy, takingOver } from '../../mesh/faults/contested-enable.ts';
import { rememberReads } from '../../snapshot/remember-reads.ts';
import type { Flow, Target } from '../flow.ts';
import { orWithout } from '../where-it-succeeds.ts';
import { draftEnable } from './draft-enable.ts';

/** Each cluster is read as an enable reads it. */
const PLANS_AT_A_TIME = 8;

/**
 * What an `enable` would have to take from others in the clusters in which next steps run one, as a clause for each: without
 * --force-conflicts it is refused there. Where that cannot be planned, as for want of rights, nothing is known to be in its way.
 * @returns by context, only clusters of which there is something
 */
export async function readContested(
  flow: Flow,
  targets: readonly Target[],
  hints: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const named = new Set(hints.flatMap(enabledBy));
  const concerned = targets.filter(({ client }) => named.has(client.context));
  if (concerned.length === 0) return new Map();
  const templates = await loadTemplates(flow.installation);
  const limit = pLimit(PLANS_AT_A_TIME);
  const look = async ({ client, namespace }: Target) => {
    const target = { client: rememberReads(client), namespace };
    const draft = (force: boolean) => draftEnable(flow, target, templates, { waitMs: 0, force });
    const taking = async () => {
      const { plan } = await draft(false);
      const isRefused = plan.steps.some(({ conflicts = [] }) => conflicts.length > 0);
      return isRefused ? takingOver((await draft(true)).plan.steps) : undefined;
    };
    return { context: client.context, contested: await orWithout(flow, taking(), undefined) };
  };
  return contestedIn(await Promise.all(concerned.map((target) => limit(look, target))));
}
