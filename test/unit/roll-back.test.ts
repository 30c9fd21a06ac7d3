import { describe, expect, it } from 'vitest';
import type { Flow, Target } from '../../src/flows/flow.ts';
import { askedBeforeRollback } from '../../src/flows/write/before-rollback.ts';
import { rollBackClusters } from '../../src/flows/write/roll-back.ts';
import { MeshctlError } from '../../src/mesh/errors.ts';
import { type KubeObject, refOf } from '../../src/mesh/objects/kube-object.ts';
import type { PeerEffect } from '../../src/mesh/plan/peer-effects.ts';
import { apiserverDeployment, serviceObject } from '../support/snapshots.ts';
import { woundClock } from '../support/wound-clock.ts';

it.each([
  ['all of a run', true, ['nothing was written: all is as before']],
  // What the phases before it have written stands.
  ['one phase of several', false, []],
])('an interrupted run that has written nothing in %s', async (_what, isAll, says) => {
  const said: string[] = [];
  const flow = { signal: AbortSignal.abort(), progress: { info: (text: string) => said.push(text) } };
  const targets = [{ client: { context: 'one' } }] as unknown as Target[];
  await rollBackClusters(flow as unknown as Flow, targets, [], new Error('interrupted'), { isAll });
  expect(said).toEqual(says);
});

it('what stays, since what it waited for has not come, is named beside what could not be put back', async () => {
  const said: string[] = [];
  const task = { done: (text: string) => said.push(text), fail: (text: string) => said.push(text) };
  const progress = { start: () => task, warn: (text: string) => said.push(text) };
  const client = { context: 'one', get: () => Promise.reject(new MeshctlError('Forbidden', 'context "one": no')) };
  const entry = (name: string) => {
    const ref = { apiVersion: 'v1', kind: 'Secret', namespace: 'kube-system', name };
    return { ref, before: undefined, after: undefined, certain: true };
  };
  const awaitBefore = () => Promise.reject(new MeshctlError('Timeout', 'they do not dial'));
  const entries = [{ ...entry('cache'), awaitBefore }, entry('agents')];
  const target = { client } as unknown as Target;
  const flow = { signal: new AbortController().signal, progress } as unknown as Flow;
  await rollBackClusters(flow, [target], [{ cluster: 'one', entries }], new Error('why'), {
    mend: () => 'meshctl mend',
  });
  expect(said).toEqual([
    'they do not dial',
    'one: could not roll back Secret kube-system/agents; Secret kube-system/cache stays as written',
    'context "one": no → once that is put right: meshctl mend',
  ]);
});

it('an object that is as before, but for whose its fields are, is no failure: it is told, with what follows', async () => {
  const said: string[] = [];
  const task = { done: (text: string) => said.push(text), fail: (text: string) => said.push(`failed: ${text}`) };
  const progress = { start: () => task, warn: (text: string) => said.push(text) };
  const objectWith = (value: string, manager: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      ...{ name: 'users', namespace: 'kube-system', uid: 'u', resourceVersion: value },
      managedFields: [{ manager, operation: 'Apply', fieldsV1: { 'f:data': { 'f:a': {} } } }],
    },
    data: { a: value },
  });
  const [before, after] = [objectWith('1', 'others'), objectWith('2', 'meshctl')];
  let patches = 0;
  const patch = () =>
    ++patches === 1
      ? Promise.resolve(objectWith('1', 'meshctl'))
      : Promise.reject(new MeshctlError('Forbidden', 'a webhook denies it'));
  const target = { client: { context: 'one', get: () => Promise.resolve(after), patch } } as unknown as Target;
  const flow = { signal: new AbortController().signal, progress } as unknown as Flow;
  const entries = [{ ref: refOf(before), before, after, certain: true }];
  const cause = new MeshctlError('Bug', 'why');
  await rollBackClusters(flow, [target], [{ cluster: 'one', entries }], cause);
  expect(said).toEqual([
    expect.stringMatching(
      /^context "one": ConfigMap kube-system\/users is as before, but .+ \(a webhook denies it\): a later apply may leave .+ → .+: kubectl --context one -n kube-system edit configmap\/users --show-managed-fields$/,
    ),
    'one: is as before, but for who owns the fields of ConfigMap kube-system/users',
  ]);
  expect(cause.details.rollback).toMatchObject([{ outcome: 'incomplete', objects: [{ outcome: 'owners' }] }]);
});

