import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { commitDate, RELEASE } from './release.mjs';

const ARCHITECTURES = { 'linux-x64': 'amd64', 'linux-arm64': 'arm64' };

/** Where Debian's shells look for completions, by the name of the script. */
const COMPLETIONS = {
  'meshctl.bash': 'usr/share/bash-completion/completions/meshctl',
  'meshctl.zsh': 'usr/share/zsh/vendor-completions/_meshctl',
  'meshctl.fish': 'usr/share/fish/vendor_completions.d/meshctl.fish',
};

/**
 * Makes a package for Debian and Ubuntu, with the tool that Debian has for it.
 * @param {object} parts
 * @param {string} parts.root of the checkout
 * @param {string} parts.program the executable
 * @param {string} parts.target
 * @param {readonly string[]} parts.notices files about the licences of what is inside
 * @param {string} parts.manual the folder of the pages for man
 * @param {string} parts.output the folder of the package
 * @returns {string | undefined} the package; undefined where there is none for the target, or no dpkg-deb
 */
export function makeDeb({ root, program, target, notices, manual, output }) {
  const architecture = ARCHITECTURES[target];
  if (!architecture) return undefined;
  if (!hasDpkgDeb()) {
    console.warn(`no .deb for ${target}: dpkg-deb is not here (Debian's package dpkg has it)`);
    return undefined;
  }
  const tree = join(output, `deb-${architecture}`);
  rmSync(tree, { recursive: true, force: true });
  const put = (from, to) => {
    mkdirSync(dirname(join(tree, to)), { recursive: true });
    cpSync(from, join(tree, to), { recursive: true });
  };
  put(program, 'usr/bin/meshctl');
  symlinkSync('meshctl', join(tree, 'usr/bin/kubectl-clustermesh'));
  for (const [script, to] of Object.entries(COMPLETIONS)) put(join(root, 'templates/completion', script), to);
  put(join(root, 'templates/rbac'), 'usr/share/meshctl/rbac');
  put(manual, 'usr/share/man/man1');
  put(join(root, 'LICENSE'), 'usr/share/doc/meshctl/copyright');
  for (const notice of notices) put(notice, join('usr/share/doc/meshctl', notice.split(/[\\/]/).at(-1)));
  mkdirSync(join(tree, 'DEBIAN'));
  writeFileSync(join(tree, 'DEBIAN/control'), control(architecture));
  const file = join(output, `meshctl_${RELEASE.version}_${architecture}.deb`);
  execFileSync('dpkg-deb', ['--build', '--root-owner-group', '-Zgzip', '-z6', tree, file], {
    env: { ...process.env, SOURCE_DATE_EPOCH: String(Math.floor(commitDate().getTime() / 1000)) },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  rmSync(tree, { recursive: true });
  return file;
}

/** What Node.js 22 needs (its BUILDING.md), and where it is from. */
function control(architecture) {
  return `Package: meshctl
Version: ${RELEASE.version}
Architecture: ${architecture}
Maintainer: The authors of meshctl <${RELEASE.homepage}>
Depends: libc6 (>= 2.28), libstdc++6 (>= 8), libgcc-s1
Section: admin
Priority: optional
Homepage: ${RELEASE.homepage}
Description: join Kubernetes clusters that run Cilium into one Cluster Mesh
 However Cilium got there: straight against the Kubernetes API, without a
 Helm release, a shared CA or a restart of agents. Also a plugin of kubectl:
 kubectl clustermesh.
`;
}

function hasDpkgDeb() {
  try {
    execFileSync('dpkg-deb', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
