import { applySteps } from '../kube/apply.ts';
import { MeshctlError } from '../mesh/errors.ts';
import { type GlobalIntent, planGlobalService, type ServiceSite, serviceRef } from '../mesh/global-service.ts';
import type { Step } from '../mesh/plan.ts';
import { during, type Flow, type Target } from './flow.ts';
import { putBack } from './put-back.ts';

/** The steps that make a Service global, or no longer so, in all these clusters. Throws what {@link planGlobalService} throws. */
export async function planGlobalServiceIn(
  flow: Flow,
  targets: readonly Target[],
  service: { namespace: string; name: string },
  intent: GlobalIntent,
): Promise<readonly Step[]> {
  const ref = serviceRef(service.namespace, service.name);
  const sites = await during(flow, 'Reading the clusters', () =>
    Promise.all(
      targets.map(async ({ client }): Promise<ServiceSite> => {
        const [live, namespace] = await Promise.all([
          client.get(ref),
          client.get({ apiVersion: 'v1', kind: 'Namespace', name: service.namespace }),
        ]);
        return { context: client.context, namespaceExists: namespace !== undefined, live };
      }),
    ),
  );
  return planGlobalService(ref, sites, intent).steps;
}

/** Writes the steps, clusters in parallel. Either all of it stands at the end, or every cluster is put back. */
export async function applyGlobalService(
  flow: Flow,
  targets: readonly Target[],
  steps: readonly Step[],
): Promise<void> {
  const outcomes = await Promise.all(
    targets.map(({ client }) =>
      applySteps(
        client,
        steps.filter(({ cluster }) => cluster === client.context),
        {
          async materialise({ write }) {
            if (!write || write.method === 'authority' || write.method === 'issue') {
              throw new MeshctlError('Bug', 'a Service was planned as something else');
            }
            return write;
          },
          signal: flow.signal,
        },
      ),
    ),
  );
  const failed = outcomes.find(({ error }) => error)?.error;
  if (!failed) return;
  await putBack(
    flow,
    targets,
    outcomes.map(({ journal }) => journal),
    failed,
  );
  throw failed;
}
