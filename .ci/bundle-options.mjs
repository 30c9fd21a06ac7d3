import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));

/** Empty outside of a checkout, and where this folder is only a part of somebody's repository. */
function commit() {
  try {
    const options = { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] };
    const [prefix, hash = ''] = execFileSync('git', ['rev-parse', '--show-prefix', 'HEAD'], options).split('\n');
    return prefix === '' ? hash : '';
  } catch {
    return '';
  }
}

/**
 * What every bundle of meshctl is made with. The commit goes into it, so that an installed meshctl knows of which it was made.
 * @type {import('rolldown').InputOptions}
 */
export const BUNDLE_OPTIONS = {
  cwd: root,
  platform: 'node',
  // client-node has them for what meshctl does itself: it reads kubeconfigs, and sends requests.
  resolve: { alias: { 'js-yaml': false, 'node-fetch': false } },
  transform: { target: 'node20.19', define: { MESHCTL_COMMIT: JSON.stringify(commit()) } },
  // client-node's package.json does not say that its files only define things: all its models would come along.
  treeshake: { moduleSideEffects: [{ test: /client-node\/dist\//, sideEffects: false }] },
  logLevel: 'warn',
};
