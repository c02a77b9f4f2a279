import { expect, test } from 'vitest';
import { type CopyResult, presentCopy } from '../../../src/commands/present-copy.ts';
import { UserError } from '../../../src/core/error.ts';
import type { CommandResult } from '../../../src/host/command.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;

const target = { name: 'docker://mirror.example/app', kind: 'registry', tags: ['v1'], bytesSent: 5_000_000 } as const;

const copied = {
  source: 'docker://ghcr.io/org/app:v1',
  digest: DIGEST,
  mediaType: 'application/vnd.oci.image.index.v1+json',
  referrers: 2,
  targets: [target, { ...target, name: 'docker://other.example/app', tags: [], failure: 'is down' }],
};

const present = (result: CopyResult): CommandResult => presentCopy(result);

const error = new UserError('registry', 'it said <b>no|</b> @someone', { hint: 'Ask it again.' });

test('a list is a table, with what is not copied below it, and fails at the end', () => {
  const outcomes = [
    { line: 2, copied },
    { line: 5, source: 'docker://ghcr.io/org/db|:v1', error },
  ];
  const { outputs, data, text, summary, failure } = present({ kind: 'list', outcomes });
  expect(outputs).toEqual({
    digest: '',
    references: 'docker://mirror.example/app:v1',
    failedDestinations: 'docker://other.example/app',
  });
  expect(text.split('\n')).toEqual([
    'image                        digest               referrers  to',
    'docker://ghcr.io/org/app:v1  sha256:aaaaaaaaaaaa          2  docker://mirror.example/app:v1',
    'not copied, which is allowed: docker://other.example/app: is down',
    '',
    '1 image of 2 copied',
  ]);
  expect(data).toMatchObject({
    images: [{ line: 2, source: copied.source, digest: DIGEST, referrers: 2 }],
    failed: [{ line: 5, code: 'registry', message: error.message }],
  });
  expect(summary).toContain('### Not copied');
  expect(summary).not.toMatch(/<b>|@someone|no\|/);
  expect(failure).toMatchObject({ code: 'registry', hint: 'Ask it again.' });
  expect(failure?.message).toBe(
    '1 of 2 images are not copied:\n  line 5, docker://ghcr.io/org/db|:v1: it said <b>no|</b> @someone',
  );
});

test('the only image of a list gives its digest, and nothing fails', () => {
  const { outputs, failure } = present({ kind: 'list', outcomes: [{ line: 1, copied }] });
  expect(outputs).toMatchObject({ digest: DIGEST });
  expect(failure).toBeUndefined();
});
