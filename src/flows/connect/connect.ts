import pLimit from 'p-limit';
import { withPatience } from '../../kube/patience.ts';
import { hostPort } from '../../mesh/apiserver/endpoints.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { connectCommand, meshctlCommand } from '../../mesh/command-line.ts';
import { type Direction, dialingSecret, peersByDirections } from '../../mesh/connect/direction.ts';
import type { WayBack } from '../../mesh/connect/way-back.ts';
import { counted } from '../../mesh/counted.ts';
import { isRefusal, MeshctlError } from '../../mesh/errors.ts';
import { keyOf } from '../../mesh/objects/kube-object.ts';
import { meshHostname, REMOTE_CERT_SECRET, secretRef } from '../../mesh/objects/names.ts';
import { secretTexts } from '../../mesh/objects/secret-data.ts';
import { groupBy } from '../../mesh/pairs.ts';
import { peerCertificateKeys } from '../../mesh/peers/file/peer-config.ts';
import { configuredPeers, knownPeers } from '../../mesh/peers/peers.ts';
import { isChange, type Step, TLS_KEYS } from '../../mesh/plan/plan.ts';
import type { ClientCertificate } from '../etcd/open-etcd.ts';
import { proveServer } from '../etcd/prove.ts';
import { during, type Flow, issuingTime, type Target } from '../flow.ts';
import { requireNoRotation } from '../rotation/rotation-hold.ts';
import { type ClusterWriter, createClusterWriter, type RunAccount, targetsOfSteps } from '../write/apply-clusters.ts';
import { concernedByRollback } from '../write/before-rollback.ts';
import { certificateIn, prepareWrites, type ReadyWrites, readyWrite, textsAfter } from '../write/issued-writes.ts';
import { materialise, readAuthorities } from '../write/materialise.ts';
import { nudgePods } from '../write/nudge.ts';
import { rollBackClusters } from '../write/roll-back.ts';
import { spareOthers } from '../write/spare-others.ts';
import { requireLetIn, requireStanding } from '../write/still-standing.ts';
import { warnOfMovedPods } from '../write/where-pods-are.ts';
import { relyOn, type WorkingClusters, whileAtWork } from '../write/working-run.ts';
import { awaitDrained } from './await-drained.ts';
import { awaitWhereReplaced } from './await-own-drained.ts';
import type { PreparedConnect } from './plan-dials.ts';
import type { ConnectOptions } from './prepare-connect.ts';
import { requireUnchangedSince, warnOfSwitched } from './what-changed.ts';

export interface ConnectOutcome {
  clusters: { context: string; name: string; id: number; endpoints: string[] }[];
  connections: {
    from: string;
    to: string;
    credential: string;
    user: string;
    endpoints: readonly string[];
    /** The name that stands for the endpoints, where it is dialled instead of them. */
    hostname?: string;
  }[];
  steps: readonly Step[];
  warnings: readonly string[];
}

/** How a prepared connect is carried out. */
export interface ConnectRunOptions extends Pick<ConnectOptions, 'parallel' | 'proof' | 'proofMs' | 'rollback'> {
  /** Of a run that this is a part of. */
  account?: RunAccount | undefined;
  /** By which it says that it is at work. Default: by marks of its own, unless it is a part of another run. */
  working?: WorkingClusters | undefined;
  /** Instead of the proof through the API servers. */
  oneSided?: OneSidedProofs | undefined;
}

/** How it is proved where only one of the clusters is within reach. */
export interface OneSidedProofs {
  /** That the peer is let in. */
  served(): Promise<void>;
  /** That this cluster reaches it: nobody here can try before it dials, so what it wrote is put back where it does not. */
  dialled(): Promise<void>;
  /** What an operator runs where what was written stays. */
  wayBack: WayBack;
}

/**
 * Connects: serve, prove, then dial (ARCHITECTURE.md). Either all of it stands at the end, or every cluster is
 * put back.
 * @throws MeshctlError what went wrong; `details.rollback` says what became of each cluster
 */
export async function connectClusters(
  flow: Flow,
  prepared: PreparedConnect,
  options: ConnectRunOptions,
): Promise<ConnectOutcome> {
  const { steps, held, switched } = await carryOutAtWork(flow, prepared, options);
  // What was so when it was planned has been said.
  const found = [...held, ...(options.proof === false ? [UNPROVED] : [])].filter(
    (one) => !prepared.warnings.includes(one),
  );
  for (const warning of found) flow.progress.warn(warning);
  return {
    clusters: prepared.members.map(({ snapshot, identity, endpoints }) => ({
      context: snapshot.context,
      name: identity.name,
      id: identity.id,
      endpoints: endpoints.map(({ host, port }) => hostPort(host, port)),
    })),
    connections: prepared.directions.map(({ client, server, credential, endpoint }) => ({
      from: client.identity.name,
      to: server.identity.name,
      credential: credential.kind,
      user: credential.user,
      endpoints: endpoint.addresses,
      ...(endpoint.alias ? { hostname: meshHostname(server.identity.name) } : {}),
    })),
    steps,
    warnings: [...prepared.warnings, ...switched, ...found],
  };
}

