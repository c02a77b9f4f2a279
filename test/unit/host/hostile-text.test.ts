import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as core from '@actions/core';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { UserError } from '../../../src/core/error.ts';
import { type CommandResult, defineCommand } from '../../../src/host/command.ts';
import { describeFailure } from '../../../src/host/failure.ts';
import { createMask } from '../../../src/host/mask.ts';
import { renderResult } from '../../../src/host/render-result.ts';
import { runAction } from '../../../src/host/runner.ts';
import { createTerminal } from '../../../src/host/terminal.ts';
import { inspectionText } from '../../../src/inspect/report.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { type Plan, parsePlan } from '../../../src/plan/plan.ts';
import { planSummary, planText } from '../../../src/plan/report.ts';
import { publishSummary, publishText } from '../../../src/publish/report.ts';
import { testRunSummary } from '../../../src/test-run/report.ts';
import { ACTIVE, FUZZ_RUNS, FUZZ_TIME, hostileText } from '../../support/hostile.ts';

const runs = { numRuns: FUZZ_RUNS };
const SECRET = 'hunter2secret';
/** A stranger's text that quotes a secret. */
const leaking = fc.tuple(hostileText, hostileText).map(([a, b]) => `${a}${SECRET}${b}`);

const failureArbitrary = fc
  .record({ message: leaking, hint: fc.option(leaking, { nil: undefined }), cause: fc.option(leaking) })
  .map(({ message, hint, cause }) => {
    const options = hint === undefined ? {} : { hint };
    const docs = 'registries.md#logins';
    return new UserError('registry', message, {
      ...options,
      docs,
      ...(cause === null ? {} : { cause: new Error(cause) }),
    });
  });

describe('the terminal', () => {
  const write = (work: (terminal: ReturnType<typeof createTerminal>) => void): string => {
    const written: string[] = [];
    const mask = createMask();
    mask.add(SECRET);
    const stderr = { write: (text: string) => written.push(text) };
    work(createTerminal({ stderr, mask, now: () => 0, colour: false, verbose: true }));
    return written.join('');
  };

  test('shows a failure as one error with its causes and hint', { timeout: FUZZ_TIME }, () => {
    fc.assert(
      fc.property(failureArbitrary, (error) => {
        const text = write(({ showFailure }) => showFailure(describeFailure(error)));
        expect(text).not.toMatch(ACTIVE);
        expect(text).not.toContain(SECRET);
        const [first = '', ...more] = text.trimEnd().split('\n');
        expect(first).toMatch(/^error: /);
        const labels = more.filter((line) => !line.startsWith('  ')).map((line) => line.split(':')[0]);
        expect(labels.join(' ')).toMatch(/^(cause )?(hint )?See docs\/registries\.md#logins$/);
      }),
      runs,
    );
  });

  test('shows nothing in its log that a terminal would act on', { timeout: FUZZ_TIME }, () => {
    fc.assert(
      fc.property(leaking, (text) => {
        const shown = write(({ log }) => {
          log.warn(text);
          log.info(text);
          log.debug(text);
          log.group(text, async () => {});
          log.progress(text).end(text);
        });
        expect(shown).not.toMatch(ACTIVE);
        expect(shown).not.toContain(SECRET);
      }),
      runs,
    );
  });

  test('describes whatever was thrown', { timeout: FUZZ_TIME }, () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true, withBigInt: true }), (thrown) => {
        const { message, causes } = describeFailure(thrown);
        expect([message, ...causes].join('')).not.toMatch(ACTIVE);
      }),
      runs,
    );
  });
});

describe('results', () => {
  const data = fc.dictionary(fc.constantFrom('a', 'digest', '__proto__', 'constructor'), fc.jsonValue());

  test('JSON stays JSON, whatever is masked', { timeout: FUZZ_TIME }, () => {
    fc.assert(
      fc.property(
        data,
        fc.array(fc.oneof(hostileText, fc.constantFrom('"', '{', '":"', 'true', 'null'))),
        hostileText,
        (value, secrets, text) => {
          const mask = createMask();
          for (const secret of secrets) mask.add(secret);
          mask.addChosen('schemaVersion and more');
          const printed = renderResult({ data: { ...value, text }, text: '' }, true, mask.applyToResult);
          expect(printed).not.toMatch(ACTIVE);
          expect(JSON.parse(printed)).toEqual(
            JSON.parse(JSON.stringify({ ...value, text }), (_, one) =>
              typeof one === 'string' ? mask.applyToResult(one) : one,
            ),
          );
        },
      ),
      runs,
    );
  });
});

