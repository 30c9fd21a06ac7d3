import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { type ApplyStepsOptions, applySteps, type Journal } from '../../src/kube/apply.ts';
import type { ClusterClient, WriteOptions } from '../../src/kube/client.ts';
import { rollback } from '../../src/kube/rollback.ts';
import { MeshctlError } from '../../src/mesh/errors.ts';
import type { KubeObject, ObjectRef } from '../../src/mesh/objects/kube-object.ts';
import type { ReadyWrite, Step } from '../../src/mesh/plan/plan.ts';
import type { Fault } from '../../src/sandbox/apiserver/api.ts';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import { type KubeSandbox, startKubeSandbox } from '../support/kube-sandbox.ts';
import { woundClock } from '../support/wound-clock.ts';

let sandbox: KubeSandbox;
/** What the API server does with the next request of a verb. */
const faults = new Map<string, () => Fault | undefined | Promise<undefined>>();

beforeAll(async () => {
  sandbox = await startKubeSandbox({ intercept: async ({ verb }) => faults.get(verb)?.() });
});

afterEach(() => {
  faults.clear();
  for (const { metadata } of sandbox.store.list({ apiVersion: 'v1', kind: 'ConfigMap' }))
    sandbox.store.delete(ref(metadata.name));
});

afterAll(() => sandbox.close());

const configMap = (name: string, data: Record<string, string>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'n' },
  data,
});
const ref = (name: string): ObjectRef => ({ apiVersion: 'v1', kind: 'ConfigMap', namespace: 'n', name });
const dataOf = (name: string) => sandbox.store.get(ref(name))?.data;

/** A step that finds the cluster as it is now. */
function step(name: string, write: Step['write'], action: Step['action'] = 'update'): Step {
  return {
    cluster: 'c1',
    action,
    object: ref(name),
    changes: [],
    why: 'test',
    write,
    before: sandbox.store.get(ref(name)),
  };
}

/** Keeps the first request of a verb back until it is released; the client may have given it up by then. */
function holdFirst(verb: string): { release(): void; served: Promise<void> } {
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  faults.set(verb, async () => {
    faults.delete(verb);
    await released;
    return undefined;
  });
  // The request is served in the turns after its release.
  const served = released.then(() => new Promise<void>((resolve) => setTimeout(resolve, 50)));
  return { release, served };
}

const materialise = async ({ write }: Step) => write as ReadyWrite;
const run = (steps: Step[], more: Partial<Parameters<typeof applySteps>[2]> = {}) =>
  applySteps(sandbox.client, steps, { materialise, ...more });
const undo = async (journal: Journal) =>
  (await rollback(sandbox.client, journal)).map(({ ref: { name }, outcome }) => `${name} ${outcome}`);

