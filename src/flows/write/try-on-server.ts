import { applySteps } from '../../kube/apply.ts';
import { clusterRoleRef } from '../../mesh/apiserver/access.ts';
import type { MeshctlError } from '../../mesh/errors.ts';
import { errorOfAbort, isUnjudged } from '../../mesh/errors.ts';
import { keyOf } from '../../mesh/objects/kube-object.ts';
import { type Forcing, isForcedIn } from '../../mesh/plan/forcing.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import type { Flow, Target } from '../flow.ts';
import { during, issuingTime } from '../flow.ts';
import { type Authorities, materialise, readAuthorities } from './materialise.ts';

/**
 * Sends every write of a plan as a dry run, so that admission and permissions are tried and nothing is stored. Goes on
 * past refusals, and not where no answer comes. A step upon what an earlier one of them makes or removes has no verdict, nor a
 * binding of a role that is yet to be made, unless it is refused whatever that grants. Certificates are issued in memory for it,
 * where there is no CA yet by one that is thrown away.
 */
export async function tryOnServer(
  flow: Flow,
  targets: readonly Target[],
  steps: readonly Step[],
  { force, given = new Map() }: { force?: Forcing | undefined; given?: Authorities | undefined } = {},
): Promise<Map<Step, 'accepted' | MeshctlError>> {
  const verdicts = new Map<Step, 'accepted' | MeshctlError>();
  const authorities = new Map([...given, ...(await readAuthorities(targets, steps))]);
  // CAs that are yet to be made come first: a certificate of one cluster may be signed by the CA of another.
  const ordered = [...steps].sort((a, b) => Number(isAuthority(b)) - Number(isAuthority(a)));
  await during(flow, { doing: 'Asking the API servers', done: 'Asked the API servers' }, async () => {
    const queues = targets.map(async ({ client }) => {
      const unstored = new Set<string>();
      for (const step of ordered.filter(({ cluster, write }) => cluster === client.context && write)) {
        const key = keyOf(step.object);
        // What an earlier step is to make or to remove is not so on the server: this one cannot be tried there.
        if (unstored.has(key)) continue;
        if (['create', 'delete'].includes(step.action)) unstored.add(key);
        const { error } = await applySteps(client, [step], {
          materialise: (one) => materialise(one, authorities, issuingTime(flow)),
          dryRun: true,
          force: isForcedIn(force, client.context),
          signal: flow.signal,
        });
        if (flow.signal.aborted) throw errorOfAbort(flow.signal);
        if (error?.code === 'Bug') throw error;
        // The server looks the rules of the role up, once it has let the user write bindings at all.
        if (error?.code === 'NotFound' && unstored.has(boundRole(step) ?? '')) continue;
        verdicts.set(step, error ?? 'accepted');
        if (error && isUnjudged(error)) return;
      }
    });
    await Promise.all(queues);
  });
  return verdicts;
}

/** The key of the ClusterRole that a step binds. */
function boundRole({ object, wanted }: Step): string | undefined {
  const { name } = (wanted?.roleRef ?? {}) as { name?: string };
  return object.kind === 'ClusterRoleBinding' && name !== undefined ? keyOf(clusterRoleRef(name)) : undefined;
}

function isAuthority({ write }: Step): boolean {
  return write?.method === 'authority';
}
