import { z } from 'zod';
import { definitionSchema, SCHEMA_VERSION } from '../../src/image/definition.ts';
import { renderJson } from './json.ts';

/** The JSON schema of what `mkImage` evaluates to: `io: input`, so that fields with a default may be left out. */
export const renderDefinitionSchema = (): string => {
  const { $schema, ...schema } = z.toJSONSchema(definitionSchema, { io: 'input' });
  const id = `urn:nix-images:image-definition:v${SCHEMA_VERSION}`;
  return renderJson({ $schema, $id: id, title: 'Image definition', ...schema });
};
