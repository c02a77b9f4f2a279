import { describe, expect, test } from 'vitest';
import type { MadeHandover } from '../../../src/commands/make-handover.ts';
import { presentBuild } from '../../../src/commands/present-build.ts';
import { type PlanResult, presentPlan } from '../../../src/commands/present-plan.ts';
import { type PublishResult, presentPublish, shortOutputs } from '../../../src/commands/present-publish.ts';
import type { PublishedImage } from '../../../src/commands/publish-image.ts';
import { UserError } from '../../../src/core/error.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import { SYSTEMS } from '../../../src/oci/system.ts';
import { MOST_OUTPUT_BYTES, outputBytes } from '../../../src/plan/output-limit.ts';
import type { LeftOut, Plan } from '../../../src/plan/plan.ts';
import type { PublishedTarget } from '../../../src/publish/target.ts';
import { NO_TEST_RUN } from '../../../src/test-run/test-run.ts';

const COLUMNS = 80;
const digest = (name: string) => digestOf(Buffer.from(name));
const layer = { mediaType: MEDIA_TYPE.layerGzip, digest: digest('layer'), size: 9_999_999_999 };
const manifest = { bytes: Buffer.alloc(0), mediaType: MEDIA_TYPE.manifest, digest: digest('manifest') };
const config = { mediaType: MEDIA_TYPE.config, digest: digest('config'), size: 1 };

const registry: PublishedTarget = { name: 'docker://ghcr.io/org/app', kind: 'registry', tags: ['v1'], bytesSent: 7 };
const layout: PublishedTarget = { name: 'oci:/tmp/out', kind: 'oci', tags: ['latest'], bytesSent: 7 };

const image = (targets: readonly PublishedTarget[]): PublishedImage => ({
  name: 'team/app',
  published: {
    index: { bytes: Buffer.alloc(2), mediaType: MEDIA_TYPE.index, digest: digest('index') },
    platforms: SYSTEMS.map((system) => ({
      system,
      digest: digest(system),
      layers: [layer, layer],
      config,
      tests: null,
      bytesSent: 9_999_999_999,
    })),
  },
  targets,
  packages: [],
});

const widest = (text: string): number => Math.max(...text.split('\n').map((line) => line.length));

