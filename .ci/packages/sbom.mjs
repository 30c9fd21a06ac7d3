import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packagesIn } from './notices.mjs';
import { npm } from './npm.mjs';
import { RELEASE } from './release.mjs';
import { VERSION as NODE_VERSION } from './runtimes.mjs';

/**
 * Writes what is inside as CycloneDX: npm's account, as far as it is of packages that are in the bundle, and the Node.js of the
 * executables.
 * @param {string} root of the checkout
 * @param {Record<string, string[]>} modules the build's account of what is in which file
 * @param {string} file
 */
export function writeSbom(root, modules, file) {
  const args = ['sbom', '--sbom-format', 'cyclonedx', '--sbom-type', 'application', '--package-lock-only'];
  const bom = JSON.parse(npm(args, root));
  const bundled = new Set(
    packagesIn(modules).map((folder) => {
      const { name, version } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
      return `pkg:npm/${name.replace('@', '%40')}@${version}`;
    }),
  );
  const components = bom.components.filter(({ purl }) => bundled.has(purl));
  const missing = [...bundled].filter((purl) => !components.some((component) => component.purl === purl));
  if (missing.length > 0) throw new Error(`npm does not know of ${missing.join(', ')}`);
  const refs = new Set([bom.metadata.component['bom-ref'], ...components.map((component) => component['bom-ref'])]);
  const node = {
    'bom-ref': `node@${NODE_VERSION}`,
    type: 'platform',
    name: 'node',
    version: NODE_VERSION,
    description: 'in the executables, not in the npm package',
    purl: `pkg:generic/node@${NODE_VERSION}`,
    cpe: `cpe:2.3:a:nodejs:node.js:${NODE_VERSION}:*:*:*:lts:*:*:*`,
  };
  const own = { ...bom.metadata.component, name: 'meshctl', version: RELEASE.version };
  const dependencies = bom.dependencies
    .filter(({ ref }) => refs.has(ref))
    .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter((other) => refs.has(other)) }));
  const document = {
    ...bom,
    metadata: { ...bom.metadata, component: own },
    components: [...components, node],
    dependencies,
  };
  writeFileSync(file, `${JSON.stringify(document, null, 2)}\n`);
}
