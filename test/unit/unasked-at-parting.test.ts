import { describe, expect, it } from 'vitest';
import { awaitParted } from '../../src/flows/connect/await-parted.ts';
import type { Flow } from '../../src/flows/flow.ts';
import type { ClusterClient } from '../../src/kube/client.ts';
import type { Parting } from '../../src/mesh/connect/disconnect/disconnect-plan.ts';
import { MeshctlError } from '../../src/mesh/errors.ts';
import type { ObjectRef } from '../../src/mesh/objects/kube-object.ts';
import { CHECKOUT } from '../support/schemas.ts';
import { NOW, snapshotOf } from '../support/snapshots.ts';
import { woundClock } from '../support/wound-clock.ts';

const silent = { update() {}, tick() {}, done() {}, fail() {}, stop() {} };
const READY = { conditions: [{ type: 'Ready', status: 'True' }] };
const ENDING = { deletionTimestamp: NOW.toISOString() };

interface Agent {
  phase?: string;
  metadata?: object;
  /** On a node that there is no more. */
  isNodeGone?: true;
  /** What exec gives; default: that it knows no peer. */
  answer?: 'fails' | 'reports';
}

const away = (): never => {
  throw new MeshctlError('ClusterUnreachable', 'connection refused', { details: { code: 'ECONNREFUSED' } });
};

/** Of an API server that is not there: which of its answers, counted from 1. */
interface Outage {
  lists?: (number: number) => boolean;
  execs?: (number: number) => boolean;
}

/** Waits until agents have forgotten mesh-2. @param wanted by their DaemonSet; undefined: there is none */
async function parted(
  agents: readonly Agent[],
  wanted: number | undefined,
  eachLook?: (look: number) => Agent[],
  { lists = () => false, execs = () => false }: Outage = {},
) {
  let looks = 0;
  let [listed, asked] = [0, 0];
  const podOf = ({ phase = 'Running', metadata = {}, isNodeGone }: Agent, index: number) => ({
    metadata: { name: `cilium-${index}`, namespace: 'kube-system', ...metadata },
    spec: { nodeName: isNodeGone ? 'gone' : `node-${index}` },
    status: { phase },
  });
  const client = {
    context: 'one',
    async listAll({ kind }: { kind: string }) {
      if (lists(++listed)) away();
      const nodes = [0, 1].map((index) => ({ metadata: { name: `node-${index}` }, spec: {}, status: READY }));
      return kind === 'Node' ? nodes : (eachLook?.(++looks) ?? agents).map(podOf);
    },
    async collect(selection: { kind: string }, keep: (object: unknown) => unknown[]) {
      return (await this.listAll(selection)).flatMap(keep);
    },
    get: async ({ kind }: ObjectRef) =>
      kind === 'DaemonSet' && wanted !== undefined
        ? { kind, metadata: { name: 'cilium' }, status: { desiredNumberScheduled: wanted } }
        : undefined,
    async exec({ pod }: { pod: string }) {
      if (execs(++asked)) away();
      const { answer } = agents[Number(pod.at(-1))] ?? {};
      if (answer === 'fails') throw new MeshctlError('ExecFailed', 'no');
      const clusters = answer === 'reports' ? '{"name":"mesh-2"}' : '';
      return { stdout: `{"cluster-mesh":{"clusters":[${clusters}]}}`, stderr: '', exitCode: 0 };
    },
  };
  const flow: Flow = {
    progress: { start: () => silent, warn() {}, info() {} },
    now: () => NOW,
    clock: woundClock(),
    signal: new AbortController().signal,
    installation: CHECKOUT,
  };
  const snapshot = snapshotOf({ context: 'one' });
  const parting = { snapshot, undialled: ['mesh-2'], unserved: [], partners: [] } as unknown as Parting;
  const target = { client: client as unknown as ClusterClient, namespace: 'kube-system' };
  return awaitParted(flow, [target], [parting], { timeoutMs: 60_000, parallel: 1 });
}

const AGENT: Agent = {};

describe('that agents have forgotten a peer', () => {
  it.each<[string, Agent[], number | undefined]>([
    ['all of them said', [AGENT, AGENT], 2],
    ['all said of nodes that there are', [AGENT, { phase: 'Running', metadata: ENDING, isNodeGone: true }], 1],
    ['nobody need say where no node is to have one', [], 0],
  ])('is seen where %s', async (_when, agents, wanted) => {
    expect(await parted(agents, wanted)).toEqual([]);
  });

  it.each<[string, Agent[], number | undefined, string]>([
    ['there is none at the time', [], 2, '2 of 2 agents (no pod) did not say'],
    ['there is none, and no DaemonSet', [], undefined, 'agents (no pod) did not say'],
    ['one has no pod', [AGENT], 2, '1 of 2 agents (no pod) did not say'],
    ['one does not run yet', [AGENT, { phase: 'Pending' }], 2, 'cilium-1 (not running) did not say'],
    ['one is ending', [AGENT, { metadata: ENDING }], 2, 'cilium-1 (ending) did not say'],
    ['one does not answer', [AGENT, { answer: 'fails' }], 2, 'cilium-1 did not say'],
  ])('is not called seen where %s', async (_when, agents, wanted, says) => {
    const [warning, ...more] = await parted(agents, wanted);
    expect(warning).toContain(`context "one": ${says} whether`);
    expect(more).toEqual([]);
  });

  it('is seen once an agent that was just being replaced has its successor', async () => {
    const ofLook = (look: number) => (look < 3 ? [AGENT, { metadata: ENDING }] : [AGENT, AGENT]);
    expect(await parted([AGENT, AGENT], 2, ofLook)).toEqual([]);
  });

  it.each<[string, Outage]>([
    ['nothing can be listed', { lists: (number) => number <= 20 }],
    ['it goes between the list and the question', { execs: (number) => number <= 20 }],
  ])('is seen once an API server is back that was away: %s', async (_when, outage) => {
    expect(await parted([AGENT], 1, undefined, outage)).toEqual([]);
  });

  it('is not known where an API server does not come back in time, nor is it called undone', async () => {
    await expect(parted([AGENT], 1, undefined, { lists: () => true })).rejects.toMatchObject({
      code: 'ClusterUnreachable',
    });
    const [warning] = await parted([AGENT], 1, undefined, { execs: () => true });
    expect(warning).toContain('cilium-0 did not say');
  });

  it('is not so while one still reports it', async () => {
    await expect(parted([{ answer: 'reports' }], 1)).rejects.toMatchObject({ code: 'Timeout' });
  });
});
