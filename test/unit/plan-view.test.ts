import { describe, expect, it } from 'vitest';
import { confirm } from '../../src/cli/terminal/confirm.ts';
import { SYSTEM_CLOCK } from '../../src/cli/terminal/system-clock.ts';
import { createTheme } from '../../src/cli/terminal/theme.ts';
import type { CommandContext } from '../../src/commands/command.ts';
import { confirmCuts, dryRunOf, planResult } from '../../src/commands/plan-result.ts';
import { withUnanswered } from '../../src/commands/targets/several-clusters.ts';
import { MeshctlError } from '../../src/mesh/errors.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { encodeText } from '../../src/mesh/objects/secret-data.ts';
import { applyChanges } from '../../src/mesh/plan/diff.ts';
import { mergeEffects, type PeerEffect } from '../../src/mesh/plan/peer-effects.ts';
import { type Step, TLS_KEYS } from '../../src/mesh/plan/plan.ts';
import { countActions, stepData } from '../../src/views/plan/plan-data.ts';
import { CHECKOUT, requireValid } from '../support/schemas.ts';

const plain = await createTheme(false);
const SECRET_WORDS = 'the private key itself';

function object(kind: string, name: string, more: Record<string, unknown> = {}): KubeObject {
  return { apiVersion: 'v1', kind, metadata: { name, namespace: 'kube-system' }, ...more };
}

function step(action: Step['action'], of: KubeObject, more: Partial<Step> = {}): Step {
  const { apiVersion, kind, metadata } = of;
  return {
    cluster: 'one',
    action,
    object: { apiVersion, kind, namespace: metadata.namespace, name: metadata.name },
    changes: [],
    why: 'because',
    ...more,
  };
}

const peers = object('Secret', 'cilium-clustermesh', { data: { 'mesh-2': encodeText('old'), gone: encodeText('x') } });
const service = object('Service', 'clustermesh-apiserver', { spec: { type: 'NodePort' } });
const steps: Step[] = [
  step('create', object('Secret', 'cilium-ca'), {
    write: { method: 'authority', commonName: 'Cilium CA', secret: object('Secret', 'cilium-ca') },
  }),
  step('update', service, {
    wanted: service,
    changes: [
      { path: 'spec.type', from: 'LoadBalancer', to: 'NodePort' },
      { path: 'spec.clusterIP', from: '10.0.0.1' },
    ],
    write: { method: 'apply', object: service },
  }),
  step('update', peers, {
    before: peers,
    changes: [{ path: 'data.mesh-2', from: 'dials 10.0.0.9:2379', to: 'dials 10.0.0.1:2379' }],
    write: { method: 'patch', patch: { data: { 'mesh-2': encodeText(SECRET_WORDS), gone: null } } },
  }),
  step('delete', object('Secret', 'old'), {
    cluster: 'two',
    before: object('Secret', 'old', { data: { 'tls.key': encodeText(SECRET_WORDS) } }),
    write: { method: 'delete' },
  }),
  step('keep', object('ConfigMap', 'kept'), { cluster: 'two', wanted: object('ConfigMap', 'kept') }),
];

