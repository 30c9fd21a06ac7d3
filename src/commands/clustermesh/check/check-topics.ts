import { categoriesOf, MESH_CHECKS } from '../../../mesh/checks/catalogue.ts';
import type { HelpTopics } from '../../command.ts';

/** The values of --category, each with those of --suppress. */
export const CHECK_TOPICS: HelpTopics = {
  heading: 'Categories and their checks',
  rows: categoriesOf(MESH_CHECKS).map((category) => {
    const ids = MESH_CHECKS.filter((check) => check.category === category).map(({ id }) => id);
    return [category, [...new Set(ids)].join(', ')] as const;
  }),
};
