import { hostPort } from '../../mesh/apiserver/endpoints.ts';
import { lackOfAgents } from '../../mesh/cilium/agents.ts';
import { meshctlCommand } from '../../mesh/command-line.ts';
import { dialsThroughKvstoremesh } from '../../mesh/connect/direction.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { dialledWith } from '../../mesh/invitation/dialled-with.ts';
import { revokeCommand } from '../../mesh/invitation/record.ts';
import { livingPods } from '../../mesh/objects/pods.ts';
import { RETAKES } from '../../mesh/status/failure-reason.ts';
import { ruleAgainstAsking } from '../../mesh/status/reason-words.ts';
import { areAllConnected, type StatusProblem, type StatusReport } from '../../mesh/status/status.ts';
import { presentedSerial } from '../../mesh/status/troubleshoot.ts';
import { untilSettled } from '../etcd/ask-etcd.ts';
import { during, type Flow, type Target } from '../flow.ts';
import { explainProblems } from '../status/explain-status.ts';
import { pollStatus } from '../status/poll-status.ts';
import { AGENTS, factsOf, REPLICAS, TROUBLESHOOT_TIMEOUT_MS } from '../status/status-programs.ts';
import type { PreparedAccept } from './prepare-accept.ts';

const LOOK_INTERVAL_MS = 500;
const NODE_TIMEOUT_MS = 10_000;
/** Agents that are asked with which certificate they dial: what is mounted comes to all of them alike. */
const MOST_AGENTS = 3;

/**
 * Waits until all nodes are connected to the peer; where they were before, until it is dialled with the certificate that is
 * new: what was open before goes on with the former one, and proves nothing.
 * @returns what could not be seen, as warnings
 * @throws MeshctlError `CredentialRefused` with why
 */
export async function proveDialled(
  flow: Flow,
  { target, own, peer, message, renewedSerial }: PreparedAccept,
  { proofMs, parallel, rollback }: { proofMs: number; parallel: number; rollback?: boolean | undefined },
): Promise<string[]> {
  const { name } = peer.identity;
  const { context } = target.client;
  const status = meshctlCommand('clustermesh status', { context }, ['--wait']);
  if (lackOfAgents(own.snapshot) !== undefined) {
    return [`context "${context}": no agent is running that could dial "${name}"; once there is one: ${status}`];
  }
  // What stays has used the last message up.
  const isUsed = rollback === false && message.step === 'confirmation';
  const next = isUsed ? `see whether it is connected by then: ${status}` : 'accept the same message again.';
  const otherOwner = `Check that the address is open from here and that the other owner has done their part, then ${next}`;
  const deadline = flow.clock.ms() + proofMs;
  const options = { parallel, nodeTimeoutMs: NODE_TIMEOUT_MS, redial: true };
  return during(
    flow,
    {
      doing: `Waiting until ${own.identity.name} is connected to ${name}`,
      done: (unseen) =>
        unseen.length === 0 ? `Connected to ${name}` : `Connected to ${name}, not known with which certificate`,
      good: (unseen) => unseen.length === 0,
    },
    (task) =>
      untilSettled(flow, { deadline, intervalMs: LOOK_INTERVAL_MS }, async (last) => {
        const { report } = await pollStatus(flow, target, options);
        const agents = report.peers.find((one) => one.name === name)?.agents;
        const ofPeer = report.problems.filter((problem) => problem.peer === name);
        const isConnected = areAllConnected(agents) && ofPeer.length === 0;
        if (agents) task.tick(`Connected to ${name}: ${agents.connected}/${agents.total} nodes`);
        if (!isConnected) {
          const rule = ofPeer.flatMap((one) => ruleAgainstAsking(report, one) ?? [])[0];
          if (rule && (last || rule.mayPass === undefined))
            throw notThrough({ target, own, peer }, ofPeer[0]?.message, rule.hint);
          if (!last) return undefined;
          const problem = await problemWith(flow, target, report, name);
          throw problem && isNotTakenUp(problem)
            ? // Its address has nothing to do with it.
              notThrough(
                { target, own, peer },
                'KVStoreMesh has not taken it up',
                `In KVStoreMesh, ${RETAKES}: wait, then ${next}`,
              )
            : notThrough(
                { target, own, peer },
                problem?.message,
                problem?.class === 'permission-denied'
                  ? shutOutSince(context, message.id, isUsed ? status : undefined)
                  : otherOwner,
              );
        }
        if (renewedSerial === undefined) return [];
        const serials = await presentedSerials(flow, target, dialsThroughKvstoremesh(own.snapshot), name);
        const found = dialledWith(serials, renewedSerial);
        if (found === 'renewed') return [];
        // What none of them tells now, none tells later.
        if (!last && found !== 'all-untold') return undefined;
        if (found !== 'former') {
          const who = found === 'all-untold' ? 'its pods do not tell' : 'not all of its pods tell';
          return [`context "${context}": it is connected to "${name}", but ${who} whether with the new certificate`];
        }
        throw notThrough({ target, own, peer }, 'it is still dialled with the former certificate', otherOwner);
      }),
  );
}

