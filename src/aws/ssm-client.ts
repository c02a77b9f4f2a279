import {
  DeleteParametersCommand,
  GetParametersCommand,
  PutParameterCommand,
  paginateGetParameterHistory,
  SSMClient,
} from '@aws-sdk/client-ssm';
import { z } from 'zod';
import { UserError } from '../core/error.ts';
import { partsOf } from '../core/parts.ts';
import { clientSettings } from './client-settings.ts';
import { callCloud } from './cloud-failure.ts';
import type { AwsWorld } from './ecr-api.ts';
import { readAnswer } from './read-answer.ts';
import { isRefused } from './refusal.ts';
import type { ParameterRecord, SsmApi } from './ssm-api.ts';

/** Names in one question (SSM API reference, GetParameters). */
const BATCH = 10;

const parameterSchema = z
  .object({
    Name: z.string(),
    Value: z.string(),
    Version: z.int(),
    DataType: z.string().default('text'),
    Description: z.string().optional(),
    LastModifiedDate: z.date().optional(),
  })
  .transform((parameter) => ({
    name: parameter.Name,
    value: parameter.Value,
    version: parameter.Version,
    dataType: parameter.DataType,
    description: parameter.Description,
    time: parameter.LastModifiedDate?.getTime(),
  }));

const read = (list: unknown): ({ readonly name: string } & ParameterRecord)[] =>
  readAnswer(z.array(parameterSchema), list ?? [], 'the list of parameters of Systems Manager');

/** Systems Manager in one region (API version 2014-11-06). */
export function openSsm(world: AwsWorld, region: string): SsmApi {
  const client = new SSMClient(clientSettings(world, 'SSM', region));
  const { signal } = world;
  const call = <T>(verb: string, what: string, work: () => Promise<T>): Promise<T> =>
    callCloud({ action: `ssm:${verb}`, what, region, signal }, work);
  return {
    parameters: (names) =>
      call('GetParameters', `cannot read ${names.join(', ')}`, async () => {
        const found = new Map<string, ParameterRecord>();
        for (const Names of partsOf(names, BATCH)) {
          const answer = await client.send(new GetParametersCommand({ Names }));
          for (const { name, ...parameter } of read(answer.Parameters)) found.set(name, parameter);
        }
        return found;
      }),
    history: async (name) => {
      const values: ParameterRecord[] = [];
      try {
        await call('GetParameterHistory', `cannot read the history of ${name}`, async () => {
          for await (const page of paginateGetParameterHistory({ client }, { Name: name }))
            values.push(...read(page.Parameters));
        });
      } catch (error) {
        if (!isRefused(error, 'ParameterNotFound')) throw error;
      }
      return values.toSorted((a, b) => b.version - a.version);
    },
    putImage: (name, imageId, description) =>
      call('PutParameter', `cannot store ${imageId} in ${name}`, async () => {
        const input = {
          Name: name,
          Value: imageId,
          Type: 'String',
          DataType: 'aws:ec2:image',
          Overwrite: true,
          ...(description === undefined ? {} : { Description: description }),
        } as const;
        const { Version } = await client.send(new PutParameterCommand(input));
        if (Version !== undefined) return Version;
        throw new UserError('aws', `cannot store ${imageId} in ${name}: the answer of AWS names no version`, {
          hint: 'Run again.',
        });
      }),
    remove: async (name) => {
      // The plural form tells of a name that is not there instead of failing.
      const { DeletedParameters } = await call('DeleteParameters', `cannot delete ${name}`, () =>
        client.send(new DeleteParametersCommand({ Names: [name] })),
      );
      return DeletedParameters?.includes(name) === true;
    },
  };
}
