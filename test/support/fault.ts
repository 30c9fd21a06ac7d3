import type { FaultMesh } from './fault-mesh.ts';

/** The commands whose printed next steps are followed. */
export const ADVISERS = ['status', 'check', 'connect', 'enable'] as const;
export type Adviser = (typeof ADVISERS)[number];

/** What is asserted of a fault, by what it is about; a pending one names why. */
export type Aspect = `says ${'status' | 'check' | 'certs' | 'connect'}` | 'looks' | 'ends alike' | `mends ${Adviser}`;

/** One thing that is broken in a mesh that was well, and what each command must make of it. */
export interface FaultEntry {
  id: string;
  /** In words: what is wrong. */
  what: string;
  arrange(mesh: FaultMesh): unknown;
  /** The connections notice: those between the clusters are dialled anew. Else all go on, and only objects tell. */
  noticed?: true;
  /** Classes of problems and ids of faults that `status` of both must name. */
  status: readonly string[];
  /** Ids of checks that must not pass: they fail, or those with a `‼` warn. */
  check: readonly string[];
  /** What `certs list` says is not there or of no use: `context role id`. */
  certs?: readonly string[];
  /** What `connect --dry-run` plans, or the code of its refusal. */
  connect: 'keeps' | 'changes' | string;
  /** Where `enable` is run; default mesh-2. */
  enableAt?: string;
  /** No connection needs it: `status` names it, and is healthy. */
  harmless?: true;
  /** It takes an operator: there is no command that mends it, and what is printed only shows. */
  operator?: true;
  /** Commands that only show where to look; others mend it. */
  looks?: readonly Adviser[];
  /** Commands that are typed although their plan keeps all: they wait in vain then, and say why. */
  waits?: readonly Adviser[];
  /** Commands that have nothing to do with it and say nothing, or of which others show as much. */
  unconcerned?: readonly Adviser[];
  /** What a mere look that is printed must show. */
  evidence?: RegExp;
  /** What an operator fills in where a hint has a placeholder. */
  fill?: Readonly<Record<string, string>>;
  /** The placeholders for what is gone: an operator types no command that is for it alone. */
  gone?: readonly string[];
  /**
   * Commands that end with another exit status than the others do for it, and why. All that look at one mesh say the same of it: of
   * those that are not named here, `certs list` only where it shows something.
   */
  apart?: Partial<Record<'status' | 'check' | 'certs', string>>;
  /** Not so yet, and why. */
  pending?: Partial<Record<Aspect, string>>;
}
