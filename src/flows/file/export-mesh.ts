import { loadTemplates, templateRefs } from '../../manifests/load.ts';
import { apiserverDeployment } from '../../mesh/apiserver/live.ts';
import { requireSettledName } from '../../mesh/apiserver/pod-marks.ts';
import { requireCilium, requireIdentity } from '../../mesh/cilium/identity.ts';
import { requireStateInCrds } from '../../mesh/cilium/kvstore.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { counted } from '../../mesh/counted.ts';
import { enableOnceGone, leftOut, sinceDisable, unfinishedDisable } from '../../mesh/enable/unfinished-disable.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { type ExportedCluster, type ExportedMesh, exportMesh } from '../../mesh/file/export.ts';
import { requireOneOfEachName } from '../../mesh/file/one-mesh.ts';
import { serviceImportOf } from '../../mesh/services/derived.ts';
import { serviceKey } from '../../mesh/services/services.ts';
import { readSnapshot } from '../../snapshot/read-snapshot.ts';
import { during, type Flow, type Target } from '../flow.ts';
import { type Unanswered, whereAccessible } from '../where-it-succeeds.ts';
import { whereUsable } from '../where-usable.ts';

/**
 * Reads clusters, and says their mesh as a file. Those that have no clustermesh-apiserver are of no mesh, and left out.
 * @param parallel clusters at a time
 * @param spare those that cannot be read, or be in a file as they are, have no part in it
 * @returns the mesh, what was left out of it and why, as clauses, and those that were spared
 * @throws MeshctlError `ClusterMeshNotEnabled` where none is left, `ClusterIdentity` where one is known by another name, `Usage` where
 * clusters of two meshes have one name
 */
export async function exportClusters(
  flow: Flow,
  targets: readonly Target[],
  { parallel, spare }: { parallel: number; spare: boolean },
): Promise<{ mesh: ExportedMesh; left: readonly string[]; spared: readonly Unanswered[] }> {
  const words = counted(targets.length, 'cluster');
  const least = spare ? 1 : targets.length;
  const { done: read, failed } = await during(flow, { doing: `Reading ${words}`, done: `Read ${words}` }, () =>
    whereAccessible(flow, targets, (target) => readCluster(flow, target), { parallel, least }),
  );
  const bare = read.filter(({ snapshot }) => apiserverDeployment(snapshot) === undefined);
  const contexts = bare.map(({ snapshot }) => snapshot.context);
  if (bare.length === read.length) {
    for (const { snapshot } of bare) requireStateInCrds(snapshot);
    const named = contexts.map((context) => `"${context}"`).join(', ');
    const since = bare.map(({ snapshot }) => sinceDisable(unfinishedDisable(snapshot))).join('');
    throw new MeshctlError(
      'ClusterMeshNotEnabled',
      `there is no mesh in ${named}: Cluster Mesh is not enabled there${since}`,
      {
        hint: enableOnceGone(bare.map(({ snapshot }) => snapshot)),
        details: { contexts },
      },
    );
  }
  const all = read.map(({ snapshot }) => snapshot);
  const judge = (snapshot: ClusterSnapshot) => {
    requireCilium(snapshot);
    requireIdentity(snapshot);
    requireSettledName(snapshot, all);
  };
  const serving = read.filter((one) => !bare.includes(one)).map(({ snapshot }) => snapshot);
  const { usable, failed: unusable } = whereUsable(flow, serving, judge, spare ? { least: 1 } : undefined);
  requireOneOfEachName(usable);
  const left = bare.map(({ snapshot }) => leftOut(snapshot));
  for (const words of left) flow.progress.warn(words);
  const mesh = exportMesh(read.filter(({ snapshot }) => usable.includes(snapshot)));
  return { mesh, left, spared: [...failed, ...unusable] };
}

async function readCluster(flow: Flow, { client, namespace }: Target): Promise<ExportedCluster> {
  const refs = templateRefs(await loadTemplates(flow.installation), namespace);
  const [snapshot, services] = await Promise.all([
    readSnapshot(client, { namespace, purpose: 'enable', refs }),
    client.collect({ apiVersion: 'v1', kind: 'Service' }, (service) => {
      const { namespace: home = '', name, annotations = {} } = service.metadata;
      // What its ServiceImport says is nobody's to write down.
      return serviceImportOf(service) === undefined
        ? [[serviceKey({ namespace: home, name }), annotations] as const]
        : [];
    }),
  ]);
  return { snapshot, services: new Map(services) };
}
