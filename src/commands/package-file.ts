import { MeshctlError } from '../mesh/errors.ts';
import type { CommandContext } from './command.ts';

/** The text of a file of meshctl's own package. @throws MeshctlError `Bug` where the package lacks it */
export function readPackageFile({ installation }: Pick<CommandContext, 'installation'>, path: string): Promise<string> {
  return installation.read(path).catch((cause: unknown) => {
    throw new MeshctlError('Bug', `${path} of this package is not readable`, { hint: 'Reinstall meshctl.', cause });
  });
}
