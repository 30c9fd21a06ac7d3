import type { ClusterClient } from '../../kube/client.ts';
import { waitForObject } from '../../kube/wait.ts';
import { isRolledOut, replicasOf, scaleUpCommand } from '../../mesh/apiserver/deployment.ts';
import { loadBalancerHosts } from '../../mesh/apiserver/endpoints.ts';
import { givenAnother, stillAt } from '../../mesh/apiserver/given-address.ts';
import { changeTypeCommand } from '../../mesh/apiserver/service-lack.ts';
import { type Stall, stallOf } from '../../mesh/apiserver/stall.ts';
import { canonicalIp } from '../../mesh/cilium/cidr.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { describeRef, type KubeObject, type ObjectRef } from '../../mesh/objects/kube-object.ts';
import {
  APISERVER,
  APISERVER_SELECTOR,
  apiserverDeploymentRef,
  apiserverServiceRef,
} from '../../mesh/objects/names.ts';
import { serviceSpec } from '../../mesh/objects/service.ts';
import { waitForWorkload } from '../await-workload.ts';
import { during, type Flow, type Target } from '../flow.ts';
import { removedMeanwhile } from '../write/still-standing.ts';
import { GO_ON, orNothing, readEvents, rolloutError } from './explain-rollout.ts';

/**
 * Waits until the load balancer of the Service has an address.
 * @param waitedMs how much of the time is over
 * @returns its addresses
 * @throws MeshctlError `Timeout`, with what the events of the Service say; `Conflict` where somebody removes it
 */
export async function awaitAddress(
  flow: Flow,
  { client, namespace }: Target,
  waitMs: number,
  waitedMs = 0,
): Promise<readonly string[]> {
  const ref = apiserverServiceRef(namespace);
  const hosts = (service: KubeObject | undefined): string[] | undefined => {
    const found = loadBalancerHosts(stillThere(client, ref, service));
    return found.length > 0 ? found : undefined;
  };
  return explainTimeout(
    () =>
      during(
        flow,
        {
          doing: `${client.context}: waiting for the address of the load balancer`,
          done: (found) => `${client.context}: load balancer at ${found.join(', ')}`,
        },
        () =>
          waitForObject(client, ref, hosts, {
            timeoutMs: waitMs - waitedMs,
            signal: flow.signal,
            waitingFor: `Service ${namespace}/${APISERVER} to get an address`,
          }),
      ),
    (cause) => noAddress({ client, namespace }, waitMs, cause),
  );
}

async function noAddress({ client, namespace }: Target, waitMs: number, cause: MeshctlError): Promise<MeshctlError> {
  const { context } = client;
  const ref = apiserverServiceRef(namespace);
  const [events, service] = await Promise.all([readEvents(client, ref), orNothing(client.get(ref), undefined)]);
  const said = events.length > 0 ? `: ${events.join('; ')}` : ', and none of its events says why';
  const { loadBalancerIP: wished } = serviceSpec(service);
  const otherwise = changeTypeCommand(context, service, 'NodePort');
  const hint =
    wished === undefined
      ? `Check what assigns addresses here (cloud controller, MetalLB, LB-IPAM). ${GO_ON} Without a load balancer: ${otherwise}`
      : `It was asked for ${wished}, which the provider here may not have: ask for one that it has (--load-balancer-ip, or loadBalancerIp in a mesh file). Without a load balancer: ${otherwise}`;
  return new MeshctlError(
    'Timeout',
    `context "${context}": the load balancer of Service ${namespace}/${APISERVER} has no address after ${waitMs / 1000} s${said}`,
    { hint, details: { context, object: `Service ${namespace}/${APISERVER}`, events }, cause },
  );
}

/** A provider that gives another address has withdrawn the former one within this time, as a rule. Milliseconds. */
const OTHER_ADDRESS_MS = 60_000;

/**
 * Waits until the load balancer has the address that it was asked for, or, where none was, another than before. A provider that gives another one is no error: peers can dial that. One that has withdrawn the former address
 * has all the time that there is: a load balancer that is made anew takes minutes.
 * @returns what is to be known of the one that it has at last
 * @throws MeshctlError as {@link awaitAddress} does
 */
