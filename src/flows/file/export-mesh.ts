import pLimit from 'p-limit';
import { loadTemplates, templateRefs } from '../../manifests/load.ts';
import { apiserverDeployment } from '../../mesh/apiserver/live.ts';
import { requireSettledName } from '../../mesh/apiserver/pod-marks.ts';
import { requireCilium, requireIdentity } from '../../mesh/cilium/identity.ts';
import { counted } from '../../mesh/counted.ts';
import { enableOnceGone, leftOut, sinceDisable, unfinishedDisable } from '../../mesh/enable/unfinished-disable.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { type ExportedCluster, type ExportedMesh, exportMesh } from '../../mesh/file/export.ts';
import { requireOneOfEachName } from '../../mesh/file/one-mesh.ts';
import { serviceImportOf } from '../../mesh/services/derived.ts';
import { serviceKey } from '../../mesh/services/services.ts';
import { readSnapshot } from '../../snapshot/read-snapshot.ts';
import { during, type Flow, type Target } from '../flow.ts';

/**
 * Reads clusters, and says their mesh as a file. Those that have no clustermesh-apiserver are of no mesh, and left out.
 * @param parallel clusters at a time
 * @returns the mesh, and what was left out of it and why, as clauses
 * @throws MeshctlError `ClusterMeshNotEnabled` where none is left, `ClusterIdentity` where one is known by another name, `Usage` where
 * clusters of two meshes have one name
 */
export async function exportClusters(
  flow: Flow,
  targets: readonly Target[],
  parallel: number,
): Promise<{ mesh: ExportedMesh; left: readonly string[] }> {
  const limit = pLimit(parallel);
  const words = counted(targets.length, 'cluster');
  const read = await during(flow, { doing: `Reading ${words}`, done: `Read ${words}` }, () =>
    Promise.all(targets.map((target) => limit(() => readCluster(flow, target)))),
  );
  const bare = read.filter(({ snapshot }) => apiserverDeployment(snapshot) === undefined);
  const contexts = bare.map(({ snapshot }) => snapshot.context);
  if (bare.length === read.length) {
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
  const serving = read.filter((one) => !bare.includes(one));
  const snapshots = serving.map(({ snapshot }) => snapshot);
  for (const snapshot of snapshots) requireSettledName(snapshot, snapshots);
  requireOneOfEachName(snapshots);
  const left = bare.map(({ snapshot }) => leftOut(snapshot));
  for (const words of left) flow.progress.warn(words);
  return { mesh: exportMesh(serving), left };
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
  requireCilium(snapshot);
  requireIdentity(snapshot);
  return { snapshot, services: new Map(services) };
}
