import { describe, expect, it } from 'vitest';
import { largestFirst } from '../../src/mesh/faults/hint-order.ts';
import type { StatusReport } from '../../src/mesh/status/status.ts';
import { reasonsOf } from '../../src/mesh/status/status-reasons.ts';
import { meshOf } from '../support/large-mesh.ts';
import { namesOf } from '../support/mesh-names.ts';

const isOf5 = (from: string, to: string) => [from, to].includes('mesh-5');

describe('the reasons of a large mesh', () => {
  const reasons = (reports: StatusReport[]) => reasonsOf({ clusters: reports });

  it.each<[string, (from: string, to: string) => boolean, string[][]]>([
    ['one that no other reaches', (_from, to) => to === 'mesh-5', [['mesh-5']]],
    ['one that is cut off', isOf5, [['mesh-5']]],
    ['one that reaches no other', (from) => from === 'mesh-5', [namesOf(40).filter((name) => name !== 'mesh-5')]],
    ['two that are cut off', (from, to) => isOf5(from, to) || [from, to].includes('mesh-7'), [['mesh-5'], ['mesh-7']]],
  ])('are one for each fault: %s', (_what, lacks, about) => {
    expect(reasons(meshOf(40, lacks)).map((reason) => reason.about)).toEqual(about);
  });

  it('stay apart where each peer is mended by itself', () => {
    const refusing = meshOf(5, (from) => from === 'mesh-5', 'dial tcp 10.0.0.1:2379: connect: connection refused');
    expect(reasons(refusing).map(({ about }) => about)).toEqual(namesOf(4).map((name) => [name]));
  });

  it('begin with the one that reaches most clusters', () => {
    const small = (from: string, to: string) => to === 'mesh-2' && ['mesh-1', 'mesh-3', 'mesh-4'].includes(from);
    const reports = meshOf(40, (from, to) => small(from, to) || to === 'mesh-9');
    expect(reasons(reports).map(({ about }) => about)).toEqual([['mesh-9'], ['mesh-2']]);
  });

  it('are one where new pods do not come up by a certificate that has expired', () => {
    const [report] = meshOf(2);
    if (!report) throw new Error('no report');
    const place = {
      context: 'mesh-1',
      namespace: 'kube-system',
      component: 'apiserver',
      outage: true,
      says: '',
    } as const;
    const rollout = { ...place, id: 'apiserver-rollout', object: 'Deployment clustermesh-apiserver' } as const;
    const expired = {
      ...place,
      id: 'certificate-expired',
      object: 'Secret clustermesh-apiserver-server-cert',
    } as const;
    const idsOf = (faults: StatusReport['faults']) => reasons([{ ...report, faults }]).map(({ id }) => id);
    expect(idsOf([expired, rollout])).toEqual(['certificate-expired']);
    expect(idsOf([rollout])).toEqual(['apiserver-rollout']);
  });

  it('keep what must be done first before it', () => {
    const hints = {
      under: 'kubectl --context b -n kube-system create namespace x',
      other: 'kubectl --context z -n kube-system create namespace x',
      large: 'meshctl clustermesh enable --context b',
    };
    const order = largestFirst(
      [hints.other, hints.under, hints.large],
      (hint) => hint,
      (hint) => ({ isOutage: true, clusters: hint === hints.large ? 16 : 1 }),
    );
    expect(order).toEqual([hints.under, hints.large, hints.other]);
  });
});
