import type { ArgumentSpec, OptionSpec } from '../command-spec.ts';
import type { CLUSTER_OPTIONS, COMMON_OPTIONS } from './shared-options.ts';

/** The parsed flags of a command, read off its spec: a flag that no spec has is a compile error where it is used. */
export type FlagsOf<S extends WithOptions> = Flat<
  OwnFlags<S> & Omit<SharedFlags<S>, keyof OwnFlags<S>> & ArgumentsOf<S>
>;

interface WithOptions {
  readonly options: readonly OptionSpec[];
  readonly arguments?: readonly ArgumentSpec[];
  readonly reachesClusters?: boolean;
}

/** What the flags of one list are parsed to, by commander's camelCase names. */
export type FlagsIn<Options extends readonly OptionSpec[]> = {
  [O in Options[number] as O extends Present ? NameOf<O['flags']> : never]: ValueOf<O>;
} & { [O in Options[number] as O extends Present ? never : NameOf<O['flags']>]?: ValueOf<O> };

type OwnFlags<S extends WithOptions> = FlagsIn<S['options']>;

type SharedFlags<S extends WithOptions> = S extends { reachesClusters: true }
  ? FlagsIn<typeof COMMON_OPTIONS> & FlagsIn<typeof CLUSTER_OPTIONS>
  : FlagsIn<typeof COMMON_OPTIONS>;

type ArgumentsOf<S extends WithOptions> = S extends { arguments: infer A extends readonly ArgumentSpec[] }
  ? { [W in A[number] as W extends { optional: true } ? never : W['name']]: WordOf<W> } & {
      [W in A[number] as W extends { optional: true } ? W['name'] : never]?: WordOf<W>;
    }
  : unknown;

type WordOf<W extends ArgumentSpec> = W extends { choices: readonly (infer Choice)[] } ? Choice : string;

/** Options that always have a value. */
type Present = { required: true } | { default: string | number | boolean } | { flags: `--no-${string}` };

type ValueOf<O extends OptionSpec> = O extends { repeatable: 'lists' }
  ? O['flags'] extends `${string}[${string}`
    ? OneValue<O> | true
    : OneValue<O>
  : O extends { counted: true }
    ? number
    : O extends { repeatable: true }
      ? OneValue<O>[]
      : O['flags'] extends `${string}<${string}`
        ? OneValue<O>
        : O['flags'] extends `${string}[${string}`
          ? OneValue<O> | true
          : boolean;

type OneValue<O extends OptionSpec> = O extends { parse: (text: string) => infer Value }
  ? Value
  : O extends { choices: readonly (infer Choice)[] }
    ? Choice
    : string;

/** `dryRun` of `--dry-run [mode]`, `rollback` of `--no-rollback`. */
type NameOf<Flags extends string> = Flags extends `${string}--${infer Rest}`
  ? Rest extends `no-${infer Positive}`
    ? Camel<Word<Positive>>
    : Camel<Word<Rest>>
  : never;

type Word<Text extends string> = Text extends `${infer First} ${string}` ? First : Text;

type Camel<Text extends string> = Text extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : Text;

/** So that editors show the flags themselves. */
type Flat<T> = { [K in keyof T]: T[K] };