async function problemWith(
  flow: Flow,
  target: Target,
  report: StatusReport,
  peer: string,
): Promise<StatusProblem | undefined> {
  const { problems } = await explainProblems(flow, target, report);
  const ofPeer = problems.filter((problem) => problem.peer === peer);
  // As long as KVStoreMesh has not taken the peer up, agents wait for what it has of it.
  return ofPeer.find(isNotTakenUp) ?? ofPeer[0];
}

/** Who is refused although all messages were accepted has been shut out since. */
function shutOutSince(context: string, id: string, status: string | undefined): string {
  const revoke = revokeCommand(context, id);
  const next =
    status === undefined ? 'accept the same message again' : `see whether it is connected by then: ${status}`;
  return `Ask the other owner whether they have revoked the invitation or disconnected since. If not, ${next}; or, if they have, end it here too: ${revoke}`;
}

const isNotTakenUp = ({ component, class: kind }: StatusProblem) =>
  component === 'kvstoremesh' && kind === 'not-configured';

function notThrough(
  { target, own, peer }: Pick<PreparedAccept, 'target' | 'own' | 'peer'>,
  why: string | undefined,
  hint: string,
) {
  const { context } = target.client;
  const { name } = peer.identity;
  const addresses = peer.endpoints.map(({ host, port }) => hostPort(host, port)).join(', ');
  return new MeshctlError(
    'CredentialRefused',
    `context "${context}": ${own.identity.name} does not get through to "${name}" at ${addresses}${why ? `: ${why}` : ''}`,
    {
      hint,
      details: { context, peer: name, reason: 'not-connected' },
    },
  );
}

/** The serial numbers of the certificates with which pods dial a peer anew; undefined for each that does not tell. */
async function presentedSerials(
  flow: Flow,
  { client, namespace }: Target,
  kvstoremesh: boolean,
  peer: string,
): Promise<(string | undefined)[]> {
  const program = kvstoremesh ? REPLICAS : AGENTS;
  const { selector, container, troubleshoot } = program;
  const pods = await client.listAll(livingPods(namespace, selector));
  const running = pods.map((pod) => factsOf(pod, program)).filter((pod) => pod.running && !pod.deleted);
  return Promise.all(
    running.slice(0, kvstoremesh ? undefined : MOST_AGENTS).map(async ({ name: pod }) => {
      try {
        const command = [...troubleshoot, peer];
        const options = { namespace, pod, container, command, timeoutMs: TROUBLESHOOT_TIMEOUT_MS, signal: flow.signal };
        return presentedSerial((await client.exec(options)).stdout);
      } catch (error) {
        flow.signal.throwIfAborted();
        if (!(error instanceof MeshctlError)) throw error;
        return undefined;
      }
    }),
  );
}
