/**
 * What CHANGELOG.md says of a version.
 * @param {string} changelog
 * @param {string} version without a `v`
 * @returns {string | undefined} undefined where it says nothing
 */
export function changesOf(changelog, version) {
  const [, ...sections] = changelog.split(/^## /m);
  const section = sections.find((text) => text.startsWith(`[${version}]`));
  const changes = section?.slice(section.indexOf('\n')).trim();
  return changes ? `${changes}\n` : undefined;
}

/** What is told to those who download the release. @param {string} changes of CHANGELOG.md */
export function releaseNotes(changes) {
  return `${changes}
### Install

\`npm install --global meshctl\` or \`npx meshctl\`, with Node.js 20.19 or newer; or take the archive of your platform, which has all
inside: check it with \`sha256sum --check --ignore-missing SHA256SUMS\`, unpack it, and put \`meshctl\` on the PATH. A link to it by
the name of \`kubectl-clustermesh\` makes it \`kubectl clustermesh\`. On Linux it needs glibc 2.28 or newer and libstdc++. On macOS it
is signed, but not by somebody whom Apple knows: after a download by a browser, \`xattr -d com.apple.quarantine meshctl\` lets it run.
\`meshctl.cdx.json\` lists what is inside.
`;
}
