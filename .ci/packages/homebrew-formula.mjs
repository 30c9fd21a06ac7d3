import { basename } from 'node:path';
import { RELEASE, sha256 } from './release.mjs';

/**
 * A formula for a tap (https://docs.brew.sh/Formula-Cookbook), which installs the executables.
 * @param {Readonly<Record<string, string>>} archives by target
 */
export function homebrewFormula(archives) {
  const download = (target) =>
    `url "${RELEASE.urlOf(basename(archives[target]))}"\n      sha256 "${sha256(archives[target])}"`;
  const system = (name) => `  on_${name} do
    on_arm do
      ${download(`${name}-arm64`)}
    end
    on_intel do
      ${download(`${name}-x64`)}
    end
  end
`;
  return `class Meshctl < Formula
  desc "Join Kubernetes clusters that run Cilium into one Cluster Mesh"
  homepage "${RELEASE.homepage}"
  version "${RELEASE.version}"
  license "${RELEASE.license}"

${['macos', 'linux'].map(system).join('\n')}
  def install
    bin.install "meshctl"
    bin.install_symlink "meshctl" => "kubectl-clustermesh"
    man1.install Dir["man/*"]
    pkgshare.install "rbac"
    generate_completions_from_executable(bin/"meshctl", "completion")
  end

  test do
    assert_match "meshctl #{version}", shell_output("#{bin}/meshctl version --client")
    assert_match "mesh-2: 2/2 configured, 2/2 connected", shell_output("#{bin}/meshctl demo --no-pause")
  end
end
`;
}
