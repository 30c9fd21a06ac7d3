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
 * @type {import('esbuild').BuildOptions}
 */
export const BUNDLE_OPTIONS = {
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  alias: { punycode: 'punycode/punycode.js' },
  define: { MESHCTL_COMMIT: JSON.stringify(commit()) },
  legalComments: 'none',
  logLevel: 'warning',
};
