import { imageOf } from '../apiserver/deployment.ts';
import { apiserverDeployment } from '../apiserver/live.ts';
import { type CiliumVersion, formatVersion, parseImage } from '../cilium/versions/versions.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand } from '../command-line.ts';
import type { KubeObject } from '../objects/kube-object.ts';
import { type OptionPlace, optionName } from './option-name.ts';

/** At the Deployment, of which version of Cilium an image is whose own name does not tell. */
const IMAGE_VERSION_ANNOTATION = 'meshctl.io/image-version';

/** Whether an image is named by its digest alone, so that nothing of it tells a version. */
function isBare(image: string | undefined): image is string {
  return image !== undefined && parseImage(image).tag === undefined;
}

/** Whether the image that runs was chosen by its digest alone, and for this version of Cilium, as far as that is noted. */
export function isDigestFor(snapshot: ClusterSnapshot, version: CiliumVersion | undefined): boolean {
  const deployment = apiserverDeployment(snapshot);
  const noted = deployment?.metadata.annotations?.[IMAGE_VERSION_ANNOTATION];
  return isBare(imageOf(deployment)) && (noted === undefined || !version || noted === formatVersion(version));
}

/** The rendered objects, with the version noted at the Deployment where its image does not tell it. */
export function withImageNoted(objects: readonly KubeObject[], version: CiliumVersion): KubeObject[] {
  return objects.map((object) => {
    if (object.kind !== 'Deployment' || !isBare(imageOf(object))) return object;
    const annotations = { ...object.metadata.annotations, [IMAGE_VERSION_ANNOTATION]: formatVersion(version) };
    return { ...object, metadata: { ...object.metadata, annotations } };
  });
}

/** That an image which was chosen by its digest does not go along with another version of Cilium; undefined where it stays. */
export function digestGivenUp(
  snapshot: ClusterSnapshot,
  version: CiliumVersion,
  image: string,
  place: OptionPlace = {},
): string | undefined {
  const live = imageOf(apiserverDeployment(snapshot));
  if (!isBare(live) || isBare(image) || isDigestFor(snapshot, version)) return undefined;
  const command = () => meshctlCommand('clustermesh enable', { context: snapshot.context }, ['--image', '<image>']);
  const own = place.inFile ? optionName('image', place) : command();
  return `the clustermesh-apiserver's image ${live} was chosen for another version of Cilium than ${formatVersion(version)}, and is replaced by ${image}; for one of your own: ${own}`;
}
