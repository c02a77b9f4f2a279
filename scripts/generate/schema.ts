import { z } from 'zod';
import { definitionSchema, SCHEMA_VERSION } from '../../src/definition/definition.ts';
import { diskDefinitionSchema } from '../../src/definition/disk-definition.ts';
import { PLAN_VERSION, planSchema } from '../../src/plan/plan.ts';
import { renderJson } from './json.ts';

const render = (schema: z.ZodType, name: string, version: number, title: string): string => {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return renderJson({ $schema, $id: `urn:nix-images:${name}:v${version}`, title, ...rest });
};

/** The JSON schema of what `mkImage` evaluates to: `io: input`, so that fields with a default may be left out. */
export const renderDefinitionSchema = (): string =>
  render(definitionSchema, 'image-definition', SCHEMA_VERSION, 'Image definition');

/** The same of `mkDisk`. */
export const renderDiskSchema = (): string =>
  render(diskDefinitionSchema, 'disk-definition', SCHEMA_VERSION, 'Disk definition');

/** The JSON schema of what `plan` prints. */
export const renderPlanSchema = (): string => render(planSchema, 'plan', PLAN_VERSION, 'Plan');
