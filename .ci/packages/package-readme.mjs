/**
 * The README of the package, from that of the checkout: without what stands between `<!-- checkout -->` and
 * `<!-- /checkout -->`, without pictures, and with links that lead to the repository.
 * @param {string} text README.md
 * @param {string} repository its address, e.g. https://github.com/owner/name
 * @param {string} ref the tag or branch that links lead to
 */
export function packageReadme(text, repository, ref) {
  return text
    .replaceAll(/<!-- checkout -->[\s\S]*?<!-- \/checkout -->\n*/g, '')
    .replaceAll(/^!\[[^\]]*]\([^)]*\)\n*/gm, '')
    .replaceAll(/]\((?!https?:|#)(?:\.\/)?([^)]+)\)/g, `](${repository}/blob/${ref}/$1)`);
}
