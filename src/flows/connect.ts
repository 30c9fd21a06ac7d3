import { applySteps, type Journal } from '../kube/apply.ts';
import { readSnapshot } from '../kube/snapshot.ts';
import {
  type Direction,
  dialingSecret,
  type Member,
  planDial,
  planDirection,
  planServe,
  requireEnabled,
} from '../mesh/connect.ts';
import { hostPort, requireEndpoints } from '../mesh/endpoints.ts';
import { MeshctlError } from '../mesh/errors.ts';
import { requireCompatible, requireIdentity } from '../mesh/identity.ts';
import { describeRef, keyOf } from '../mesh/kube-object.ts';
import { secretRef } from '../mesh/names.ts';
import { peerCertificateKeys } from '../mesh/peer-config.ts';
import type { Plan, ReadyWrite, Step } from '../mesh/plan.ts';
import { decodeText, secretTexts } from '../mesh/secret-data.ts';
import { during, type Flow, type Target } from './flow.ts';
import { type Authorities, materialise, readAuthorities } from './materialise.ts';
import { nudgePods } from './nudge.ts';
import { type Credential, proveCredential } from './prove.ts';
import { putBack } from './put-back.ts';

export interface ConnectOptions {
  /** How long a remote etcd may take to let a new peer in. */
  proofMs: number;
}

export interface ConnectOutcome {
  clusters: { context: string; name: string; id: number; endpoints: string[] }[];
  steps: readonly Step[];
}

/** Someone else may write the users at the same time; more often than this is a fight. */
const MOST_CONFLICTS = 5;

/**
 * Connects every two of the clusters in both directions: serve, prove, then dial (CILIUM.md "Order matters"). Either all
 * of it stands at the end, or every cluster is put back.
 * @throws MeshctlError what kept a cluster from taking part; `RolledBack` details say what became of each object
 */
export async function connectClusters(
  flow: Flow,
  targets: readonly Target[],
  options: ConnectOptions,
): Promise<ConnectOutcome> {
  const members = await during(flow, 'Reading the clusters', () => readMembers(targets));
  const directions = everyDirection(members);
  for (const warning of new Set(directions.flatMap(({ warnings }) => warnings))) flow.progress.warn(warning);
  const run = new ConnectRun(flow, targets, directions, options);
  try {
    await run.serve();
    await run.prove();
    await run.dial();
  } catch (error) {
    await putBack(flow, targets, run.journals, error);
    throw error;
  }
  return {
    clusters: members.map(({ snapshot, identity, endpoints }) => ({
      context: snapshot.context,
      name: identity.name,
      id: identity.id,
      endpoints: endpoints.hosts.map((host) => hostPort(host, endpoints.port)),
    })),
    steps: run.steps,
  };
}

async function readMembers(targets: readonly Target[]): Promise<Member[]> {
  const snapshots = await Promise.all(
    targets.map(({ client, namespace }) => readSnapshot(client, { namespace, purpose: 'connect' })),
  );
  const identities = snapshots.map((snapshot) => ({ context: snapshot.context, identity: requireIdentity(snapshot) }));
  identities.forEach((one, index) => {
    for (const other of identities.slice(index + 1)) requireCompatible(one, other);
  });
  return snapshots.map((snapshot, index) => {
    requireEnabled(snapshot);
    const identity = identities[index]?.identity ?? requireIdentity(snapshot);
    return { snapshot, identity, endpoints: requireEndpoints(snapshot) };
  });
}

function everyDirection(members: readonly Member[]): Direction[] {
  return members.flatMap((client) =>
    members.filter((server) => server !== client).map((server) => planDirection(client, server)),
  );
}

/** One run of connect: what it has written so far, for undoing. */
class ConnectRun {
  readonly journals: Journal[] = [];
  readonly steps: Step[] = [];
  readonly #flow: Flow;
  readonly #targets: ReadonlyMap<string, Target>;
  readonly #directions: readonly Direction[];
  readonly #options: ConnectOptions;
  /** The writes of the dial plan with their certificates, by step: issued once, proved, then sent. */
  readonly #dialWrites = new Map<Step, ReadyWrite>();
  #dialPlan: Plan = { steps: [] };

  constructor(flow: Flow, targets: readonly Target[], directions: readonly Direction[], options: ConnectOptions) {
    this.#flow = flow;
    this.#targets = new Map(targets.map((target) => [target.client.context, target]));
    this.#directions = directions;
    this.#options = options;
  }

