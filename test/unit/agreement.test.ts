import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { openedAccess, rangesLeft } from '../../src/mesh/enable/effects/opened-access.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { apiserverServiceRef } from '../../src/mesh/objects/names.ts';
import type { ServiceSpec } from '../../src/mesh/objects/service.ts';
import { agreementClauses, type Hazard, requireForeseen } from '../../src/mesh/plan/agreement.ts';
import { applyChanges } from '../../src/mesh/plan/diff.ts';
import type { PeerEffect } from '../../src/mesh/plan/peer-effects.ts';
import type { Step } from '../../src/mesh/plan/plan.ts';
import type { ClusterServices } from '../../src/mesh/services/service-facts.ts';
import { serviceFacts } from '../../src/mesh/services/services.ts';
import { doubtfulStrandings, strandings, withdrawals } from '../../src/mesh/services/withdrawals.ts';
import { apiserverDeployment, snapshotOf } from '../support/snapshots.ts';

const REF = apiserverServiceRef('kube-system');

function service(spec: ServiceSpec, annotations: Record<string, string> = {}): KubeObject {
  const fields = (of: object) => Object.fromEntries(Object.keys(of).map((name) => [`f:${name}`, {}]));
  const fieldsV1 = { 'f:metadata': { 'f:annotations': fields(annotations) }, 'f:spec': fields(spec) };
  const managedFields = [{ manager: 'meshctl', operation: 'Apply' as const, fieldsV1 }];
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'kube-system', name: REF.name, annotations, managedFields },
    spec,
  };
}

const balanced = (...ranges: string[]): ServiceSpec => ({
  type: 'LoadBalancer',
  ...(ranges.length > 0 ? { loadBalancerSourceRanges: ranges } : {}),
});

/** A cluster with a Service, or the note of one, and the step that makes it as it is wanted. */
function changed(before: KubeObject | undefined, wanted: KubeObject, note?: object) {
  const deployment = apiserverDeployment();
  deployment.metadata.annotations = note ? { 'meshctl.io/service': JSON.stringify(note) } : {};
  const changes = before ? applyChanges(before, wanted, 'meshctl') : [];
  const step: Step = {
    cluster: 'one',
    action: before ? 'update' : 'create',
    object: REF,
    changes,
    why: '',
    before,
    wanted,
  };
  const snapshot = snapshotOf({ live: [deployment, ...(before ? [before] : [])] });
  return { snapshot, steps: [step] };
}

function opened(...change: Parameters<typeof changed>): string[] {
  const { snapshot, steps } = changed(...change);
  return openedAccess(snapshot, steps).map(({ says }) => says);
}

function shutsOut(...change: Parameters<typeof changed>): boolean {
  const { snapshot, steps } = changed(...change);
  return rangesLeft(snapshot, steps).length > 0;
}