describe('a publish', () => {
  test('shows short digests in a table of 80 columns, totals, and the whole digest once', () => {
    const { text } = presentPublish({ kind: 'image', image: image([registry]) });
    const table = text.slice(0, text.indexOf('\n\n'));
    expect(widest(table)).toBeLessThanOrEqual(COLUMNS);
    expect(table.split('\n')).toEqual([
      'platform     digest               layers  compressed  unpacked     sent',
      `linux/amd64  ${digest('x86_64-linux').slice(0, 19)}       2     20.0 GB   unknown  10.0 GB`,
      `linux/arm64  ${digest('aarch64-linux').slice(0, 19)}       2     20.0 GB   unknown  10.0 GB`,
      'total                                  4     40.0 GB            20.0 GB',
    ]);
    expect(text.split('\n').slice(5)).toEqual([
      `index ${digest('index')}`,
      'docker://ghcr.io/org/app:v1',
      `run it: podman run --rm ghcr.io/org/app@${digest('index')}`,
    ]);
  });

  test.each<[string, PublishedTarget, string | undefined]>([
    ['a layout', layout, 'podman run --rm oci:/tmp/out:latest'],
    ['a path with a blank', { ...layout, name: 'oci:/tmp/my out' }, "podman run --rm 'oci:/tmp/my out:latest'"],
    [
      'a path with a capital, of which podman makes no name',
      { ...layout, name: 'oci:/home/Ada/out' },
      'skopeo copy oci:/home/Ada/out:latest containers-storage:localhost/image && podman run --rm localhost/image',
    ],
    [
      'an archive',
      { ...layout, kind: 'docker-archive', name: 'docker-archive:/tmp/app.tar' },
      'podman run --rm docker-archive:/tmp/app.tar',
    ],
    ['no tag that means it', { ...layout, tags: [] }, undefined],
  ])('of %s says how to run it', (_what, target, command) => {
    const { text } = presentPublish({ kind: 'image', image: image([target]) });
    const lines = text.split('\n').filter((line) => line.startsWith('run it: '));
    expect(lines).toEqual(command === undefined ? [] : [`run it: ${command}`]);
  });

  test('of nothing says why, and has all outputs', () => {
    expect(presentPublish({ kind: 'nothing', why: 'Nothing.' })).toMatchObject({
      outputs: { digest: '', digests: '{}', references: '', json: '{}', metadata: '{}' },
      data: null,
      text: 'Nothing.',
      summary: 'Nothing.\n',
    });
  });

  test('of several images says what they came to', () => {
    const outcomes = [{ image: image([registry]) }, { image: image([layout]) }];
    const { text } = presentPublish({ kind: 'plan', outcomes, leftOut: [] });
    expect(text.split('\n').at(-1)).toBe('2 images published, 40.0 GB sent');
  });

  test('of hundreds of images has outputs that GitHub takes, with the digests of all of them', () => {
    const target = (host: string, name: string): PublishedTarget => ({
      ...registry,
      name: `docker://${host}/organisation/${name}`,
      tags: ['main', 'latest', 'sha-0123abc'],
    });
    const published = (count: number): PublishResult => ({
      kind: 'plan',
      outcomes: Array.from({ length: count }, (_, at) => {
        const name = `service-${at}`;
        return { image: { ...image(['ghcr.io', 'docker.io'].map((host) => target(host, name))), name } };
      }),
      leftOut: [],
    });
    const few = presentPublish(published(200)).outputs;
    expect(JSON.parse(few.json)['service-7'].platforms).toHaveLength(2);
    expect(shortOutputs(published(200))).toBeUndefined();
    const many = presentPublish(published(400)).outputs;
    expect(outputBytes(many)).toBeLessThanOrEqual(MOST_OUTPUT_BYTES);
    expect(Object.entries(JSON.parse(many.json))).toHaveLength(400);
    expect(JSON.parse(many.json)['service-7']).toEqual({ digest: digest('index') });
    expect(many.references.split('\n')).toHaveLength(400 * 2 * 3);
    expect(shortOutputs(published(400))).toMatch(
      /^the output json has only the digests: .* those of 400 images would exceed it/,
    );
    const most = presentPublish(published(1600)).outputs;
    expect([most.references, most.digestReferences]).toEqual(['', '']);
    expect(Object.keys(JSON.parse(most.digests))).toHaveLength(1600);
    expect(shortOutputs(published(1600))).toContain(', and references and digest-references are empty: ');
  });

  test('of a plan tells what was published and then fails for what was not', () => {
    const error = new UserError('evaluation', 'no such package', { hint: 'Fix it.' });
    const result = presentPublish({
      kind: 'plan',
      outcomes: [{ image: image([registry]) }, { name: 'nixImages.x86_64-linux.typo', error }],
      leftOut: [],
    });
    expect(JSON.parse(result.outputs.digests)).toEqual({ 'team/app': digest('index') });
    expect(result.text).toMatch(/^team\/app\nplatform /);
    // At the top: the summary of hundreds of images is cut at its end.
    expect(result.summary).toMatch(/^### Not published\n[\s\S]*### team\/app\n/);
    expect('failure' in result && result.failure).toMatchObject({
      message: '1 of 2 images are not published:\n  nixImages.x86_64-linux.typo: no such package',
      hint: 'Fix it.',
    });
  });
});

describe('a build', () => {
  const made = (change: Partial<MadeHandover> = {}, destination: string | null = null): MadeHandover => ({
    image: {
      system: 'x86_64-linux',
      manifest,
      config: { descriptor: config, bytes: Buffer.alloc(0) },
      layers: [layer],
    },
    label: {
      version: 1,
      name: 'app',
      tag: null,
      system: 'x86_64-linux',
      systems: [...SYSTEMS],
      mode: destination === null ? 'artifact' : 'registry',
      destination,
      run: null,
      call: null,
      tests: NO_TEST_RUN,
    } as unknown as MadeHandover['label'],
    testRun: NO_TEST_RUN,
    mode: destination === null ? 'artifact' : 'registry',
    delivered: { place: 'handover/app', digest: '' },
    bytesSent: 5,
    ...change,
  });

  const only = (one: MadeHandover) => ({ built: [one], failed: [] });

  test('of several images tells of each, then fails for those that are not built', () => {
    const error = new UserError('build', 'app-0 does not build', { hint: 'Look at its log.', docs: 'a.md#b' });
    const other = { ...made(), label: { ...made().label, name: 'other' } };
    const { outputs, data, text, failure } = presentBuild({
      built: [made(), other],
      failed: [{ name: 'third', error }],
    });
    expect(outputs).toMatchObject({ name: 'app\nother', system: 'x86_64-linux' });
    expect(outputs.handover.split('\n')).toHaveLength(2);
    expect(data).toMatchObject({
      images: [{ name: 'app' }, { name: 'other' }],
      failed: [{ name: 'third', docs: 'docs/a.md#b' }],
    });
    expect(text).toMatch(/^app for [\s\S]*\n\nother for [\s\S]*\n\nthird is not built: app-0 does not build$/);
    expect(failure).toMatchObject({
      message: '1 of 3 images are not built:\n  third: app-0 does not build',
      hint: 'Look at its log.',
      docs: 'a.md#b',
    });
    const silent = presentBuild({ built: [made()], failed: [{ name: 'third', error: new UserError('build', 'no') }] });
    expect(silent.failure?.hint).toBeUndefined();
  });

  test('of several images counts one whose tests failed among them', () => {
    const failed = { ...made(), failure: new UserError('test', 'its test failed') };
    const { failure } = presentBuild({ built: [made(), failed], failed: [] });
    expect(failure?.message).toBe('1 of 2 images are not built:\n  app: its test failed');
  });

  test('says what it made, in full, and how to go on', () => {
    const { text, outputs } = presentBuild(only(made({}, 'docker://ghcr.io/org/app')));
    expect(text.split('\n')).toEqual([
      'app for x86_64-linux: 1 layer, 10.0 GB',
      `image ${manifest.digest}`,
      'handover: handover/app',
      'next: build it for aarch64-linux too, and name each handover with --from',
      'next: nix-images publish --from handover/app --to ghcr.io/org/app',
    ]);
    expect(widest(text)).toBeLessThanOrEqual(COLUMNS);
    expect(outputs).toMatchObject({ name: 'app', digest: manifest.digest, handover: 'handover/app' });
  });

  test('that hands nothing over, or runs in a workflow, says nothing of a next command', () => {
    expect(presentBuild(only(made({ mode: 'none' }))).text).not.toContain('next:');
    const inRun = made();
    const label = { ...inRun.label, run: { id: '1', attempt: 1, job: 'build' } };
    expect(presentBuild(only({ ...inRun, label })).text).not.toContain('next:');
  });
});

describe('a plan', () => {
  const broken = (attr: string, why = 'typo'): LeftOut => ({ attr, why, broken: true, image: true });
  const planned = (change: Partial<Plan> = {}): Plan => ({
    schemaVersion: 3,
    call: '0123abcd',
    plannedAt: null,
    to: ['ghcr.io/org/{name}'],
    images: [
      {
        name: 'team/worker-with-a-long-name',
        tag: null,
        why: 'nixImages.<system>.worker is an image definition',
        source: { flake: '.', file: null },
        jobs: SYSTEMS.map((system) => ({
          system,
          buildSystem: null,
          kind: 'definition' as const,
          attr: `nixImages.${system}.worker`,
          key: 'a'.repeat(64),
          published: null,
          reason: system === 'x86_64-linux' ? ('changed' as const) : ('new' as const),
        })),
        missing: [],
      },
    ],
    leftOut: [],
    problems: [],
    ...change,
  });
  const result = (change: Partial<Plan>, more: Partial<PlanResult> = {}) =>
    presentPlan({
      planned: planned(change),
      include: [],
      shared: { lines: [], jobs: [] },
      output: '{}',
      isPublished: true,
      isStep: true,
      allowBroken: false,
      ...more,
    });

  test('says in 80 columns what is built, why, and how to go on', () => {
    const { text } = result({});
    expect(widest(text)).toBeLessThanOrEqual(COLUMNS);
    expect(text.split('\n')).toEqual([
      'image                         x86_64-linux     aarch64-linux',
      'team/worker-with-a-long-name  build (changed)  build (new)',
      '',
      '1 image: 2 build jobs needed, 0 published already',
      'next: save the plan with --json > plan.json, and publish it:',
      '  nix-images publish --plan @plan.json --build-missing',
    ]);
  });

  test('says what is left out once for each reason', () => {
    const leftOut = SYSTEMS.map((system) => broken(`nixImages.${system}.typo`, 'unable to download'));
    expect(result({ leftOut }).text).toContain(
      '\n  nixImages.x86_64-linux.typo, nixImages.aarch64-linux.typo: unable to download\n',
    );
  });

  test.each<[string, Partial<Plan>, boolean, string]>([
    ['all that is there', {}, false, 'true'],
    ['an image that does not evaluate', { leftOut: [broken('nixImages.x86_64-linux.typo')] }, false, 'false'],
    ['the same, which is allowed', { leftOut: [broken('nixImages.x86_64-linux.typo')] }, true, 'true'],
    [
      'a package that is no image',
      { leftOut: [{ ...broken('packages.x86_64-linux.a'), image: false }] },
      false,
      'true',
    ],
    // Whether an image may lose a system is asked of what is published.
    ['another system of a planned image', { leftOut: [broken('nixImages.aarch64-linux.worker')] }, false, 'true'],
    [
      'a name that no registry takes',
      { problems: [{ name: 'A', why: 'not valid', hint: 'Name it a.' }] },
      true,
      'false',
    ],
  ])('of %s is complete or not', (_what, change, allowBroken, complete) => {
    const { outputs } = result(change, { allowBroken });
    expect(outputs.complete).toBe(complete);
  });

  test('of one name that is not valid fails at a terminal alone: in a workflow the other images go on', () => {
    const problems = [{ name: 'A', why: 'A is not valid', hint: 'Name it a.' }];
    expect(result({ problems })).not.toHaveProperty('failure');
    expect(result({ problems }, { isStep: false })).toHaveProperty('failure.message', 'A is not valid');
  });
});
