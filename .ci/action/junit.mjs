const ENTITIES = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
const plain = (text = '') => text.replaceAll(/&(amp|lt|gt|quot|apos);/g, (_all, name) => ENTITIES[name]);

/**
 * Reads a JUnit report as meshctl writes it.
 * @param {string} xml
 * @returns {{ tests: number, skipped: number, failures: { name: string, group: string, type: string, text: string }[] }}
 */
export function readJunit(xml) {
  const cases = [...xml.matchAll(/<testcase classname="([^"]*)" name="([^"]*)"(?:\/>|>([\s\S]*?)<\/testcase>)/g)];
  const failures = cases.flatMap(([, group, name, body = '']) => {
    const failure = /<failure type="([^"]*)" message="([^"]*)">([\s\S]*?)<\/failure>/.exec(body);
    if (!failure) return [];
    const [, type, message, text] = failure;
    return [{ name: plain(name), group: plain(group), type: plain(type), text: plain(text) || plain(message) }];
  });
  return { tests: cases.length, skipped: cases.filter(([, , , body]) => body?.includes('<skipped')).length, failures };
}
