import { describe, expect, it } from 'vitest';
import { peerOfUser } from '../../src/mesh/peers/file/peer-config.ts';
import { readPeerFile } from '../../src/mesh/peers/file/peer-file.ts';
import { parsePeerFile } from '../../src/sandbox/cilium/peer-files.ts';

const FILE = 'endpoints:\n- https://203.0.113.7:2379\n';
const ENDPOINT = 'https://203.0.113.7:2379';

const product = (text: string) => {
  const file = readPeerFile(text);
  return 'unreadable' in file ? 'unreadable' : file.endpoints.join(' ');
};
/** As the sandbox's agents read it, which is written from Cilium and not from the product. */
const agent = (text: string) => {
  try {
    return parsePeerFile(text)
      .endpoints.map(({ host, port }) => `https://${host}:${port}`)
      .join(' ');
  } catch {
    return 'unreadable';
  }
};

it.each([
  ['- https://203.0.113.7:2379', false],
  ['- 203.0.113.7:2379', false],
  ['- http://203.0.113.7:2379', true],
  ['- http://203.0.113.7:2379\n- https://203.0.113.8:2379', true],
  ['- https://203.0.113.8:2379\n- http://203.0.113.7:2379', false],
])('endpoints %j are dialled without TLS: %s', (endpoints, plain) => {
  const file = parsePeerFile(`endpoints:\n${endpoints}\n`);
  expect(file).toMatchObject({ plain });
  expect(file.endpoints.map(({ port }) => port)).toEqual(file.endpoints.map(() => 2379));
});

it.each([
  ['remote-mesh-2', 'mesh-2'],
  ['remote', undefined],
  ['remote-', undefined],
  ['local-mesh-2', undefined],
  ['admin-remote-mesh-2', undefined],
])('user %s is that of peer %s', (user, peer) => {
  expect(peerOfUser(user)).toBe(peer);
});

describe('a peering file is read as Cilium reads it', () => {
  it.each([
    ['plain', FILE, ENDPOINT],
    ['as JSON', '{"endpoints": ["https://203.0.113.7:2379"]}', ENDPOINT],
    ['behind a document mark', `---\n${FILE}`, ENDPOINT],
    ['with a second document', `${FILE}---\nendpoints:\n- https://198.51.100.1:2379\n`, ENDPOINT],
    ['with a second document of garbage', `${FILE}---\n: : [\n`, ENDPOINT],
    ['with a key twice', `endpoints:\n- https://198.51.100.1:2379\n${FILE}`, ENDPOINT],
    ['with a merge key', `base: &b\n  endpoints: [https://203.0.113.7:2379]\n<<: *b\n`, ENDPOINT],
    ['with an anchor that there is not', 'endpoints: *nowhere\n', 'unreadable'],
    ['with its endpoints in the second document', `ca: x\n---\n${FILE}`, 'unreadable'],
    ['empty', '', 'unreadable'],
    ['garbage', '{', 'unreadable'],
  ])('%s', (_, text, read) => {
    expect([product(text), agent(text)]).toEqual([read, read]);
  });
});
