import { describe, expect, it } from 'vitest';
import { answerTo, fateOf, type Packet } from '../../src/sandbox/pods/network-rules.ts';
import { parseRules, requirePlaces } from '../../src/sandbox/pods/rule-text.ts';

const CLUSTERS = new Map([
  ['mesh-1', ['mesh-1-node-1', 'mesh-1-node-2']],
  ['mesh-2', ['mesh-2-node-1']],
]);

describe('a rule of the network in text', () => {
  it.each([
    ['drop:mesh-1>mesh-2:udp/8472', ['drop:mesh-1>mesh-2:udp/8472']],
    ['drop:mesh-1<>mesh-2', ['drop:mesh-1>mesh-2', 'drop:mesh-2>mesh-1']],
    ['reject:mesh-1>mesh-2:tcp/2379', ['reject:mesh-1>mesh-2:tcp/2379']],
    ['drop:mesh-1>mesh-2:icmp', ['drop:mesh-1>mesh-2:icmp']],
    ['mtu:mesh-1<>mesh-2:1400', ['mtu:mesh-1>mesh-2:1400', 'mtu:mesh-2>mesh-1:1400']],
    ['mtu:mesh-1>mesh-2:1400:udp/8472', ['mtu:mesh-1>mesh-2:1400:udp/8472']],
    ['delay:mesh-1>mesh-2:40ms', ['delay:mesh-1>mesh-2:40ms']],
    ['drop:mesh-1>mesh-2:ipv6', ['drop:mesh-1>mesh-2:ipv6']],
    ['mtu:mesh-1>mesh-2:1400:ipv4:udp/8472', ['mtu:mesh-1>mesh-2:1400:ipv4:udp/8472']],
    ['no-route:mesh-1>mesh-2:ipv6', ['no-route:mesh-1>mesh-2:ipv6']],
    ['no-route:mesh-1/mesh-1-node-1>mesh-2', ['no-route:mesh-1/mesh-1-node-1>mesh-2']],
  ])('%s is one for each direction', (text, ids) => {
    const rules = parseRules(text);
    expect(rules.map(({ id }) => id)).toEqual(ids);
    expect(() => requirePlaces(rules, CLUSTERS)).not.toThrow();
    expect(ids.flatMap(parseRules)).toEqual(rules);
  });

  it.each([
    ['drop', /is not ACTION:FROM>TO/, /^Write it like drop:/],
    ['drop:mesh-1', /is not ACTION:FROM>TO/, /^Write it like/],
    ['dorp:mesh-1>mesh-2', /no action .*"dorp"/, /^There are: |^Did you mean drop\?$/],
    ['rejct:mesh-1>mesh-2', /no action/, /^Did you mean reject\?$/],
    ['drop:mesh-1>mesh-1', /stays in one cluster/, /./],
    ['drop:mesh-1>mesh-3x', /no cluster of the sandbox: "mesh-3x"/, /mesh-/],
    ['drop:mesh-1/mesh-1-node-9>mesh-2', /no node of mesh-1: "mesh-1-node-9"/, /^Did you mean mesh-1-node-1\?$/],
    ['drop:mesh-1>mesh-2:sctp', /no protocol like "sctp"/, /tcp/],
    ['drop:mesh-1>mesh-2:udp/0', /no port like "0"/, /1 to 65535/],
    ['drop:mesh-1>mesh-2:icmp/8', /has a port/, /./],
    ['drop:mesh-1>mesh-2:udp/8472:x', /more than a protocol/, /./],
    ['delay:mesh-1>mesh-2', /how long/, /40ms/],
    ['mtu:mesh-1>mesh-2:20', /which MTU/, /1400/],
    ['drop:mesh-1>mesh-2:ipv6:ipv4', /no protocol like "ipv4"/, /./],
    ['no-route:mesh-1>mesh-2:ipv6:udp', /a route is for all/, /./],
    ['no-route:mesh-1>mesh-2:udp', /a route is for all/, /./],
  ])('%s is refused', (text, message, hint) => {
    const refused = () => requirePlaces(parseRules(text), CLUSTERS);
    expect(refused).toThrow(expect.objectContaining({ code: 'Usage', message: expect.stringMatching(message) }));
    expect(refused).toThrow(expect.objectContaining({ hint: expect.stringMatching(hint) }));
  });
});

describe('a packet', () => {
  const packet: Packet = {
    from: { cluster: 'mesh-1', node: 'mesh-1-node-1' },
    to: { cluster: 'mesh-2', node: 'mesh-2-node-1' },
    family: 4,
    protocol: 'tcp',
    port: 2379,
    size: 1450,
  };
  const lost = { arrives: false, how: 'lost' };
  it.each([
    [[], { arrives: true, delayMs: 0 }],
    [['drop:mesh-1>mesh-2'], lost],
    [['drop:mesh-1>mesh-2:ipv4'], lost],
    [['drop:mesh-1>mesh-2:ipv6'], { arrives: true, delayMs: 0 }],
    [['drop:mesh-2>mesh-1'], { arrives: true, delayMs: 0 }],
    [['drop:mesh-1>mesh-2:tcp/2380'], { arrives: true, delayMs: 0 }],
    [['mtu:mesh-1>mesh-2:1449'], lost],
    [['mtu:mesh-1>mesh-2:1450'], { arrives: true, delayMs: 0 }],
    [['delay:mesh-1>mesh-2:40ms', 'delay:mesh-1>mesh-2:2ms:tcp'], { arrives: true, delayMs: 42 }],
    [['drop:mesh-1>mesh-2', 'no-route:mesh-1>mesh-2'], { arrives: false, how: 'no-route' }],
    [['reject:mesh-1/mesh-1-node-1>mesh-2/mesh-2-node-1'], { arrives: false, how: 'rejected' }],
  ])('with %j', (texts, fate) => {
    expect(fateOf(texts.flatMap(parseRules), packet)).toEqual(fate);
  });

  it('is answered from a port that rules about its own do not mean', () => {
    const back = answerTo(packet);
    expect(fateOf(parseRules('drop:mesh-2>mesh-1:tcp/2379'), back).arrives).toBe(true);
    expect(fateOf(parseRules('drop:mesh-2>mesh-1:tcp'), back).arrives).toBe(false);
  });
});
