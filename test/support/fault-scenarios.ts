import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CliResult } from './cli.ts';
import { ADVISERS, type Adviser, type Aspect, type FaultEntry } from './fault.ts';
import { BOTH, type FaultMesh, ONE, startFaultMesh, TWO } from './fault-mesh.ts';
import { CHECK, follow, requireEvidence, STATUS, troubleOf, WITHOUT_KUBECTL } from './follow-printed.ts';
import { hintedCommands, isLook, type PrintedCommand, printedCommands } from './printed-commands.ts';
import { eventually } from './sandbox-mesh.ts';
import { certificateFaultsOf, findingsOf, idsOf, textOf, verdictOf } from './verdicts.ts';

/** Of one test; a machine that is busy with other things shall not fail it. */
const TIMEOUT_MS = 120_000;
/** How often an operator asks again. */
const MOST_ROUNDS = 3;

/** Looks in a row, for longer than a kubelet takes to bring what has changed. */
const TIMES_CONNECTED = 6;

const CERTS = ['clustermesh', 'certs', 'list', '--context', BOTH, '-o', 'json'];
const ENABLE = ['clustermesh', 'enable', '--wait-duration', '5s'];
const CONNECT = ['clustermesh', 'connect', '--context', ONE, '--destination-context', TWO, '--wait-duration', '3s'];

/**
 * Tests of faults: for each, what every command says of it, and that following what was printed, exactly, mends it.
 * One mesh for all of them; after each it is as it was.
 */
export function faultScenarios(faults: readonly FaultEntry[]): void {
  let mesh: FaultMesh;
  beforeAll(async () => {
    mesh = await startFaultMesh();
  }, TIMEOUT_MS);
  afterAll(async () => {
    await mesh?.restore();
    const trouble = mesh && (await troubleOf(mesh));
    await mesh?.close();
    expect(trouble?.map(textOf), 'the mesh is not as it was').toBeUndefined();
  });
  describe.each(faults.map((fault) => [fault.id, fault] as const))('%s', (_id, fault) => oneFault(fault, () => mesh));
}

interface Seen {
  statusIds: string[];
  status: CliResult;
  check: CliResult;
  certs: CliResult;
  connect: CliResult;
  /** Absent where it has nothing to do with the fault. */
  enable: CliResult | undefined;
}

