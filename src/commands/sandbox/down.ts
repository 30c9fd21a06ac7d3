import { during } from '../../flows/flow.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import { endInBackground, sandboxesInBackground } from './background.ts';

/** `meshctl sandbox down`: ends every sandbox that runs in the background. Without any, there is nothing to do. */
export async function run(context: CommandContext): Promise<CommandResult> {
  const sandboxes = await sandboxesInBackground(context);
  if (sandboxes.length > 0) {
    await during(context, 'Ending the clusters', () =>
      Promise.all(sandboxes.map((sandbox) => endInBackground(context, sandbox))),
    );
  }
  const contexts = sandboxes.map((sandbox) => sandbox.contexts);
  return {
    kind: 'SandboxDown',
    data: { ended: contexts },
    text: () =>
      contexts.length === 0
        ? 'No sandbox runs in the background.'
        : contexts.map((names) => `The clusters ${names.join(', ')} are gone.`).join('\n'),
  };
}
