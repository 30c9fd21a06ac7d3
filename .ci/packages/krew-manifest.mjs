import { basename } from 'node:path';
import { stringify } from 'yaml';
import { RELEASE, sha256 } from './release.mjs';

/** Kubernetes' names, by ours. */
const OS = { linux: 'linux', macos: 'darwin', windows: 'windows' };
const ARCH = { x64: 'amd64', arm64: 'arm64' };

/**
 * The manifest for krew's index, by which `kubectl krew install clustermesh` installs meshctl as `kubectl clustermesh`. Its
 * file is to be named clustermesh.yaml (https://krew.sigs.k8s.io/docs/developer-guide/plugin-manifest/).
 * @param {Readonly<Record<string, string>>} archives by target
 */
export function krewManifest(archives) {
  const platforms = Object.entries(archives).map(([target, archive]) => {
    const [os, arch] = target.split('-');
    return {
      selector: { matchLabels: { os: OS[os], arch: ARCH[arch] } },
      uri: RELEASE.urlOf(basename(archive)),
      sha256: sha256(archive),
      bin: os === 'windows' ? 'meshctl.exe' : 'meshctl',
    };
  });
  return stringify({
    apiVersion: 'krew.googlecontainertools.github.com/v1alpha2',
    kind: 'Plugin',
    metadata: { name: 'clustermesh' },
    spec: {
      version: `v${RELEASE.version}`,
      homepage: RELEASE.homepage,
      shortDescription: 'Join clusters that run Cilium into a Cluster Mesh',
      description:
        'Joins Kubernetes clusters that run Cilium into one Cluster Mesh, however Cilium got there: straight against the ' +
        'Kubernetes API, without a Helm release, a shared CA or a restart of agents. Says what is wrong with a mesh, and ' +
        'renews its certificates.\n\nTry it without a cluster: kubectl clustermesh demo\n',
      platforms,
    },
  });
}
