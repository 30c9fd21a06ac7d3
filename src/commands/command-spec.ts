/** What a command is called and takes, as data: nothing heavy is reached from here, so that `--help` stays light. */

/** One `--flag`. Commander's syntax for `flags`, e.g. `-o, --output <format>`. */
export interface OptionSpec {
  readonly flags: string;
  readonly description: string;
  readonly default?: string | number | boolean;
  readonly choices?: readonly string[];
  /** Other names that it is taken by, as other programs call it; help keeps quiet about them. */
  readonly also?: readonly string[];
  /** May be given several times; the values arrive as an array, `lists` as one. Every list may: its pieces add up. */
  readonly repeatable?: boolean | 'lists';
  /** Entries of lists may be alike, as what each cluster is may be: otherwise each counts once. */
  readonly alike?: true;
  /** May not be given several times, as what names one cluster or namespace may not: of settings, the last one counts. `list`: it may be of several. */
  readonly once?: boolean | 'list';
  /** Turns the text into the value; throws MeshctlError `Usage`. */
  readonly parse?: (text: string) => unknown;
  /** What stands in for the flag where it is not given. */
  readonly env?: OptionVariable;
  /** How often it is given is its value, a number. */
  readonly counted?: true;
  /** What a value can be completed with, where no `choices` say it. */
  readonly complete?: ValueSource;
  /** Must be given. */
  readonly required?: boolean;
  readonly hidden?: boolean;
  /** Under which heading help lists it; absent: under the first one, with what is this command's own. */
  readonly group?: OptionGroup;
}

/** A variable of the environment that stands in for a flag. An empty one is none. */
export interface OptionVariable {
  readonly name: string;
  /** Whether the flags and words that were given leave no place for it, e.g. `--all` for a context. */
  readonly unless?: (given: Readonly<Record<string, unknown>>) => boolean;
  /** How its value is read, where otherwise than the flag's. @throws MeshctlError `Usage` */
  readonly parse?: (text: string) => unknown;
}

/** The headings of options in help; program.ts has their words and their order. */
export type OptionGroup = 'exposure' | 'pods' | 'certificates' | 'helm' | 'run' | 'output' | 'clusters';

/**
 * What completes a value: what only the kubeconfig, a cluster or the checks know, or a file. In the plural, a list that is
 * separated by commas.
 */
export type ValueSource =
  | 'context'
  | 'contexts'
  | 'peer'
  | 'peers'
  | 'service'
  | 'namespace'
  | 'checks'
  | 'compatibility-checks'
  | 'categories'
  | 'explanations'
  | 'sandbox'
  | 'invitation'
  | 'file';

/** One word after the command's name. */
export interface ArgumentSpec {
  /** The key under which the value joins the parsed options. */
  readonly name: string;
  readonly description: string;
  /** May be left out. */
  readonly optional?: boolean;
  readonly choices?: readonly string[];
  /** What it can be completed with, where no `choices` say it. */
  readonly complete?: ValueSource;
}

/** What a command is called and takes, as data. */
export interface CommandSpec {
  /** e.g. `['clustermesh', 'enable']`. */
  readonly path: readonly string[];
  /** One line, no final stop. */
  readonly summary: string;
  readonly description?: string;
  readonly examples?: readonly { readonly line: string; readonly what: string }[];
  readonly arguments?: readonly ArgumentSpec[];
  /** One with the name of a shared flag takes its place. */
  readonly options: readonly OptionSpec[];
  /** The exit status of failures that otherwise is 1, where 1 is a result: of `diff`, as in kubectl. */
  readonly failureStatus?: number;
  /** Adds the shared flags that reach clusters: --kubeconfig, --context, -n, --as, --as-group, --request-timeout. */
  readonly reachesClusters?: boolean;
}
