import { apiserverDeployment } from '../../mesh/apiserver/live.ts';
import { podIdentity } from '../../mesh/apiserver/recorded-identity.ts';
import { clusterNameOf } from '../../mesh/cilium/identity.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import type { Flow, Target } from '../flow.ts';
import { orWithout } from '../where-it-succeeds.ts';
import { readyPods } from './ask-etcd.ts';
import { clusterIdIn } from './prove.ts';
import { readClusterConfigs } from './read-own-keys.ts';

/**
 * A snapshot with the id under which a clustermesh-apiserver describes its cluster, where no mark of its pods tells it: what Helm
 * has made has none. Unchanged where that cannot be read: it is only for knowing more.
 */
export async function withServedId(flow: Flow, target: Target, snapshot: ClusterSnapshot): Promise<ClusterSnapshot> {
  const deployment = apiserverDeployment(snapshot);
  if (!deployment || podIdentity(deployment)) return snapshot;
  const read = async () => {
    const [pod] = await readyPods(target);
    const configs = pod && (await readClusterConfigs(flow, target, snapshot, pod));
    const text = configs instanceof Map ? configs.get(clusterNameOf(snapshot)) : undefined;
    return text === undefined ? snapshot : { ...snapshot, servedId: clusterIdIn(text) };
  };
  return orWithout(flow, read(), snapshot);
}