  /** Each side accepts its peers: users, and a server certificate that covers what they will dial. */
  async serve(): Promise<void> {
    // Everything that can be refused without writing is refused first.
    this.#dialPlan = planDial(this.#directions, this.#flow.now());
    const plan = planServe(this.#directions, this.#flow.now());
    const authorities = await readAuthorities([...this.#targets.values()], [...plan.steps, ...this.#dialPlan.steps]);
    for (const step of this.#dialPlan.steps) {
      if (step.write) this.#dialWrites.set(step, await materialise(step, authorities, this.#flow.now()));
    }
    await during(this.#flow, 'Letting the peers in', () =>
      this.#eachCluster(plan, async (target, steps) => {
        await this.#applyServing(target, steps, authorities);
        if (steps.some(({ action }) => action !== 'keep')) await nudgePods(this.#flow, target, 'apiserver');
      }),
    );
  }

  /** Each credential must open the remote's etcd before anyone dials with it. */
  async prove(): Promise<void> {
    await during(
      this.#flow,
      'Proving the credentials',
      async () => {
        await Promise.all(
          this.#directions.map((direction) => {
            const target = this.#target(direction.server.snapshot.context);
            return proveCredential(this.#flow, target, direction, this.#credential(direction), this.#options.proofMs);
          }),
        );
      },
      () => `Proved ${this.#directions.length} credentials against the remote etcds`,
    );
  }

  /** The files that make the clusters dial each other. */
  async dial(): Promise<void> {
    await during(this.#flow, 'Writing the peering files', () =>
      this.#eachCluster(this.#dialPlan, async (target, steps) => {
        await this.#apply(target, steps, async (step) => {
          const write = this.#dialWrites.get(step);
          if (!write) throw new MeshctlError('Bug', `${describeRef(step.object)} was not prepared`);
          return write;
        });
        if (steps.some(({ action }) => action !== 'keep')) await nudgePods(this.#flow, target, 'apiserver-and-agents');
      }),
    );
  }

  /** Runs a plan's steps, clusters in parallel; waits for all of them, so that nothing is written after the undoing. */
  async #eachCluster(plan: Plan, work: (target: Target, steps: readonly Step[]) => Promise<void>): Promise<void> {
    const contexts = [...new Set(plan.steps.map(({ cluster }) => cluster))];
    const results = await Promise.allSettled(
      contexts.map((context) =>
        work(
          this.#target(context),
          plan.steps.filter(({ cluster }) => cluster === context),
        ),
      ),
    );
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  /** Applies and, when another writer came in between, plans the cluster's serving steps anew from what is there now. */
  async #applyServing(target: Target, steps: readonly Step[], authorities: Authorities): Promise<void> {
    const { client, namespace } = target;
    let current = steps;
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#apply(target, current, (step) => materialise(step, authorities, this.#flow.now()));
        return;
      } catch (error) {
        const conflict = error instanceof MeshctlError && error.code === 'Conflict';
        if (!conflict || attempt === MOST_CONFLICTS) throw error;
        const snapshot = await readSnapshot(client, { namespace, purpose: 'connect' });
        const incoming = this.#directions
          .filter(({ server }) => server.snapshot.context === client.context)
          .map((direction) => ({ ...direction, server: { ...direction.server, snapshot } }));
        current = planServe(regrouped(incoming), this.#flow.now()).steps;
      }
    }
  }

  async #apply(target: Target, steps: readonly Step[], ready: (step: Step) => Promise<ReadyWrite>): Promise<void> {
    const { signal } = this.#flow;
    const { journal, error } = await applySteps(target.client, steps, { materialise: ready, signal });
    this.journals.push(journal);
    if (error) throw error;
    this.steps.push(...steps);
  }

  /** The client certificate of a direction: the one just issued, else the one that the Secret has. */
  #credential({ client, server }: Direction): Credential {
    const { snapshot } = client;
    const name = dialingSecret(snapshot);
    const ref = secretRef(snapshot.namespace, name);
    const step = this.#dialPlan.steps.find(
      ({ cluster, object }) => cluster === snapshot.context && object.name === name,
    );
    const data = {
      ...secretTexts(snapshot.objects.get(keyOf(ref))),
      ...writtenTexts(step && this.#dialWrites.get(step)),
    };
    const keys = peerCertificateKeys(server.identity.name);
    return {
      ca: data[keys.ca] ?? '',
      certificate: data[keys.certificate] ?? '',
      privateKey: data[keys.privateKey] ?? '',
    };
  }

  #target(context: string): Target {
    const target = this.#targets.get(context);
    if (!target) throw new MeshctlError('Bug', `context "${context}" takes no part in this`);
    return target;
  }
}

/** Directions of one server share one member, so that its steps are planned together. */
function regrouped(incoming: readonly Direction[]): Direction[] {
  const [first] = incoming;
  return first ? incoming.map((direction) => ({ ...direction, server: first.server })) : [];
}

function writtenTexts(write: ReadyWrite | undefined): Record<string, string> {
  if (write?.method === 'create' || write?.method === 'apply') return secretTexts(write.object);
  if (write?.method !== 'patch') return {};
  const data = (write.patch.data ?? {}) as Record<string, string>;
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, decodeText(value)]));
}
