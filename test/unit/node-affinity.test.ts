/** Which nodes a pod may be on by its nodeSelector and its required node affinity. */
import { expect, it } from 'vitest';
import { unmetChoice } from '../../src/mesh/objects/node-affinity.ts';
import type { NodeRequirement, NodeSelectorTerm } from '../../src/mesh/objects/workload.ts';

const NODE = { name: 'node-1', labels: { pool: 'mesh', cores: '8', odd: 'x8' } };

const required = (nodeSelectorTerms: NodeSelectorTerm[]) => ({
  affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
});
const wants = (key: string, operator: string, ...values: string[]): NodeRequirement => ({ key, operator, values });
const byLabels = (...matchExpressions: NodeRequirement[]) => ({ matchExpressions });
const byName = (operator: string, ...names: string[]) => ({
  matchFields: [wants('metadata.name', operator, ...names)],
});

it.each([
  [{}, undefined],
  [{ nodeSelector: { pool: 'mesh' } }, undefined],
  [{ nodeSelector: { pool: 'mesh', os: 'linux', zone: 'a' } }, 'nodeSelector os=linux, zone=a'],
  [{ affinity: { nodeAffinity: {} } }, undefined],
  [{ nodeSelector: { pool: 'x' }, ...required([byLabels(wants('pool', 'Exists'))]) }, 'nodeSelector pool=x'],
  [required([byLabels(wants('pool', 'In', 'a', 'mesh'))]), undefined],
  [required([byLabels(wants('pool', 'In', 'a', 'b'))]), 'node affinity pool in (a,b)'],
  [required([byLabels(wants('zone', 'In', 'a'))]), 'node affinity zone in (a)'],
  [required([byLabels(wants('pool', 'NotIn', 'a'))]), undefined],
  [required([byLabels(wants('pool', 'NotIn', 'mesh'))]), 'node affinity pool notin (mesh)'],
  // A label that is not there is none of the values.
  [required([byLabels(wants('zone', 'NotIn', 'a'))]), undefined],
  [required([byLabels(wants('pool', 'Exists'))]), undefined],
  [required([byLabels(wants('zone', 'Exists'))]), 'node affinity zone'],
  [required([byLabels(wants('zone', 'DoesNotExist'))]), undefined],
  [required([byLabels(wants('pool', 'DoesNotExist'))]), 'node affinity !pool'],
  [required([byLabels(wants('cores', 'Gt', '4'))]), undefined],
  [required([byLabels(wants('cores', 'Gt', '8'))]), 'node affinity cores > 8'],
  [required([byLabels(wants('cores', 'Lt', '9'))]), undefined],
  [required([byLabels(wants('cores', 'Lt', '8'))]), 'node affinity cores < 8'],
  [required([byLabels(wants('odd', 'Gt', '4'))]), 'node affinity odd > 4'],
  [required([byLabels(wants('zone', 'Lt', '4'))]), 'node affinity zone < 4'],
  [required([byLabels(wants('pool', 'Like', 'm'))]), 'node affinity pool Like (m)'],
  [required([byName('In', 'node-1')]), undefined],
  [required([byName('In', 'node-2')]), 'node affinity metadata.name in (node-2)'],
  [required([byName('NotIn', 'node-1')]), 'node affinity metadata.name notin (node-1)'],
  // All of a term, and one of the terms.
  [required([{ ...byLabels(wants('pool', 'In', 'mesh')), ...byName('In', 'node-1') }]), undefined],
  [
    required([{ ...byLabels(wants('pool', 'In', 'mesh')), ...byName('In', 'node-2') }]),
    'node affinity pool in (mesh), metadata.name in (node-2)',
  ],
  [required([byName('In', 'node-2'), byLabels(wants('pool', 'Exists'))]), undefined],
  [
    required([byName('In', 'node-2'), byLabels(wants('zone', 'Exists'))]),
    'node affinity metadata.name in (node-2) or zone',
  ],
  // An empty term takes no node, nor does an affinity without terms.
  [required([{}, byLabels(wants('zone', 'Exists'))]), 'node affinity zone'],
  [required([{ matchExpressions: [] }]), 'node affinity without a term'],
  [required([]), 'node affinity without a term'],
])('%j: %s', (spec, unmet) => {
  expect(unmetChoice(spec, NODE)).toBe(unmet);
});