const UNPROVED = 'no credential was proved (--no-proof): only status tells whether peers accept them';

/** Says that it is at work, where nobody does so for it: what another run has found whole by then is left to that one. */
function carryOutAtWork(
  flow: Flow,
  prepared: PreparedConnect,
  options: ConnectRunOptions,
): ReturnType<typeof carryOut> {
  if (options.account || options.working) return carryOut(flow, prepared, options);
  const { targets, serve, dial, directions } = prepared;
  const { parallel } = options;
  const written = options.rollback === false ? [] : targetsOfSteps(targets, [...serve.steps, ...dial.steps]);
  const run = { command: 'connect' as const, targets, written, parallel, peersOf: peersByDirections(directions) };
  return whileAtWork(flow, run, (working) => carryOut(flow, prepared, { ...options, working }));
}

/**
 * Serves, proves and dials, or puts every cluster back.
 * @returns the steps as they were carried out, and `held`: which peers cannot be taken up yet, and what could not be seen, as warnings
 */
async function carryOut(
  flow: Flow,
  prepared: PreparedConnect,
  options: ConnectRunOptions,
): Promise<{ steps: readonly Step[]; held: readonly string[]; switched: readonly string[] }> {
  const { targets, serve, dial, directions } = prepared;
  const steps = [...serve.steps, ...dial.steps];
  await requireNoRotation(flow, targets, steps, { parallel: options.parallel });
  const authorities = await readAuthorities(targets, steps, options.parallel);
  const issuing = () => prepareWrites(dial.steps, (step) => materialise(step, authorities, issuingTime(flow)));
  const issued = await duringChange(flow, ISSUING, dial.steps.some(issues), issuing);
  const writer = createClusterWriter(flow, targets, options.parallel, options.account);
  const writeUnchanged: ClusterWriter['write'] = async (...write) => {
    await requireUnchangedSince(prepared, writer.steps, options.parallel);
    await writer.write(...write);
  };
  try {
    await duringChange(flow, SERVING, serve.steps.some(isChange), () =>
      writeUnchanged(
        serve.steps,
        (step) => materialise(step, authorities, issuingTime(flow)),
        (target) => nudgePods(flow, target, { pods: 'apiserver' }),
      ),
    );
    if (options.oneSided) await options.oneSided.served();
    else if (options.proof !== false) await prove(flow, targets, directions, dial.steps, issued, options);
    // It asks as the proof does, and where that is not to be done neither is this.
    const held =
      options.proof === false
        ? []
        : [
            ...(await awaitDrained(flow, targets, directions, options.parallel, prepared.held)),
            ...((await awaitWhereReplaced(
              flow,
              targets,
              prepared.members.map(({ snapshot }) => snapshot),
              {
                steps: dial.steps,
                peersOf: dialledBy(directions),
                look: (snapshot) => requireLetIn(flow, targets, directionsOf(directions, snapshot), options.parallel),
                parallel: options.parallel,
              },
            )) ?? []),
          ];
    await duringChange(flow, DIALING, dial.steps.some(isChange), () =>
      writeUnchanged(
        dial.steps,
        async (step) => readyWrite(issued, step),
        (target) => nudgePods(flow, target, { pods: 'apiserver-and-agents' }),
      ),
    );
    // What another run is to leave for this one's sake has to be proved first.
    await options.oneSided?.dialled();
    const { parallel, account, working } = options;
    const unseen = await withPatience(flow.clock, options.proofMs, async () => {
      await relyOn(flow, targets, {
        parallel,
        wanted: 'there',
        own: account?.run ?? working?.run,
        peersOf: peersByDirections(directions),
      });
      return requireStanding(flow, targets, directions, parallel);
    });
    const switched = await warnOfSwitched(flow, prepared, options.parallel);
    switched.push(...(await warnOfMovedPods(flow, targets, prepared.effects)));
    return { steps: writer.steps, held: [...held, ...unseen], switched };
  } catch (error) {
    // Who it is a part of takes it back, and spares what is to stay.
    if (options.account) throw error;
    const isBack = options.rollback !== false && writer.journals.some(({ entries }) => entries.length > 0);
    // First: whoever finds this run's work from then on is told.
    const concerned = concernedByRollback(writer.journals, directions);
    const inUse = isBack ? await options.working?.beginRollback(concerned) : undefined;
    const spared =
      options.rollback === false ? undefined : await spareOthers(flow, targets, directions, writer.journals, inUse);
    const wayBackOf = (context: string) =>
      options.oneSided?.wayBack ?? wayBack(directions, context, spared?.has(context));
    await rollBackClusters(flow, targets, writer.journals, error, {
      rollback: options.rollback,
      // Of one cluster alone no pair tells; else what others stand on is spared pair by pair.
      inUse: options.oneSided && inUse,
      isAll: options.oneSided === undefined,
      mounted: true,
      parallel: options.parallel,
      mend: (context) => wayBackOf(context).command,
      resumes: (context) => wayBackOf(context).resumes,
      effects: prepared.effects,
    });
    throw error;
  }
}

