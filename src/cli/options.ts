import { Option } from 'commander';
import type { OptionGroup, OptionSpec } from '../commands/command-spec.ts';
import { flagNameOf, HELP_FLAG } from '../commands/options/shared-options.ts';
import { MeshctlError } from '../mesh/errors.ts';

/** Headings in help, in the order in which every command has them; what is a command's own comes before. */
const OPTION_GROUPS: Readonly<Record<OptionGroup, string>> = {
  exposure: 'Exposure:',
  pods: 'Image and pods:',
  certificates: 'Certificates:',
  helm: 'Helm:',
  run: 'How it runs:',
  output: 'Output:',
  clusters: 'Clusters and access:',
};
/** In the order of the headings. */
const GROUP_ORDER: readonly (OptionGroup | undefined)[] = [undefined, ...(Object.keys(OPTION_GROUPS) as OptionGroup[])];

/** Flags that many commands have, in the order in which each help has them below its heading; before them, a command's own. */
const ORDER: readonly (string | undefined)[] = [
  '--dry-run --yes --force --force-conflicts --no-rollback --wait --no-wait --wait-duration --settle-duration',
  '--sample --parallel --node-timeout',
  '--output --no-headers --quiet --verbose --debug --color',
  '--context --destination-context --all --kubeconfig --destination-kubeconfig --namespace --cilium-namespace',
  '--as --as-group --request-timeout',
].flatMap((names) => names.split(' '));

/** Options in the order in which help lists them. */
export function inGroups(options: readonly OptionSpec[]): OptionSpec[] {
  const rank = (option: OptionSpec) => (option.group === undefined ? -1 : ORDER.indexOf(flagNameOf(option)));
  return GROUP_ORDER.flatMap((group) =>
    options.filter((option) => option.group === group).toSorted((a, b) => rank(a) - rank(b)),
  );
}

/** `--help` of commander, in the words of the other flags. */
export function helpOption(): Option {
  return new Option(HELP_FLAG.flags, HELP_FLAG.description).helpGroup(OPTION_GROUPS[HELP_FLAG.group]);
}

/**
 * An option of commander. What is wrong with its value is reported, so that a command line with several mistakes is told of
 * all of them at once.
 */
export function createOption(spec: OptionSpec, report: (fault: MeshctlError) => void): Option {
  const option = new Option(spec.flags, descriptionOf(spec));
  if (spec.group) option.helpGroup(OPTION_GROUPS[spec.group]);
  if (typeof spec.default === 'string' && spec.parse) option.default(spec.parse(spec.default), spec.default);
  else if (spec.default !== undefined) option.default(spec.default);
  if (spec.choices) option.choices(spec.choices);
  if (spec.hidden) option.hideHelp();
  const parse = (text: string) => valueOrReport(spec, text, option.long ?? option.short ?? '', report);
  if (spec.repeatable) {
    option.argParser((text: string, before: unknown) => {
      const value = parse(text);
      const earlier: unknown[] = Array.isArray(before) ? before : [];
      if (spec.repeatable !== 'lists' || !Array.isArray(value)) return [...earlier, value];
      const all = [...earlier, ...value];
      // Of one list in several pieces, as of one in a single piece, each entry counts once.
      return spec.alike ? all : [...new Set(all)];
    });
  } else if (spec.once) {
    let isGiven = false;
    option.argParser((text: string, before: unknown) => {
      if (!isGiven) {
        isGiven = true;
        return parse(text);
      }
      report(
        new MeshctlError('Usage', `${option.long} is given twice: "${before}" and "${text}"`, {
          hint:
            spec.once === 'list'
              ? `Give it once, for several clusters like ${option.long} mesh-1=cilium,mesh-2=kube-system.`
              : 'Give it once.',
        }),
      );
      return before;
    });
  } else {
    option.argParser(parse);
  }
  return option;
}

function descriptionOf({ description, env }: OptionSpec): string {
  return env ? `${description} [$${env.name}]` : description;
}

/** @throws MeshctlError `Usage` */
function readValue({ choices, parse }: OptionSpec, text: string): unknown {
  const fault = notAmong(choices, text);
  if (fault) throw fault;
  return parse ? parse(text) : text;
}

/**
 * The value of a text; what is wrong with it is reported and says whose value it is.
 * @param source the flag, or the variable that stands in for it
 */
export function valueOrReport(
  spec: OptionSpec,
  text: string,
  source: string,
  report: (fault: MeshctlError) => void,
): unknown {
  try {
    return readValue(spec, text);
  } catch (error) {
    if (!(error instanceof MeshctlError) || error.code !== 'Usage') throw error;
    const { message, hint, details } = error;
    const named = message.includes(source) ? message : `${source}: ${message}`;
    report(new MeshctlError('Usage', named, { hint, details }));
    return undefined;
  }
}

/** What is wrong with a value that is none of those there are. */
export function notAmong(choices: readonly string[] | undefined, text: string): MeshctlError | undefined {
  if (!choices || choices.includes(text)) return undefined;
  return new MeshctlError('Usage', `"${text}" is not one of ${choices.join(', ')}`, {
    hint: 'Add --help to see the options.',
  });
}

/** What must be given and is not. */
export function missing(specs: readonly OptionSpec[], given: Readonly<Record<string, unknown>>): MeshctlError[] {
  return specs
    .filter((spec) => spec.required && given[new Option(spec.flags).attributeName()] === undefined)
    .map(
      ({ flags }) =>
        new MeshctlError('Usage', `required option '${flags}' not specified`, {
          hint: 'Add --help to see the options.',
        }),
    );
}

/** One error for all that is wrong with a command line. */
export function combinedError(faults: readonly MeshctlError[]): MeshctlError {
  const [only, ...others] = faults;
  if (only && others.length === 0) return only;
  const hints = [...new Set(faults.flatMap(({ hint }) => hint ?? []))];
  return new MeshctlError('Usage', faults.map(({ message }) => message).join('; '), { hint: joined(hints) });
}

/** A command ends its line: what follows it begins anew. */
function joined(hints: readonly string[]): string {
  return hints.map((hint, index) => (index < hints.length - 1 && !/[.?!]$/.test(hint) ? `${hint};` : hint)).join(' ');
}
