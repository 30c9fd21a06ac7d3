import { saysLeftOut } from '../../mesh/cilium/agents.ts';
import { describeFault, endsByRefresh, type Fault } from '../../mesh/faults/fault.ts';
import { lacksOf } from '../../mesh/status/lacks.ts';
import { isOfUndialled, silentContexts, type UnreachableCluster } from '../../mesh/status/mesh-status.ts';
import {
  areAllConnected,
  isAlone,
  type PeerStatus,
  type StatusProblem,
  type StatusReport,
  UNREAD_NODES,
} from '../../mesh/status/status.ts';
import { areSomeUnasked } from '../../mesh/status/unasked.ts';
import { howToBegin, type KnownAround } from '../../mesh/status/whom-to-join.ts';
import { type JunitCase, junitXml, unreachableFailure, withNextStep } from '../junit.ts';
import { placesOf } from './status-view.ts';

/**
 * A suite for each cluster with a case for each peer; a cluster without peers fails as such.
 * @param reports with their words (adviseMesh)
 * @param around contexts of clusters that were not asked
 */
export function statusJunit(
  reports: readonly StatusReport[],
  unreachable: readonly UnreachableCluster[] = [],
  around: Omit<KnownAround, 'silent'> = {},
): string {
  const silent = silentContexts(unreachable);
  const nextIn = (report: StatusReport) => howToBegin(report, reports, { ...around, silent });
  return junitXml([
    ...reports.map((report) => ({
      ...{ name: report.context, cases: casesOf(report, nextIn(report)) },
      warnings: report.warnings,
    })),
    ...unreachable.map((cluster) => ({
      name: cluster.context,
      cases: [
        {
          name: 'the cluster answers',
          className: `clustermesh.${cluster.context}`,
          failure: unreachableFailure(cluster),
        },
      ],
    })),
  ]);
}

type Outcome = Pick<JunitCase, 'failure' | 'output'>;

/** @param next how to begin, where it is not part of a mesh */
function casesOf(report: StatusReport, next: string | undefined): JunitCase[] {
  const className = `clustermesh.${report.context}`;
  const { enabled, peers } = report;
  const [lack] = lacksOf(report);
  if (lack && (!enabled || isAlone(report))) {
    const { id: type, says: message } = lack;
    return [{ name: 'has peers', className, failure: { type, message, text: withNextStep(message, next) } }];
  }
  const undialled = report.faults.filter((fault) => isOfUndialled(report, fault));
  const isToldAt = (fault: Fault) => undialled.includes(fault) || peers.some(({ name }) => isAbout(fault, name));
  const isServing = ({ component, peer }: Fault) => component === 'apiserver' && peer === undefined;
  // Also what concerns clusters that are no peers here, or no more, keeps the cluster from being healthy.
  const standing = report.faults.filter((fault) => isServing(fault) || !isToldAt(fault));
  return [
    ...peers.map((peer) => ({
      name: `all ${report.sample ? 'sampled nodes' : 'nodes'} are connected to ${peer.name}`,
      className,
      ...outcomeOf(peer, report),
    })),
    ...undialled.map((fault) => ({
      name: `all nodes are connected to ${fault.peer}`,
      className,
      failure: {
        type: fault.id,
        message: `0/${report.nodes.total} nodes are connected to ${fault.peer}`,
        text: withNextStep(describeFault(fault), fault.hint),
      },
    })),
    ...servedCases(report, className),
    ...silentCases(report, className),
    ...sampleCases(report, className),
    { name: 'everything that peers and agents need of it exists', className, ...unlessUnread(report, standing) },
    ...leftOutCases(report, className),
    ...unseenCases(report, className),
  ];
}

/** That a peer dials the cluster which was not read is only on record: no pass. */
function servedCases({ servesUnseen = [] }: StatusReport, className: string): JunitCase[] {
  return servesUnseen.map((name) => ({
    name: `${name} dials this cluster one-way`,
    className,
    skipped: `${name} was not read`,
  }));
}

/** Of a cluster that dials somebody, nodes that do not answer lack each peer. */
function silentCases({ peers, problems, nodes }: StatusReport, className: string): JunitCase[] {
  if (peers.length > 0) return [];
  const failure = problems.length > 0 && failureFor(problems, `${nodes.connected}/${nodes.total} nodes answered`);
  return [{ name: 'every node answers', className, ...(failure ? { failure } : {}) }];
}

/** Nodes that were not asked, by choice, are no pass. */
function sampleCases({ sample }: StatusReport, className: string): JunitCase[] {
  if (!sample) return [];
  const skipped = `a sample of ${sample.percent}%: ${sample.asked} of ${sample.nodes} nodes`;
  return [{ name: 'every node was asked', className, skipped }];
}

/** What nobody was asked for is no pass. */
function leftOutCases({ leftOut = [] }: StatusReport, className: string): JunitCase[] {
  if (leftOut.length === 0) return [];
  return [{ name: 'no node is left out', className, skipped: leftOut.map(saysLeftOut).join('; ') }];
}

/** What may not be read is no pass. */
function unseenCases({ unread = [] }: StatusReport, className: string): JunitCase[] {
  if (unread.length === 0) return [];
  return [{ name: 'all of it may be read', className, skipped: saysUnread(unread) }];
}

function saysUnread(unread: readonly string[]): string {
  return `may not be read: ${unread.join(', ')}`;
}

function outcomeOf({ name, agents, kvstoremesh }: PeerStatus, report: StatusReport): Outcome {
  const problems = report.problems.filter(({ peer }) => peer === name);
  if (problems.length === 0 && [agents, kvstoremesh ?? agents].every(areAllConnected)) {
    return outcomeOfFaults(report.faults.filter((fault) => isAbout(fault, name)));
  }
  const message = areSomeUnasked(agents)
    ? `${agents.unasked}/${agents.total} nodes could not be asked whether they are connected to ${name}`
    : `${agents.connected}/${agents.total} nodes are connected to ${name}`;
  return { failure: failureFor(problems, message) };
}

function failureFor(problems: readonly StatusProblem[], message: string): JunitCase['failure'] {
  const texts = problems.map((problem) =>
    withNextStep(`${problem.says} — ${placesOf(problem)}\n${problem.message}`, problem.hint),
  );
  return { type: problems[0]?.class ?? 'not-connected', message, text: texts.join('\n') };
}

function isAbout({ peer, peers = peer === undefined ? [] : [peer] }: Fault, name: string): boolean {
  return peers.includes(name);
}

/** Where nothing is seen to be broken, what may not be read may be: that is no pass. */
function unlessUnread({ unread = [] }: StatusReport, standing: readonly Fault[]): Pick<JunitCase, 'skipped'> & Outcome {
  const outcome = outcomeOfFaults(standing);
  const unseen = unread.filter((one) => one !== UNREAD_NODES);
  return outcome.failure || unseen.length === 0 ? outcome : { skipped: saysUnread(unseen) };
}

/** Connected, and broken all the same; what no connection needs is told, and fails nothing. */
function outcomeOfFaults(faults: readonly Fault[]): Outcome {
  const [broken, harmless] = [true, false].map((outage) => faults.filter((fault) => fault.outage === outage));
  const told = (some: readonly Fault[] = []) =>
    some.map((fault) => withNextStep(describeFault(fault), fault.hint)).join('\n');
  const [first] = broken ?? [];
  return {
    ...(first && {
      failure: {
        type: first.id,
        message: endsByRefresh(first) ? 'ends once kubelets refresh the Secret' : 'would not come back after a restart',
        text: told(broken),
      },
    }),
    ...(harmless?.length ? { output: told(harmless) } : {}),
  };
}
