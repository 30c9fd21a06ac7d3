import { writeFileSync } from 'node:fs';
import { npm } from './npm.mjs';
import { RELEASE } from './release.mjs';
import { VERSION as NODE_VERSION } from './runtimes.mjs';

/**
 * Writes what is inside as CycloneDX: npm's account of the packages, and the Node.js of the executables.
 * @param {string} root of the checkout
 * @param {string} file
 */
export function writeSbom(root, file) {
  const args = ['sbom', '--sbom-format', 'cyclonedx', '--sbom-type', 'application', '--omit', 'dev'];
  const bom = JSON.parse(npm([...args, '--package-lock-only'], root));
  // npm names a package without an address in the registry after its folder.
  bom.metadata.component.name = 'meshctl';
  bom.metadata.component.version = RELEASE.version;
  bom.components.push({
    'bom-ref': `node@${NODE_VERSION}`,
    type: 'platform',
    name: 'node',
    version: NODE_VERSION,
    description: 'in the executables, not in the npm package',
    purl: `pkg:generic/node@${NODE_VERSION}`,
    cpe: `cpe:2.3:a:nodejs:node.js:${NODE_VERSION}:*:*:*:lts:*:*:*`,
  });
  writeFileSync(file, `${JSON.stringify(bom, null, 2)}\n`);
}
