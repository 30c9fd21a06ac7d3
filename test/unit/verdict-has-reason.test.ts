/** A verdict that is not well is followed by what is not: a headline that points to a line points to one that is there. */
import { expect, it } from 'vitest';
import type { Fault } from '../../src/mesh/faults/fault.ts';
import { FAULT_IDS } from '../../src/mesh/faults/fault-advice.ts';
import { evaluateMesh } from '../../src/mesh/status/mesh-status.ts';
import { peerNameOf, type StatusReport } from '../../src/mesh/status/status.ts';
import { createTally } from '../../src/mesh/status/status-tally.ts';
import { meshStatusText } from '../../src/views/status/matrix-view.ts';
import { statusText } from '../../src/views/status/status-view.ts';
import { PLAIN } from '../support/plain-theme.ts';

const WELL = { ready: true, connected: true };
const ANSWERS = [WELL, { status: 'dial tcp 10.0.0.1:2379: i/o timeout' }, undefined] as const;
type Answer = (typeof ANSWERS)[number];

interface Shape {
  enabled: boolean;
  kvstoremesh: boolean;
  /** Of the agents and of the replicas, what each says of each peer; `silent`: it says nothing. */
  agents: readonly (Answer | 'silent')[];
  replicas: readonly (Answer | 'silent')[];
  dials: boolean;
  serves: boolean;
}

function reportOf(name: string, peer: string, shape: Shape): StatusReport {
  const { enabled, kvstoremesh, dials, serves } = shape;
  const tally = createTally({
    ...{ context: `c-${name}`, namespace: 'kube-system', clusterName: name, clusterId: 1, enabled, kvstoremesh },
    ...{ peers: dials ? [peer] : [], serves: serves && !dials ? [peer] : [] },
  });
  const add = (component: 'agent' | 'kvstoremesh', answers: Shape['agents']) =>
    answers.forEach((answer, index) => {
      const of = { name: `${component}-${index}`, pod: `pod-${index}` };
      if (answer === 'silent') tally.add(component, { ...of, error: 'no answer', unasked: true });
      else tally.add(component, { ...of, clusters: answer && dials ? [{ name: peer, ...answer }] : [] });
    });
  add('agent', shape.agents);
  if (kvstoremesh) add('kvstoremesh', shape.replicas);
  return tally.report();
}

const BOOLEANS = [true, false];
/** That there are no agents is a fault of its own (`agents-missing`). */
const PODS: readonly Shape['agents'][] = [
  [WELL],
  [ANSWERS[1]],
  [undefined],
  ['silent'],
  [WELL, 'silent'],
  [WELL, undefined],
];
const SHAPES: readonly Shape[] = BOOLEANS.flatMap((enabled) =>
  BOOLEANS.flatMap((kvstoremesh) =>
    BOOLEANS.flatMap((dials) =>
      BOOLEANS.flatMap((serves) =>
        PODS.flatMap((agents) =>
          (kvstoremesh ? [[], ...PODS] : [[]]).map((replicas) => ({
            enabled,
            kvstoremesh,
            dials,
            serves,
            agents,
            replicas,
          })),
        ),
      ),
    ),
  ),
);

/** Lines of a text that say what is wrong, or what is next. */
const reasonsIn = (text: string) =>
  text
    .split('\n')
    .slice(1)
    .filter((line) => /^\s*(?:⚠️|❌|‼|→)/u.test(line));

const WHOLE: Shape = {
  ...{ enabled: true, kvstoremesh: true, dials: true, serves: false },
  ...{ agents: [WELL], replicas: [WELL] },
};

/** Of two clusters, those that are not well and that no line names. */
function unnamedIn(reports: readonly StatusReport[]): string[] {
  const text = meshStatusText(evaluateMesh(reports, []), PLAIN);
  const isNamed = (report: StatusReport) =>
    reasonsIn(text).some((line) => [peerNameOf(report), report.context].some((name) => line.includes(name)));
  return reports.filter((report) => !report.healthy && !isNamed(report)).map(() => text);
}

it('whatever pods say, of one cluster', () => {
  const bare = SHAPES.filter((shape) => {
    const report = reportOf('a', 'b', shape);
    return !report.healthy && reasonsIn(statusText(report, PLAIN)).length === 0;
  });
  expect(bare.map((shape) => JSON.stringify(shape))).toEqual([]);
});

it('and of two, of which each that is not well is named', () => {
  const bare = SHAPES.flatMap((shape) =>
    unnamedIn([reportOf('mesh-a', 'mesh-b', shape), reportOf('mesh-b', 'mesh-a', WHOLE)]),
  );
  expect(bare).toEqual([]);
});

it.each(FAULT_IDS)('and whatever is broken: %s', (id) => {
  const components = ['agent', 'kvstoremesh', 'apiserver'] as const;
  const bare = components.flatMap((component) =>
    [undefined, ...(component === 'apiserver' ? [] : ['mesh-b', 'mesh-c'])].flatMap((peer) => {
      const [one, two] = [reportOf('mesh-a', 'mesh-b', WHOLE), reportOf('mesh-b', 'mesh-a', WHOLE)];
      const { context, namespace } = one;
      const fault: Fault = {
        ...{ id, context, namespace, component, object: 'Secret x', outage: true, says: 'it is broken' },
        ...(peer ? { peer } : {}),
      };
      const broken = { ...one, healthy: false, faults: [fault] };
      const alone = reasonsIn(statusText(broken, PLAIN)).length === 0 ? [JSON.stringify(fault)] : [];
      return [...alone, ...unnamedIn([broken, two])];
    }),
  );
  expect(bare).toEqual([]);
});
