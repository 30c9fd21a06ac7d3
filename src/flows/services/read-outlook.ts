import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import type { MeshctlError } from '../../mesh/errors.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import { globalServicesIn } from '../../mesh/services/newly-shared.ts';
import { outlook, peersBesides, type Remark } from '../../mesh/services/outlook.ts';
import type { ClusterServices } from '../../mesh/services/service-facts.ts';
import type { Flow, Target } from '../flow.ts';
import { type OnFailure, readServiceClusters } from './read-service-clusters.ts';
import { readServiceDefinitions, type ServiceScope } from './read-services.ts';
import { membersOf, scopesOf, type WithOthers } from './read-withdrawals.ts';

/** What comes of steps that make Services global, and the clusters that they are for, without backends. */
export interface Outlook {
  remarks: readonly Remark[];
  clusters: readonly ClusterServices[];
}

/**
 * Reads what steps that make a Service global, or leave it so, come to. Other clusters are read only where it hangs on them; one that
 * cannot be read holds nothing up, and is named.
 * @param targets the clusters that the steps are for
 * @param service the one that they are about
 * @param withOthers runs work with the clusters that contexts lead to besides
 */
export async function readOutlook(
  flow: Flow,
  targets: readonly Target[],
  service: ServiceScope,
  steps: readonly Step[],
  withOthers: WithOthers,
): Promise<Outlook> {
  const failures = new Map<string, MeshctlError>();
  const onFailure: OnFailure = (context, error) => failures.set(context, error);
  const clusters = await readServiceDefinitions(await readServiceClusters(targets, onFailure), service, onFailure);
  const unseen = [...failures].map(([context, { message, hint }]) =>
    unseenIn(context, hint, message.replace(`context "${context}": `, '')),
  );
  const remarks = await remarksOn(flow, targets, steps, clusters, withOthers);
  return { remarks: [...remarks, ...unseen], clusters };
}

/** The same of clusters that are read already, with their Services. */
export async function outlookOf(
  flow: Flow,
  targets: readonly Target[],
  snapshots: readonly ClusterSnapshot[],
  steps: readonly Step[],
  withOthers: WithOthers,
): Promise<Remark[]> {
  if (steps.length === 0) return [];
  const clusters = snapshots.flatMap((snapshot) => globalServicesIn(snapshot) ?? []);
  const refused = snapshots.filter(({ context, servicesRefused }) => {
    return servicesRefused !== undefined && steps.some(({ cluster }) => cluster === context);
  });
  return [
    ...(await remarksOn(flow, targets, steps, clusters, withOthers)),
    ...refused.map(({ context, servicesRefused }) =>
      unseenIn(context, servicesRefused, 'Services and namespaces may not be listed'),
    ),
  ];
}

async function remarksOn(
  flow: Flow,
  targets: readonly Target[],
  steps: readonly Step[],
  clusters: readonly ClusterServices[],
  withOthers: WithOthers,
): Promise<Remark[]> {
  const far = peersBesides(steps, clusters);
  const others = far.length === 0 ? [] : await withOthers((open) => readFar(targets, open, steps, far));
  flow.signal.throwIfAborted();
  return outlook(steps, clusters, others);
}

function unseenIn(context: string, hint: string | undefined, why: string): Remark {
  const says = `whether its Services come to be shared is not known: ${why}`;
  return { context, says, ...(hint === undefined ? {} : { hint }), isInVain: false };
}

/** Only of the peers that it hangs on. One that is left out is said not to have been read. */
async function readFar(
  targets: readonly Target[],
  open: readonly Target[],
  steps: readonly Step[],
  far: readonly string[],
): Promise<ClusterServices[]> {
  const ignore = () => {};
  const members = await membersOf(targets, open, ignore);
  const isOwn = (context: string) => targets.some(({ client }) => client.context === context);
  const wanted = members.filter(({ client, cluster }) => !isOwn(client.context) && far.includes(cluster));
  const read = await Promise.all(scopesOf(steps).map((scope) => readServiceDefinitions(wanted, scope, ignore)));
  return wanted.flatMap(({ client: { context } }) => {
    const parts = read.flatMap((clusters) => clusters.filter((one) => one.context === context));
    const [first] = parts;
    if (!first || parts.length < read.length) return [];
    return [
      {
        ...first,
        namespaces: new Map(parts.flatMap(({ namespaces }) => [...namespaces])),
        services: new Map(parts.flatMap(({ services }) => [...services])),
      },
    ];
  });
}
