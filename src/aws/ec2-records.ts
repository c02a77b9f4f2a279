import { z } from 'zod';
import type { AmiRecord, RegionRecord, Sharing, SnapshotRecord } from './ec2-api.ts';
import { readAnswer } from './read-answer.ts';

/**
 * What EC2 says, as far as it is asked for. AWS's clients check nothing: a proxy or an emulator of another version would leave out
 * what decisions rest upon.
 */

export const tagsSchema = z
  .array(z.object({ Key: z.string(), Value: z.string().default('') }))
  .default([])
  .transform((list) => new Map(list.map(({ Key, Value }) => [Key, Value])));

const ids = z.array(z.object({ Ebs: z.object({ SnapshotId: z.string().optional() }).optional() })).default([]);

const GIB = 1024 ** 3;

/** RFC 3339 text to milliseconds since 1970. */
const timeSchema = z
  .string()
  .transform((text) => Date.parse(text))
  .refine((time) => !Number.isNaN(time), 'expected a time');

const imageSchema = z
  .object({
    ImageId: z.string(),
    Name: z.string().default(''),
    State: z.string(),
    StateReason: z.object({ Code: z.string().optional(), Message: z.string().optional() }).optional(),
    Public: z.boolean().default(false),
    CreationDate: timeSchema.optional(),
    DeprecationTime: timeSchema.optional(),
    LastLaunchedTime: timeSchema.optional(),
    DeregistrationProtection: z.string().optional(),
    BlockDeviceMappings: ids,
    Tags: tagsSchema,
  })
  .transform(
    (image): AmiRecord => ({
      id: image.ImageId,
      name: image.Name,
      state: image.State,
      reason: image.StateReason?.Message ?? image.StateReason?.Code,
      isPublic: image.Public,
      created: image.CreationDate,
      deprecated: image.DeprecationTime,
      launched: image.LastLaunchedTime,
      // `enabled-with-cooldown` and `enabled`; after the end of a cool-down it says until when.
      isProtected: image.DeregistrationProtection?.startsWith('enabled') ?? false,
      snapshots: image.BlockDeviceMappings.flatMap(({ Ebs }) => Ebs?.SnapshotId ?? []),
      tags: image.Tags,
    }),
  );

const snapshotSchema = z
  .object({
    SnapshotId: z.string(),
    State: z.string(),
    StateMessage: z.string().optional(),
    Encrypted: z.boolean().default(false),
    StartTime: z.date().optional(),
    VolumeSize: z.number().min(0).default(0),
    FullSnapshotSizeInBytes: z.number().min(0).optional(),
    Tags: tagsSchema,
  })
  .transform(
    (snapshot): SnapshotRecord => ({
      id: snapshot.SnapshotId,
      state: snapshot.State,
      reason: snapshot.StateMessage === '' ? undefined : snapshot.StateMessage,
      isEncrypted: snapshot.Encrypted,
      started: snapshot.StartTime?.getTime(),
      bytes: snapshot.FullSnapshotSizeInBytes ?? snapshot.VolumeSize * GIB,
      tags: snapshot.Tags,
    }),
  );

const regionSchema = z
  .object({ RegionName: z.string(), OptInStatus: z.string().default('opt-in-not-required') })
  .transform((region): RegionRecord => ({ name: region.RegionName, optIn: region.OptInStatus }));

const permissionsSchema = z
  .array(
    z.object({
      Group: z.string().optional(),
      UserId: z.string().optional(),
      OrganizationArn: z.string().optional(),
      OrganizationalUnitArn: z.string().optional(),
    }),
  )
  .default([])
  .transform(
    (list): Sharing => ({
      public: list.some(({ Group }) => Group === 'all'),
      accounts: list.flatMap(({ UserId }) => UserId ?? []),
      organizations: list.flatMap(({ OrganizationArn }) => OrganizationArn ?? []),
      units: list.flatMap(({ OrganizationalUnitArn }) => OrganizationalUnitArn ?? []),
    }),
  );

export const readImages = (value: unknown): AmiRecord[] =>
  readAnswer(z.array(imageSchema), value, 'the answer of DescribeImages');
export const readSnapshots = (value: unknown): SnapshotRecord[] =>
  readAnswer(z.array(snapshotSchema), value, 'the answer of DescribeSnapshots');
export const readRegions = (value: unknown): RegionRecord[] =>
  readAnswer(z.array(regionSchema), value, 'the answer of DescribeRegions');
export const readSharing = (value: unknown): Sharing =>
  readAnswer(permissionsSchema, value, 'the list of permissions of EC2');