function directionsOf(directions: readonly Direction[], snapshot: ClusterSnapshot): Direction[] {
  return directions.filter(({ client, server }) => client.snapshot === snapshot || server.snapshot === snapshot);
}

/** Whom a cluster dials once these directions are there. */
function dialledBy(directions: readonly Direction[]): (snapshot: ClusterSnapshot) => readonly string[] {
  return (snapshot) => {
    const begun = directions
      .filter(({ client }) => client.snapshot === snapshot)
      .map(({ server }) => server.identity.name);
    return [...new Set([...configuredPeers(snapshot), ...begun])];
  };
}

/** Progress is shown of what really happens. */
function duringChange<T>(
  flow: Flow,
  words: { doing: string; done: string },
  changes: boolean,
  work: () => Promise<T>,
): Promise<T> {
  return changes ? during(flow, words, work) : work();
}

const ISSUING = { doing: 'Issuing client certificates', done: 'Issued client certificates' };
const SERVING = { doing: 'Letting the peers in', done: 'The peers are let in' };
const DIALING = { doing: 'Writing the peering files', done: 'The peering files are written' };

const issues = ({ write }: Step): boolean => write?.method === 'issue' && write.certificates.length > 0;

/** Each credential must open the remote's etcd before anyone dials with it. */
async function prove(
  flow: Flow,
  targets: readonly Target[],
  directions: readonly Direction[],
  steps: readonly Step[],
  ready: ReadyWrites,
  { proofMs, parallel }: ConnectRunOptions,
): Promise<void> {
  const limit = pLimit(parallel);
  const byServer = groupBy(directions, ({ server }) => server.snapshot.context);
  const proving = targets.flatMap((target) => {
    const incoming = byServer.get(target.client.context) ?? [];
    const proofs = incoming.map((direction) => ({ direction, certificate: credentialOf(direction, steps, ready) }));
    return proofs.length > 0 ? [() => proveServer(flow, target, proofs, { timeoutMs: proofMs, limit })] : [];
  });
  await during(
    flow,
    {
      doing: 'Proving the credentials',
      done: `Proved ${counted(directions.length, 'credential')} against the remote etcds`,
    },
    () => Promise.all(proving.map((run) => run())).catch(withoutProof),
  );
}

/** Where port-forward is refused on purpose, by rights or by a policy, there is a way without it. */
function withoutProof(error: unknown): never {
  if (!(error instanceof MeshctlError) || !isRefusal(error) || error.code === 'Unauthenticated') throw error;
  const { code, message, hint = '', details, cause } = error;
  const way = 'With --no-proof, credentials are distributed unverified: if a peer refuses one, only status shows it.';
  // A hint may end with a command, which nothing follows.
  throw new MeshctlError(code, message, { hint: `${way} ${hint}`.trim(), details, cause });
}

/** The client certificate of a direction: the one just issued, else the one that the Secret has. */
function credentialOf(direction: Direction, steps: readonly Step[], ready: ReadyWrites): ClientCertificate {
  const { snapshot } = direction.client;
  const live = (name: string) => snapshot.objects.get(keyOf(secretRef(snapshot.namespace, name)));
  if (direction.credential.kind === 'shared-ca') {
    const certificate = certificateIn(secretTexts(live(REMOTE_CERT_SECRET)), TLS_KEYS);
    const { bundle } = snapshot.tlsSecrets.get(REMOTE_CERT_SECRET) ?? {};
    return bundle ? { ...certificate, ca: bundle.pem } : certificate;
  }
  const name = dialingSecret(snapshot);
  const step = steps.find(({ cluster, object }) => cluster === snapshot.context && object.name === name);
  const texts = textsAfter(live(name), step && ready.get(step));
  return certificateIn(texts, peerCertificateKeys(direction.server.identity.name));
}

/**
 * What an operator runs for a cluster that could not be put back: where its peers are new to it, it forgets them; else
 * connecting anew brings both sides together again.
 * @param isSpared whether one of them stays connected with it, or may: it is not to be forgotten
 */
function wayBack(directions: readonly Direction[], context: string, isSpared = false): WayBack {
  const own = directions.filter(({ client, server }) =>
    [client, server].some(({ snapshot }) => snapshot.context === context),
  );
  const others = new Map(
    own
      .map(({ client, server }) => (client.snapshot.context === context ? server : client))
      .map((member) => [member.identity.name, member]),
  );
  const me = own.map(({ client, server }) => (client.snapshot.context === context ? client : server))[0];
  const known = me ? knownPeers(me.snapshot) : [];
  const strangers = [...others.keys()].filter((name) => !known.includes(name));
  if (strangers.length === others.size && !isSpared) {
    const command = meshctlCommand('clustermesh disconnect', { context }, ['--peer', strangers.join(',')]);
    return { command, resumes: false };
  }
  const contexts = [...others.values()].map(({ snapshot }) => snapshot.context);
  return { command: connectCommand(context, contexts), resumes: true };
}
