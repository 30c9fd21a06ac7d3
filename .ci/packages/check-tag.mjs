import { readFileSync } from 'node:fs';
import { RELEASE } from './release.mjs';
import { changesOf } from './release-notes.mjs';

/** `node check-tag.mjs v0.1.0`: whether this checkout is what the tag says, and tells of its changes. */
const [tag] = process.argv.slice(2);
const changelog = readFileSync(new URL('../../CHANGELOG.md', import.meta.url), 'utf8');
const faults = [
  tag === `v${RELEASE.version}` ? [] : [`the tag is ${tag}, but package.json has the version ${RELEASE.version}`],
  changesOf(changelog, RELEASE.version) ? [] : [`CHANGELOG.md has no section [${RELEASE.version}]`],
].flat();
for (const fault of faults) console.error(fault);
process.exitCode = faults.length > 0 ? 1 : 0;
