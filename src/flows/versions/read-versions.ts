import { orRefusal, readOr, unlessForbidden, unlessRefused } from '../../kube/unless-refused.ts';
import { containerOf, runsKvstoremesh } from '../../mesh/apiserver/deployment.ts';
import { clusterNameOf } from '../../mesh/cilium/identity.ts';
import type { ClusterVersions } from '../../mesh/cilium/versions/cluster-versions.ts';
import { apiserverVersion, heldVersion } from '../../mesh/cilium/versions/running-versions.ts';
import type { ProgramVersion } from '../../mesh/cilium/versions/versions.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { describeRef, type KubeObject } from '../../mesh/objects/kube-object.ts';
import {
  APISERVER_SELECTOR,
  agentDaemonSetRef,
  apiserverDeploymentRef,
  CILIUM_CONFIG,
  configMapRef,
} from '../../mesh/objects/names.ts';
import { makerOf } from '../../mesh/objects/ownership.ts';
import { isPodRunning, livingPods } from '../../mesh/objects/pods.ts';
import { dataOf } from '../../mesh/objects/secret-data.ts';
import { imageIn, LONGEST_ANSWER_MS, readRunningVersions } from '../../snapshot/agent-version.ts';
import { agentFactsOf } from '../../snapshot/agents.ts';
import type { Target } from '../flow.ts';

/**
 * The versions that run in a cluster. Images tell those of Cilium's programs; where a tag says nothing, and for etcd, which
 * shares an image with the clustermesh-apiserver, the program in one pod is asked.
 * @throws MeshctlError what keeps the cluster from being asked
 */
export async function readVersions({ client, namespace }: Target): Promise<ClusterVersions> {
  const own = apiserverDeploymentRef(namespace);
  const [kubernetes, config, found, daemonSet, running] = await Promise.all([
    client.version(),
    unlessForbidden(client.get(configMapRef(namespace, CILIUM_CONFIG))),
    readOr(client.get(own), { absent: undefined, forbidden: 'forbidden' as const }),
    orRefusal(client.get(agentDaemonSetRef(namespace))),
    unlessForbidden(readRunningVersions(client, namespace)),
  ]);
  const cluster = config && clusterNameOf({ ciliumConfig: dataOf(config) });
  const ofAgents = unlessRefused(daemonSet);
  const cilium = makerOf(ofAgents);
  const apiserver = found === 'forbidden' ? undefined : makerOf(found);
  const madeBy = {
    ...(cilium === undefined ? {} : { cilium }),
    ...(apiserver === undefined ? {} : { apiserver }),
    ...(daemonSet instanceof MeshctlError ? { unread: [describeRef(agentDaemonSetRef(namespace))] } : {}),
  };
  const makers = Object.keys(madeBy).length > 0 ? { madeBy } : {};
  const agents = running && agentVersions(running, ofAgents);
  const known = { context: client.context, cluster, kubernetes, ...agents, ...makers };
  if (found === 'forbidden') return { ...known, unread: [describeRef(own)] };
  return found ? { ...known, ...(await apiserverVersions({ client, namespace }, found)) } : known;
}

type ApiserverVersions = Pick<ClusterVersions, 'apiserver' | 'etcd' | 'kvstoremesh'>;

const APISERVER_CONTAINER = 'apiserver';

async function apiserverVersions(target: Target, deployment: KubeObject): Promise<ApiserverVersions> {
  const { client, namespace } = target;
  const selection = livingPods(namespace, APISERVER_SELECTOR);
  const pods = (await unlessForbidden(client.listAll(selection)))?.filter(isPodRunning);
  const runs = pods?.flatMap((pod) => {
    const image = imageIn(pod, APISERVER_CONTAINER);
    return image === undefined ? [] : [{ image, pod }];
  });
  const images = runs?.map(({ image }) => image);
  const apiserver = apiserverVersion(containerOf(deployment, APISERVER_CONTAINER)?.image, images);
  const etcdPod = runs?.find(({ image }) => image === apiserver?.image)?.pod ?? pods?.[0];
  return {
    apiserver,
    etcd: await etcdVersion(target, containerOf(deployment, 'etcd'), etcdPod?.metadata.name),
    kvstoremesh: runsKvstoremesh(deployment),
  };
}

function agentVersions(
  { running, waiting }: Awaited<ReturnType<typeof readRunningVersions>>,
  daemonSet: KubeObject | undefined,
): Pick<ClusterVersions, 'agents' | 'waiting' | 'held'> {
  const held = daemonSet && heldVersion(agentFactsOf(daemonSet).image, { running, waiting });
  return { agents: running, ...(waiting.length > 0 ? { waiting } : {}), ...(held ? { held } : {}) };
}

/** `etcd Version: 3.6.4` of `etcd --version`. */
const ETCD = /^etcd Version: (\S+)/m;

async function etcdVersion(
  target: Target,
  container: ReturnType<typeof containerOf>,
  pod: string | undefined,
): Promise<ProgramVersion | undefined> {
  const { image, command: [program] = [] } = container ?? {};
  if (image === undefined) return undefined;
  const said =
    pod === undefined || program === undefined ? '' : await answerOf(target, pod, 'etcd', [program, '--version']);
  return { image, version: ETCD.exec(said ?? '')?.[1] };
}

/** What a program says; undefined where it cannot be asked. */
async function answerOf(
  { client, namespace }: Target,
  pod: string,
  container: string,
  command: readonly string[],
): Promise<string | undefined> {
  try {
    return (await client.exec({ namespace, pod, container, command, timeoutMs: LONGEST_ANSWER_MS })).stdout;
  } catch (error) {
    if (error instanceof MeshctlError && error.code !== 'Interrupted') return undefined;
    throw error;
  }
}
