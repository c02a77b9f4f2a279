import { expect, test } from 'vitest';
import { UserError } from '../../../src/core/error.ts';
import {
  containerDiskLines,
  filesLines,
  imageLines,
  parseDestinationLine,
  parseRegistryLine,
  parseToLine,
  requiredLines,
} from '../../../src/publish/destination-line.ts';

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

const whatIsWrong = (line: string, parse: (line: string) => unknown = parseDestinationLine): string => {
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
    /^input: the destination .* has the unknown option mayfail \| .*may-fail, tag=TAG and as=container-disk.*mean may-fail/,
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

test.each([
  ['dir:out', 'files'],
  ['dir:my disks/{name} may-fail', 'files'],
  ['release:Org/App@v1.2', 'files'],
  ['release:org/app@{name}/v1', 'files'],
  ['ghcr.io/org/{name}-kubevirt tag=v1 as=container-disk', 'container-disk'],
  ['oci:out as=container-disk may-fail', 'container-disk'],
  ['ghcr.io/org/{name}', 'image'],
  // An image of Docker Hub.
  ['release:v1', 'image'],
])('%s is for %s', (line, form) => {
  const parsed = parseToLine(line);
  expect(parsed.form).toBe(form);
  expect(parseToLine(parsed.line)).toEqual({ ...parsed, written: expect.any(String) });
});

test('lines are told apart, and commands that know no disks refuse theirs', () => {
  const lines = ['ghcr.io/org/app', 'dir:out', 'ghcr.io/org/vm as=container-disk'].map(parseToLine);
  expect(imageLines(lines).map(({ text }) => text)).toEqual(['ghcr.io/org/app']);
  expect(filesLines(lines).map(({ text }) => text)).toEqual(['dir:out']);
  expect(containerDiskLines(lines).map(({ text }) => text)).toEqual(['ghcr.io/org/vm']);
  for (const { line } of lines.slice(1)) expect(whatIsWrong(line)).toMatch(/^input: .* is for disks alone/);
});

test.each([
  ['dir:', /^reference: .*the folder is missing/],
  ['dir:out tag=v1', /^input: .* cannot have tag=/],
  ['dir:out as=container-disk', /^input: .* cannot have as=container-disk/],
  ['dir:out/{other}', /^reference: .*unexpected \{/],
  ['release:org/app', /^reference: .*the tag of the release is missing .*release:org\/app@v1/],
  ['release:org/app@', /the tag of the release is missing/],
  ['release:org/app@a..b', /"a\.\.b" is not a valid tag of git/],
  ['release:org/app/more@v1', /org\/app\/more is not a repository of GitHub/],
  ['release:-org/app@v1', /is not a repository of GitHub/],
  ['ghcr.io/org/app as=container', /unknown form as=container \| .*Did you mean container-disk/],
  ['ghcr.io/org/app as=container-disk as=container-disk', /has several as=/],
])('the disks of %s are refused', (line, says) => {
  expect(whatIsWrong(line, parseToLine)).toMatch(says);
});