export async function awaitOtherAddress(
  flow: Flow,
  target: Target,
  { wished, former }: { wished?: string | undefined; former: readonly string[] },
  waitMs: number,
): Promise<string[]> {
  const { client, namespace } = target;
  const { context } = client;
  const ref = apiserverServiceRef(namespace);
  let last: readonly string[] = former;
  const longestMs = Math.min(waitMs, OTHER_ADDRESS_MS);
  const arrived = (service: KubeObject | undefined): string[] | undefined => {
    const hosts = loadBalancerHosts(stillThere(client, ref, service));
    last = hosts;
    const isOther = wished === undefined ? hosts.join() !== former.join() : hosts.includes(canonicalIp(wished));
    return hosts.length > 0 && isOther ? hosts : undefined;
  };
  const what = wished === undefined ? 'whether the load balancer gets another address' : `the address ${wished}`;
  const wait = () =>
    waitForObject(client, ref, arrived, {
      timeoutMs: longestMs,
      signal: flow.signal,
      waitingFor: `Service ${namespace}/${APISERVER} to get ${wished ?? 'another address'}`,
    }).catch((error: unknown) => {
      if (error instanceof MeshctlError && error.code === 'Timeout') return undefined;
      throw error;
    });
  const found = await during(
    flow,
    {
      doing: `${context}: waiting for ${what}`,
      done: (hosts) => `${context}: load balancer at ${(hosts ?? last).join(', ') || 'no address yet'}`,
      good: (hosts) => hosts !== undefined,
    },
    wait,
  );
  if (found) return [];
  if (wished === undefined && last.length > 0) return [stillAt({ context, given: last, waitedMs: longestMs })];
  const given = last.length > 0 ? last : await awaitAddress(flow, target, waitMs, longestMs);
  return wished === undefined || given.includes(wished) ? [] : [givenAnother({ wished, given })];
}

/** What a run has made, and waits for. @throws MeshctlError `Conflict` where it is gone, as by a disable at the same time */
function stillThere({ context }: ClusterClient, ref: ObjectRef, live: KubeObject | undefined): KubeObject {
  if (!live) throw removedMeanwhile(context, [describeRef(ref)]);
  return live;
}

type Rollout = 'ready' | { scaledDown: KubeObject } | { stall: Stall };

/**
 * Waits until all replicas of the clustermesh-apiserver are new and ready; what keeps them from it is shown meanwhile.
 * @throws MeshctlError `Timeout`, with what the pods say, also at once when new ones cannot be pulled, and when they crash again and again; `ClusterMeshNotEnabled` where it is scaled to 0; `Conflict` where somebody removes it
 */
export async function awaitRollout(flow: Flow, target: Target, waitMs: number): Promise<void> {
  const { client, namespace } = target;
  const startedAt = flow.clock.ms();
  const ref = apiserverDeploymentRef(namespace);
  const ready = (live: KubeObject | undefined): Rollout | undefined => {
    const deployment = stillThere(client, ref, live);
    if (replicasOf(deployment) === 0) return { scaledDown: deployment };
    const stall = stallOf({ context: client.context, namespace }, deployment);
    if (deployment.metadata.deletionTimestamp === undefined && isRolledOut(deployment)) return 'ready';
    return stall && { stall };
  };
  const state = await explainTimeout(
    () =>
      during<Rollout>(
        flow,
        {
          doing: `${client.context}: waiting for the clustermesh-apiserver`,
          done: (found) =>
            `${client.context}: clustermesh-apiserver is ${found === 'ready' ? 'ready' : `not ready (${'stall' in found ? found.stall.says : '0 of 0'})`}`,
          good: (found) => found === 'ready',
        },
        (task) =>
          waitForWorkload(client, ref, ready, {
            selector: APISERVER_SELECTOR,
            timeoutMs: waitMs,
            signal: flow.signal,
            waitingFor: `Deployment ${namespace}/${APISERVER} to become ready`,
            say: (says) => task.update(`${client.context}: waiting for the clustermesh-apiserver: ${says}`),
          }),
      ),
    (cause) => rolloutError(target, flow.clock.ms() - startedAt, cause),
  );
  if (state === 'ready') return;
  throw 'stall' in state ? stalled(target, state.stall) : scaledDown(target, state.scaledDown);
}

function stalled({ client: { context }, namespace }: Target, { says, hint }: Stall): MeshctlError {
  const object = `Deployment ${namespace}/${APISERVER}`;
  return new MeshctlError('Timeout', `context "${context}": ${object} gets no new pods: ${says}`, {
    hint,
    details: { context, object },
  });
}

function scaledDown({ client: { context }, namespace }: Target, deployment: KubeObject): MeshctlError {
  const object = `Deployment ${namespace}/${APISERVER}`;
  return new MeshctlError(
    'ClusterMeshNotEnabled',
    `context "${context}": ${object} has 0 replicas, so no peer is served`,
    {
      // Whoever scaled it owns the field by now, so that enable --replicas alone would be a conflict.
      hint: scaleUpCommand({ context, namespace }, deployment),
      details: { context, object, reason: 'scaled-to-zero' },
    },
  );
}

async function explainTimeout<T>(
  work: () => Promise<T>,
  explain: (cause: MeshctlError) => Promise<MeshctlError>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof MeshctlError) || error.code !== 'Timeout') throw error;
    throw await explain(error);
  }
}