describe('applySteps', () => {
  test('writes in order, by each method, and keeps a journal', async () => {
    sandbox.store.create(configMap('patched', { a: '1' }));
    sandbox.store.create(configMap('deleted', { a: '1' }));
    const { journal, error } = await run([
      step('kept', undefined, 'keep'),
      step('created', { method: 'create', object: configMap('created', { a: '1' }) }),
      step('applied', { method: 'apply', object: configMap('applied', { a: '1' }) }),
      step('patched', { method: 'patch', patch: { data: { a: null, b: '2' } } }),
      step('deleted', { method: 'delete' }),
    ]);
    expect(error).toBeUndefined();
    expect(journal.cluster).toBe('c1');
    expect(
      journal.entries.map(({ ref: { name }, before, after, certain }) => [name, before?.data, after?.data, certain]),
    ).toEqual([
      ['created', undefined, { a: '1' }, true],
      ['applied', undefined, { a: '1' }, true],
      ['patched', { a: '1' }, { b: '2' }, true],
      ['deleted', { a: '1' }, undefined, true],
    ]);
    expect(dataOf('patched')).toEqual({ b: '2' });
    expect(sandbox.store.get(ref('deleted'))).toBeUndefined();
  });

  test('a dry run writes nothing, but the API server checks it', async () => {
    const { journal } = await run([step('a', { method: 'apply', object: configMap('a', { a: '1' }) })], {
      dryRun: true,
    });
    expect(journal.entries).toEqual([]);
    expect(sandbox.store.get(ref('a'))).toBeUndefined();
    sandbox.store.create(configMap('b', {}));
    const refused = await run([step('b', { method: 'create', object: configMap('b', {}) })], { dryRun: true });
    expect(refused.error).toMatchObject({ code: 'Conflict' });
  });

  test.each<[string, ReadyWrite]>([
    ['edit', { method: 'edit', edit: () => ({ patch: { data: { a: '2' } } }) }],
    ['apply', { method: 'apply', object: configMap('going', { a: '2' }) }],
    ['patch', { method: 'patch', patch: { data: { a: '2' } } }],
  ])('does not %s what was deleted after the plan was made, and is held', async (_, write) => {
    sandbox.store.create(configMap('going', { a: '1' }));
    const planned = step('going', write);
    const finalizers = (list: string[]) =>
      sandbox.store.update(ref('going'), (object) => {
        object.metadata.finalizers = list;
      });
    finalizers(['example.com/held']);
    sandbox.store.delete(ref('going'));
    const { error, journal } = await run([planned]);
    expect(error).toMatchObject({ code: 'Conflict', message: expect.stringContaining('is being deleted, held by') });
    expect([dataOf('going'), journal.entries]).toEqual([{ a: '1' }, []]);
    finalizers([]);
  });

  test('stops at the first failure, with what was written until then', async () => {
    sandbox.store.create(configMap('b', {}));
    const { journal, error } = await run([
      step('a', { method: 'apply', object: configMap('a', { a: '1' }) }),
      step('b', { method: 'create', object: configMap('b', {}) }),
      step('c', { method: 'apply', object: configMap('c', {}) }),
    ]);
    expect(error).toMatchObject({ code: 'Conflict', details: { reason: 'AlreadyExists' } });
    expect(journal.entries.map((entry) => entry.ref.name)).toEqual(['a']);
    expect(sandbox.store.get(ref('c'))).toBeUndefined();
  });

  test("another manager's field is a conflict, unless it is forced", async () => {
    sandbox.store.create(configMap('a', { a: 'theirs' }), 'helm');
    const wanted = step('a', { method: 'apply', object: configMap('a', { a: 'ours' }) });
    expect((await run([wanted])).error).toMatchObject({
      code: 'Conflict',
      message: 'context "c1": cannot apply ConfigMap n/a: other managers own .data.a (helm)',
    });
    expect((await run([wanted], { force: true })).error).toBeUndefined();
    expect(dataOf('a')).toEqual({ a: 'ours' });
  });

  test('a patch for an older version is refused', async () => {
    const { metadata } = sandbox.store.create(configMap('a', { a: '1' }));
    sandbox.store.update(ref('a'), (live) => {
      live.data = { a: '2' };
    });
    const { resourceVersion } = metadata;
    const { error } = await run([step('a', { method: 'patch', patch: { data: { a: '3' } }, resourceVersion })]);
    expect(error).toMatchObject({ code: 'Conflict' });
    expect(dataOf('a')).toEqual({ a: '2' });
  });

  describe('while the API server takes no connection', () => {
    const steps = (): Record<string, Step> => ({
      create: step('new', { method: 'create', object: configMap('new', { a: '1' }) }),
      patch: step('there', { method: 'patch', patch: { data: { a: '2' } } }),
      apply: step('there', { method: 'apply', object: configMap('there', { a: '2' }), force: true }),
      delete: step('there', { method: 'delete' }),
    });
    type Method = 'create' | 'patch' | 'apply' | 'delete';
    /** A client to which an attempt goes as these failures say, by their codes, one after the other, before any comes through. */
    const failing = (method: Method, codes: readonly string[], each = () => {}): ClusterClient => {
      const left = [...codes];
      const send = sandbox.client[method] as (...args: unknown[]) => Promise<never>;
      const sent = async (...args: unknown[]) => {
        const code = left.shift();
        if (code === undefined) return send(...args);
        (args.at(-1) as WriteOptions).onSend?.();
        each();
        throw new MeshctlError('ClusterUnreachable', 'no', { details: { code } });
      };
      return { ...sandbox.client, clock: woundClock(), [method]: sent };
    };
    const applied = async (method: Method, codes: readonly string[], more: Partial<ApplyStepsOptions> = {}) => {
      sandbox.store.create(configMap('there', { a: '1' }));
      const client = failing(method, codes);
      const outcome = await applySteps(client, [steps()[method] as Step], { materialise, ...more });
      return { ...outcome, tookMs: client.clock.ms() };
    };

    test.each(['create', 'patch', 'apply', 'delete'] as const)('a %s is sent once it does', async (method) => {
      const onOutage = vi.fn();
      const { error, journal } = await applied(method, ['ECONNREFUSED', 'ENOTFOUND', 'ECONNREFUSED'], { onOutage });
      expect(error).toBeUndefined();
      expect(journal.entries).toMatchObject([{ certain: true }]);
      expect(onOutage).toHaveBeenCalledTimes(1);
      expect({ new: dataOf('new'), there: dataOf('there') }).toEqual({
        new: method === 'create' ? { a: '1' } : undefined,
        there: method === 'delete' ? undefined : { a: method === 'create' ? '1' : '2' },
      });
    });

    test('it is waited for as long as for a rollback, and nothing is to be taken back then', async () => {
      const { error, journal, tookMs } = await applied('patch', Array(100).fill('ECONNREFUSED'));
      expect(error).toMatchObject({ code: 'ClusterUnreachable' });
      expect(journal.entries).toEqual([]);
      expect(tookMs).toBe(60_000);
    });

    test.each([
      ['what may have arrived', ['ECONNRESET']],
      ['nor what a connection that stood may have taken', ['EHOSTUNREACH']],
      ['nor what may have at a later attempt', ['ECONNREFUSED', 'ECONNRESET']],
    ])('%s is not sent again', async (_what, codes) => {
      const { error, journal } = await applied('patch', codes);
      expect(error).toMatchObject({ code: 'ClusterUnreachable', details: { code: codes.at(-1) } });
      expect(journal.entries).toMatchObject([{ certain: false }]);
      expect(dataOf('there')).toEqual({ a: '1' });
    });

    test('a dry run does not wait', async () => {
      const { error, tookMs } = await applied('patch', ['ECONNREFUSED'], { dryRun: true });
      expect({ code: error?.code, tookMs }).toEqual({ code: 'ClusterUnreachable', tookMs: 0 });
    });

    test('Ctrl-C ends the wait, and nothing is to be taken back', async () => {
      const stop = new AbortController();
      sandbox.store.create(configMap('there', { a: '1' }));
      const client = failing('patch', ['ECONNREFUSED'], () => stop.abort());
      const outcome = await applySteps(client, [steps().patch as Step], { materialise, signal: stop.signal });
      expect(outcome.error).toBeInstanceOf(MeshctlError);
      expect(outcome.journal.entries).toEqual([]);
    });
  });

  test('Ctrl-C lets a write end that is under way, and no further one begins', async () => {
    const stop = new AbortController();
    const held = holdFirst('create');
    const running = run(
      [
        step('a', { method: 'create', object: configMap('a', {}) }),
        step('b', { method: 'create', object: configMap('b', {}) }),
      ],
      { signal: stop.signal },
    );
    await expect.poll(() => faults.size).toBe(0);
    stop.abort();
    held.release();
    const { journal, error } = await running;
    expect(error).toMatchObject({ code: 'Interrupted' });
    expect(journal.entries).toMatchObject([{ ref: { name: 'a' }, certain: true }]);
    expect(await undo(journal)).toEqual(['a restored']);
    expect(sandbox.store.get(ref('b'))).toBeUndefined();
  });

  test('Ctrl-C stops between steps', async () => {
    const stop = new AbortController();
    const { journal, error } = await run(
      [
        step('a', { method: 'apply', object: configMap('a', {}) }),
        step('b', { method: 'apply', object: configMap('b', {}) }),
      ],
      {
        signal: stop.signal,
        materialise: async (one) => {
          if (one.object.name === 'b') stop.abort();
          return materialise(one);
        },
      },
    );
    expect(error).toMatchObject({ code: 'Interrupted' });
    expect(journal.entries[0]).toMatchObject({ certain: true });
    expect(sandbox.store.get(ref('b'))).toBeUndefined();
  });
});

