import { replicasOf, scaleUpCommand } from '../apiserver/deployment.ts';
import { apiserverDeployment } from '../apiserver/live.ts';
import { lackOfRoom } from '../apiserver/room.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { describeCommand } from '../command-line.ts';
import { MeshctlError } from '../errors.ts';
import { APISERVER, APISERVER_SELECTOR } from '../objects/names.ts';

/**
 * Refuses clusters that could let nobody in, before anything is written: without a ready clustermesh-apiserver pod there
 * is no etcd to prove a credential against.
 * @throws MeshctlError `CredentialRefused`, with the command that brings pods up or shows why there are none
 */
export function requireReadyServers(servers: readonly ClusterSnapshot[]): void {
  const idle = servers.filter(({ apiserverPods }) => apiserverPods?.every(({ ready }) => !ready));
  const [first] = idle;
  if (!first) return;
  const contexts = idle.map(({ context }) => context);
  throw new MeshctlError('CredentialRefused', idle.map(describeIdle).join('; '), {
    hint: wayUp(first),
    details: { context: first.context, contexts, reason: 'no-ready-pod' },
  });
}

function replicasWanted(cluster: ClusterSnapshot): number | undefined {
  return replicasOf(apiserverDeployment(cluster));
}

function describeIdle(snapshot: ClusterSnapshot): string {
  const { context, apiserverPods = [] } = snapshot;
  const why =
    replicasWanted(snapshot) === 0
      ? 'its Deployment is scaled to 0'
      : apiserverPods.length === 0
        ? 'there are none'
        : `not ready: ${[...apiserverPods.map(({ name }) => name), ...(lackOfRoom(snapshot)?.reasons ?? [])].join(', ')}`;
  return `context "${context}": no clustermesh-apiserver pod is ready (${why}), so no peer can be let in there`;
}

function wayUp(snapshot: ClusterSnapshot): string {
  const { context, namespace, apiserverPods = [] } = snapshot;
  if (replicasWanted(snapshot) === 0) {
    return scaleUpCommand({ context, namespace }, apiserverDeployment(snapshot));
  }
  const lack = lackOfRoom(snapshot);
  if (lack) return lack.hint;
  return apiserverPods.length === 0
    ? describeCommand({ context, namespace }, 'deployment', { name: APISERVER })
    : describeCommand({ context, namespace }, 'pods', { selector: APISERVER_SELECTOR });
}