describe('a plan', () => {
  it('is shown per cluster and object with reasons and changes', () => {
    expect(
      planResult({ steps, notes: { one: ['Cilium 1.20.0'] } }, 'client', 'text').text(plain),
    ).toMatchInlineSnapshot(`
      "Context one:
        # Cilium 1.20.0
        + create Secret kube-system/cilium-ca (because)
            keys ca.crt, ca.key: made when the plan is applied
        ~ update Service kube-system/clustermesh-apiserver (because)
            spec.type: LoadBalancer → NodePort
            spec.clusterIP: 10.0.0.1 → (removed)
        ~ update Secret kube-system/cilium-clustermesh (because)
            data.mesh-2: dials 10.0.0.9:2379 → dials 10.0.0.1:2379 (3 bytes, sha256:cba06b5736fa → 22 bytes, sha256:a946f758f244)
            key gone: 1 bytes, sha256:2d711642b726 → (removed)
      Context two:
        - delete Secret kube-system/old (because)
            keys tls.key
        = keep ConfigMap kube-system/kept (because)
      Plan: 1 to create, 2 to update, 1 to delete, 1 to keep.
      Nothing was changed (--dry-run)."
    `);
  });

  it('counts for itself what is planned only once a part of it is done', () => {
    const made = step('create', object('ConfigMap', 'a'));
    const laterSteps = [step('update', object('ConfigMap', 'a')), step('update', object('ConfigMap', 'b'))];
    const text = planResult({ steps: [made], later: ['Then:'], laterSteps }, 'client', 'text').text(plain);
    expect(text).toContain('\nThen:\nPlan: 1 to create; then 2 to update.\n');
  });

  it('tells of many objects that stay as they are only how many, and shows those that are spared for a reason', () => {
    const kept = ['a', 'b', 'c', 'd'].map((name) => step('keep', object('ConfigMap', name)));
    const spared = step('keep', object('ConfigMap', 'e'), { why: 'made by Argo CD', isSpared: true });
    // What one step finds as it should be, another changes.
    const changed = step('update', object('ConfigMap', 'a'));
    expect(planResult({ steps: [...kept, spared, changed] }, 'client', 'text').text(plain)).toMatchInlineSnapshot(`
      "Context one:
        = keep ConfigMap kube-system/e (made by Argo CD)
        ~ update ConfigMap kube-system/a (because)
        = keep 3 objects as they are (-o json names them)
      Plan: 1 to update, 4 to keep.
      Nothing was changed (--dry-run)."
    `);
    expect(
      planResult({ steps: kept.slice(1) }, 'client', 'text')
        .text(plain)
        .match(/= keep ConfigMap/g),
    ).toHaveLength(3);
    const { data } = planResult({ steps: kept }, 'client', 'json');
    expect(JSON.stringify(data)).toMatch(/"name":"a".*"name":"d"/);
  });

  it('shows of long values that begin alike where they differ', () => {
    const flags = (last: string) => [...Array(40).keys()].map((n) => `--flag-${n}=true`).concat(last);
    const changes = [{ path: 'args', from: flags('--debug=false'), to: flags('--debug=true') }];
    const [line = ''] = planResult({ steps: [step('update', service, { changes })] }, 'client', 'text')
      .text(plain)
      .split('\n')
      .filter((text) => text.includes('args:'));
    expect(line).toMatch(/args: ….*--debug=false.* → ….*--debug=true/);
    expect(line.length).toBeLessThan(400);
  });

  it('holds no secret bytes, in no format', () => {
    for (const output of ['text', 'json', 'yaml', 'manifests'] as const) {
      const result = planResult({ steps }, 'client', output);
      const all = [JSON.stringify(result.data), result.text(plain), result.raw ?? ''].join('\n');
      expect(all).not.toContain(SECRET_WORDS);
      expect(all).not.toContain(encodeText(SECRET_WORDS));
    }
  });

  it('gives the objects for GitOps, kept ones too, and says which it leaves out', () => {
    const { raw } = planResult({ steps }, 'client', 'manifests');
    expect(raw).toMatchInlineSnapshot(`
      "# Context one
      # left out: Secret kube-system/cilium-ca: holds private keys, which are made in the cluster and belong in no repository
      # left out: Secret kube-system/cilium-clustermesh: holds private keys, which are made in the cluster and belong in no repository
      ---
      apiVersion: v1
      kind: Service
      metadata:
        name: clustermesh-apiserver
        namespace: kube-system
      spec:
        type: NodePort
      # Context two
      ---
      apiVersion: v1
      kind: ConfigMap
      metadata:
        name: kept
        namespace: kube-system
      "
    `);
  });

  it('shows no key that is to go, and is not there', () => {
    const write = { method: 'patch', patch: { data: { gone: null, 'tls.key': null } } } as const;
    const { text, data } = planResult({ steps: [step('update', peers, { before: peers, write })] }, 'client', 'text');
    expect(text(plain)).toContain('key gone: 1 bytes');
    expect(text(plain) + JSON.stringify(data)).not.toContain('tls.key');
  });

  it('fails with what the API server refuses', () => {
    const [, second] = steps;
    if (!second) throw new Error('no second step');
    const refusal = new MeshctlError('Forbidden', 'context "one": not allowed', { hint: 'grant it' });
    const result = planResult({ steps, verdicts: new Map([[second, refusal]]) }, 'server', 'text');
    expect(result.exitCode).toBe(3);
    expect(result.text(plain)).toContain('context "one": not allowed\n      → grant it');
    expect(JSON.stringify(result.data)).toContain('"server":{"accepted":false,"code":"Forbidden"');
  });

  it.each<[Parameters<typeof planResult>[1], MeshctlError | undefined, string, number]>([
    ['client', undefined, 'Nothing was changed (--dry-run).', 3],
    ['client', new MeshctlError('Usage', 'no'), 'Nothing was changed (--dry-run); a run is refused.', 2],
    [
      'server',
      new MeshctlError('Conflict', 'no'),
      'Nothing was changed (--dry-run=server): the API server accepts everything; a run is refused.',
      1,
    ],
  ])('of a %s is what a run is: refused with %o', (dryRun, refused, closing, exitCode) => {
    const verdicts = new Map(steps.map((one): [Step, 'accepted'] => [one, 'accepted']));
    const result = planResult({ steps, verdicts }, dryRun, 'text', refused);
    expect(result.text(plain).split('\n').at(-1)).toBe(closing);
    expect(result.exitCode).toBe(refused ? exitCode : 0);
    const silent = { context: 'down', error: new MeshctlError('ClusterUnreachable', 'down') };
    const partial = withUnanswered(result, [silent]);
    // Where a run begins nothing, which clusters are missing from it changes nothing.
    expect(partial.exitCode).toBe(exitCode);
    expect(partial.data.unreachable).toMatchObject([{ context: 'down' }]);
  });

  it('words the keys of certificates that are issued later', () => {
    const issue = step('create', object('Secret', 'server-cert'), {
      write: {
        method: 'issue',
        certificates: [
          { spec: { commonName: 'x', usages: [], dnsNames: [], ipAddresses: [] }, signer: 'one', keys: TLS_KEYS },
        ],
        data: {},
        secret: object('Secret', 'server-cert'),
        into: 'apply',
      },
    });
    expect(planResult({ steps: [issue] }, 'client', 'text').text(plain)).toContain(
      'keys ca.crt, tls.crt, tls.key: made when the plan is applied',
    );
  });
});

