/** The probe's program itself, as it is sent, in a network namespace of its own; skipped where none can be made. */
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { agentCommand, readProgram } from '../../src/manifests/probe.ts';
import { readSaid, readSightings, readWatchStart } from '../../src/mesh/probe/words.ts';
import { CHECKOUT } from '../support/schemas.ts';

const program = await readProgram(CHECKOUT);
const parts = new Map(
  await Promise.all(
    ['watch', 'send', 'collect'].map(async (verb) => [verb, await readProgram(CHECKOUT, verb)] as const),
  ),
);
const IN_NAMESPACE = ['--map-root-user', '--net', '--'];
const hasPerl = !spawnSync('perl', ['-v']).error;
const works = (script: string) => spawnSync('unshare', [...IN_NAMESPACE, 'sh', '-c', script]).status === 0;
const canTry = works('ip link set lo up && perl -e 1');
const hasIpv6 = canTry && works('ip link set lo up && grep -q lo /proc/net/if_inet6');
const TOKEN = '0123abcd';

/** Runs verbs, and commands of a shell, one after the other in one namespace. @returns what each wrote after the first */
function run(setUp: string, ...verbs: (string[] | string)[]): string[] {
  const words = verbs.map((verb) =>
    typeof verb === 'string' ? ['sh', '-c', verb] : agentCommand(parts.get(verb[0] ?? '') ?? '', verb),
  );
  const script = words.map((_, index) => `${arguments_(words, index)}; printf '\\036'`).join('; ');
  const all = words.flat();
  const { stdout, stderr } = spawnSync('unshare', [...IN_NAMESPACE, 'sh', '-c', `${setUp}; ${script}`, 'sh', ...all], {
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  return stdout.split('\u001e').slice(0, verbs.length);
}

/** The words of one command among the shell's arguments. */
function arguments_(words: readonly string[][], index: number): string {
  const first = 1 + words.slice(0, index).flat().length;
  return (words[index] ?? []).map((_, offset) => `"\${${first + offset}}"`).join(' ');
}

describe('in the URL of a request', () => {
  it.each(['watch', 'send', 'collect'])('what %s needs has room beside its tests', async (verb) => {
    const own = await readProgram(CHECKOUT, verb);
    const query = new URLSearchParams(agentCommand(own, []).map((word): [string, string] => ['command', word]));
    // Node's HTTP server takes 16 KiB of headers, as do some proxies; 3000 characters are left to the tests.
    expect(query.toString().length).toBeLessThan(9_000);
    if (hasPerl) expect(spawnSync('perl', ['-c', '-e', own], { encoding: 'utf8' }).stderr).toBe('-e syntax OK\n');
  });
});

it.skipIf(!hasPerl)('is Perl, and refuses what is no token', () => {
  const perl = spawnSync('perl', ['-e', program, 'watch', 'x; reboot', '1'], { encoding: 'utf8' });
  expect(perl.stderr).toContain('a token is eight hexadecimal digits');
  expect(perl.status).not.toBe(0);
});

describe.skipIf(!canTry)('over loopback', () => {
  const TESTS = [
    'a/udp/127.0.0.1/8472//',
    'b/icmp/127.0.0.1///',
    'c/tcp/127.0.0.1/4240/61001/',
    'd/esp/127.0.0.1///',
    'e/mtu/127.0.0.1/8472//1500,1400',
    'f/mtu/127.0.0.1///1500,1400',
    'g/udp/192.0.2.1/8472//',
  ];

  it('sees what it sends, and says what came of it', () => {
    const [watch = '', sent = '', seen = ''] = run(
      'ip link set lo up',
      ['watch', `${TOKEN}.1`, '20'],
      ['send', TOKEN, ...TESTS],
      ['collect', `${TOKEN}.1`],
    );
    expect(readWatchStart(watch)?.devices.get('127.0.0.1')).toBe('lo');
    const said = readSaid(sent);
    expect([...said].map(([id, { outcome }]) => `${id} ${outcome}`).sort()).toEqual([
      ...['a refused', 'b answered', 'c refused', 'd sent', 'e sent', 'f sent', 'g unreachable'],
    ]);
    expect(said.get('g')?.reason).toBe('Network is unreachable');
    const sightings = readSightings(seen);
    const at = (id: string, via: 'udp' | 'tcp' = 'udp') =>
      sightings?.of({ id, via, port: 4240, sourcePort: 61001 } as Parameters<typeof sightings.of>[0]);
    for (const id of ['a', 'b', 'd']) expect(at(id)).toMatchObject({ atDevice: true, letIn: true });
    expect(at('c', 'tcp')).toMatchObject({ atDevice: true, letIn: true });
    for (const id of ['e', 'f']) expect(new Set(at(id)?.sizes)).toEqual(new Set([1500, 1400]));
    expect(at('g')).toMatchObject({ atDevice: false });
  });

  it.skipIf(!hasIpv6)('the same over IPv6', () => {
    const tests = [
      'a/udp/::1/8472//',
      'b/icmp/::1///',
      'c/tcp/::1/4240/61001/',
      'd/esp/::1///',
      'e/mtu/::1/8472//1500,1400',
      'f/mtu/::1///1500,1400',
    ];
    const [, sent = '', seen = ''] = run(
      'ip link set lo up',
      ['watch', `${TOKEN}.1`, '20'],
      ['send', TOKEN, ...tests],
      ['collect', `${TOKEN}.1`],
    );
    const said = readSaid(sent);
    expect([...said].map(([id, { outcome }]) => `${id} ${outcome}`).sort()).toEqual([
      ...['a refused', 'b answered', 'c refused', 'd sent', 'e sent', 'f sent'],
    ]);
    for (const id of ['a', 'b', 'd', 'e', 'f']) {
      expect(seen).toMatch(new RegExp(`^seen ${id} ::1 \\d+ device$`, 'm'));
      expect(seen).toMatch(new RegExp(`^seen ${id} ::1 \\d+$`, 'm'));
    }
    expect(seen).toMatch(/^syn ::1 61001 4240$/m);
    expect(seen).toMatch(/^seen f ::1 1500 device$/m);
  });

  it('reads what came before its end, on a node too where nothing else got a turn since', () => {
    const setWatch = `watch=$(cat /tmp/.meshctl-probe-${TOKEN}.1.pid)`;
    // Stopped until it has been told to end: it finds both at once, what came and that it is over.
    const untilTold = `for look in $(seq 200); do grep -q '^ShdPnd:.*4...$' /proc/$watch/status && break; sleep 0.02; done`;
    const [, , , , seen = ''] = run(
      'ip link set lo up',
      ['watch', `${TOKEN}.1`, '20'],
      `${setWatch}; kill -STOP $watch`,
      ['send', TOKEN, 'a/udp/127.0.0.1/8472//'],
      `${setWatch}; (${untilTold}; kill -CONT $watch) > /dev/null 2>&1 &`,
      ['collect', `${TOKEN}.1`],
    );
    expect(seen).toMatch(/^seen a 127\.0\.0\.1 \d+ device$/m);
  });

  it('says nothing of what a watch saw that was killed', () => {
    run(
      'ip link set lo up',
      ['watch', `${TOKEN}.1`, '20'],
      ['send', TOKEN, 'a/icmp/127.0.0.1///'],
      `kill -KILL $(cat /tmp/.meshctl-probe-${TOKEN}.1.pid)`,
    );
    const collect = () => spawnSync('perl', ['-e', program, 'collect', `${TOKEN}.1`], { encoding: 'utf8' });
    expect(collect()).toMatchObject({ status: 1, stdout: '', stderr: 'the watch did not last\n' });
    expect(collect()).toMatchObject({ status: 1, stderr: 'not watching\n' });
  });

  it('tells its watches apart, and one that did not begin', () => {
    const [, , , first = '', second = ''] = run(
      'ip link set lo up',
      ['watch', `${TOKEN}.1`, '20'],
      ['watch', `${TOKEN}.2`, '20'],
      ['send', TOKEN, 'a/icmp/127.0.0.1///'],
      ['collect', `${TOKEN}.1`],
      ['collect', `${TOKEN}.2`],
    );
    expect(first).toMatch(/^seen a /m);
    expect(second).toMatch(/^seen a /m);
    const { status, stderr } = spawnSync('perl', ['-e', program, 'collect', '89abcdef'], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 1, stderr: 'not watching\n' });
  });
});
