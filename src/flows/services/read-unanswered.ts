import { type UnansweredServices, unansweredServices } from '../../mesh/services/answers.ts';
import type { Flow, Target } from '../flow.ts';
import { orWithout } from '../where-it-succeeds.ts';
import { readServiceClusters } from './read-service-clusters.ts';
import { readConfiguredServices } from './read-services.ts';

/**
 * For which Services requests go from one of these clusters to another one that does not answer them, or may come to. It is told beside what was
 * asked for: where Services may not be read, nothing is said.
 */
export async function readUnanswered(flow: Flow, targets: readonly Target[]): Promise<UnansweredServices[]> {
  const leaveOut = () => undefined;
  const read = async () => {
    const members = await readServiceClusters(targets, leaveOut);
    if (!members.some(({ settings }) => settings.tunnels)) return [];
    return unansweredServices(await readConfiguredServices(members, {}, leaveOut));
  };
  return orWithout(flow, read(), []);
}
