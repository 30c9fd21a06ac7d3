import type { List, Root, RootContent } from 'mdast';
import remarkGfm from 'remark-gfm';
import remarkMan from 'remark-man';
import remarkStringify from 'remark-stringify';
import { unified } from 'unified';
import { HELP_FORMAT } from '../../src/cli/help-format.ts';
import { createOption, helpOption, inGroups } from '../../src/cli/options.ts';
import type { HelpTopics, LoadableCommand } from '../../src/commands/command.ts';
import { optionsOf } from '../../src/commands/options/shared-options.ts';

/** A command's page, in the reference and for man: made of the very spec that its `--help` is made of. */

/** `meshctl-clustermesh-connect`, the name of the page. */
export function pageName({ path }: Pick<LoadableCommand, 'path'>): string {
  return ['meshctl', ...path].join('-');
}

/** The page as a tree. `topics` is what its help lists beside the flags. */
export function commandPage(command: LoadableCommand, topics?: HelpTopics): Root {
  const words = (command.arguments ?? []).map(({ name, optional }) => (optional ? `[${name}]` : `<${name}>`));
  const usage = ['meshctl', ...command.path, '[options]', ...words].join(' ');
  return {
    type: 'root',
    children: [
      heading(1, usage.replace(' [options]', '').replace(/ [<[].*/, '')),
      paragraph(`${command.summary}.`),
      code(usage),
      ...(command.description ? [paragraph(command.description)] : []),
      ...(command.arguments ? [heading(2, 'Arguments'), terms(argumentTerms(command))] : []),
      ...optionGroups(command).flatMap(([title, options]) => [heading(2, title), terms(options)]),
      ...(topics ? [heading(2, topics.heading), terms(topics.rows)] : []),
      ...(command.examples?.length ? [heading(2, 'Examples')] : []),
      ...(command.examples ?? []).flatMap(({ what, line }) => [paragraph(`${sentenceCase(what)}:`), code(line)]),
    ],
  };
}

export function asMarkdown(page: Root): string {
  return unified().use(remarkGfm).use(remarkStringify, { bullet: '-', resourceLink: true }).stringify(page);
}

/** In roff, as man reads it. `version` is meshctl's. */
export function asManual(
  page: Root,
  { name, summary, version }: { name: string; summary: string; version: string },
): string {
  const [, ...body] = page.children;
  const options = { name, section: 1, description: summary, version: `meshctl ${version}`, manual: 'meshctl manual' };
  const processor = unified().use(remarkMan, options);
  return processor.stringify(processor.runSync({ type: 'root', children: body } as Root) as never) as unknown as string;
}

type Terms = readonly (readonly [term: string, text: string])[];

/** Options below the headings of help, in their order. */
function optionGroups(command: LoadableCommand): [title: string, options: Terms][] {
  const options = [...inGroups(optionsOf(command)).map((spec) => createOption(spec, () => undefined)), helpOption()];
  const titles = new Map<string, [string, string][]>();
  for (const option of options.filter(({ hidden }) => !hidden)) {
    const title = (option.helpGroupHeading ?? 'Options:').replace(/:$/, '');
    const text = HELP_FORMAT.optionDescription?.(option) ?? option.description;
    titles.set(title, [...(titles.get(title) ?? []), [option.flags, text]]);
  }
  return [...titles];
}

function argumentTerms({ arguments: words = [] }: LoadableCommand): Terms {
  return words.map(({ name, description, choices }) => [
    name,
    choices ? `${description} (${choices.join(', ')})` : description,
  ]);
}

function heading(depth: 1 | 2, value: string): RootContent {
  return { type: 'heading', depth, children: [{ type: 'text', value }] };
}

function paragraph(value: string): RootContent {
  return { type: 'paragraph', children: [{ type: 'text', value }] };
}

function code(value: string): RootContent {
  return { type: 'code', lang: 'sh', value };
}

function terms(entries: Terms): List {
  return {
    type: 'list',
    spread: false,
    children: entries.map(([term, text]) => ({
      type: 'listItem',
      spread: false,
      children: [
        {
          type: 'paragraph',
          children: [
            { type: 'inlineCode', value: term },
            { type: 'text', value: `: ${text}` },
          ],
        },
      ],
    })),
  };
}

function sentenceCase(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