it('what others have replaced meanwhile is named, and its cluster is not called as before', async () => {
  const said: string[] = [];
  const task = { done: (text: string) => said.push(text), fail: (text: string) => said.push(text) };
  const progress = { start: () => task, warn: (text: string) => said.push(text), info: () => undefined };
  const objectWith = (value: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'cilium-ca', namespace: 'kube-system', uid: 'u', resourceVersion: value },
    data: { 'ca.crt': value },
  });
  const client = { context: 'one', get: () => Promise.resolve(objectWith('3')) };
  const [before, after] = [objectWith('1'), objectWith('2')];
  const entries = [{ ref: refOf(before), before, after, certain: true }];
  const cause = new MeshctlError('Conflict', 'why');
  const flow = { signal: new AbortController().signal, progress } as unknown as Flow;
  await rollBackClusters(flow, [{ client } as unknown as Target], [{ cluster: 'one', entries }], cause, {
    mend: () => 'meshctl mend',
  });
  expect(said).toEqual([
    'context "one": others have changed Secret kube-system/cilium-ca meanwhile, so they are not restored → see what others do there, then: meshctl mend',
    'one: is not as before: Secret kube-system/cilium-ca is as others have left it',
  ]);
  expect(cause.details.rollback).toMatchObject([{ outcome: 'incomplete', mend: 'meshctl mend' }]);
});

/** An API server that does not answer the first requests, and a clock that is wound on by waiting. */
function clientAwayFor(awayMs: number) {
  const clock = woundClock();
  const live = new Map(['one', 'two', 'three'].map((name) => [name, secretOf(name, '2')]));
  const answered = <T>(value: () => T) =>
    clock.ms() < awayMs
      ? Promise.reject(new MeshctlError('ClusterUnreachable', 'context "one": connect ECONNREFUSED'))
      : Promise.resolve(value());
  return {
    context: 'one',
    waited: clock.ms,
    get: ({ name }: { name: string }) => answered(() => live.get(name)),
    patch: ({ name }: { name: string }) => answered(() => secretOf(name, '1')),
    clock,
  };
}

function secretOf(name: string, value: string): KubeObject {
  const metadata = { name, namespace: 'kube-system', uid: name, resourceVersion: value };
  return { apiVersion: 'v1', kind: 'Secret', metadata, data: { a: value } };
}

it.each([
  ['is away for 20 seconds', 20_000, { outcome: 'as-before' }, 20_000],
  ['is away for a minute', 60_000, { outcome: 'as-before' }, 60_000],
  // In all, and not for each object.
  ['does not come back', Number.POSITIVE_INFINITY, { outcome: 'incomplete' }, 60_000],
])(
  'a rollback waits for an API server that %s, and for none longer than a minute',
  async (_what, awayMs, result, waitedMs) => {
    const said: string[] = [];
    const task = {
      done: (text: string) => said.push(text),
      fail: (text: string) => said.push(text),
      update: (text: string) => said.push(text),
    };
    const client = clientAwayFor(awayMs);
    const entries = ['one', 'two', 'three'].map((name) => {
      const [before, after] = [secretOf(name, '1'), secretOf(name, '2')];
      return { ref: refOf(before), before, after, certain: true };
    });
    const flow = { signal: new AbortController().signal, progress: { start: () => task, warn: () => undefined } };
    const cause = new MeshctlError('ClusterUnreachable', 'why');
    const target = { client } as unknown as Target;
    await rollBackClusters(flow as unknown as Flow, [target], [{ cluster: 'one', entries }], cause);
    expect(cause.details.rollback).toMatchObject([result]);
    expect(client.waited()).toBe(waitedMs);
    expect(said.filter((text) => text.includes('waiting for its API server'))).toHaveLength(1);
  },
);

it.each([
  ['is away', false],
  ['has been asked in vain for all of its time', true],
])('a cluster that %s keeps no other one from being rolled back, one at a time', async (_what, isSpent) => {
  const gone = clientAwayFor(Number.POSITIVE_INFINITY);
  const clients = [gone, { ...clientAwayFor(0), context: 'two' }];
  if (isSpent) await askedBeforeRollback(gone, () => gone.get({ name: 'one' })).catch(() => undefined);
  const spentMs = gone.waited();
  const said: string[] = [];
  const task = { done: (text: string) => said.push(text), fail: (text: string) => said.push(text), update() {} };
  const flow = { signal: new AbortController().signal, progress: { start: () => task, warn: () => undefined } };
  const entries = [
    { ref: refOf(secretOf('one', '1')), before: secretOf('one', '1'), after: secretOf('one', '2'), certain: true },
  ];
  await rollBackClusters(
    flow as unknown as Flow,
    clients.map((client) => ({ client })) as unknown as Target[],
    clients.map(({ context: cluster }) => ({ cluster, entries })),
    new Error('why'),
    { parallel: 1 },
  );
  expect(said).toEqual(['two: is as before', 'one: could not roll back Secret kube-system/one']);
  // Its minute is one for all that is asked of it.
  expect([spentMs, gone.waited()]).toEqual([isSpent ? 60_000 : 0, 60_000]);
});

