import { replicasOf } from '../apiserver/deployment.ts';
import { apiserverDeployment, apiserverService } from '../apiserver/live.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand } from '../command-line.ts';
import { notedReplicas } from '../enable/kept-replicas.ts';
import { notedTrafficPolicy } from '../enable/kept-service.ts';
import { flagOf } from '../enable/option-name.ts';
import type { EnableChoices } from '../enable/settings.ts';
import type { KubeObject } from '../objects/kube-object.ts';
import { isOurs, managersOfField } from '../objects/ownership.ts';
import { serviceSpec } from '../objects/service.ts';
import { FIELD_MANAGER } from '../plan/plan.ts';

/** A setting of an object of meshctl's that another hand has written too, as `kubectl scale` does. */
interface HandMade {
  option: 'replicas' | 'externalTrafficPolicy';
  live: string | number;
  /** As it is noted, else the default. */
  chosen: string | number;
}

/**
 * What of an object of meshctl's another hand has set: as it was chosen, where that is noted, else the default. Only of settings that
 * cost no one a connection or a pod its start.
 */
export function handMadeToChosen(snapshot: ClusterSnapshot): EnableChoices {
  return Object.fromEntries(handMade(snapshot).map(({ option, chosen }) => [option, chosen]));
}

/** The settings that another hand has made otherwise than they were chosen, each a clause with the way to keep it. */
export function handMadeRemarks(snapshot: ClusterSnapshot): string[] {
  return handMade(snapshot)
    .filter(({ live, chosen }) => live !== chosen)
    .map(({ option, live, chosen }) => {
      const says = `${option} ${live} was set by hand, and apply makes it ${chosen} again`;
      const keep = meshctlCommand('clustermesh enable', { context: snapshot.context }, [flagOf(option), String(live)]);
      // No one can choose to have none.
      return live === 0 ? says : `${says} → to keep it, before the mesh is exported: ${keep}`;
    });
}

function handMade(snapshot: ClusterSnapshot): HandMade[] {
  const [deployment, service] = [apiserverDeployment(snapshot), apiserverService(snapshot)];
  const replicas: HandMade = {
    option: 'replicas',
    live: replicasOf(deployment) ?? 1,
    chosen: notedReplicas(snapshot) ?? 1,
  };
  const trafficPolicy: HandMade = {
    option: 'externalTrafficPolicy',
    live: serviceSpec(service).externalTrafficPolicy ?? 'Cluster',
    chosen: notedTrafficPolicy(snapshot) ?? 'Cluster',
  };
  return [
    ...(isHandMade(deployment, 'spec.replicas') ? [replicas] : []),
    ...(isHandMade(service, 'spec.externalTrafficPolicy') ? [trafficPolicy] : []),
  ];
}

function isHandMade(object: KubeObject | undefined, path: string): boolean {
  return (
    object !== undefined && isOurs(object) && managersOfField(object, path).some((manager) => manager !== FIELD_MANAGER)
  );
}
