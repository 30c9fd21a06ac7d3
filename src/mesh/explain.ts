import { CLUSTER_ANSWERS, MESH_CHECKS, NOTHING_CHECKED, RUN_AT_WORK } from './checks/catalogue.ts';
import { FAULT_IDS } from './faults/fault-advice.ts';
import { PROBE_FAILURES } from './probe/verdict.ts';
import { ADVICE } from './status/failure-reason.ts';
import { LACK_IDS } from './status/lacks.ts';

/** The page that has a section for each id, below the package's root: read in a browser, and by `meshctl explain`. */
export const EXPLANATIONS_PAGE = 'docs/troubleshoot.md';

/** What an id of a reason, a fault, a check or a failure of a probe means. */
export interface Explanation {
  id: string;
  /** In Markdown: paragraphs, no heading. */
  text: string;
}

/** An id with what is so when nothing is wrong, where it is one of a check. */
export interface ExplainableId {
  id: string;
  title?: string | undefined;
}

/** Every id that a result of meshctl can show, each once: of the reasons and faults of `status`, of the checks, and of what a probe finds. */
export function explainableIds(): ExplainableId[] {
  const titles = new Map(MESH_CHECKS.map(({ id, title }) => [id, title]));
  const reasons = [...Object.keys(ADVICE), ...LACK_IDS, ...FAULT_IDS, ...PROBE_FAILURES];
  const ids = new Set([...reasons, CLUSTER_ANSWERS, NOTHING_CHECKED, RUN_AT_WORK, ...titles.keys()]);
  return [...ids].map((id) => ({ id, title: titles.get(id) }));
}

/** The sections of the page that are about one id: those under headings of the third level, in their order. */
export function explanationsIn(page: string): Explanation[] {
  const [, ...sections] = page.split(/^### /m);
  return sections.map((section) => {
    const [id = '', ...lines] = section.split('\n');
    const end = lines.findIndex((line) => line.startsWith('## '));
    return {
      id: id.trim(),
      text: lines
        .slice(0, end < 0 ? lines.length : end)
        .join('\n')
        .trim(),
    };
  });
}
