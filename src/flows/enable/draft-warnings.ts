import { servesNobody } from '../../mesh/apiserver/deployment.ts';
import { lackOfServingNodes } from '../../mesh/apiserver/endpoints.ts';
import { lackOfAgents } from '../../mesh/cilium/agents.ts';
import type { CiliumInstall } from '../../mesh/cilium/install.ts';
import { formatVersion, supportedRange } from '../../mesh/cilium/versions/versions.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { agentsBehind } from '../../mesh/enable/agents-behind.ts';
import { doubtAboutUsers } from '../../mesh/enable/effects/lost-users.ts';
import { nodePortCommand } from '../../mesh/enable/exposure/node-port.ts';
import { keptSettingsOf, settingName } from '../../mesh/enable/kept-settings.ts';
import { type EnableSettings, peerPorts } from '../../mesh/enable/settings.ts';
import { type KubeObject, objectIn } from '../../mesh/objects/kube-object.ts';
import { apiserverDeploymentRef, REMOTE_USERS_CONFIGMAP } from '../../mesh/objects/names.ts';
import type { Step } from '../../mesh/plan/plan.ts';

/** What is not known of the users of a cluster that has lost them, where the plan makes their list anew. */
export function usersDoubts(snapshot: ClusterSnapshot, steps: readonly Step[]): string[] {
  const isMade = steps.some(({ action, object: { name } }) => action !== 'keep' && name === REMOTE_USERS_CONFIGMAP);
  const doubt = doubtAboutUsers(snapshot);
  return isMade && doubt !== undefined ? [doubt] : [];
}

/** Fields that are otherwise than rendered by the operator's own will, of whichever run. */
export function settingNotes(objects: readonly KubeObject[], { inFile }: { inFile?: boolean | undefined }): string[] {
  const names = objects.flatMap((object) => keptSettingsOf(object).map(([path]) => settingName(object, path)));
  return names.length > 0 ? [`Set: ${names.join(', ')}${inFile ? '' : ' (--unset undoes one)'}`] : [];
}

/** What is to be known before a cluster is enabled: of its agents, its version, and who can be served. */
export function enableWarnings(
  snapshot: ClusterSnapshot,
  install: CiliumInstall,
  { exposure }: EnableSettings,
  objects: readonly KubeObject[],
): string[] {
  const deployment = objectIn(objects, apiserverDeploymentRef(snapshot.namespace));
  const silence = servesNobody(snapshot, deployment);
  const lack = lackOfAgents(snapshot);
  const behind = agentsBehind(snapshot, install.version);
  return [
    ...(behind ? [behind] : []),
    ...(lack ? [`${lack.says}, so nothing here can be connected → ${lack.hint}`] : []),
    ...(silence ? [silence] : []),
    ...(install.untested
      ? [
          `Cilium ${formatVersion(install.version)} is newer than this meshctl knows (${supportedRange()}); the newest objects are used`,
        ]
      : []),
    ...(exposure.warning ? [`Service type ${exposure.type}: ${exposure.warning}`] : []),
  ];
}

/** That no node serves the Service. @param planned the cluster with its Service as it will be */
export function unservedWarnings(planned: ClusterSnapshot): string[] {
  const lack = lackOfServingNodes(planned);
  return lack ? [`${lack.says}, so no peer can be connected to it → ${lack.hint}`] : [];
}

/** That the node port is a peer's too. */
export function portOfPeer(snapshot: ClusterSnapshot, { nodePort }: EnableSettings): string[] {
  if (nodePort === undefined || !peerPorts(snapshot).includes(nodePort)) return [];
  const taken = new Set([...peerPorts(snapshot), nodePort]);
  return [
    `the node port ${nodePort} is also a peer's: with kube-proxy replacement, dialling the peer leads back here; for another one: ${nodePortCommand(snapshot, taken)}`,
  ];
}
