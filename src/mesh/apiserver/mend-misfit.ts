import { type CommandPlace, kubectlCommand, meshctlCommand } from '../command-line.ts';
import { takeBackCommand } from '../enable/kept-settings.ts';
import { APISERVER } from '../objects/names.ts';
import type { Misfit } from './misfits.ts';
import { lackOfService } from './service-lack.ts';

/**
 * What makes a Service and a Deployment fit together again: what the operator has `--set` is taken back, a field of the
 * Service is put right whoever has it otherwise and without a change of owners, a container is made anew.
 */
export function mendMisfit(place: CommandPlace & { context: string }, { object, path, right }: Misfit): string {
  const takeBack = takeBackCommand(place.context, object, path);
  if (takeBack !== undefined) return takeBack;
  const lack = lackOfService(place, object);
  if (lack) return lack.hint;
  if (!right) return meshctlCommand('clustermesh enable', { context: place.context });
  // `add` sets a field that is there, too.
  const patch = [{ op: 'add', path: right.pointer, value: right.value }];
  return kubectlCommand(place, ['patch', 'service', APISERVER, '--type=json', '-p', JSON.stringify(patch)]);
}
