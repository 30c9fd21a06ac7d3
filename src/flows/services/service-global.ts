import { kubectlCommand } from '../../mesh/command-line.ts';
import { isGoing } from '../../mesh/plan/going.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import {
  annotationChanges,
  type GlobalIntent,
  planGlobalService,
  type ServiceSite,
  serviceRef,
} from '../../mesh/services/global-service.ts';
import { during, type Flow, issuingTime, type Target } from '../flow.ts';
import { createClusterWriter, type RunAccount } from '../write/apply-clusters.ts';
import { materialise } from '../write/materialise.ts';
import { rollBackClusters } from '../write/roll-back.ts';
import { requireWritten } from '../write/still-standing.ts';

const CLUSTERS_AT_A_TIME = 16;

/** The steps that make a Service global, or no longer so, in all these clusters. Throws what {@link planGlobalService} throws. */
export async function planGlobalServiceIn(
  flow: Flow,
  targets: readonly Target[],
  service: { namespace: string; name: string },
  intent: GlobalIntent,
): Promise<readonly Step[]> {
  const ref = serviceRef(service.namespace, service.name);
  const sites = await during(flow, { doing: 'Reading the clusters', done: 'Read the clusters' }, () =>
    Promise.all(
      targets.map(async ({ client }): Promise<ServiceSite> => {
        const [live, namespace] = await Promise.all([
          client.get(ref),
          client.get({ apiVersion: 'v1', kind: 'Namespace', name: service.namespace }),
        ]);
        const goingNamespace = isGoing(namespace) ? namespace : undefined;
        return { context: client.context, namespaceExists: namespace !== undefined, goingNamespace, live };
      }),
    ),
  );
  return planGlobalService(ref, sites, intent).steps;
}

/**
 * Writes the steps, clusters in parallel. Either all of it stands at the end, or every cluster is put back.
 * @param rollback false leaves what stands when something fails
 * @param account of a run that this is a part of
 */
export async function applyGlobalService(
  flow: Flow,
  targets: readonly Target[],
  steps: readonly Step[],
  { rollback, account }: { rollback: boolean; account?: RunAccount | undefined },
): Promise<void> {
  const writer = createClusterWriter(flow, targets, CLUSTERS_AT_A_TIME, account);
  try {
    await writer.write(
      steps,
      (step) => materialise(step, new Map(), issuingTime(flow)),
      async () => undefined,
    );
    // Whoever it is a part of sees to that for all of it.
    if (account) return;
    for (const words of await requireWritten(targets, writer.journals, CLUSTERS_AT_A_TIME)) flow.progress.warn(words);
  } catch (error) {
    if (account) throw error;
    const mend = (context: string): string => mendingCommand(context, steps);
    await rollBackClusters(flow, targets, writer.journals, error, {
      rollback,
      isAll: true,
      parallel: CLUSTERS_AT_A_TIME,
      mend,
    });
    throw error;
  }
}

/** What puts the Service of a cluster back by hand. */
function mendingCommand(context: string, steps: readonly Step[]): string {
  const step = steps.find(({ cluster }) => cluster === context);
  const { namespace, name = '' } = step?.object ?? {};
  if (step?.action === 'create') return kubectlCommand({ context, namespace }, ['delete', 'service', name]);
  const former = annotationChanges(step).map(({ annotation, from }) =>
    from === undefined ? `${annotation}-` : `${annotation}=${from}`,
  );
  return kubectlCommand({ context, namespace }, ['annotate', '--overwrite', 'service', name, ...former]);
}
