import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { absolutePathSchema, modeSchema } from './absolute-path.ts';
import { argument, testContainerShape } from './test-container.ts';

/**
 * Tests of an image, as its definition has them. They are not part of the image: neither its content nor its key knows
 * of them, and a store path that only a test names does not get into the image.
 */

/**
 * Seconds a test may take unless it says otherwise: a server in Java or Python that starts under emulation on a busy
 * runner needs most of it, and a job that hangs still ends soon.
 */
const DEFAULT_TIMEOUT = 60;

/** Seconds a test may ask for: beyond an hour it is not a test of an image any more. */
export const MAX_TIMEOUT = 3600;

function isExpression(text: string): boolean {
  try {
    new RegExp(text, EXPRESSION_FLAGS);
    return true;
  } catch {
    return false;
  }
}

/** How `matches` is read: `^` and `$` stand for the ends of each line. */
export const EXPRESSION_FLAGS = 'mu';

/** What a text must be, in tests of images and of disks. */
export const expectedTextSchema = z
  .strictObject({
    equals: z.string().optional().describe('The whole text, line ends included.'),
    contains: z.string().optional().describe('A part of the text.'),
    matches: z
      .string()
      .refine(isExpression, 'expected a regular expression of JavaScript')
      .optional()
      .describe('A regular expression of JavaScript with the flags m and u that some part of the text matches.'),
  })
  .refine((text) => Object.values(text).some((value) => value !== undefined), 'expected equals, contains or matches')
  .describe('What a text must be; all that is stated must hold.');

const fileSchema = z
  .strictObject({
    exists: z.boolean().default(true),
    mode: modeSchema.nullable().default(null),
    uid: z.int().nonnegative().nullable().default(null),
    gid: z.int().nonnegative().nullable().default(null),
    text: expectedTextSchema.nullable().default(null),
  })
  .refine(
    ({ exists, mode, uid, gid, text }) => exists || [mode, uid, gid, text].every((value) => value === null),
    'a file that must not be there has neither mode, owner nor text',
  )
  .describe('What a file must be, links followed; or that there must be none.');

export const expectedPortSchema = z
  .strictObject({
    number: z.int().min(1).max(65535),
    path: z
      .string()
      .regex(/^\/[\x21-\x7e]*$/, 'expected a path such as /health')
      .nullable()
      .default(null)
      .describe('Path to ask for by HTTP; without it a TCP connection is enough.'),
    status: z.int().min(100).max(599).default(200).describe('Status of the HTTP answer.'),
    text: expectedTextSchema.nullable().default(null).describe('What the HTTP answer must say.'),
  })
  .refine(({ path, text }) => path !== null || text === null, 'text belongs to an HTTP answer: give the path');

/** What runs in one container, and what must come of it. */
const stepShape = {
  command: z
    .array(argument)
    .nullable()
    .default(null)
    .describe(
      "Arguments to the image's entrypoint, or the program itself where there is none; default: the image's own.",
    ),
  entrypoint: z
    .array(argument)
    .nullable()
    .default(null)
    .describe("Used instead of the image's entrypoint; an empty list for none."),
  exitCode: z.int().min(0).max(255).default(0),
  stdout: expectedTextSchema.nullable().default(null),
  stderr: expectedTextSchema.nullable().default(null),
  stdin: z.string().nullable().default(null).describe('Standard input. Default: empty.'),
  files: z
    .record(absolutePathSchema, fileSchema)
    .default({})
    .describe('Files as the command left them. A test that states nothing else starts nothing.'),
  port: expectedPortSchema.nullable().default(null).describe('A port that must answer while the command runs.'),
  ...testContainerShape,
};

type Step = z.infer<z.ZodObject<typeof stepShape>>;

const isBelow = (path: string, folders: Readonly<Record<string, unknown>>): boolean =>
  Object.keys(folders).some((folder) => path === folder || path.startsWith(`${folder}/`));

/** What a step states that cannot be; undefined where it is sound. */
function contradiction({
  entrypoint,
  command,
  port,
  exitCode,
  stdout,
  stderr,
  stdin,
  ...step
}: Step): string | undefined {
  const { files, tmpfs, volumes } = step;
  if (entrypoint !== null && entrypoint.length + (command?.length ?? 0) === 0)
    return 'an empty entrypoint needs a command';
  if (port !== null && (exitCode !== 0 || [stdout, stderr, stdin].some((value) => value !== null)))
    return 'a test of a port ends the command itself: it has no exitCode, stdout, stderr or stdin';
  const twice = Object.keys(tmpfs).find((path) => path in volumes);
  if (twice !== undefined) return `${twice} is a tmpfs and a volume`;
  const gone = Object.keys(files).find((path) => isBelow(path, tmpfs));
  if (gone !== undefined) return `${gone} is gone when the command ends: let the command look at what is in a tmpfs`;
  const foreign = Object.entries(files).find(
    ([path, { uid, gid }]) => isBelow(path, volumes) && (uid !== null || gid !== null),
  );
  return foreign && `${foreign[0]} is in a volume, where owners are not seen: let the command print them`;
}

function checkStep(step: Step, context: z.RefinementCtx): void {
  const message = contradiction(step);
  if (message !== undefined) context.addIssue({ code: 'custom', message });
}

const testSchema = z
  .strictObject({
    ...stepShape,
    timeout: z.int().min(1).max(MAX_TIMEOUT).default(DEFAULT_TIMEOUT).describe('Seconds the whole test may take.'),
    steps: z
      .array(z.strictObject(stepShape).superRefine(checkStep))
      .min(1)
      .nullable()
      .default(null)
      .describe('Containers that follow each other, instead of one; each states all that it needs.'),
  })
  .superRefine(checkStep)
  .superRefine(({ timeout: _, steps, ...step }, context) => {
    const stated = steps && Object.keys(step).find((name) => !isDefault(name, step));
    if (stated)
      context.addIssue({ code: 'custom', message: `a test of several steps states ${stated} in each of them` });
  });

/** Whether a field is as it would be if nobody had written it. */
function isDefault(name: string, step: Step): boolean {
  const none: Readonly<Record<string, unknown>> = z.strictObject(stepShape).parse({});
  return isDeepStrictEqual(none[name], step[name as keyof Step]);
}

export const testNameSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$/, 'expected a name: at most 64 letters, digits, blanks, . _ -');

/** Tests by name. */
export const imageTestsSchema = z
  .record(testNameSchema, testSchema)
  .describe('Tests that a build runs before it hands the image over. They are no part of the image.');

export type ImageTest = z.infer<typeof testSchema>;
/** One container of a test, and what must come of it. */
export type TestStep = Step;

/** The containers of a test, in their order: most tests are one. */
export const stepsOf = ({ steps, ...test }: ImageTest): readonly TestStep[] => steps ?? [test];
export type ExpectedText = z.infer<typeof expectedTextSchema>;
export type ExpectedFile = z.infer<typeof fileSchema>;
export type ExpectedPort = z.infer<typeof expectedPortSchema>;
