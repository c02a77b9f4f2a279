import { z } from 'zod';
import { UserError } from '../core/error.ts';
import { digestSchema } from '../oci/digest-schema.ts';
import { BOOT_MODES } from '../oci/disk-artifact.ts';
import { systemSchema } from '../oci/system.ts';

/** What is asked for: which disks become AMIs, where, and who may use them. */

const GIB = 1024 ** 3;

/** GiB of the largest volume (EBS user guide, gp3). */
const MOST_GIB = 65_536;

const regionSchema = z.string().regex(/^[a-z]{2,4}(?:-[a-z]+){1,3}-\d{1,2}$/, 'expected a region such as eu-central-1');

const accountSchema = z.string().regex(/^\d{12}$/, 'expected the 12 digits of an account');

const organizationSchema = z
  .string()
  .regex(
    /^arn:aws[a-z-]*:organizations::\d{12}:organization\/o-[a-z0-9]{10,32}$/,
    'expected the ARN of an organization',
  );

const unitSchema = z
  .string()
  .regex(
    /^arn:aws[a-z-]*:organizations::\d{12}:ou\/o-[a-z0-9]{10,32}\/ou-[a-z0-9-]{10,68}$/,
    'expected the ARN of an organizational unit',
  );

const diskSchema = z
  .strictObject({
    image: z.string().min(1).describe('Name of the image, as in team/server.'),
    system: systemSchema,
    version: z.string().min(1).max(128),
    identity: digestSchema.describe('What tells this disk from every other: the digest over its blocks.'),
    bytes: z
      .int()
      .positive()
      .refine((bytes) => bytes % GIB === 0, 'expected whole GiB')
      .refine((bytes) => bytes <= MOST_GIB * GIB, `expected ${MOST_GIB} GiB at most`),
    dataBytes: z.int().min(0).describe('Bytes of the blocks that are not all zeros.'),
    bootMode: z.enum(BOOT_MODES).default('uefi'),
    tpm: z.boolean().default(false),
    uefiData: z.base64().max(65_536).optional(),
  })
  // EC2 refuses a TPM with uefi-preferred, and it does so after the upload (flatcar/mantle 582).
  .refine(({ tpm, bootMode }) => !tpm || bootMode === 'uefi', {
    path: ['tpm'],
    error: 'a TPM needs the boot mode uefi',
  })
  .refine(({ system, bootMode }) => system === 'x86_64-linux' || bootMode === 'uefi', {
    path: ['bootMode'],
    error: 'machines of aarch64-linux boot by uefi alone',
  });

const sharingSchema = z
  .strictObject({
    public: z.boolean().default(false),
    accounts: z.array(accountSchema).max(1000).default([]),
    organizations: z.array(organizationSchema).default([]),
    units: z.array(unitSchema).default([]),
  })
  .prefault({});

/** Names of parameters (SSM API reference, PutParameter); `{image}` and `{system}` are replaced. */
const parameterNameSchema = z
  .string()
  .regex(/^\/?(?:[A-Za-z0-9_.-]|\{(?:image|system|arch)\})+(?:\/(?:[A-Za-z0-9_.-]|\{(?:image|system|arch)\})+)*$/, {
    error: 'expected the name of a parameter such as /images/{image}/{arch}/latest',
  })
  .refine((name) => name.startsWith('/') || !name.includes('/'), 'a name of several parts begins with a slash')
  .refine((name) => !/^\/?(?:aws|ssm)/i.test(name), 'names that begin with aws or ssm belong to AWS');

/** Reads the name of a parameter, with `{image}`, `{system}` and `{arch}` in it. Throws UserError `input`. */
export function parseParameterName(text: string): string {
  const result = parameterNameSchema.safeParse(text);
  if (result.success) return result.data;
  throw new UserError(
    'input',
    `${JSON.stringify(text)} is not a valid name of a parameter: ${z.prettifyError(result.error)}`,
    {
      hint: 'Write it as /images/{image}/{arch}/stable.',
    },
  );
}

/** Days; EC2 takes ten years at most, and two for what is public (EC2 user guide, "Deprecate an AMI"). */
const daysSchema = z.int().min(1).max(3650);

const MOST_PUBLIC_DAYS = 730;

