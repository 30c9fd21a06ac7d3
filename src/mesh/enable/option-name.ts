/** The flag of a field: a file spells it as its flag, but for the hyphens. */
export function flagOf(field: string): string {
  return `--${field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** Where an option was given: in a mesh file, or absent, by a flag. */
export interface OptionPlace {
  inFile?: boolean | undefined;
}

/**
 * An option of enable as its operator gave it, for messages: a flag, or a field of the mesh file, where no flag would be of use.
 * @param flag where it is not spelt as the field
 */
export function optionName(field: string, { inFile }: OptionPlace, flag = flagOf(field)): string {
  return inFile ? `${field} of the file` : flag;
}

/** An option with a value of it, for messages: `--service-type NodePort`, or `serviceType: NodePort in the file`. */
export function optionWith(field: string, value: string, { inFile }: OptionPlace): string {
  return inFile ? `${field}: ${value} in the file` : `${flagOf(field)} ${value}`;
}

/** What a setting of a field of an object begins with, for messages. */
export function settingWord({ inFile }: OptionPlace): string {
  return inFile ? 'set' : '--set';
}
