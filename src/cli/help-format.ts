import { Help, type HelpConfiguration, type Option } from 'commander';
import type { HelpTopics } from '../commands/command.ts';

/** A text narrower than this beside its flag is hard to read. */
const NARROWEST_COLUMN = 30;
const TERM_INDENT = 2;
const GAP = 2;
const TEXT_INDENT = 6;
/** Where nobody knows how wide the terminal is. */
export const USUAL_WIDTH = 100;

/** Help as every command and group has it: wrapped at words, whatever the width of the terminal. */
export const HELP_FORMAT: HelpConfiguration = {
  minWidthToWrap: 20,

  /** Every command has options: to say so of each tells nothing. */
  subcommandTerm(command) {
    const words = command.registeredArguments.map((word) => (word.required ? `<${word.name()}>` : `[${word.name()}]`));
    const alias = command.alias();
    return [alias ? `${command.name()}|${alias}` : command.name(), ...words].join(' ');
  },

  /** Without the quotes of commander, and without what is off unless it is given. */
  optionDescription(option: Option) {
    const { description, argChoices, defaultValue, defaultValueDescription } = option;
    const isOff = defaultValue === undefined || typeof defaultValue === 'boolean';
    const notes = [
      ...(argChoices ? [`choices: ${argChoices.join(', ')}`] : []),
      ...(isOff ? [] : [`default: ${defaultValueDescription ?? defaultValue}`]),
    ];
    return notes.length > 0 ? `${description} (${notes.join('; ')})` : description;
  },

  /** On a narrow terminal a text stands below its flag. */
  formatItem(term, termWidth, description, helper) {
    const width = helper.helpWidth ?? Number.MAX_SAFE_INTEGER;
    if (!description || width - TERM_INDENT - termWidth - GAP >= NARROWEST_COLUMN) {
      return Help.prototype.formatItem.call(helper, term, termWidth, description, helper);
    }
    const margin = ' '.repeat(TEXT_INDENT);
    const lines = helper.boxWrap(description, width - TEXT_INDENT).split('\n');
    return [' '.repeat(TERM_INDENT) + term, ...lines.map((line) => margin + line)].join('\n');
  },
};

/** A list below the options, laid out like these. */
export function topicsText({ heading, rows }: HelpTopics, columns: number | undefined): string {
  const helper = Object.assign(new Help(), HELP_FORMAT, { helpWidth: columns || USUAL_WIDTH });
  const termWidth = Math.max(...rows.map(([term]) => term.length));
  const lines = rows.map(([term, text]) => helper.formatItem(term, termWidth, text, helper));
  return `\n${heading}:\n${lines.join('\n')}`;
}