const wantedSchema = z
  .strictObject({
    disks: z.array(diskSchema).min(1, 'expected at least one disk'),
    regions: z.strictObject({
      required: z
        .array(regionSchema)
        .min(1, 'expected at least one region')
        .describe('All of them or none: the disk is uploaded to the first.'),
      bestEffort: z.array(regionSchema).default([]).describe('Regions that may fail alone.'),
    }),
    sharing: sharingSchema,
    shareSnapshots: z
      .boolean()
      .default(true)
      .describe('Whether who may use the AMI may use its snapshots, to copy it.'),
    kmsKeys: z.record(regionSchema, z.string().min(1)).default({}).describe('Key that encrypts, by region.'),
    parameters: z.array(parameterNameSchema).default([]).describe('Parameters that point to the AMI, in each region.'),
    name: z.string().min(1).default('{image}-{version}-{arch}-{content}'),
    description: z.string().max(255).default('{image} {version} for {system}'),
    deprecateAfterDays: daysSchema.nullable().default(null),
    protection: z.enum(['off', 'on', 'with-cooldown']).default('off'),
    smokeTest: z.boolean().default(false),
    upload: z.enum(['ebs-direct', 's3']).default('ebs-direct').describe('How disks get to the first region.'),
    copyMinutes: z
      .int()
      .min(15)
      .max(2880)
      // CopyImage (EC2 API reference): "in 15 minute increments"; it refuses others after the upload.
      .refine((minutes) => minutes % 15 === 0, 'copies can be timed in steps of 15 minutes')
      .nullable()
      .default(null)
      .describe('Minutes that a copy takes at most, for a price.'),
    accounts: z.array(accountSchema).default([]).describe('Accounts that may be deployed to. Default: any.'),
    publicQuota: z.int().min(0).default(5).describe('Public AMIs that the account may have in a region.'),
  })
  .superRefine((wanted, context) => {
    const problem = (path: (string | number)[], message: string): void =>
      context.addIssue({ code: 'custom', path, message });
    const { disks, regions, sharing, kmsKeys, deprecateAfterDays } = wanted;
    const all = [...regions.required, ...regions.bestEffort];
    for (const [at, region] of all.entries())
      if (all.indexOf(region) !== at) problem(['regions'], `${region} is named twice`);
    for (const region of Object.keys(kmsKeys))
      if (!all.includes(region)) problem(['kmsKeys', region], 'a key for a region that is not deployed to');
    if (sharing.public && Object.keys(kmsKeys).length > 0)
      problem(['sharing', 'public'], 'an encrypted AMI cannot be public: leave out kmsKeys or public');
    if (sharing.public && (deprecateAfterDays ?? 0) > MOST_PUBLIC_DAYS)
      problem(['deprecateAfterDays'], `a public AMI is deprecated after ${MOST_PUBLIC_DAYS} days at most`);
    const twice = disks.filter(
      (disk, at) => disks.findIndex(({ image, system }) => image === disk.image && system === disk.system) !== at,
    );
    for (const { image, system } of twice) problem(['disks'], `two disks of ${image} for ${system}`);
    const pointers = wanted.parameters.some((name) => !/\{(?:system|arch)\}/.test(name));
    const systems = new Set(disks.map(({ system }) => system));
    if (pointers && systems.size > 1)
      problem(
        ['parameters'],
        'with several systems a name needs {system} or {arch}, or they would overwrite each other',
      );
    const images = new Set(disks.map(({ image }) => image));
    if (images.size > 1 && wanted.parameters.some((name) => !name.includes('{image}')))
      problem(['parameters'], 'with several images a name needs {image}, or they would overwrite each other');
    for (const region of all)
      if (partitionOf(region) !== partitionOf(regions.required[0] ?? region))
        problem(
          ['regions'],
          `${region} is in ${partitionOf(region)}, and AMIs are not copied there from ${partitionOf(regions.required[0] ?? '')}: deploy to each in a run of its own`,
        );
  });

export type Wanted = z.output<typeof wantedSchema>;
export type WantedDisk = Wanted['disks'][number];

const PARTITIONS: readonly (readonly [RegExp, string])[] = [
  [/^us-gov-/, 'aws-us-gov'],
  [/^cn-/, 'aws-cn'],
  [/^eusc-/, 'aws-eusc'],
  [/^us-iso-/, 'aws-iso'],
  [/^us-isob-/, 'aws-iso-b'],
  [/^eu-isoe-/, 'aws-iso-e'],
  [/^us-isof-/, 'aws-iso-f'],
];

/** The part of AWS, with accounts of its own, that a region is in. */
export const partitionOf = (region: string): string =>
  PARTITIONS.find(([pattern]) => pattern.test(region))?.[1] ?? 'aws';

/** Characters of a value that an error shows. */
const SHOWN = 100;

/** Checks what is asked for. Throws UserError `input` that names every field that is wrong. */
export function parseWanted(value: unknown): Wanted {
  const result = wantedSchema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => {
    const given = path.reduce((one: unknown, key) => (one as Readonly<Record<PropertyKey, unknown>>)?.[key], value);
    const shown =
      typeof given === 'string' || typeof given === 'number' ? ` ${JSON.stringify(given).slice(0, SHOWN)}` : '';
    return `${path.join('.')}${shown}: ${message}`;
  });
  const [first = ''] = problems;
  const said = problems.length === 1 ? ` ${first}` : problems.map((problem) => `\n  ${problem}`).join('');
  throw new UserError('input', `the AMIs that are asked for are not valid:${said}`, {
    hint: 'Correct what is named.',
  });
}

/** All regions, the one that is uploaded to first. */
export const regionsOf = ({ regions }: Wanted): readonly string[] => [...regions.required, ...regions.bestEffort];

/** The region that the disks are uploaded to. */
export const homeOf = ({ regions }: Wanted): string => regions.required[0] ?? '';

export const mayFail = ({ regions }: Wanted, region: string): boolean => regions.bestEffort.includes(region);
