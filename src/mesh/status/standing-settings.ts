import { endpointsHint, lackOfEndpoints, NO_ENDPOINTS } from '../cilium/cilium-endpoints.ts';
import { identityOf, wayBack } from '../cilium/identity.ts';
import { unknownModeRefusal } from '../cilium/kvstore.ts';
import { markedIdRefusal, UNMARKED_IDS, WITHOUT_ZTUNNEL, ztunnelRefusal } from '../cilium/start-refusals.ts';
import { agentsApart, saysAgentsApart } from '../cilium/versions/version-gaps.ts';
import type { RunningVersion } from '../cilium/versions/versions.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand } from '../command-line.ts';
import { capital } from '../counted.ts';
import type { PodsLeft } from '../enable/remaining-pods.ts';
import type { Fault } from '../faults/fault.ts';
import { CILIUM_CONFIG } from '../objects/names.ts';
import { saysUnreadMarks } from '../peers/unread-choices.ts';
import { isAlone, type StatusReport } from './status.ts';

interface SeenCluster {
  snapshot: ClusterSnapshot;
  /** What its agents run, most pods first; absent where nobody looked. */
  running?: readonly RunningVersion[] | undefined;
  /** Pods of a former clustermesh-apiserver that still serve. */
  left?: PodsLeft | undefined;
}

/** Agents of a cluster of a mesh that would not start again, or tell peers of none of its pods, for what somebody has set meanwhile. */
export function startFaults({ report, snapshot, running }: SeenCluster & { report: StatusReport }): Fault[] {
  if (!report.enabled && isAlone(report)) return [];
  const { context, namespace, ciliumConfig = {} } = snapshot;
  const place = { context, namespace, component: 'agent', object: `ConfigMap ${CILIUM_CONFIG}`, outage: true } as const;
  const mode = unknownModeRefusal(snapshot);
  const seen = (running ?? []).map(({ image }) => ({ image, desired: 0, ready: 0 }));
  const agents = snapshot.agent || seen.length === 0 ? [snapshot.agent] : seen;
  const [ztunnel] = agents.flatMap((agent) => ztunnelRefusal({ ciliumConfig, agent }) ?? []);
  const marked = markedIdRefusal(ciliumConfig, identityOf(ciliumConfig).id);
  const lack = report.enabled ? lackOfEndpoints(ciliumConfig) : undefined;
  return [
    ...(mode ? [{ id: 'identity-mode-unknown' as const, ...place, key: 'identity-allocation-mode', ...mode }] : []),
    ...(ztunnel
      ? [{ id: ztunnel.check, ...place, key: ztunnel.key, says: ztunnel.reason, hint: capital(WITHOUT_ZTUNNEL) }]
      : []),
    ...(marked
      ? [
          {
            ...{ id: marked.check, ...place, key: marked.key, says: marked.reason },
            hint: wayBack(snapshot) ?? `Give the cluster ${UNMARKED_IDS}.`,
          },
        ]
      : []),
    ...(lack === undefined
      ? []
      : [{ id: 'cilium-endpoints' as const, ...place, key: NO_ENDPOINTS, says: lack, hint: endpointsHint(snapshot) }]),
  ];
}

/** What of a cluster is in the way of no connection, and not as it should be: a clause each, with the next step behind an arrow. */
export function standingWarnings({ snapshot, running, left }: SeenCluster): Pick<StatusReport, 'warnings'> {
  const { context } = snapshot;
  const apart = agentsApart({ agents: running });
  const marks = saysUnreadMarks(snapshot);
  // The check that finds it tells what mends it.
  const told = (says: string, category: string) =>
    `context "${context}": ${says} → ${meshctlCommand('clustermesh check', { context }, ['--category', category])}`;
  const warnings = [
    ...(apart ? [told(saysAgentsApart(apart), 'versions')] : []),
    ...(left === undefined ? [] : [`context "${context}": ${left.says} → ${left.hint}`]),
    ...(marks === undefined ? [] : [marks]),
  ];
  return warnings.length > 0 ? { warnings } : {};
}
