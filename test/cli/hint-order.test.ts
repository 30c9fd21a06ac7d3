import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { entryOf } from '../support/fault-catalogue.ts';
import { type FaultMesh, startFaultMesh } from '../support/fault-mesh.ts';
import { CHECK, STATUS } from '../support/follow-printed.ts';
import { isLook, printedCommands } from '../support/printed-commands.ts';

/** Two faults at once: what is printed for one must not fail until what is printed below it, for the other, was typed. */
let mesh: FaultMesh;
beforeAll(async () => {
  mesh = await startFaultMesh();
});
afterAll(() => mesh.close());

/** Of mesh-2's side. */
const SERVING = ['server-certificate-deleted', 'users-garbage', 'access-deleted', 'service-deleted'];
/** Of mesh-1's side. */
const DIALING = ['client-certificate-garbage', 'cilium-kvstoremesh-file-misspelt', 'agents-file-garbage'];

describe.each(SERVING)('%s', (serving) => {
  it.each(DIALING)('and %s: enable is printed before connect', async (dialing) => {
    await mesh.restore();
    for (const id of [serving, dialing]) await entryOf(id).arrange(mesh);
    for (const argv of [STATUS, CHECK]) {
      const result = await mesh.meshctl(argv);
      const commands = printedCommands(result).filter((command) => !isLook(command));
      const names = commands.map(({ argv: [, name = ''] }) => name);
      expect(names, result.stdout).toEqual(expect.arrayContaining(['enable', 'connect']));
      expect(names.indexOf('connect'), result.stdout).toBeGreaterThan(names.lastIndexOf('enable'));
    }
  });
});