describe('rollback', () => {
  test('puts back everything, the last write first', async () => {
    sandbox.store.create(configMap('patched', { a: '1', same: 's' }));
    sandbox.store.create({
      ...configMap('deleted', { a: '1' }),
      metadata: { name: 'deleted', namespace: 'n', labels: { l: 'v' } },
    });
    const { journal } = await run([
      step('created', { method: 'create', object: configMap('created', { a: '1' }) }),
      step('patched', {
        method: 'patch',
        patch: { data: { a: '2', b: 'new' }, metadata: { annotations: { x: 'y' } } },
      }),
      step('deleted', { method: 'delete' }),
    ]);
    expect(await undo(journal)).toEqual(['deleted restored', 'patched restored', 'created restored']);
    expect(sandbox.store.get(ref('created'))).toBeUndefined();
    expect(sandbox.store.get(ref('patched'))).toMatchObject({ data: { a: '1', same: 's' } });
    expect(sandbox.store.get(ref('patched'))?.metadata.annotations ?? {}).toEqual({});
    expect(sandbox.store.get(ref('deleted'))).toMatchObject({ data: { a: '1' }, metadata: { labels: { l: 'v' } } });
    expect(await undo(journal)).toEqual(['deleted unchanged', 'patched unchanged', 'created unchanged']);
  });

  test('what was applied over an earlier state goes back to it, and can be applied again', async () => {
    await run([step('a', { method: 'apply', object: configMap('a', { a: '1', gone: 'g' }) })]);
    const second = () => step('a', { method: 'apply', object: configMap('a', { a: '2', more: 'm' }) });
    const { journal } = await run([second()]);
    expect(dataOf('a')).toEqual({ a: '2', more: 'm' });
    expect(await undo(journal)).toEqual(['a restored']);
    expect(dataOf('a')).toEqual({ a: '1', gone: 'g' });
    const again = await run([second()]);
    expect(again.error).toBeUndefined();
    expect(dataOf('a')).toMatchObject({ a: '2', more: 'm' });
  });

  /** Who owns which keys. */
  const ownersOf = (name: string) =>
    (sandbox.store.get(ref(name))?.metadata.managedFields ?? []).map(({ manager, operation, fieldsV1 = {} }) => [
      `${manager} ${operation}`,
      Object.keys((fieldsV1['f:data'] ?? {}) as object).flatMap((key) => (key === '.' ? [] : [key.slice(2)])),
    ]);

  test.each<[string, Record<string, string>, () => Step]>([
    [
      'an apply that gives fields up',
      { a: '1', gone: 'g' },
      () => step('a', { method: 'apply', object: configMap('a', { a: '2' }) }),
    ],
    ['a deletion', { a: '1', gone: 'g' }, () => step('a', { method: 'delete' })],
    [
      'a patch of what others have set',
      { a: '1' },
      () => step('a', { method: 'patch', patch: { data: { a: '2', theirs: '2' } } }),
    ],
  ])('gives the fields back to whom they belonged: %s', async (_what, had, written) => {
    await run([step('a', { method: 'apply', object: configMap('a', had) }, 'create')]);
    sandbox.store.update(
      ref('a'),
      (live) => {
        live.data = { ...(live.data as object), theirs: '1' };
      },
      'kubectl',
    );
    const [before, data] = [ownersOf('a'), dataOf('a')];
    const { journal } = await run([written()]);
    expect(ownersOf('a')).not.toEqual(before);
    await undo(journal);
    expect([ownersOf('a'), dataOf('a')]).toEqual([before, data]);
    // So that the same apply does what it did the first time.
    await run([step('a', { method: 'apply', object: configMap('a', { a: '2' }) })]);
    expect(dataOf('a')).toEqual({ a: '2', theirs: '1' });
  });

  test.each([
    ['Forbidden', 403],
    ['Conflict', 409],
  ])(
    'says of an object that came back with other owners that it is as before, and not that it failed: %s',
    async (reason, code) => {
      await run([step('a', { method: 'apply', object: configMap('a', { a: '1', gone: 'g' }) }, 'create')]);
      const { journal } = await run([step('a', { method: 'apply', object: configMap('a', { a: '2' }) })]);
      let patches = 0;
      faults.set('patch', () => {
        if (++patches > 1) throw new ApiError(code, reason, 'not the owners');
        return undefined;
      });
      expect(await undo(journal)).toEqual(['a owners']);
      faults.clear();
      expect(dataOf('a')).toEqual({ a: '1', gone: 'g' });
    },
  );

  test('leaves to others what they have taken since, also while it gives back', async () => {
    await run([step('a', { method: 'apply', object: configMap('a', { a: '1', gone: 'g' }) }, 'create')]);
    const { journal } = await run([step('a', { method: 'apply', object: configMap('a', { a: '2' }) })]);
    const theirs = (key: string) =>
      sandbox.store.update(
        ref('a'),
        (live) => {
          live.data = { ...(live.data as object), [key]: key };
        },
        'kubectl',
      );
    theirs('x');
    let patches = 0;
    faults.set('patch', () => {
      if (++patches === 2) theirs('y');
      return undefined;
    });
    expect(await undo(journal)).toEqual(['a restored']);
    expect(dataOf('a')).toEqual({ a: '1', gone: 'g', x: 'x', y: 'y' });
    expect(ownersOf('a')).toEqual(
      expect.arrayContaining([
        ['meshctl Apply', ['a', 'gone']],
        ['kubectl Update', ['x', 'y']],
      ]),
    );
    expect(ownersOf('a')).toHaveLength(2);
  });

  test('waits before and after what has somebody hanging on it, and leaves it where that does not come', async () => {
    for (const name of ['a', 'b', 'c']) sandbox.store.create(configMap(name, { a: '1' }));
    const patch = { method: 'patch', patch: { data: { a: '2' } } } as const;
    const { journal } = await run(['a', 'b', 'c'].map((name) => step(name, patch)));
    const said: string[] = [];
    const look = (when: string) => async () => {
      said.push(`${when}: ${['a', 'b', 'c'].map((name) => (dataOf(name) as { a: string }).a).join('')}`);
    };
    const [a, b] = journal.entries;
    Object.assign(a ?? {}, { awaitBefore: () => Promise.reject(new MeshctlError('Timeout', 'it has not come')) });
    Object.assign(b ?? {}, { awaitBefore: look('before b'), awaitAfter: look('after b') });
    expect(await rollback(sandbox.client, journal)).toMatchObject([
      { ref: { name: 'c' }, outcome: 'restored' },
      { ref: { name: 'b' }, outcome: 'restored' },
      { ref: { name: 'a' }, outcome: 'kept', error: { code: 'Timeout' } },
    ]);
    expect(said).toEqual(['before b: 221', 'after b: 211']);
    expect(dataOf('a')).toEqual({ a: '2' });
  });

  test('has time for the rest, however long it has waited for something in vain', async () => {
    for (const name of ['a', 'b']) sandbox.store.create(configMap(name, { a: '1' }));
    const { journal } = await run(
      ['a', 'b'].map((name) => step(name, { method: 'patch', patch: { data: { a: '2' } } })),
    );
    let running = new AbortController();
    const newSignal = () => {
      running = new AbortController();
      return running.signal;
    };
    const inVain = async () => {
      running.abort(new Error('its time is up'));
      throw new MeshctlError('Timeout', 'it has not come');
    };
    Object.assign(journal.entries[1] ?? {}, { awaitBefore: inVain });
    expect(await rollback(sandbox.client, journal, { newSignal })).toMatchObject([
      { ref: { name: 'b' }, outcome: 'kept' },
      { ref: { name: 'a' }, outcome: 'restored' },
    ]);
  });

  test("leaves others' later writes alone", async () => {
    sandbox.store.create(configMap('a', { mine: '1' }));
    const { journal } = await run([
      step('a', { method: 'patch', patch: { data: { mine: '2', added: 'x', taken: 'y' } } }),
      step('b', { method: 'create', object: configMap('b', { mine: '1' }) }),
    ]);
    for (const name of ['a', 'b']) {
      sandbox.store.update(ref(name), (live) => {
        live.data = { ...(live.data as object), theirs: 't', taken: 'theirs' };
      });
    }
    // b was not there before, and would not be without them.
    expect(await undo(journal)).toEqual(['b left', 'a restored']);
    expect(dataOf('a')).toEqual({ mine: '1', theirs: 't', taken: 'theirs' });
    expect(dataOf('b')).toEqual({ theirs: 't', taken: 'theirs' });
  });

  test('leaves an object alone that was made anew under its name', async () => {
    const { journal } = await run([step('a', { method: 'create', object: configMap('a', { a: '1' }) })]);
    sandbox.store.delete(ref('a'));
    sandbox.store.create(configMap('a', { a: '1' }));
    expect(await undo(journal)).toEqual(['a overtaken']);
    expect(dataOf('a')).toEqual({ a: '1' });
  });

  test('goes on past a failure and says which', async () => {
    sandbox.store.create(configMap('b', { a: '1' }));
    const { journal } = await run([
      step('a', { method: 'create', object: configMap('a', {}) }),
      step('b', { method: 'patch', patch: { data: { a: '2' } } }),
    ]);
    faults.set('patch', () => 'drop');
    // The minute that it waits for an API server which is away goes by at once.
    const results = await rollback({ ...sandbox.client, clock: woundClock() }, journal);
    expect(results).toMatchObject([
      { ref: { name: 'b' }, outcome: 'failed', error: { code: 'ClusterUnreachable' } },
      { ref: { name: 'a' }, outcome: 'restored' },
    ]);
  });

  test("runs although the client's signal is aborted", async () => {
    const stop = new AbortController();
    const client = sandbox.open({ signal: stop.signal });
    const { journal } = await applySteps(client, [step('a', { method: 'create', object: configMap('a', {}) })], {
      materialise,
    });
    stop.abort();
    expect(await rollback(client, journal)).toMatchObject([{ outcome: 'restored' }]);
    expect(sandbox.store.get(ref('a'))).toBeUndefined();
  });

  test('a change between the look and the write is looked at again', async () => {
    sandbox.store.create(configMap('a', { a: '1' }));
    const { journal } = await run([step('a', { method: 'patch', patch: { data: { a: '2' } } })]);
    faults.set('patch', () => {
      faults.delete('patch');
      sandbox.store.update(ref('a'), (live) => {
        live.data = { ...(live.data as object), theirs: 't' };
      });
      return undefined;
    });
    expect(await undo(journal)).toEqual(['a restored']);
    expect(dataOf('a')).toEqual({ a: '1', theirs: 't' });
  });

  describe('writes whose answer was lost', () => {
    test.each(['create', 'patch', 'delete'])('a %s that did not happen', async (verb) => {
      sandbox.store.create(configMap('there', { a: '1' }));
      const writes: Record<string, Step> = {
        create: step('new', { method: 'create', object: configMap('new', { a: '1' }) }),
        patch: step('there', { method: 'patch', patch: { data: { a: '2' } } }),
        delete: step('there', { method: 'delete' }),
      };
      faults.set(verb, () => 'drop');
      const { journal, error } = await run([writes[verb] as Step]);
      expect(error).toMatchObject({ code: 'ClusterUnreachable' });
      expect(journal.entries).toMatchObject([{ certain: false }]);
      faults.clear();
      const outcome = verb === 'create' ? 'may-arrive' : 'unchanged';
      expect(await rollback(sandbox.client, journal)).toMatchObject([{ outcome }]);
      expect(dataOf('there')).toEqual({ a: '1' });
      expect(sandbox.store.get(ref('there'))?.metadata.annotations ?? {}).toEqual({});
    });

    test.each(['create', 'patch', 'delete', 'apply'])(
      'a %s that comes late finds that the object has moved on',
      async (method) => {
        sandbox.store.create(configMap('there', { a: '1' }));
        const before = sandbox.store.get(ref('there'));
        const steps: Record<string, Step> = {
          create: step('new', { method: 'create', object: configMap('new', { a: '1' }) }),
          patch: step('there', { method: 'patch', patch: { data: { a: '2' } } }),
          delete: step('there', { method: 'delete' }),
          apply: step('there', { method: 'apply', object: configMap('there', { a: '2' }) }),
        };
        const held = holdFirst(method === 'apply' ? 'patch' : method);
        const client = sandbox.open({ requestTimeoutMs: 200 });
        const { journal, error } = await applySteps(client, [steps[method] as Step], { materialise });
        expect(error).toMatchObject({ code: 'ClusterUnreachable' });
        // A creation cannot be refused beforehand, but is looked for once more.
        const undoing = rollback(sandbox.client, journal);
        if (method === 'create') held.release();
        const outcomes = (await undoing).map(({ outcome }) => outcome);
        held.release();
        await held.served;
        expect(outcomes).toEqual([method === 'create' ? 'restored' : 'unchanged']);
        expect(sandbox.store.get(ref('there'))).toMatchObject({
          data: before?.data,
          metadata: { uid: before?.metadata.uid },
        });
        expect(sandbox.store.get(ref('new'))).toBeUndefined();
      },
    );

    test('is taken back although a repetition of it was refused', async () => {
      sandbox.store.create(configMap('there', { a: '1' }));
      const attempts: ('drop-answer' | ApiError)[] = ['drop-answer', new ApiError(403, 'Forbidden', 'no more')];
      faults.set('patch', () => {
        const fault = attempts.shift();
        if (fault instanceof ApiError) throw fault;
        return fault;
      });
      const { journal, error } = await run([step('there', { method: 'patch', patch: { data: { a: '2' } } })]);
      expect(error).toMatchObject({ code: 'Rejected' });
      expect(dataOf('there')).toEqual({ a: '2' });
      expect(await undo(journal)).toEqual(['there restored']);
      expect(dataOf('there')).toEqual({ a: '1' });
    });

    test('a create, a patch and a delete that did', async () => {
      sandbox.store.create(configMap('patched', { a: '1' }));
      sandbox.store.create(configMap('deleted', { a: '1' }));
      const steps = [
        step('created', { method: 'create', object: configMap('created', { a: '1' }) }),
        step('patched', { method: 'patch', patch: { data: { a: '2' } } }),
        step('deleted', { method: 'delete' }),
      ];
      const journal: Journal = { cluster: 'c1', entries: [] };
      for (const one of steps) {
        // The write happens, but its answer does not arrive.
        const write = one.write as ReadyWrite;
        if (write.method === 'create') sandbox.store.create(write.object, 'meshctl');
        else if (write.method === 'delete') sandbox.store.delete(one.object);
        else {
          sandbox.store.update(one.object, (live) => {
            live.data = { a: '2' };
          });
        }
        const after =
          write.method === 'delete'
            ? undefined
            : configMap(one.object.name, { a: write.method === 'create' ? '1' : '2' });
        journal.entries.push({ ref: one.object, before: one.before, after, certain: false });
      }
      expect(await undo(journal)).toEqual(['deleted restored', 'patched restored', 'created restored']);
      expect(sandbox.store.get(ref('created'))).toBeUndefined();
      expect(dataOf('patched')).toEqual({ a: '1' });
      expect(dataOf('deleted')).toEqual({ a: '1' });
    });
  });
});

