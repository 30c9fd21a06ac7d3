import { adviceFor } from '../mesh/failure-reason.ts';
import type { UnreachableCluster } from '../mesh/mesh-status.ts';
import type { PeerStatus, StatusReport } from '../mesh/status.ts';
import { type JunitCase, junitXml } from './junit.ts';
import { placesOf } from './status-view.ts';

/** A suite for each cluster with a case for each peer; a cluster without peers fails as such. */
export function statusJunit(reports: readonly StatusReport[], unreachable: readonly UnreachableCluster[] = []): string {
  return junitXml([
    ...reports.map((report) => ({ name: report.context, cases: casesOf(report, reports) })),
    ...unreachable.map(({ context, code, message }) => ({
      name: context,
      cases: [
        {
          name: 'the cluster answers',
          className: `clustermesh.${context}`,
          failure: { type: code, message, text: message },
        },
      ],
    })),
  ]);
}

function casesOf(report: StatusReport, all: readonly StatusReport[]): JunitCase[] {
  const className = `clustermesh.${report.context}`;
  const { enabled, peers } = report;
  if (!enabled || peers.length === 0) {
    const message = enabled ? 'the cluster is connected to no cluster' : 'Cluster Mesh is not enabled';
    return [
      { name: 'has peers', className, failure: { type: enabled ? 'no-peers' : 'not-enabled', message, text: message } },
    ];
  }
  return peers.map((peer) => ({
    name: `all nodes are connected to ${peer.name}`,
    className,
    failure: failureOf(peer, report, all),
  }));
}

function failureOf({ name, agents, kvstoremesh }: PeerStatus, report: StatusReport, all: readonly StatusReport[]) {
  const replicas = kvstoremesh ?? { connected: 1, total: 1 };
  const problems = report.problems.filter(({ peer }) => peer === name);
  const whole = agents.total > 0 && replicas.total > 0 && problems.length === 0;
  if (whole && agents.connected === agents.total && replicas.connected === replicas.total) return undefined;
  const peer = all.find(({ cluster }) => cluster.name === name);
  const texts = problems.map((problem) => {
    const { says, hint } = adviceFor(problem.class, {
      context: report.context,
      namespace: report.namespace,
      peer: name,
      peerContext: peer?.context,
      peerNamespace: peer?.namespace,
      component: problem.component,
      kvstoremesh: report.kvstoremesh.enabled,
    });
    return `${says} — ${placesOf(problem)}\n${problem.message}\n→ ${hint}`;
  });
  const counts = `${agents.connected}/${agents.total} nodes are connected to ${name}`;
  return { type: problems[0]?.class ?? 'not-connected', message: counts, text: texts.join('\n') };
}