describe('whom a changed Service lets in', () => {
  it.each<[string, string[], string[], string[]]>([
    ['all', ['10.0.0.0/8'], [], ['all clients get in, until now only those in 10.0.0.0/8']],
    [
      'more',
      ['10.0.0.0/8'],
      ['10.0.0.0/8', '11.0.0.0/8'],
      [expect.stringContaining('clients in 11.0.0.0/8 get in too')],
    ],
    ['all by name', ['10.0.0.0/8'], ['0.0.0.0/0'], [expect.stringContaining('clients in 0.0.0.0/0 get in too')]],
    ['another family', ['10.0.0.0/8'], ['::/0'], [expect.stringContaining('clients in ::/0 get in too')]],
    ['fewer', ['10.0.0.0/8'], ['10.1.0.0/16'], []],
    ['the same', ['10.0.0.0/8'], ['10.0.0.0/8'], []],
    ['some of all', [], ['10.0.0.0/8'], []],
  ])('%s', (_what, before, after, says) => {
    expect(opened(service(balanced(...before)), service(balanced(...after)))).toEqual(says);
    // A Service that is lost was as it is noted.
    const note = before.length > 0 ? { loadBalancerSourceRanges: before } : undefined;
    expect(opened(undefined, service(balanced(...after)), note)).toEqual(says);
  });

  it.each<[is: boolean, what: string, before: string[], after: string[], families?: string[]]>([
    [false, 'the same in another order', ['10.0.0.0/8', 'fd00::/8'], ['fd00::/8', '10.0.0.0/8']],
    [false, 'more', ['10.0.0.0/8'], ['10.0.0.0/8', '192.168.0.0/16']],
    [false, 'a wider one', ['10.1.0.0/16'], ['10.0.0.0/8']],
    [false, 'all', ['10.0.0.0/8'], []],
    [false, 'all by name', ['10.0.0.0/8'], ['0.0.0.0/0']],
    [false, 'all by name, where there were none', [], ['0.0.0.0/0'], ['IPv4']],
    [true, 'all by name of one of two families', [], ['0.0.0.0/0'], ['IPv4', 'IPv6']],
    [true, 'some of all', [], ['10.0.0.0/8']],
    [true, 'others', ['10.0.0.0/8'], ['11.0.0.0/8']],
    [true, 'fewer', ['10.0.0.0/8', '11.0.0.0/8'], ['10.0.0.0/8']],
    [true, 'a narrower one', ['10.0.0.0/8'], ['10.1.0.0/16']],
  ])('shuts somebody out, %s: %s', (is, _what, before, after, ipFamilies) => {
    const former = { ...balanced(...before), ...(ipFamilies && { ipFamilies }) };
    expect(shutsOut(service(former), service(balanced(...after)))).toBe(is);
  });

  const ANY_CLOUD = 'service.beta.kubernetes.io/load-balancer-source-ranges';
  const GROUPS = 'service.beta.kubernetes.io/aws-load-balancer-security-groups';
  const TEN = { [ANY_CLOUD]: '10.0.0.0/8' };
  const ALL = 'all clients get in, until now only those in 10.0.0.0/8';
  const ELEVEN = 'clients in 11.0.0.0/8 get in too, until now only those in 10.0.0.0/8';
  it.each<[string, before: KubeObject, wanted: KubeObject, says: string[], shuts: boolean]>([
    [
      'a field with these and more',
      service(balanced(), TEN),
      service(balanced('10.0.0.0/8', '11.0.0.0/8'), TEN),
      [ELEVEN],
      false,
    ],
    ['a field with these', service(balanced(), TEN), service(balanced('10.0.0.0/8'), TEN), [], false],
    ['a field with fewer', service(balanced(), TEN), service(balanced('10.1.0.0/16'), TEN), [], true],
    ['no list any more', service(balanced(), TEN), service(balanced(), { 'a.example/b': 'c' }), [ALL], false],
    [
      'no annotation any more',
      service(balanced(), TEN),
      { ...service(balanced()), metadata: { namespace: 'kube-system', name: REF.name } },
      [ALL],
      false,
    ],
    ['a list where there was none', service(balanced()), service(balanced(), TEN), [], true],
    [
      'a field less, beside the list',
      service(balanced('10.1.0.0/16'), TEN),
      service(balanced(), TEN),
      ['clients in 10.0.0.0/8 get in too, until now only those in 10.1.0.0/16'],
      false,
    ],
    ['security groups instead', service(balanced(), TEN), service(balanced(), { [GROUPS]: 'sg-1' }), [], false],
    [
      'a field less, beside security groups',
      service(balanced('10.0.0.0/8'), { [GROUPS]: 'sg-1' }),
      service(balanced(), { [GROUPS]: 'sg-1' }),
      [ALL],
      false,
    ],
  ])('by annotations: %s', (_what, before, wanted, says, shuts) => {
    expect({ opened: opened(before, wanted), shuts: shutsOut(before, wanted) }).toEqual({ opened: says, shuts });
  });

  it('by an annotation of others, which stays', () => {
    const before = service(balanced(), TEN);
    before.metadata.managedFields = [];
    const wanted = service(balanced('10.0.0.0/8', '11.0.0.0/8'));
    expect({ opened: opened(before, wanted), shuts: shutsOut(before, wanted) }).toEqual({
      opened: [ELEVEN],
      shuts: false,
    });
    expect(shutsOut(before, service({ ...balanced(), externalTrafficPolicy: 'Local' }))).toBe(false);
  });

  it.each(['ClusterIP', 'NodePort'] as const)('is nobody new where it becomes one of type %s', (type) => {
    expect(opened(service(balanced('10.0.0.0/8')), service({ type }))).toEqual([]);
  });

  it.each([
    ['networking.gke.io/load-balancer-type', 'Internal', 'External', true],
    ['networking.gke.io/load-balancer-type', 'Internal', undefined, true],
    ['networking.gke.io/load-balancer-type', 'External', 'Internal', false],
    ['networking.gke.io/internal-load-balancer-allow-global-access', 'true', undefined, false],
    ['service.beta.kubernetes.io/azure-load-balancer-internal', 'true', 'false', true],
    ['example.net/note', 'true', 'false', false],
  ])('is the public internet where %s goes from %s to %s: %s', (name, from, to, isPublic) => {
    const [before, after] = [from, to].map((value) =>
      service(balanced(), value === undefined ? {} : { [name]: value }),
    );
    if (!before || !after) throw new Error('two Services');
    expect(opened(before, after)).toHaveLength(isPublic ? 1 : 0);
  });
});