describe('an object that a run has made, and others make by now', () => {
  const made = () => run([step('one', { method: 'create', object: configMap('one', { a: '1' }) }, 'create')]);
  const by = (manager: string, operation: 'Apply' | 'Update', subresource?: string) => {
    const entry = {
      manager,
      operation,
      ...(subresource === undefined ? {} : { subresource }),
      time: '2026-01-01T00:00:00Z',
    };
    return ({ metadata }: KubeObject) => {
      metadata.managedFields = [...(metadata.managedFields ?? []), { ...entry, fieldsV1: { 'f:data': { 'f:a': {} } } }];
    };
  };
  const marked = (annotations: Record<string, string>) => (live: KubeObject) => {
    live.metadata.annotations = annotations;
  };

  test.each<[string, (live: KubeObject) => void, string]>([
    ['a tool applies the same', by('argocd-controller', 'Apply'), 'one left'],
    ['somebody has applied the same', by('kubectl-client-side-apply', 'Update'), 'one left'],
    ['a tool has marked it', marked({ 'argocd.argoproj.io/tracking-id': 'mesh:/ConfigMap:n/one' }), 'one left'],
    ['a controller has written to it', by('kube-controller-manager', 'Update'), 'one restored'],
    ['a controller applies its status', by('some-controller', 'Apply', 'status'), 'one restored'],
    ['another run of meshctl applies it', by('meshctl', 'Apply'), 'one restored'],
  ])('%s', async (_what, write, outcome) => {
    const { journal, error } = await made();
    expect(error).toBeUndefined();
    const live = sandbox.store.get(ref('one'));
    const client = {
      ...sandbox.client,
      get: async () => {
        const seen = structuredClone(live) as KubeObject;
        write(seen);
        return seen;
      },
    };
    const results = await rollback(client, journal);
    expect(results.map((one) => `${one.ref.name} ${one.outcome}`)).toEqual([outcome]);
    expect(dataOf('one')).toEqual(outcome === 'one left' ? { a: '1' } : undefined);
  });
});

