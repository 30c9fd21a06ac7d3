import { describe, expect, it } from 'vitest';
import { helmWords } from '../../src/mesh/enable/helm/words.ts';
import { withoutSecretWords } from '../../src/mesh/secret-words.ts';
import { keyOfNobody } from '../support/key-of-nobody.ts';

const KEY = keyOfNobody().trim();
const [FIRST = '', ...REST] = KEY.split('\n');
/** As a Secret holds it. */
const IN_SECRET = Buffer.from(KEY).toString('base64');
const part = (content: object) => Buffer.from(JSON.stringify(content)).toString('base64url');
const TOKEN = [part({ alg: 'RS256' }), part({ sub: 'jane' }), Buffer.from('signature').toString('base64url')].join('.');

describe('what other programs say', () => {
  it.each([
    [`map[ca.key:${IN_SECRET} kind:Secret]`, 'map[ca.key:<hidden> kind:Secret]'],
    [`a ${KEY} b`, 'a <hidden> b'],
    [`cut short ${FIRST}\n${REST[0]?.slice(0, 4)}`, 'cut short <hidden>'],
    [`token ${TOKEN}`, 'token <hidden>'],
    ['key: Zk3vQ9/tYw0pLr7sXb2/NcVd5hJ8eUgKa1m', 'key: <hidden>'],
    ['key: wJalr/Utn3FEMI/K7MD/ENGbPx/RfiCY/KEYs1', 'key: <hidden>'],
    ['key: ab/Cd/3f/Gh/Ij/5l/Mn/Op/7q/Rs/Tu/9w=', 'key: <hidden>'],
  ])('has no key in it: %#', (said, shown) => {
    expect(withoutSecretWords(said)).toBe(shown);
  });

  it.each([
    'quay.io/cilium/clustermesh-apiserver:v1.20.0@sha256:0fbd1a6d0c3a4f29bdb8d4d5a1b46fcb4c2d8d1d4a5b6c7d8e9f00112233aabb',
    'no matches for service.beta.kubernetes.io/aws-load-balancer-cross-zone-load-balancing-enabled',
    'open /home/operator/clusters/production/charts/cilium/templates: no such file or directory',
    'open /Users/Jane/Work/Clusters/Region2/charts/Cilium/templates: no such file or directory',
    'Get "https://charts/Releases/2026/Cilium/Stable/index": EOF',
    'open ./Releases/2026/Cilium/Stable/Templates/Of/Region: no such file',
    'unknown field spec.loadBalancerSourceRangesAndMore',
    'a3f1c9de-4b52-4e7b-9a0c-0d6f2b8e1c77-worker-nodes-of-region-1',
  ])('%j stays as it is', (said) => {
    expect(withoutSecretWords(said)).toBe(said);
  });
});

describe("Helm's words", () => {
  const shown = (...lines: string[]) => lines.map(helmWords()).filter((line) => line !== undefined);
  const HIDDEN = expect.stringContaining('not shown');

  it('are shown without objects and values, whatever comes in between', () => {
    expect(
      shown(
        'STATUS: pending-upgrade',
        'COMPUTED VALUES:',
        'ca: {key: short}',
        'MANIFEST:',
        'kind: Secret',
        'WARNING: deprecated',
        'data: {a: Yg==}',
        'NOTES:',
        'Cilium runs',
      ),
    ).toEqual(['STATUS: pending-upgrade', HIDDEN, 'WARNING: deprecated', 'NOTES:', 'Cilium runs']);
  });

  it('are shown without a key of several lines', () => {
    expect(shown(`key: ${FIRST}`, ...REST, 'done')).toEqual(['key: <hidden>', 'done']);
  });
});
