import type { Flow } from '../flows/flow.ts';
import type { Kubeconfig } from '../kube/access/kubeconfig-entries.ts';
import type { RunWork } from '../kube/http/lasting-transport.ts';
import type { Theme } from '../views/theme.ts';
import type { CommandSpec } from './command-spec.ts';
import type { FlagsOf } from './options/flags-of.ts';

/** What every command is made of. The cli room turns specs into a program; commands never touch the terminal. */

/** The parsed options by commander's camelCase names; the code of a command has them as {@link FlagsOf} its spec. */
export type ParsedOptions = Record<string, unknown>;

/** A command with its code, which is loaded only when it runs, so that `--help` stays light. */
export interface LoadableCommand extends CommandSpec {
  load(): Promise<CommandModule>;
  /** What only the command's own code knows and its help lists; loaded for that help alone. */
  topics?: (() => Promise<HelpTopics>) | undefined;
}

/** A list below the options. */
export interface HelpTopics {
  heading: string;
  rows: readonly (readonly [term: string, description: string])[];
}

export interface CommandModule {
  run(context: CommandContext, options: ParsedOptions): Promise<CommandResult>;
}

/** Joins a spec with the code that runs it; the types see to it that the code knows no other flags than those of the spec. */
export function command<const S extends CommandSpec>(
  spec: S,
  load: () => Promise<{ run(context: CommandContext, flags: FlagsOf<S>): Promise<CommandResult> }>,
  topics?: LoadableCommand['topics'],
): LoadableCommand {
  // Commander parses by this very spec.
  return { ...spec, load: load as () => Promise<CommandModule>, topics };
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
  /** What was seen last before Ctrl-C ended a wait, and its text says so: it is shown all the same. */
  isLastSeen?: boolean;
  /** The document is a file for a later run: it has what that takes, and nothing else is put into it. */
  isFile?: boolean;
  /** Replaces the document with this very text for other formats, e.g. manifests. */
  raw?: string;
}

/** What is otherwise in a command line that another one runs. */
export interface CommandWithin {
  /** Added to the environment, without the variables that stand in for flags. With it, kubeconfigs are read anew. */
  env?: Readonly<Record<string, string>>;
  /** In place of Ctrl-C's, for what has to be done after it. */
  signal?: AbortSignal;
}

/** The world as a command sees it. */
export interface CommandContext extends Flow {
  /**
   * The command line of this very run with further words, for hints. Without the flags by which it reached its clusters:
   * those are added to every hint.
   */
  again(...words: readonly string[]): string;
  /** The same without some flags of the command, which it may have been given, and their values. */
  againWithout(flags: readonly string[], ...words: readonly string[]): string;
  /** Writes to stdout at once, for commands that go on (sandbox, demo, --watch). */
  print(text: string): void;
  /**
   * Asks a yes-or-no question on the terminal, below `about`.
   * @param unasked the hint where nobody can be asked; without it, that --yes confirms
   * @throws MeshctlError `Usage` where there is no terminal to ask on
   */
  confirm(question: string, about: string, unasked?: string): Promise<boolean>;
  /** Whether there is somebody to ask. */
  canAsk: boolean;
  /** All of standard input, for `-f -`. */
  readInput(): Promise<string>;
  theme: Theme;
  /** Whether stdout is a terminal, on which a text can be redrawn in place. */
  interactive: boolean;
  /** How many lines that terminal has by now; undefined where there is none, or nobody knows. */
  screenRows(): number | undefined;
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  /** Those that this run has read, by `--kubeconfig`. */
  kubeconfigs: Map<string | undefined, Promise<Kubeconfig>>;
  /** Contexts that `--all` leaves out of this run, with why, as a clause: every document of it has them. */
  leftOut: Map<string, string>;
  /** API servers that gave no answer in this run: whoever asks them again does not wait as long. */
  silentServers: Set<string>;
  /** What its clusters are told of its work. */
  work: RunWork;
  /** Takes note of what the clock of a cluster's API server shows just now: the run's times go by those of its clusters. */
  sawClock(context: string, date: Date): void;
  /** How far that clock is ahead of the run's `now`, in milliseconds; behind is below zero, 0 what nobody minds. Undefined before it was seen. */
  aheadMs(context: string): number | undefined;
  /** From now on, what this run tells the operator to type leaves this context out: outside of meshctl nobody knows it. */
  leaveUnnamed(context: string): void;
  /** From now on, what this run tells the operator to type reaches this context by a kubeconfig of its own. */
  reachBy(context: string, kubeconfig: string): void;
  /** This very program: its version, and the commit and the Node.js that it is made of. */
  client: { version: string; commit?: string; node: string };
  /** `meshctl/VERSION`, as API servers see it. */
  userAgent: string;
  /** Runs another meshctl command line in this process, writing to the same terminal; for `demo`. */
  runCommand(argv: readonly string[], within?: CommandWithin): Promise<number>;
  /** 0; 1 (`-v`): what is changed, and what is run in pods; 2 (`-vv`, `--debug`): every request. */
  verbosity: number;
  /** Writes one line of these to stderr. Never secret bytes. */
  debugLog(text: string): void;
}
