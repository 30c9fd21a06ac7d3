/** The flag of a field: a file spells it as its flag, but for the hyphens. */
export function flagOf(field: string): string {
  return `--${field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/**
 * An option of enable as its operator gave it, for messages: a flag, or a field of the mesh file, where no flag would be of use.
 * @param flag where it is not spelt as the field
 */
export function optionName(field: string, { inFile }: { inFile?: boolean | undefined }, flag = flagOf(field)): string {
  return inFile ? `${field} of the file` : flag;
}
