import { expect, test } from 'vitest';
import { UserError } from '../../../src/core/error.ts';
import { parseDestinationLine, parseRegistryLine, requiredLines } from '../../../src/publish/destination-line.ts';

const tagsIn = (line: string) =>
  parseDestinationLine(line).tags.map((tag) =>
    tag.kind === 'tag' ? tag.tag : tag.kind === 'rule' ? tag.text : tag.kind,
  );

test.each<[string, { readonly text: string; readonly mayFail?: boolean; readonly tags?: readonly string[] }]>([
  ['ghcr.io/org/{name}', { text: 'ghcr.io/org/{name}' }],
  ['ghcr.io/Org/app:v1 may-fail', { text: 'ghcr.io/org/app:v1', mayFail: true }],
  ['docker://ghcr.io/org/app  tag=a   tag=b', { text: 'docker://ghcr.io/org/app', tags: ['a', 'b'] }],
  [
    "ghcr.io/org/app tag=type=schedule,pattern={{date 'YYYY MM'}} may-fail tag=type=ref,event=branch",
    {
      text: 'ghcr.io/org/app',
      mayFail: true,
      tags: ["type=schedule,pattern={{date 'YYYY MM'}}", 'type=ref,event=branch'],
    },
  ],
  ['ghcr.io/org/app tag=latest=true tag=type=sha', { text: 'ghcr.io/org/app', tags: ['latest', 'type=sha'] }],
  ['oci:my out:v1', { text: 'oci:my out:v1' }],
  ['oci:my  two blanks may-fail', { text: 'oci:my  two blanks', mayFail: true }],
  ['oci:out may-fail here', { text: 'oci:out may-fail here' }],
  ['oci-archive:a b.tar tag=1', { text: 'oci-archive:a b.tar', tags: ['1'] }],
])('%s', (line, { text, mayFail = false, tags = [] }) => {
  const parsed = parseDestinationLine(line);
  expect([parsed.text, parsed.mayFail, tagsIn(line)]).toEqual([text, mayFail, tags]);
  // A plan passes it on as text.
  const { written: _, ...again } = parseDestinationLine(parsed.line);
  expect(again).toEqual({ ...again, text: parsed.text, tags: parsed.tags, mayFail, line: parsed.line });
});

const whatIsWrong = (line: string, parse = parseDestinationLine): string => {
  try {
    parse(line);
  } catch (error) {
    if (error instanceof UserError) return `${error.code}: ${error.message} | ${error.hint}`;
    throw error;
  }
  return 'nothing';
};

test.each([
  [
    'ghcr.io/org/app mayfail',
    /^input: the destination .* has the unknown option mayfail \| .*may-fail and tag=TAG.*mean may-fail/,
  ],
  ['ghcr.io/org/app tags=a,b', /unknown option tags=a,b \| Write tag=… for each tag/],
  ['ghcr.io/org/app may-fial tag=a', /unknown option may-fial/],
  ['ghcr.io/org/app may-fail=true', /unknown option may-fail=true/],
  ['oci:out may-fial', /unknown option may-fial/],
  ['oci:out optional=1', /unknown option optional=1/],
  ['ghcr.io/org/app tag=', /has an empty tag=/],
  ['ghcr.io/org/app tag=a..b/c', /^reference: .*not a valid tag/],
  ['ghcr.io/org/app tag=type=nonsense', /the type nonsense/],
  ['ghcr.io/org/app tag=a,b', /^reference: .*not a valid tag/],
  ['may-fail', /^nothing$/],
  ['ghcr.io/{org}/app may-fail', /unexpected \{/],
])('%s is refused', (line, says) => {
  expect(whatIsWrong(line)).toMatch(says);
});

test('a build sends to registries alone', () => {
  expect(parseRegistryLine('ghcr.io/org/app may-fail').mayFail).toBe(true);
  expect(whatIsWrong('oci:out may-fail', parseRegistryLine)).toMatch(/not a registry/);
});

test('where all may fail, all count', () => {
  const [a, b] = [parseDestinationLine('a/b may-fail'), parseDestinationLine('c/d')];
  expect(requiredLines([a, b])).toEqual([b]);
  expect(requiredLines([a])).toEqual([a]);
  expect(requiredLines([])).toEqual([]);
});