describe('what was copied from another object', () => {
  const copy = (): Step => {
    const source = sandbox.store.get(ref('source')) ?? configMap('source', {});
    const basis = { source, data: { key: 'b2xk' } };
    return step('target', { method: 'edit', basis, edit: () => ({ patch: { data: { copied: 'b2xk' } } }) });
  };

  beforeEach(() => {
    sandbox.store.create(configMap('source', { key: 'b2xk', other: '1' }));
    sandbox.store.create(configMap('target', {}));
  });

  test('is written as long as that is so, whatever else is written there', async () => {
    const copying = copy();
    sandbox.store.update(ref('source'), (live) => {
      live.data = { key: 'b2xk', other: '2' };
    });
    expect((await run([copying])).error).toBeUndefined();
    expect(dataOf('target')).toEqual({ copied: 'b2xk' });
  });

  test.each([
    ['has been changed', { key: 'bmV3' }],
    ['has gone', { another: '1' }],
  ])('is not written where that %s; who has done it is said', async (_what, data) => {
    const copying = copy();
    sandbox.store.update(
      ref('source'),
      (live) => {
        live.data = data;
      },
      'helm',
    );
    const { journal, error } = await run([copying]);
    expect(journal.entries).toEqual([]);
    expect(dataOf('target') ?? {}).toEqual({});
    expect(error).toMatchObject({
      code: 'Conflict',
      message: expect.stringMatching(
        /^context "c1": ConfigMap n\/source was changed by someone else meanwhile \(last written by helm at 20.*Z\)$/,
      ),
      hint: 'Run the same command again.',
      details: { lastWriter: { manager: 'helm' } },
    });
  });
});

