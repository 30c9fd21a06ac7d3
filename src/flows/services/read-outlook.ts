import type { MeshctlError } from '../../mesh/errors.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import { outlook, peersBesides, type Remark } from '../../mesh/services/outlook.ts';
import type { ClusterServices } from '../../mesh/services/service-facts.ts';
import type { Flow, Target } from '../flow.ts';
import { type OnFailure, readServiceDefinitions, type ServiceCluster } from './read-services.ts';
import { isWithin, membersOf, scopesOf, type WithOthers } from './read-withdrawals.ts';

/** What comes of steps that make Services global, and the clusters that they are for, without backends. */
export interface Outlook {
  remarks: readonly Remark[];
  clusters: readonly ClusterServices[];
}

/**
 * Reads what steps that make Services global, or leave them so, come to. Other clusters are read only where it hangs on them; one that
 * cannot be read holds nothing up, and is named.
 * @param targets the clusters that the steps are for
 * @param withOthers runs work with the clusters that contexts lead to besides
 */
export async function readOutlook(
  flow: Flow,
  targets: readonly Target[],
  steps: readonly Step[],
  withOthers: WithOthers,
): Promise<Outlook> {
  const global = steps.filter(({ wanted, before }) => wanted ?? before);
  if (global.length === 0) return { remarks: [], clusters: [] };
  const failures = new Map<string, MeshctlError>();
  const onFailure: OnFailure = (context, error) => failures.set(context, error);
  const own = await readAll(await membersOf(targets, [], onFailure), global, onFailure);
  const far = own.flatMap(({ within, clusters }) => peersBesides(within, clusters));
  const others = far.length === 0 ? [] : await withOthers((open) => readFar(targets, open, global, far));
  flow.signal.throwIfAborted();
  return {
    remarks: [
      ...own.flatMap(({ within, clusters }, index) => outlook(within, clusters, others[index]?.clusters ?? [])),
      ...[...failures].map(([context, error]) => unseenIn(context, error)),
    ],
    clusters: own[0]?.clusters ?? [],
  };
}

interface ReadScope {
  within: readonly Step[];
  clusters: readonly ClusterServices[];
}

function unseenIn(context: string, { message, hint }: MeshctlError): Remark {
  const why = message.replace(`context "${context}": `, '');
  const says = `whether its Services come to be shared is not known: ${why}`;
  return { context, says, ...(hint === undefined ? {} : { hint }), isInVain: false };
}

function readAll(
  members: readonly ServiceCluster[],
  steps: readonly Step[],
  onFailure: OnFailure,
): Promise<ReadScope[]> {
  return Promise.all(
    scopesOf(steps).map(async (scope) => ({
      within: steps.filter(({ object }) => isWithin(object, scope)),
      clusters: await readServiceDefinitions(members, scope, onFailure),
    })),
  );
}

/** Only of the peers that it hangs on. */
async function readFar(
  targets: readonly Target[],
  open: readonly Target[],
  steps: readonly Step[],
  far: readonly string[],
): Promise<ReadScope[]> {
  const members = await membersOf(targets, open, ignore);
  const isOwn = (context: string) => targets.some(({ client }) => client.context === context);
  return readAll(
    members.filter(({ client, cluster }) => !isOwn(client.context) && far.includes(cluster)),
    steps,
    ignore,
  );
}

/** Of a cluster that is left out it is said that it was not read. */
const ignore = () => {};