function oneFault(fault: FaultEntry, meshOf: () => FaultMesh): void {
  let seen: Seen;
  let looked: Promise<unknown>;
  // What was seen is still so for the first that mends it: to see, nothing was written.
  let isArranged = false;
  const enableWords = [...ENABLE, '--context', fault.enableAt ?? TWO];
  const isUnconcerned = (adviser: Adviser) => fault.unconcerned?.includes(adviser) ?? false;
  const isClean = fault.harmless || isUnconcerned('status');
  const attempts = new Map<string, Promise<void>>();
  // A pending one must still fail, so that it is noticed when it no longer does.
  const runnerOf = (aspect: Aspect) =>
    aspect === 'looks' && WITHOUT_KUBECTL ? it.skip : fault.pending?.[aspect] ? it.fails : it;
  const test = (aspect: Aspect, name: string, work: () => unknown) =>
    runnerOf(aspect)(
      `${name}${fault.pending?.[aspect] ? ` (pending: ${fault.pending[aspect]})` : ''}`,
      async () => {
        await work();
      },
      TIMEOUT_MS,
    );

  beforeAll(async () => {
    const mesh = meshOf();
    await arrange(mesh, fault);
    // What disturbs nobody has those who read it anew dial again, for a moment.
    if (isClean) await staysConnected(mesh);
    const look = async () => ({ json: await mesh.meshctl([...STATUS, '-o', 'json']) });
    const { json } = await eventually(
      look,
      (found) => fault.status.every((id) => idsOf(found.json).includes(id)),
      'status',
      { pollMs: 100 },
    ).catch(look);
    seen = {
      statusIds: idsOf(json),
      status: await mesh.meshctl(STATUS),
      check: await mesh.meshctl(CHECK),
      certs: await mesh.meshctl(CERTS),
      connect: await mesh.meshctl([...CONNECT, '--dry-run', '-o', 'json']),
      enable: isUnconcerned('enable') ? undefined : await mesh.meshctl([...enableWords, '--dry-run', '-o', 'json']),
    };
    looked = requireLooks(seen);
    await looked.catch(() => undefined);
    isArranged = true;
  }, TIMEOUT_MS);

  async function requireLooks({ status, check }: Pick<typeof seen, 'status' | 'check'>): Promise<unknown> {
    const looks = WITHOUT_KUBECTL ? [] : [status, check].flatMap(printedCommands).filter(isLook);
    return Promise.all(looks.map((command) => requireEvidence(meshOf(), fault, command)));
  }

  test('says status', 'status names it', () => {
    expect(seen.statusIds).toEqual(expect.arrayContaining([...fault.status]));
    expect(isClean ? seen.status.exitCode === 0 : [1, 3].includes(seen.status.exitCode), textOf(seen.status)).toBe(
      true,
    );
  });
  test('says check', 'check finds it', () => {
    expect(findingsOf(seen.check), textOf(seen.check)).toEqual(expect.arrayContaining([...fault.check]));
    const fails = fault.check.some((id) => !id.startsWith('‼'));
    expect(seen.check.exitCode === 0, textOf(seen.check)).toBe(!fails);
  });
  test('says certs', 'certs list shows it', () => {
    expect(certificateFaultsOf(seen.certs)).toEqual(fault.certs ?? []);
  });
  test('ends alike', 'status, check and certs list end with one exit status', () => {
    const { apart = {} } = fault;
    const ends = { status: seen.status.exitCode, check: seen.check.exitCode, certs: seen.certs.exitCode };
    const isQuiet = (fault.certs ?? []).length === 0 && ends.certs === 0;
    const judging = (['status', 'check', 'certs'] as const).filter((one) => one !== 'certs' || !isQuiet);
    const [base] = judging.filter((one) => !apart[one]).map((one) => ends[one]);
    const others = judging.filter((one) => ends[one] !== base);
    expect(others, `${JSON.stringify(ends)}\n${textOf(seen.status)}\n${textOf(seen.check)}`).toEqual(
      judging.filter((one) => apart[one]),
    );
  });
  test('says connect', 'connect --dry-run knows it', () => {
    expect(verdictOf(seen.connect), textOf(seen.connect)).toBe(fault.connect);
  });
  test('looks', 'what is printed only to look shows the evidence', async () => {
    // What a first look saw may have gone by before its command was typed; what is printed then must hold.
    await looked.catch(async () =>
      requireLooks({ status: await meshOf().meshctl(STATUS), check: await meshOf().meshctl(CHECK) }),
    );
  });
  for (const adviser of ADVISERS) {
    test(`mends ${adviser}`, `what ${adviser} prints mends it`, () => mends(adviser));
  }

  async function mends(adviser: Adviser): Promise<void> {
    const mesh = meshOf();
    if (adviser === 'status' || adviser === 'check') {
      const commands = printedCommands(seen[adviser]).filter((command) => !isLook(command));
      if (commands.length === 0 && (fault.operator || isUnconcerned(adviser) || fault.looks?.includes(adviser))) return;
      if (commands.length === 0 && seen[adviser].exitCode === 0) throw new Error(`${adviser} is content with it`);
      await once(commands);
      return;
    }
    const planned = seen[adviser];
    if (isUnconcerned(adviser) || !planned) return;
    // What is planned is carried out, and what is refused, mended as it says; where all is kept, status and check go on.
    const verdict = verdictOf(planned);
    if (verdict === 'keeps' && !fault.waits?.includes(adviser)) return;
    const argv = [...(adviser === 'connect' ? CONNECT : enableWords), '--kubeconfig', mesh.kubeconfigPath];
    const carryOut: PrintedCommand = { line: argv.join(' '), program: 'meshctl', argv };
    const commands = ['changes', 'keeps'].includes(verdict)
      ? [carryOut]
      : hintedCommands(planned).filter((command) => !isLook(command));
    if (commands.length === 0 && (fault.operator || fault.looks?.includes(adviser))) return;
    if (commands.length === 0) throw new Error(`it is refused, and no next step mends it: ${textOf(planned)}`);
    await once(commands);
  }

  /** The same commands by two advisers are tried once. */
  function once(commands: readonly PrintedCommand[]): Promise<void> {
    const words = commands.map(({ program, argv }) => [program, ...withoutWaitDuration(argv)].sort());
    const key = JSON.stringify(words);
    const attempt = attempts.get(key) ?? tryToMend(commands);
    attempts.set(key, attempt);
    return attempt;
  }

  async function tryToMend(commands: readonly PrintedCommand[]): Promise<void> {
    const mesh = meshOf();
    if (!isArranged) await arrange(mesh, fault);
    isArranged = false;
    const log: string[] = [];
    try {
      let mended = await follow(mesh, fault, commands, log);
      // There is nothing that would mend it.
      if (fault.operator) return;
      for (let round = 1; ; round++) {
        const trouble = (await troubleOf(mesh)) ?? (await leftOf(mesh, fault));
        if (!trouble) return;
        const said = trouble.map(textOf).join('\n');
        if (round === MOST_ROUNDS) throw new Error(`not well after all of it:\n${said}`);
        const next = trouble.flatMap(printedCommands);
        // A client that began with files of before keeps to them for so long: there, all there is to do is to wait.
        const isToWait = next.length > 0 && next.every(({ argv }) => argv.includes('--wait'));
        if (isToWait) mesh.beginAnew();
        mended = await follow(mesh, fault, next, log);
        if (mended === 0 && !isToWait) throw new Error(`not well, and nothing more to type:\n${said}`);
      }
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.message : error}\n\nWhat was typed:\n${log.join('\n')}`);
    }
  }
}

/** What was only warned of is not seen by whoever asks whether all is well. */
async function leftOf(mesh: FaultMesh, { check }: FaultEntry): Promise<CliResult[] | undefined> {
  if (check.length === 0 || check.some((id) => !id.startsWith('‼'))) return undefined;
  const result = await mesh.meshctl(CHECK);
  return findingsOf(result).some((id) => check.includes(id)) ? [result] : undefined;
}

/** A command is the same however long it would wait. */
function withoutWaitDuration(argv: readonly string[]): string[] {
  const flag = argv.indexOf('--wait-duration');
  return argv.filter((_word, index) => flag === -1 || (index !== flag && index !== flag + 1));
}

/** Who has just dialled anew is not connected for a moment either: a fault is noticed by who stays apart. */
const TIMES_APART = 5;

async function arrange(mesh: FaultMesh, fault: FaultEntry): Promise<void> {
  await mesh.restore();
  await fault.arrange(mesh);
  if (!fault.noticed) return;
  let timesApart = 0;
  await eventually(
    async () => {
      if (timesApart === 0) mesh.redial();
      timesApart = (await mesh.isConnected()) ? 0 : timesApart + 1;
      return timesApart;
    },
    (times) => times >= TIMES_APART,
    `${fault.id} is noticed`,
    { pollMs: 50 },
  );
}

async function staysConnected(mesh: FaultMesh): Promise<void> {
  let times = 0;
  const look = async () => {
    times = (await mesh.isConnected()) ? times + 1 : 0;
    return times;
  };
  await eventually(look, (looks) => looks >= TIMES_CONNECTED, 'all stay connected', { pollMs: 50 });
}