const DIGEST = digestOf(Buffer.alloc(0));
const platforms = (name: string) => [
  {
    system: 'x86_64-linux' as const,
    digest: DIGEST,
    layers: [],
    config: { mediaType: 'm', digest: DIGEST, size: 1 },
    tests: { runtime: name, notRun: null, passed: [], skipped: [] },
    bytesSent: 1,
    environment: {},
  },
];
const planOf = (text: string): Plan =>
  parsePlan(
    JSON.stringify({
      schemaVersion: 3,
      call: '0123abcd',
      plannedAt: null,
      to: [],
      images: [
        {
          name: 'app',
          tag: null,
          why: text,
          source: { flake: text, file: null },
          jobs: [
            {
              system: 'x86_64-linux',
              buildSystem: null,
              kind: 'definition',
              attr: 'a',
              key: 'a'.repeat(64),
              published: null,
            },
          ],
          missing: [{ system: 'aarch64-linux', why: text }],
        },
      ],
      leftOut: [{ attr: text, why: text, broken: true, image: true }],
      problems: [{ name: text, why: text, hint: text }],
    }),
  );
const publishedOf = (text: string) => {
  const published = {
    index: { bytes: Buffer.alloc(0), mediaType: 'm', digest: DIGEST },
    platforms: platforms(text),
    left: [],
  };
  return {
    published,
    targets: [{ name: text, kind: 'registry' as const, tags: [text], bytesSent: 0 }],
  };
};
const inspectionOf = (text: string) =>
  inspectionText(
    {
      reference: text,
      mediaType: text,
      digest: text,
      annotations: { 'org.example.note': text, [text]: 'b' },
      images: [
        {
          platform: text,
          digest: text,
          config: { Entrypoint: [text], User: `u${text}`, ExposedPorts: { [`p${text}`]: {} } },
          layers: [
            {
              digest: text,
              mediaType: text,
              compression: null,
              size: 1,
              unpackedSize: null,
              key: null,
              storeSizes: [],
              storePaths: [text],
              comment: text,
            },
          ],
        },
      ],
    },
    { layers: true },
  );

const SUMMARIES: Readonly<Record<string, (text: string) => string>> = {
  plan: (text) => planSummary(planOf(text)),
  publish: (text) => {
    const { published, targets } = publishedOf(text);
    return publishSummary(text, published, targets);
  },
  trial: (text) =>
    testRunSummary({
      runtime: text,
      notRun: null,
      tests: [{ name: text, passed: true, milliseconds: 1, failure: null }],
      skipped: [],
    }),
};

