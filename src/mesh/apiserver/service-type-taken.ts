import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand } from '../command-line.ts';
import { detectServiceExposure, type ServiceType } from '../enable/exposure/service-type.ts';
import { notedExposure } from '../enable/kept-service.ts';
import type { KubeObject } from '../objects/kube-object.ts';
import { managersOfField, toolOwner } from '../objects/ownership.ts';
import { serviceSpec } from '../objects/service.ts';
import { FIELD_MANAGER } from '../plan/plan.ts';
import { apiserverService } from './live.ts';

/**
 * The command that gives a Service its type back: somebody has made it a ClusterIP, which peers reach only where the network
 * routes it. Undefined where it is none, or meshctl or a tool has it so.
 */
export function restoreTypeCommand(snapshot: ClusterSnapshot): string | undefined {
  const service = apiserverService(snapshot);
  if (!service || serviceSpec(service).type !== 'ClusterIP' || toolOwner(service) !== undefined) return undefined;
  const managers = managersOfField(service, 'spec.type');
  if (managers.length === 0 || managers.includes(FIELD_MANAGER)) return undefined;
  // The type that is there is kept, unless another is asked for; and it is theirs who set it.
  const detected = snapshot.nodes.length > 0 ? detectServiceExposure(snapshot).type : 'LoadBalancer';
  const type = formerType(snapshot, service) ?? detected;
  return meshctlCommand('clustermesh enable', { context: snapshot.context }, [
    '--service-type',
    type,
    '--force-conflicts',
  ]);
}

/**
 * The type that meshctl gave a Service which has another one by now: as it was chosen, or, where nobody chose, a NodePort by the
 * port. The API server takes that from a ClusterIP, and its record of whose it is stays (seen on Kubernetes 1.36).
 */
function formerType(snapshot: ClusterSnapshot, service: KubeObject): ServiceType | undefined {
  const { serviceType: noted } = notedExposure(snapshot);
  if (noted !== undefined && noted !== 'ClusterIP') return noted;
  const paths = serviceSpec(service).ports?.map(
    ({ port, protocol = 'TCP' }) => `spec.ports[${port}/${protocol}].nodePort`,
  );
  const hadNodePort = paths?.some((path) => managersOfField(service, path).includes(FIELD_MANAGER));
  return hadNodePort ? 'NodePort' : undefined;
}
