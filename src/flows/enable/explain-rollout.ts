import type { ClusterClient } from '../../kube/client.ts';
import { CONTAINERS, imageOf } from '../../mesh/apiserver/deployment.ts';
import { type LackOfRoom, lackOfRoom } from '../../mesh/apiserver/room.ts';
import { apiserverImageFor } from '../../mesh/cilium/versions/versions.ts';
import { describeCommand, meshctlCommand } from '../../mesh/command-line.ts';
import { takeBackCommand } from '../../mesh/enable/kept-settings.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { type KubeObject, keyOf, type ObjectRef } from '../../mesh/objects/kube-object.ts';
import { APISERVER, APISERVER_SELECTOR, agentDaemonSetRef, apiserverDeploymentRef } from '../../mesh/objects/names.ts';
import { forceWords } from '../../mesh/objects/ownership.ts';
import { livingPods } from '../../mesh/objects/pods.ts';
import {
  eventSentences,
  isUnschedulable,
  isWithoutImage,
  unreadiness,
  workloadTroubles,
} from '../../mesh/objects/workload-trouble.ts';
import { readAgents } from '../../snapshot/agents.ts';
import { readNodes } from '../../snapshot/nodes.ts';
import type { Target } from '../flow.ts';

/** What follows once the reason is put right. */
export const GO_ON = 'Run the same command again.';
/** Of so many pods, and of each so many events, is told what they say. */
const MOST_PODS_TOLD = 2;
const MOST_SAID = 3;

/**
 * Why a clustermesh-apiserver is not ready in time, by all that is seen of it now: a rollback may follow that takes its pods away.
 */
export async function rolloutError(
  { client, namespace }: Target,
  waitMs: number,
  cause: MeshctlError,
): Promise<MeshctlError> {
  const [deployment, pods] = await Promise.all([
    orNothing(client.get(apiserverDeploymentRef(namespace)), undefined),
    orNothing(client.listAll(podsOf(namespace)), []),
  ]);
  const [trouble, ...others] = workloadTroubles(deployment, pods);
  const takeBack = deployment && takeBackCommand(client.context, deployment, 'spec.template');
  const lack = trouble && isUnschedulable(trouble) ? await readLackOfRoom(client, namespace, deployment) : undefined;
  const setBack = takeBack && `Undo what was --set on its pods, if that is why: ${takeBack}`;
  const said = trouble ? [trouble.says] : await readWhatPodsSay(client, namespace, pods);
  const otherImage =
    trouble && isWithoutImage(trouble) ? await siblingImageHint(client, namespace, deployment) : undefined;
  const describe = describeCommand({ context: client.context, namespace }, 'pods', { selector: APISERVER_SELECTOR });
  return new MeshctlError(
    'Timeout',
    `context "${client.context}": Deployment ${namespace}/${APISERVER} is not ready after ${Math.round(waitMs / 100) / 10} s${said.length > 0 ? `: ${said.join('; ')}` : ''}`,
    {
      hint:
        setBack ??
        lack?.hint ??
        otherImage ??
        (trouble?.hint ? `${trouble.hint} ${GO_ON}` : `${GO_ON} See why: ${describe}`),
      details: {
        context: client.context,
        object: `Deployment ${namespace}/${APISERVER}`,
        reasons: [...said, ...others.map(({ says }) => says)],
      },
      cause,
    },
  );
}

/**
 * What is seen of pods that run into no trouble and still are not ready, as a failing probe is: whoever reads it may find them
 * gone, since some commands take back what they have made.
 */
async function readWhatPodsSay(
  client: ClusterClient,
  namespace: string,
  pods: readonly KubeObject[],
): Promise<readonly string[]> {
  const unready = pods.filter((pod) => unreadiness(pod).length > 0).slice(0, MOST_PODS_TOLD);
  const told = await Promise.all(
    unready.map(async (pod) => {
      const { name } = pod.metadata;
      const events = await readEvents(client, { apiVersion: 'v1', kind: 'Pod', namespace, name });
      return [...unreadiness(pod), ...events.map((says) => `pod ${name}: ${says}`)];
    }),
  );
  const said = told.flat();
  return said.length > 0
    ? said.slice(0, MOST_SAID)
    : (await readEvents(client, apiserverDeploymentRef(namespace))).slice(0, 1);
}

/** The command that goes back to the image beside the agents', which their nodes could pull; undefined where that is the one. */
async function siblingImageHint(
  client: ClusterClient,
  namespace: string,
  deployment: KubeObject | undefined,
): Promise<string | undefined> {
  const daemonSet = await orNothing(client.get(agentDaemonSetRef(namespace)), undefined);
  const agents = daemonSet && (await orNothing(readAgents(client, namespace, daemonSet), undefined));
  const sibling = agents && apiserverImageFor(agents.image);
  if (sibling === undefined || sibling === imageOf(deployment)) return undefined;
  const images = CONTAINERS.map((name) => `spec.template.spec.containers[${name}].image`);
  const words = ['--image', sibling, ...forceWords(deployment, images)];
  const command = meshctlCommand('clustermesh enable', { context: client.context }, words);
  return `Give an image that the nodes can pull, or credentials for its registry (--pull-secret, or pullSecrets in a mesh file). From the registry of the agents' image: ${command}`;
}

/** Why no node takes a pod, with the command by which one does; undefined where the nodes may not be listed. */
async function readLackOfRoom(
  client: ClusterClient,
  namespace: string,
  deployment: KubeObject | undefined,
): Promise<LackOfRoom | undefined> {
  const nodes = await orNothing(readNodes(client), []);
  const objects = new Map(deployment ? [[keyOf(apiserverDeploymentRef(namespace)), deployment]] : []);
  return lackOfRoom({ context: client.context, namespace, nodes, objects });
}

function podsOf(namespace: string) {
  return livingPods(namespace, APISERVER_SELECTOR);
}

/** What the events of an object say; empty for whoever may not read them. */
export async function readEvents(client: ClusterClient, { kind, namespace, name }: ObjectRef): Promise<string[]> {
  const fieldSelector = `involvedObject.kind=${kind},involvedObject.name=${name}`;
  const selection = { apiVersion: 'v1', kind: 'Event', namespace, fieldSelector };
  return eventSentences(await orNothing(client.listAll(selection), []));
}

/** An explanation is worth less than the error that it is for: where it cannot be had, there is none. */
export async function orNothing<T>(read: Promise<T>, nothing: T): Promise<T> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof MeshctlError) return nothing;
    throw error;
  }
}