test('who loses a race is told who has won it', async () => {
  sandbox.store.create(configMap('one', { a: '1' }));
  const patching = step('one', { method: 'patch', patch: { data: { a: '2' } } });
  const { resourceVersion } = sandbox.store.get(ref('one'))?.metadata ?? {};
  const pinned = { ...patching, write: { method: 'patch', patch: { data: { a: '2' } }, resourceVersion } } as Step;
  await sandbox.client.patch(ref('one'), { data: { a: '3' } });
  const { error } = await run([pinned]);
  expect(error).toMatchObject({
    code: 'Conflict',
    message: expect.stringMatching(/ \(last written by another run of meshctl at 20.*\)$/),
  });
  sandbox.store.delete(ref('one'));
  const { error: gone } = await run([patching]);
  expect(gone).toMatchObject({
    message: 'context "c1": ConfigMap n/one is gone: someone else has removed it since it was read',
  });
});

describe('a rollback that comes after others', () => {
  const set = (data: Record<string, string>) =>
    sandbox.store.update(ref('one'), (live) => {
      live.data = data;
    });
  const theirs = {
    nothing: () => undefined,
    'takes it back': () => set({ a: '1' }),
    'writes over it': () => set({ a: '3' }),
    'adds to it': () => set({ ...(dataOf('one') as Record<string, string>), z: '9' }),
    'removes it': () => sandbox.store.delete(ref('one')),
    'makes it anew, as it was': () => {
      sandbox.store.delete(ref('one'));
      sandbox.store.create(configMap('one', { a: '1' }));
    },
    'makes another': () => {
      sandbox.store.delete(ref('one'));
      sandbox.store.create(configMap('one', { a: '4' }));
    },
  };
  const ours: Record<string, () => NonNullable<Step['write']>> = {
    patch: () => ({ method: 'patch', patch: { data: { a: '2' } } }),
    apply: () => ({ method: 'apply', object: configMap('one', { a: '2' }), force: true }),
    edit: () => ({ method: 'edit', edit: () => ({ patch: { data: { a: '2' } } }) }),
    delete: () => ({ method: 'delete' }),
    create: () => ({ method: 'create', object: configMap('one', { a: '2' }) }),
  };
  const cases = Object.keys(ours).flatMap((our) => Object.keys(theirs).map((their) => [our, their] as const));

  // Whatever is called as before is so, and whatever is not so is not called it.
  test.each(cases)('of %s, where another one %s', async (our, their) => {
    if (our !== 'create') sandbox.store.create(configMap('one', { a: '1' }));
    const before = dataOf('one');
    const { journal, error } = await run([step('one', ours[our]?.())]);
    expect(error).toBeUndefined();
    if (sandbox.store.get(ref('one'))) theirs[their as keyof typeof theirs]();
    const [outcome = ''] = await undo(journal);
    const now = dataOf('one') as Record<string, string> | undefined;
    const isAsBefore = before === undefined ? now === undefined : now?.a === '1';
    expect([outcome, ['one restored', 'one unchanged'].includes(outcome)]).toEqual([outcome, isAsBefore]);
  });
});
