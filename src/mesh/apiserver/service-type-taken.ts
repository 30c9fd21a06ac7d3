import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand } from '../command-line.ts';
import { detectServiceExposure } from '../enable/exposure/service-type.ts';
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
  const type = snapshot.nodes.length > 0 ? detectServiceExposure(snapshot).type : 'LoadBalancer';
  return meshctlCommand('clustermesh enable', { context: snapshot.context }, [
    '--service-type',
    type,
    '--force-conflicts',
  ]);
}