describe('backends that are withdrawn', () => {
  const of = (annotations: Record<string, string>): KubeObject => {
    const named = Object.entries(annotations).map(([key, value]) => [`service.cilium.io/${key}`, value]);
    const metadata = { namespace: 'default', name: 'web', annotations: Object.fromEntries(named) };
    return { apiVersion: 'v1', kind: 'Service', metadata };
  };
  const GLOBAL = { global: 'true' };
  const WITHHELD = { global: 'true', shared: 'false' };
  it.each([
    ['are kept at home now', GLOBAL, WITHHELD, true],
    ['are in no mesh any more', GLOBAL, {}, true],
    ['were kept at home', WITHHELD, {}, false],
    ['were in no mesh', {}, WITHHELD, false],
    ['are preferred', GLOBAL, { global: 'true', affinity: 'local' }, false],
  ])('%s', (_what, before, wanted, isTold) => {
    const object = { apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 'web' };
    const step: Step = {
      cluster: 'one',
      action: 'update',
      object,
      changes: [],
      why: '',
      before: of(before),
      wanted: of(wanted),
    };
    const says = 'other clusters lose the backends of default/web';
    expect(withdrawals([step], [])).toEqual(isTold ? [{ cluster: 'one', says }] : []);
    expect(withdrawals([{ ...step, action: 'keep' }], [])).toEqual([]);
  });

  const ready = { ready: true, serving: true, terminating: false };
  /** A cluster with the Service and so many backends. */
  const cluster = (context: string, mesh: Record<string, string>, backends: number): ClusterServices => {
    const service = { ...of(mesh), spec: { ports: [{ name: 'http', port: 80 }] } };
    const all = Array.from({ length: backends }, (_, index) => ({ address: `10.0.0.${index + 1}`, ...ready }));
    return {
      ...{ context, cluster: `mesh-${context}`, globalByDefault: true, namespaces: new Map([['default', {}]]) },
      services: new Map([['default/web', { ...serviceFacts(service), backends: all }]]),
    };
  };
  it.each<[string, Partial<ClusterServices> | undefined, others: Partial<ClusterServices>[], isTold: boolean]>([
    ['its cluster was not read', undefined, [{ peers: [] }], true],
    ['another dials it', { peers: [], isServing: true }, [{ peers: ['mesh-one'] }], true],
    ['whom another dials is not known', { peers: [], isServing: false }, [{ peers: undefined }], true],
    ['whom it dials is not known', { peers: undefined, isServing: false }, [{ peers: [] }], true],
    ['it dials one that was not read', { peers: ['mesh-far'], isServing: false }, [], true],
    ['one that was not read may dial it', { peers: [], isServing: true }, [{ peers: [] }], true],
    ['nobody knows whether one may', { peers: [], isServing: undefined }, [{ peers: [] }], true],
    ['it is in no mesh', { peers: [], isServing: false }, [{ peers: [] }], false],
    ['no namespace is global', { peers: ['mesh-two'], globalByDefault: false }, [{ peers: ['mesh-one'] }], false],
    [
      'its namespace is not global',
      { peers: ['mesh-two'], namespaces: new Map([['default', { 'clustermesh.cilium.io/global': 'false' }]]) },
      [{ peers: ['mesh-one'] }],
      false,
    ],
  ])('are taken from others only where others may have had them: %s', (_what, own, others, isTold) => {
    const clusters = [
      ...(own ? [{ ...cluster('one', GLOBAL, 1), ...own }] : []),
      ...others.map((other) => ({ ...cluster('two', GLOBAL, 0), ...other })),
    ];
    const object = { apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 'web' };
    const [before, wanted] = [of(GLOBAL), of({})];
    const step: Step = { cluster: 'one', action: 'update', object, changes: [], why: '', before, wanted };
    expect(withdrawals([step], clusters).map(({ cluster: context }) => context)).toEqual(isTold ? ['one'] : []);
  });

  type Had = Record<string, [mesh: Record<string, string>, backends: number]>;
  it.each<[string, Had, changed: Record<string, Record<string, string>>, stranded: string | undefined]>([
    ['the only ones there are', { one: [GLOBAL, 1], two: [GLOBAL, 0] }, { one: WITHHELD }, 'mesh-two'],
    ['of which others have more', { one: [GLOBAL, 1], two: [GLOBAL, 1] }, { one: WITHHELD }, undefined],
    [
      'the last of several',
      { one: [GLOBAL, 1], two: [GLOBAL, 1], three: [GLOBAL, 0] },
      { one: {}, two: {} },
      'mesh-three',
    ],
    ['one of several', { one: [GLOBAL, 1], two: [GLOBAL, 1], three: [GLOBAL, 0] }, { one: {} }, undefined],
    ['its own, without any', { one: [GLOBAL, 0], two: [GLOBAL, 1] }, { one: {} }, 'mesh-one'],
    ['its own, that were kept at home, without any', { one: [WITHHELD, 0], two: [GLOBAL, 1] }, { one: {} }, 'mesh-one'],
    ['where nobody had any', { one: [GLOBAL, 0], two: [GLOBAL, 0] }, { one: WITHHELD }, undefined],
    ['where no other has the Service', { one: [GLOBAL, 1] }, { one: {} }, undefined],
    [
      'for two',
      { one: [GLOBAL, 1], two: [GLOBAL, 0], three: [GLOBAL, 0] },
      { one: WITHHELD },
      'mesh-two and mesh-three',
    ],
  ])('strand whom no other backends serve: %s', (_what, had, changed, stranded) => {
    const clusters = Object.entries(had).map(([context, [mesh, backends]]) => cluster(context, mesh, backends));
    const object = { apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 'web' };
    const steps = Object.entries(changed).map(([context, mesh]): Step => {
      const before = of(had[context]?.[0] ?? {});
      return { cluster: context, action: 'update', object, changes: [], why: '', before, wanted: of(mesh) };
    });
    const says = `requests from ${stranded} for default/web fail, which no other backends serve`;
    expect(strandings(steps, clusters)).toMatchObject(
      stranded === undefined ? [] : steps.map((step) => ({ cluster: step.cluster, says })),
    );
  });

  it.each([
    [
      'it still takes part, and may have theirs',
      GLOBAL,
      1,
      WITHHELD,
      'mesh-two',
      ', as far as is known without mesh-three',
    ],
    ['it takes part no more', GLOBAL, 0, {}, 'mesh-one', ''],
  ])('a stranded cluster has a peer that was not read: %s', (_what, mesh, backends, wanted, stranded, doubt) => {
    const peers = ['mesh-one', 'mesh-two', 'mesh-three'];
    const clusters = [cluster('one', mesh, backends), cluster('two', GLOBAL, 1 - backends)].map((one) => ({
      ...one,
      peers,
    }));
    const object = { apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 'web' };
    const step: Step = {
      cluster: 'one',
      action: 'update',
      object,
      changes: [],
      why: '',
      before: of(mesh),
      wanted: of(wanted),
    };
    const says = `requests from ${stranded} for default/web fail, which no other backends serve${doubt}`;
    expect(strandings([step], clusters)).toMatchObject([{ cluster: 'one', says }]);
  });

  const MAY_FAIL = 'for default/web may fail: it was not read';
  const OWN =
    'requests from mesh-one for default/web may fail: only mesh-far may have backends for them, and it was not read';
  it.each<[string, Partial<ClusterServices>, own: number, wanted: Record<string, string>, says: string[]]>([
    ['a peer that it dials', { peers: ['mesh-far'] }, 1, {}, [`requests from mesh-far ${MAY_FAIL}`]],
    ['one that only dials in', { peers: [], lettingIn: ['mesh-far'] }, 1, {}, [`requests from mesh-far ${MAY_FAIL}`]],
    [
      'of whom it has a user, too',
      { peers: ['mesh-far'], lettingIn: ['mesh-far', 'mesh-one'] },
      1,
      WITHHELD,
      [`requests from mesh-far ${MAY_FAIL}`],
    ],
    ['who has none of it to lose', { peers: ['mesh-far'] }, 0, WITHHELD, []],
    ['whom it lets in to nothing', { peers: ['mesh-far'], isServing: false }, 1, {}, []],
    ['who is known', { peers: ['mesh-two'] }, 1, {}, []],
    ['who may be the only one to serve it', { peers: ['mesh-far'] }, 0, {}, [OWN]],
    ['who may be that, where it takes part still', { peers: ['mesh-far'] }, 0, WITHHELD, []],
  ])('leave open what becomes of requests where a peer was not read: %s', (_what, seen, own, wanted, says) => {
    const clusters = [
      { ...cluster('one', GLOBAL, own), ...seen },
      { ...cluster('two', GLOBAL, 0), peers: ['mesh-one'] },
    ];
    const object = { apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 'web' };
    const [before, after] = [of(GLOBAL), of(wanted)];
    const step: Step = { cluster: 'one', action: 'update', object, changes: [], why: '', before, wanted: after };
    expect(doubtfulStrandings([step], clusters)).toMatchObject(says.map((words) => ({ cluster: 'one', says: words })));
    expect(doubtfulStrandings([{ ...step, action: 'keep' }], clusters)).toEqual([]);
  });
});

