import { STARTED_SETTINGS } from '../../mesh/checks/config.ts';
import type { Agent } from '../status/ask-agents.ts';
import { STARTED_WITH } from '../status/ask-identity.ts';

/** The settings that an agent was started with, of those that checks compare; undefined where it does not tell. */
export async function askStartedWith(agent: Agent): Promise<Record<string, string> | undefined> {
  const paths = ['cluster-name', ...STARTED_SETTINGS].map((key) => `${STARTED_WITH}/${key}`);
  // What is not set is no file; the name is always set.
  const told = (await agent.text(['grep', '-sH', '', ...paths])) ?? '';
  const settings = Object.fromEntries(
    told.split('\n').flatMap((line) => {
      const [path = '', ...value] = line.split(':');
      return path.startsWith(`${STARTED_WITH}/`) ? [[path.slice(STARTED_WITH.length + 1), value.join(':')]] : [];
    }),
  );
  return settings['cluster-name'] === undefined ? undefined : settings;
}
