import { describe, expect, it } from 'vitest';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import type { ServiceChoices } from '../../src/mesh/enable/exposure/service-type.ts';
import { ignoredInNote, lostService, withLostChoices } from '../../src/mesh/enable/kept-service.ts';
import { keptSettingsOf } from '../../src/mesh/enable/kept-settings.ts';
import { apiserverDeployment, serviceObject, snapshotOf } from '../support/snapshots.ts';

/** A cluster whose Service is lost, with a note of it at the Deployment. */
function lostWith(note: string): ClusterSnapshot {
  const deployment = apiserverDeployment();
  deployment.metadata.annotations = { 'meshctl.io/service': note };
  return snapshotOf({ live: [deployment] });
}
const noted = (note: unknown) => lostWith(typeof note === 'string' ? note : JSON.stringify(note));

describe('what is noted of a lost Service', () => {
  it('is taken, all of it', () => {
    const note: ServiceChoices = {
      serviceType: 'LoadBalancer',
      serviceAnnotations: { 'a/b': 'c' },
      loadBalancerClass: 'mine',
      loadBalancerIp: '10.0.0.1',
      loadBalancerSourceRanges: ['10.0.0.0/8', 'fd00::/8'],
      externalTrafficPolicy: 'Local',
    };
    expect(withLostChoices(noted(note), {})).toMatchObject(note);
    expect(ignoredInNote(noted(note))).toBeUndefined();
    const port = { serviceType: 'NodePort', nodePort: 31_999 };
    expect(withLostChoices(noted(port), {})).toMatchObject(port);
  });

  it.each<[what: unknown, ignored: string]>([
    [{ serviceType: 'Foo' }, 'serviceType "Foo"'],
    [{ replicas: 9 }, 'replicas 9'],
    [{ kvstoremesh: false }, 'kvstoremesh false'],
    [{ constructor: 1 }, 'constructor 1'],
    [{ serviceAnnotations: { a: 1 } }, 'serviceAnnotations {"a":1}'],
    [{ serviceAnnotations: { 'bad key!': 'x' } }, 'serviceAnnotations {"bad key!":"x"}'],
    [{ serviceAnnotations: { 'a/b/c': 'x' } }, 'serviceAnnotations {"a/b/c":"x"}'],
    [{ serviceAnnotations: ['a'] }, 'serviceAnnotations ["a"]'],
    [{ nodePort: '31999' }, 'nodePort "31999"'],
    [{ nodePort: 99_999 }, 'nodePort 99999'],
    [{ loadBalancerClass: 7 }, 'loadBalancerClass 7'],
    [{ loadBalancerIp: 'here' }, 'loadBalancerIp "here"'],
    [{ loadBalancerSourceRanges: '10.0.0.0/8' }, 'loadBalancerSourceRanges "10.0.0.0/8"'],
    [{ loadBalancerSourceRanges: ['all'] }, 'loadBalancerSourceRanges ["all"]'],
    [{ externalTrafficPolicy: 'local' }, 'externalTrafficPolicy "local"'],
    [{ set: ['x'] }, 'set ["x"]'],
    [['x'], '["x"]'],
    ['{"serviceType":', '{"serviceType":'],
    ['null', 'null'],
  ])('is told of and left out where it is no choice of a Service: %j', (what, ignored) => {
    const snapshot = noted(what);
    const { serviceAnnotations, ...rest } = withLostChoices(snapshot, { serviceAnnotations: { own: 'yes' } });
    expect(serviceAnnotations).toEqual({ own: 'yes' });
    expect(Object.values(rest).filter((value) => value !== undefined)).toEqual([]);
    expect(lostService(snapshot)).toBeUndefined();
    expect(ignoredInNote(snapshot)).toContain(`of this: ${ignored}`);
  });

  it('leaves the rest of it as it is', () => {
    const snapshot = noted({ serviceType: 'NodePort', nodePort: 0, set: { 'spec.x': 1 }, replicas: 9 });
    expect(withLostChoices(snapshot, {})).toMatchObject({ serviceType: 'NodePort' });
    expect(keptSettingsOf(lostService(snapshot))).toEqual([['spec.x', 1]]);
    expect(ignoredInNote(snapshot)).toContain('of this: nodePort 0, replicas 9');
  });

  it('is nothing to tell of while the Service is there', () => {
    const snapshot = noted(['x']);
    const [live = apiserverDeployment()] = snapshot.objects.values();
    expect(ignoredInNote(snapshotOf({ live: [live, serviceObject({})] }))).toBeUndefined();
  });
});

const SCHEME = 'service.beta.kubernetes.io/aws-load-balancer-scheme';
const INTERNAL = 'service.beta.kubernetes.io/aws-load-balancer-internal';

it.each<[noted: Record<string, string>, given: Record<string, string> | undefined, both: Record<string, string>]>([
  [{ pool: 'private' }, { hostname: 'a.example' }, { pool: 'private', hostname: 'a.example' }],
  [{ pool: 'private' }, { pool: 'public' }, { pool: 'public' }],
  [{ pool: 'private' }, undefined, { pool: 'private' }],
  // Two controllers would be told the opposite.
  [
    { pool: 'private', [INTERNAL]: 'true' },
    { [SCHEME]: 'internet-facing' },
    { pool: 'private', [SCHEME]: 'internet-facing' },
  ],
])('annotations that are given join those that were noted: %j and %j', (serviceAnnotations, given, both) => {
  const choices = withLostChoices(noted({ serviceAnnotations }), { serviceAnnotations: given });
  expect(choices.serviceAnnotations).toEqual(both);
});

it('settings that are kept in another way than meshctl keeps them are none', () => {
  const service = serviceObject({});
  service.metadata.annotations = { 'meshctl.io/set': '["spec.x"]' };
  expect(keptSettingsOf(service)).toEqual([]);
});