describe('applyChanges', () => {
  it('names the fields of a Secret without their values', () => {
    const secret = (text: string) => object('Secret', 'x', { data: { key: encodeText(text) } });
    expect(applyChanges(secret('a'), secret('b'), 'meshctl')).toEqual([{ path: 'data.key' }]);
  });
});

describe('dryRunOf', () => {
  it('takes a bare --dry-run for client', () => {
    expect(dryRunOf({ dryRun: true, output: 'text' })).toBe('client');
    expect(dryRunOf({ dryRun: 'server', output: 'manifests' })).toBe('server');
    expect(dryRunOf({ output: 'text' })).toBeUndefined();
  });

  it('does not give manifests of a run', () => {
    expect(() => dryRunOf({ output: 'manifests' })).toThrow(/requires --dry-run/);
  });
});

const again = (...words: readonly string[]) => ['meshctl', 'x', ...words].join(' ');

describe('confirm', () => {
  const hostWith = (answer: string | undefined) => {
    let shown = '';
    const write = (text: string) => {
      shown += text;
    };
    const sink = { isTty: true, write };
    const keyboard = {
      ask: async (prompt: string) => {
        shown += prompt;
        return answer;
      },
    };
    const host = {
      stdout: { isTty: false, write: () => expect.fail('stdout is for results') },
      stderr: sink,
      env: {},
      cwd: '/',
      now: () => new Date(),
      clock: SYSTEM_CLOCK,
      signal: new AbortController().signal,
      installation: CHECKOUT,
    };
    return { host, asked: { ...host, keyboard }, shown: () => shown };
  };

  it.each([
    ['y', true],
    ['YES', true],
    ['n', false],
    ['', false],
    [undefined, false],
  ])('takes %j for %s', async (answer, agreed) => {
    const { asked, shown } = hostWith(answer);
    expect(await confirm(asked, 'Remove it?', 'The plan', again)).toBe(agreed);
    expect(shown()).toBe('The plan\nRemove it? [y/N] ');
  });

  it('needs --yes where there is no terminal', async () => {
    const { host } = hostWith('y');
    await expect(confirm(host, 'Remove it?', 'The plan', again)).rejects.toMatchObject({
      code: 'Usage',
      hint: expect.stringContaining('--yes'),
    });
  });
});

