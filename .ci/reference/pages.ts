import type { LoadableCommand } from '../../src/commands/command.ts';
import { COMMAND_GROUPS, COMMANDS } from '../../src/commands/registry.ts';
import { asManual, asMarkdown, commandPage, pageName } from './command-page.ts';

/** The files of docs/reference, by name: a page for each command, and the list of them. */
export async function referenceFiles(): Promise<ReadonlyMap<string, string>> {
  const pages = COMMANDS.map(async (command) => {
    const page = commandPage(command, await command.topics?.());
    return [`${pageName(command)}.md`, asMarkdown(page)] as const;
  });
  return new Map([['README.md', listOfCommands()], ...(await Promise.all(pages))]);
}

/** The pages for man, by the name of their file. `version` is meshctl's. */
export async function manualFiles(version: string): Promise<ReadonlyMap<string, string>> {
  const pages = COMMANDS.map(async (command) => {
    const page = commandPage(command, await command.topics?.());
    const name = pageName(command);
    return [`${name}.1`, asManual(page, { name, summary: command.summary, version })] as const;
  });
  return new Map(await Promise.all(pages));
}

function listOfCommands(): string {
  const groupOf = ({ path }: LoadableCommand) => path.slice(0, -1).join(' ');
  const line = (command: LoadableCommand) =>
    `| [\`${command.path.join(' ')}\`](${pageName(command)}.md) | ${command.summary} |`;
  const sections = [...new Set(COMMANDS.map(groupOf))].map((group) => {
    const rows = COMMANDS.filter((command) => groupOf(command) === group).map(line);
    const title = group ? `\`meshctl ${group}\`: ${COMMAND_GROUPS[group]}` : '`meshctl`';
    return `## ${title}\n\n| command | |\n|---|---|\n${rows.join('\n')}\n`;
  });
  return `# Commands\n\nMade of what \`--help\` is made of (\`npm test -- test/unit/reference.test.ts -u\` writes it anew).\n\n${sections.join('\n')}`;
}
