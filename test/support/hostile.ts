import fc from 'fast-check';

/**
 * The same inputs in every run, so that a failure is one for everybody; `FAST_CHECK_SEED` tries others. What fails is
 * printed by fast-check with its seed and path, in its smallest form.
 */
fc.configureGlobal({ seed: Number(process.env.FAST_CHECK_SEED ?? 1) });

/** What a terminal would obey: C0 but line ends and tabs, DEL, C1, line and paragraph separators, bidirectional marks. */
export const RAW =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|[\ud800-\udbff](?![\udc00-\udfff])/;

/** Words that the documents of Cilium's programs, and of `ip`, are made of. */
const WORDS = [
  ...['name', 'ready', 'connected', 'status', 'config', 'required', 'retrieved', 'cluster-id', 'synced', 'nodes'],
  ...['num-failures', 'clusters', 'cluster-mesh', 'host', 'health-endpoint', 'primary-address', 'icmp', 'http'],
  ...['peer-address', 'session-state', 'dst', 'gateway', 'dev', 'protocol', 'prefix', 'mesh-1', 'mesh-2', '__proto__'],
];

const NASTY = [
  ...['\u001b[2J', '\u001b[8m', '\u009b31m', '\u0007', '\u0008', '\r\n', '\u0000', '\u007f', '\u0085'],
  // OSC: a link, the window's title, the clipboard; with either introducer and either end.
  ...['\u001b]8;;https://example.org\u001b\\click\u001b]8;;\u001b\\', '\u001b]0;title\u0007', '\u009d52;c;eA==\u009c'],
  // Bidirectional overrides and isolates, line separators, half a surrogate pair.
  ...['\u202e', '\u2066', '\u2069', '\u200f', '\u2028', '\ud800'],
  ...['❌ x509: certificate signed by unknown authority', '</testcase>', '"', '\\', '{{', '| table |', '\n\n'],
];

/** Any code point but halves of a surrogate pair. fast-check's own `binary` sorts all million of them before the first one. */
const character = fc
  .integer({ min: 0, max: 0x10ffff - 0x800 })
  .map((code) => String.fromCodePoint(code < 0xd800 ? code : code + 0x800));

/** Text with anything in it that a terminal, XML or a table could stumble over. */
export const hostileText: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      fc.constantFrom(...NASTY),
      fc.constantFrom(...WORDS),
      fc.string({ unit: character, maxLength: 8 }),
      fc.constantFrom('a', '-', ' ', '10.1.0.0/24'),
    ),
    { maxLength: 6 },
  )
  .map((parts) => parts.join(''));

/** Any JSON value, often with the field names that are looked for. */
export const hostileValue: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    fc.constantFrom(null, true, false),
    fc.double({ noDefaultInfinity: true, noNaN: true }),
    hostileText,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...WORDS) }, hostileText), tie('value'), {
      maxKeys: 5,
    }),
  ),
})).value;

const list = (entry: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<unknown> =>
  fc.array(fc.record(entry, { requiredKeys: [] }), { maxLength: 4 });
const peer = fc.oneof(fc.constantFrom('mesh-1', 'mesh-2'), hostileText);
const probed = fc.record({ ip: hostileText, icmp: fc.record({ status: hostileText }) });
const path = fc.record({ 'primary-address': probed, 'secondary-addresses': fc.array(probed, { maxLength: 2 }) });

/** Documents as the programs print them, but for the values: of agents, KVStoreMesh, cilium-health, BGP, routes. */
const lifelikeDocument: fc.Arbitrary<unknown> = fc
  .tuple(
    list({
      name: peer,
      ready: fc.boolean(),
      connected: fc.boolean(),
      status: hostileText,
      config: hostileValue,
      synced: hostileValue,
    }),
    list({ name: hostileText, host: path, 'health-endpoint': path }),
    list({
      'peer-address': hostileText,
      'session-state': hostileText,
      prefix: hostileText,
      dst: fc.oneof(fc.constantFrom('10.2.0.0/16', 'default'), hostileText),
      gateway: hostileText,
      dev: hostileText,
      protocol: hostileText,
    }),
  )
  .chain(([clusters, nodes, entries]) =>
    fc.constantFrom<unknown>({ 'cluster-mesh': { clusters } }, clusters, { nodes }, entries),
  );

/** Any document, lifelike or not. */
export const hostileDocument = fc.oneof(lifelikeDocument, hostileValue);

/** What a program may write: a document, whole or broken off, or what is none. */
export const hostileOutput: fc.Arbitrary<string> = fc.oneof(
  hostileDocument.map((document) => JSON.stringify(document)),
  fc
    .tuple(
      lifelikeDocument.map((document) => JSON.stringify(document)),
      fc.double({ min: 0, max: 1, noNaN: true }),
    )
    .map(([text, share]) => text.slice(0, Math.floor(text.length * share))),
  hostileText,
  fc.array(hostileText, { maxLength: 5 }).map((lines) => lines.map((line) => `  ❌ ${line}`).join('\n')),
);