describe('a change of a Secret', () => {
  it('shows what the planner says of it, and never what it holds, encoded or not', () => {
    const held = encodeText(SECRET_WORDS);
    const secret = { ...object('Secret', 'cilium-clustermesh'), data: { 'mesh-2': held } };
    for (const from of [held, SECRET_WORDS]) {
      const data = stepData(
        step('update', secret, { before: secret, changes: [{ path: 'data.mesh-2', from, to: 'dials b' }] }),
      );
      expect(data.changes).toEqual([{ path: 'data.mesh-2', to: 'dials b' }]);
    }
    const worded = step('update', secret, {
      before: secret,
      changes: [{ path: 'data.mesh-2', from: 'dials a', to: held }],
    });
    expect(stepData(worded).changes).toEqual([{ path: 'data.mesh-2' }]);
  });
});

describe('what becomes of peers', () => {
  const effects: PeerEffect[] = [
    { cluster: 'one', peer: 'mesh-3', becomes: 'kept', why: '' },
    { cluster: 'one', peer: 'mesh-4', becomes: 'moved', why: 'its file goes to Secret cilium-clustermesh' },
    {
      cluster: 'one',
      peer: 'mesh-2',
      becomes: 'cut',
      why: 'it dials 172.18.1.100:2379, which goes',
      mend: 'meshctl clustermesh connect --context one --destination-context two',
    },
    { cluster: 'three', peer: 'mesh-1', becomes: 'unknown', why: 'no context leads to it' },
  ];

  it('stands below the steps of each cluster, also of one without steps', () => {
    const [first] = steps;
    expect(planResult({ steps: first ? [first] : [], effects }, 'client', 'text').text(plain)).toMatchInlineSnapshot(`
      "Context one:
        + create Secret kube-system/cilium-ca (because)
            keys ca.crt, ca.key: made when the plan is applied
        = peer mesh-3 stays connected
        ~ peer mesh-4 reconnects: its file goes to Secret cilium-clustermesh
        ✗ peer mesh-2 is cut off until it is connected again: it dials 172.18.1.100:2379, which goes
            → meshctl clustermesh connect --context one --destination-context two
      Context three:
        ? peer mesh-1 may be cut off: no context leads to it
      Plan: 1 to create.
      Nothing was changed (--dry-run)."
    `);
  });

  it('is data too', () => {
    const { data, kind } = planResult({ steps, effects }, 'client', 'json');
    requireValid({ apiVersion: 'meshctl.io/v1alpha1', kind, ...data });
    const { clusters } = data as { clusters: { context: string; peers: unknown[] }[] };
    expect(clusters.map(({ context, peers: list }) => [context, list.length])).toEqual([
      ['one', 3],
      ['two', 0],
      ['three', 1],
    ]);
  });

  it('counts the worst for each peer', () => {
    const [kept, moved, cut] = effects.map((effect) => ({ ...effect, peer: 'mesh-2' }));
    const other: PeerEffect = { cluster: 'one', peer: 'mesh-2', becomes: 'cut', why: 'its user goes' };
    const merged = mergeEffects([kept, cut, moved, other].filter((effect) => effect !== undefined));
    expect(merged).toEqual([{ ...cut, why: 'it dials 172.18.1.100:2379, which goes; its user goes' }]);
  });

  it.each([
    [
      'asks when one is cut, or may be',
      effects,
      false,
      ['Continue, although mesh-2 is cut off, and mesh-1 may be cut off?'],
    ],
    ['asks nobody with --yes', effects, true, []],
    ['asks nobody when all stay', effects.filter(({ becomes }) => !['cut', 'unknown'].includes(becomes)), false, []],
  ])('%s', async (_words, of, yes, asked) => {
    const questions: string[] = [];
    const said: string[] = [];
    const context = {
      theme: plain,
      progress: { warn: (words: string) => said.push(words) },
      confirm: async (question: string) => questions.push(question) > 0,
    } as unknown as CommandContext;
    await confirmCuts(context, { steps, effects: of }, { yes, targets: [], planned: [], hazardsNow: async () => [] });
    expect(questions).toEqual(asked);
    // Whoever is asked is shown the plan.
    expect(said).toEqual(yes ? [expect.stringContaining('mesh-2'), expect.stringContaining('mesh-1')] : []);
  });
});

it('counts an object that is kept once, and not where it is written too', () => {
  const also = [step('keep', peers), step('keep', peers, { cluster: 'two' }), step('keep', peers, { cluster: 'two' })];
  expect(countActions([...steps, ...also])).toEqual({ create: 1, update: 2, delete: 1, keep: 2 });
});