describe('what has to be agreed to', () => {
  const effect = (peer: string, becomes: PeerEffect['becomes']): PeerEffect => ({
    cluster: 'one',
    peer,
    becomes,
    why: '',
  });
  it('is each thing once, with the clusters that it is about', () => {
    const says = 'all clients get in';
    expect(
      agreementClauses({
        effects: [effect('b', 'cut'), effect('b', 'unknown'), effect('c', 'unknown'), effect('d', 'moved')],
        hazards: ['one', 'two', 'one'].map((cluster) => ({ cluster, says })),
        doubtful: true,
      }),
    ).toEqual([
      'b is cut off',
      'c may be cut off',
      'all clients get in (one, two)',
      'clusters that are not known here may be cut off',
    ]);
    expect(agreementClauses({ effects: [effect('d', 'moved'), effect('e', 'lost')] })).toEqual([]);
  });
});

describe('what has come to be since it was agreed to', () => {
  const OPENS: Hazard = { cluster: 'one', says: 'all clients get in' };
  const losing = (of: string[], cluster = 'one', what = 'loses'): Hazard => ({
    ...{ cluster, says: `${what} backends for ${of.join(', ')}`, enumerates: { what, members: of } },
  });

  it.each<[string, agreed: Hazard[], now: Hazard[], refused: string | undefined]>([
    ['the same', [OPENS, losing(['a', 'b'])], [OPENS, losing(['a', 'b'])], undefined],
    ['nothing any more', [OPENS, losing(['a', 'b'])], [], undefined],
    ['the same in another order', [losing(['a', 'b'])], [losing(['b', 'a'])], undefined],
    ['fewer', [losing(['a', 'b'])], [losing(['b'])], undefined],
    ['as one what was told apart', [losing(['a']), losing(['b'])], [losing(['a', 'b'])], undefined],
    ['another one instead', [losing(['a'])], [losing(['b'])], 'loses backends for b'],
    ['one more', [losing(['a'])], [losing(['a', 'b'])], 'loses backends for a, b (new: b)'],
    ['in another cluster', [losing(['a'], 'two')], [losing(['a'])], 'loses backends for a'],
    ['worse', [losing(['a'])], [losing(['a'], 'one', 'cannot do without')], 'cannot do without backends for a'],
    ['another thing', [losing(['a'])], [losing(['a']), OPENS], 'all clients get in'],
  ])('is refused only where it is more: %s', (_what, agreed, now, refused) => {
    const look = () => requireForeseen(agreed, now);
    if (refused === undefined) expect(look).not.toThrow();
    else expect(look).toThrow(`context "one": ${refused}: that was not so when the plan was shown and agreed to`);
  });

  it('is known by each of the names that a clause enumerates', () => {
    const folder = fileURLToPath(new URL('../../src', import.meta.url));
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
    const making = files
      .map((file) => ({ file, text: readFileSync(join(folder, file), 'utf8') }))
      .filter(({ text }) => /import .*\bHazard\b.*plan\/agreement\.ts/.test(text))
      .filter(({ text }) => /says: .*\b(firstOf|enumerated|policiesNamed|join|clauseOf)\(|`.*\$\{keys\}/.test(text));
    expect(making.length).toBeGreaterThan(3);
    expect(making.filter(({ text }) => !text.includes('enumerates: {')).map(({ file }) => file)).toEqual([]);
  });
});
