const ENTITIES = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
const plain = (text = '') => text.replaceAll(/&(amp|lt|gt|quot|apos);/g, (_all, name) => ENTITIES[name]);
const CASE = /<testcase classname="([^"]*)" name="([^"]*)"(?:\/>|>([\s\S]*?)<\/testcase>)/g;

/**
 * Reads a JUnit report as meshctl writes it.
 * @param {string} xml
 * @returns {{ tests: number, skipped: number, failures: { name: string, group: string, type: string, text: string }[], warnings: string[] }}
 */
export function readJunit(xml) {
  const cases = [...xml.matchAll(CASE)];
  const failures = cases.flatMap(([, group, name, body = '']) => {
    const failure = /<failure type="([^"]*)" message="([^"]*)">([\s\S]*?)<\/failure>/.exec(body);
    if (!failure) return [];
    const [, type, message, text] = failure;
    return [{ name: plain(name), group: plain(group), type: plain(type), text: plain(text) || plain(message) }];
  });
  const skipped = cases.filter(([, , , body]) => body?.includes('<skipped')).length;
  // Of a suite, not of a case; a next step stands on a line of its own.
  const said = [...xml.replaceAll(CASE, '').matchAll(/<system-out>([\s\S]*?)<\/system-out>/g)];
  const warnings = said.flatMap(([, text]) => plain(text).split(/\n(?!→ )/));
  return { tests: cases.length, skipped, failures, warnings };
}