describe('pods that were replaced, and only nodes with one answer', () => {
  const PORT = 32379;
  const deployment = (version: string): KubeObject => {
    const { metadata, ...content } = apiserverDeployment();
    return { ...content, metadata: { ...metadata, uid: 'u', resourceVersion: version } };
  };
  const service = serviceObject({
    ...{ type: 'NodePort', externalTrafficPolicy: 'Local' },
    ports: [{ port: 2379, nodePort: PORT }],
  });
  const node = (number: number) => ({
    metadata: { name: `node-${number}` },
    status: {
      addresses: [{ type: 'InternalIP', address: `10.0.0.${number}` }],
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  });
  /** The only pod is on this node by now. */
  const clientWithPodOn = (number: number) => ({
    context: 'one',
    get: async ({ kind }: { kind: string }) => (kind === 'Service' ? service : deployment('2')),
    patch: async () => deployment('1'),
    apply: async () => deployment('1'),
    listAll: async () => [
      {
        metadata: { name: 'pod', namespace: 'kube-system' },
        spec: { nodeName: `node-${number}` },
        status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
      },
    ],
    collect: async (_selection: object, keep: (one: object) => unknown[]) => [1, 2].map(node).flatMap(keep),
  });
  const effectOf = (peer: string, becomes: PeerEffect['becomes']): PeerEffect => {
    const mend = `meshctl mend ${peer}`;
    const movedPods = { dials: [`10.0.0.1:${PORT}`], why: 'they are replaced', mend };
    return { cluster: 'one', peer, becomes, why: 'they are replaced', mend, movedPods };
  };
  const CUT = (peer: string) =>
    `one: peer ${peer} is cut off: it dials 10.0.0.1:${PORT}, where no pod answers now → meshctl mend ${peer}`;

  it.each([
    ['put back', true, 2, deployment('1'), [CUT('old')]],
    ['put back, on the node that is dialled', true, 1, deployment('1'), []],
    ['left, of a peer that is new, too', false, 2, deployment('1'), [CUT('old'), CUT('new')]],
    ['taken away again: nobody dialled them before', true, 2, undefined, []],
  ])('who dials another one is told: %s', async (_what, isBack, podOn, before, says) => {
    const said: string[] = [];
    const task = { done: () => undefined, fail: () => undefined, update: () => undefined };
    const progress = { start: () => task, warn: (text: string) => said.push(text), info: () => undefined };
    const flow = { signal: AbortSignal.abort(), progress } as unknown as Flow;
    const target = { client: clientWithPodOn(podOn), namespace: 'kube-system' } as unknown as Target;
    const entries = [{ ref: refOf(deployment('2')), before, after: deployment('2'), certain: true }];
    await rollBackClusters(flow, [target], [{ cluster: 'one', entries }], new Error('why'), {
      rollback: isBack,
      effects: [effectOf('old', 'unknown'), effectOf('new', 'lost')],
    });
    expect(said.filter((text) => text.includes(': peer '))).toEqual(says);
  });
});

it.each([
  [
    'of which nothing is taken back',
    'others',
    'ℹ one: nothing is taken back: ConfigMap kube-system/users, Secret kube-system/file stay there',
  ],
  ['of which some is', 'meshctl', '✔ one: is as before, but for Secret kube-system/file'],
])('a cluster in which others stand on what was written, and %s', async (_what, userOf, says) => {
  const said: string[] = [];
  const progress = {
    start: () => ({ done: (text: string) => said.push(`✔ ${text}`), stop() {} }),
    info: (text: string) => said.push(`ℹ ${text}`),
  };
  const objectOf = (kind: string, name: string, value: string): KubeObject => ({
    ...{ apiVersion: 'v1', kind },
    metadata: { name, namespace: 'kube-system', uid: name, resourceVersion: value },
    data: { a: value },
  });
  const entry = (kind: string, name: string, isShared: boolean) => {
    const [before, after] = [objectOf(kind, name, '1'), objectOf(kind, name, '2')];
    const shared = isShared ? { shared: true, rollback: () => undefined } : {};
    return { ref: refOf(before), before, after, certain: true, ...shared };
  };
  const client = {
    context: 'one',
    get: async ({ kind, name }: { kind: string; name: string }) => objectOf(kind, name, '2'),
    patch: async ({ kind, name }: { kind: string; name: string }) => objectOf(kind, name, '1'),
  };
  const entries = [entry('Secret', 'file', true), entry('ConfigMap', 'users', userOf === 'others')];
  const target = { client } as unknown as Target;
  const flow = { signal: new AbortController().signal, progress } as unknown as Flow;
  await rollBackClusters(flow, [target], [{ cluster: 'one', entries }], new MeshctlError('Bug', 'why'));
  expect(said).toEqual([says]);
});