/** What is left of Markdown when code and our own words are taken out: nothing but words, tables, headings and lists. */
const skeleton = (markdown: string): string =>
  markdown
    .replaceAll(/<code>(?:[A-Za-z0-9 ]|\P{ASCII}|&#\d+;)*<\/code>/gu, '')
    .replaceAll(/`sha256:[0-9a-f]{64}`|x86_64-linux/g, '');

const shape = (text: string): string[] =>
  text.split(/\r\n|[\n\r]/).map((line) => /^(#+ |\| |- )?/.exec(line)?.[0] ?? '');

describe.each(Object.entries(SUMMARIES))('the summary of %s', (_name, render) => {
  test('has the same lines and no markup, whatever is in it', { timeout: FUZZ_TIME }, () => {
    const plain = render('word');
    fc.assert(
      fc.property(hostileText, (text) => {
        const markdown = render(text);
        expect(markdown).not.toMatch(ACTIVE);
        expect(shape(markdown)).toEqual(shape(plain));
        expect(skeleton(markdown)).toMatch(/^(?!.*www\.)[A-Za-z0-9 .,:()'/–|#*\n-]*$/su);
        expect(markdown.split('|').length).toBe(plain.split('|').length);
      }),
      runs,
    );
  });
});

describe.each<[string, (text: string) => string]>([
  ['plan', (text) => planText(planOf(text))],
  ['publish', (text) => publishText(publishedOf(text).published, publishedOf(text).targets)],
  ['inspect', inspectionOf],
])('the table of %s', (_name, render) => {
  test('has the same lines, whatever is in it', { timeout: FUZZ_TIME }, () => {
    const lines = render('word').split('\n').length;
    fc.assert(
      fc.property(hostileText, (text) => {
        const shown = renderResult({ data: {}, text: render(text) }, false, (all) => all);
        expect(shown).not.toMatch(ACTIVE);
        expect(shown.split('\n').length).toBe(lines);
      }),
      runs,
    );
  });
});

describe('a step on a runner', () => {
  const folder = mkdtempSync(join(tmpdir(), 'hostile-'));
  const [output, summary] = [join(folder, 'output'), join(folder, 'summary')];
  const written: string[] = [];
  beforeAll(() => {
    vi.stubEnv('GITHUB_OUTPUT', output);
    vi.stubEnv('GITHUB_STEP_SUMMARY', summary);
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => written.push(String(text)) > 0);
  });
  afterAll(() => {
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });

  /** Runs a step, and gives what the runner would read of it. */
  const step = async (result: CommandResult | UserError, log: string) => {
    written.length = 0;
    for (const file of [output, summary]) writeFileSync(file, '');
    const command = defineCommand({
      name: 'x',
      summary: 'X.',
      inputs: {},
      outputs: { value: 'Any.' },
      run: async (_inputs, host) => {
        host.log.mask(SECRET);
        await host.log.group(log, async () => host.log.info(log));
        host.log.warn(log);
        if (result instanceof UserError) throw result;
        return result as CommandResult<{ value: string }>;
      },
      present: (result) => result,
    });
    const world = {
      argv: [],
      cwd: '/',
      environment: {},
      env: () => undefined,
      stdout: { write: (_text: string, done: () => void) => done() },
      stderr: { write: () => {} },
      now: () => 0,
      fetch: globalThis.fetch,
      program: new URL(import.meta.url),
      signal: new AbortController().signal,
    };
    await runAction({ x: async () => command }, { name: 'x', isPost: false }, world, core);
    // .NET's ReadLine, by which the runner reads, ends a line at \r too.
    const lines = written.join('').split(/\r\n|[\n\r]/);
    const commands = lines.flatMap((line) => /^\s*::([a-z-]+)/.exec(line)?.[1] ?? []);
    return { lines, commands, output: readFileSync(output, 'utf8'), summary: readFileSync(summary, 'utf8') };
  };

  test('gives no command but its own when it fails', { timeout: FUZZ_TIME }, async () => {
    await fc.assert(
      fc.asyncProperty(failureArbitrary, leaking, async (error, log) => {
        const read = await step(error, log);
        expect(read.commands).toEqual(['add-mask', 'group', 'endgroup', 'warning', 'error']);
        const shown = read.lines.filter((line) => !line.startsWith('::add-mask::')).join('\n');
        expect(shown.replaceAll(/^::(group|warning|error).*$/gm, '')).not.toContain('##[');
        expect(`${shown}${read.summary}`).not.toContain(SECRET);
        expect(read.summary).not.toMatch(ACTIVE);
        // A heading, a line of our own, and code, which is set in.
        const outside = read.summary
          .split(/\r\n|[\n\r]/)
          .filter((line) => line.trim() !== '' && !line.startsWith('    '));
        expect(outside.join('|')).toMatch(/^### nix-images x failed(\|What to do:)?\|See docs\/registries\.md#logins$/);
      }),
      runs,
    );
  });

  test('writes the output that it was given, and no other', { timeout: FUZZ_TIME }, async () => {
    await fc.assert(
      fc.asyncProperty(hostileText, hostileText, async (value, log) => {
        const read = await step({ outputs: { value }, data: {}, text: value }, log);
        const [, delimiter = '', rest = ''] = /^value<<(\S+)\n(.*)$/s.exec(read.output) ?? [];
        expect(rest).toBe(`${value.toWellFormed()}\n${delimiter}\n`);
        expect(read.commands).toEqual(['add-mask', 'group', 'endgroup', 'warning']);
      }),
      runs,
    );
  });
});
