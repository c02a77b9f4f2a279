import { z } from 'zod';
import { decodeJson, type JsonDocument } from '../core/decode-json.ts';
import { UserError } from '../core/error.ts';
import { imageNameSchema, tagSchema } from '../definition/definition.ts';
import { isImageKey } from '../definition/image-key.ts';
import { callSchema } from '../handover/call.ts';
import { imageKindSchema } from '../nix/recognise.ts';
import { digestSchema } from '../oci/digest-schema.ts';
import { systemSchema } from '../oci/system.ts';
import { sourceSchema } from './source.ts';

/** Raised when a field changes its meaning or goes away; plans of other versions are refused. */
export const PLAN_VERSION = 3;

/** Why an image is built although there are destinations that were looked at. */
const BUILD_REASONS = ['new', 'changed', 'forced'] as const;

const jobSchema = z
  .strictObject({
    system: systemSchema.describe('System that the image runs on.'),
    buildSystem: systemSchema.nullable().describe('System that builds it, where it is cross-compiled on another one.'),
    kind: imageKindSchema,
    attr: z.string().describe('Attribute path; in a file it may be empty, for the value itself.'),
    key: z.string().refine(isImageKey, 'expected 64 hexadecimal digits').describe('What the image is made of.'),
    published: digestSchema.nullable().describe('Manifest of that key, where every destination has it.'),
    reason: z
      .enum(BUILD_REASONS)
      .optional()
      .describe('Why it is built: nothing is published for the system, something else is, or it was asked for.'),
    diskSpace: z
      .int()
      .positive()
      .optional()
      .describe('Of a disk: gibibytes that its build takes besides those of the Nix store, as far as is known.'),
    boots: z.literal(true).optional().describe('Given where the build boots it, for its tests.'),
  })
  .describe('One image for one system.');

const missingSchema = z.strictObject({
  system: systemSchema,
  why: z.string().describe("What has become of it, with Nix's own words where it does not evaluate."),
});

const imageSchema = z.strictObject({
  name: imageNameSchema,
  tag: tagSchema.nullable().describe("The definition's own tag."),
  why: z.string().describe('Why it was taken.'),
  source: sourceSchema,
  jobs: z.array(jobSchema).min(1),
  missing: z
    .array(missingSchema)
    .describe('Systems that it is published for, as far as is known, and that have no job: publishing drops them.'),
});

/** What `plan` found and decided: the only thing that goes from it to build jobs and `publish`. */
export const planSchema = z
  .strictObject({
    schemaVersion: z.literal(PLAN_VERSION),
    call: callSchema.describe('Tells this call from others in the same workflow run.'),
    plannedAt: z.iso.datetime().nullable().describe('When it was made in a workflow run; null elsewhere.'),
    to: z.array(z.string()).describe('Destinations, with {name} for the name of an image.'),
    images: z.array(imageSchema),
    leftOut: z.array(
      z.strictObject({
        attr: z.string(),
        why: z.string(),
        broken: z.boolean().describe('Whether it should be an image and is not one, or does not evaluate.'),
        image: z.boolean().describe('Whether it bears the marks of an image or is where only images are.'),
      }),
    ),
    problems: z
      .array(z.strictObject({ name: z.string(), why: z.string(), hint: z.string() }))
      .describe('Images that cannot be planned: the others are, and publishing the plan fails at the end.'),
  })
  .describe('The images of flakes or a file, and which of them are to be built.');

export type Plan = z.infer<typeof planSchema>;
export type PlannedImage = z.infer<typeof imageSchema>;
export type PlannedJob = z.infer<typeof jobSchema>;
export type MissingSystem = z.infer<typeof missingSchema>;
export type LeftOut = Plan['leftOut'][number];
export type Problem = Plan['problems'][number];

const versionSchema = z.looseObject({ schemaVersion: z.unknown() });

const DOCUMENT = {
  code: 'input',
  what: 'the plan',
  hint: 'Give the output `plan` of `nix-images plan` of the same version, whole.',
  isShown: true,
} as const satisfies JsonDocument;

/** Reads a plan's JSON. Throws UserError `input` when it is not a plan, or one of another version. */
export function parsePlan(text: string): Plan {
  const { schemaVersion: version } = decodeJson(text, versionSchema, DOCUMENT);
  if (version === undefined || version === PLAN_VERSION) return decodeJson(text, planSchema, DOCUMENT);
  const what = `the plan is of version ${JSON.stringify(version)}, and this program reads version ${PLAN_VERSION}`;
  throw new UserError('input', what, { hint: DOCUMENT.hint });
}

/** Whether it is a container image, and not the disk of a virtual machine. */
export const isContainer = ({ kind }: Pick<PlannedJob, 'kind'>): boolean => kind !== 'disk';

/** Whether a build job is needed. */
export const isNeeded = (job: PlannedJob): boolean => job.published === null;
