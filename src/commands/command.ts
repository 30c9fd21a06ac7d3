import type { Flow } from '../flows/flow.ts';
import type { Kubeconfig } from '../kube/kubeconfig-entries.ts';
import type { Theme } from '../views/theme.ts';

/** What every command is made of. The cli room turns specs into a program; commands never touch the terminal. */

/** One `--flag`. Commander's syntax for `flags`, e.g. `-o, --output <format>`. */
export interface OptionSpec {
  flags: string;
  description: string;
  default?: string | number | boolean;
  choices?: readonly string[];
  /** May be given several times; the values arrive as an array, `lists` as one. */
  repeatable?: boolean | 'lists';
  /** May not be given several times: otherwise the last one counts. */
  once?: boolean;
  /** Turns the text into the value; throws MeshctlError `Usage`. */
  parse?: (text: string) => unknown;
  /** Must be given. */
  required?: boolean;
  hidden?: boolean;
  /** Under which heading help lists it; absent: under the first one, with what is this command's own. */
  group?: OptionGroup;
}

/** The headings of options in help; program.ts has their words and their order. */
export type OptionGroup = 'exposure' | 'pods' | 'certificates' | 'helm' | 'run' | 'output' | 'clusters';

/** One word after the command's name. */
export interface ArgumentSpec {
  /** The key under which the value joins the parsed options. */
  name: string;
  description: string;
  /** May be left out. */
  optional?: boolean;
}

/** The parsed options by commander's camelCase names. A command module narrows it to its own interface. */
export type ParsedOptions = Record<string, unknown>;

/** A command as data; its code is loaded only when it runs, so that `--help` stays light. */
export interface CommandSpec {
  /** e.g. `['clustermesh', 'enable']`. */
  path: readonly string[];
  /** One line, no final stop. */
  summary: string;
  description?: string;
  examples?: readonly { line: string; what: string }[];
  arguments?: readonly ArgumentSpec[];
  /** One with the name of a shared flag takes its place. */
  options: readonly OptionSpec[];
  /** Adds the shared flags that reach clusters: --kubeconfig, --context, -n, --as, --as-group, --request-timeout. */
  reachesClusters?: boolean;
  load(): Promise<CommandModule>;
}

export interface CommandModule {
  run(context: CommandContext, options: ParsedOptions): Promise<CommandResult>;
}

/** What a command gives back: one data object, and how to say it to people. */
export interface CommandResult {
  /** The `kind` of the JSON document, e.g. `StatusReport`. */
  kind: string;
  /** The document's other fields; plain JSON data, no secret bytes. */
  data: Record<string, unknown>;
  /** The same data for people. Ends without a newline; empty means nothing to say. */
  text(theme: Theme): string;
  /** 0 unless the result itself is a failure, e.g. an unhealthy mesh. */
  exitCode?: number;
  /** Replaces the document with this very text for other formats, e.g. manifests. */
  raw?: string;
}

/** The world as a command sees it. */
export interface CommandContext extends Flow {
  /**
   * The command line of this very run with further words, for hints. Without the flags by which it reached its clusters:
   * those are added to every hint.
   */
  again(...words: readonly string[]): string;
  /** Writes to stdout at once, for commands that go on (sandbox, demo, --watch). */
  print(text: string): void;
  /**
   * Asks a yes-or-no question on the terminal, below `about`.
   * @throws MeshctlError `Usage` where there is no terminal to ask on; the hint names --yes
   */
  confirm(question: string, about: string): Promise<boolean>;
  /** Whether there is somebody to ask. */
  canAsk: boolean;
  theme: Theme;
  /** Whether stdout is a terminal, on which a text can be redrawn in place. */
  interactive: boolean;
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  /** Those that this run has read, by `--kubeconfig`. */
  kubeconfigs: Map<string | undefined, Promise<Kubeconfig>>;
  /** `meshctl/VERSION`, as API servers see it. */
  userAgent: string;
  /** Runs another meshctl command line in this process, writing to the same terminal; for `demo`. */
  runCommand(argv: readonly string[], env?: Readonly<Record<string, string>>): Promise<number>;
  debug: boolean;
  /** Writes one line for `--debug` to stderr. Never secret bytes. */
  debugLog(text: string): void;
}
