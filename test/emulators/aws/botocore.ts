import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { botocoreModels } from '../../../scripts/setup/python-tools.mjs';
import type { Service } from './model.ts';
import type { Shape } from './shapes.ts';

/** A shape of botocore's, as far as it is compared. */
interface BotocoreShape {
  readonly type: string;
  readonly members?: Readonly<Record<string, { readonly shape: string }>>;
  readonly required?: readonly string[];
  readonly member?: { readonly shape: string };
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly min?: number;
  readonly max?: number;
}

/** A service's model in botocore (`service-2.json`), as far as it is compared. */
export interface BotocoreModel {
  readonly metadata: {
    readonly targetPrefix: string;
    readonly signingName?: string;
    readonly endpointPrefix: string;
    readonly jsonVersion: string;
  };
  readonly operations: Readonly<
    Record<string, { readonly input: { readonly shape: string }; readonly output: { readonly shape: string } }>
  >;
  readonly shapes: Readonly<Record<string, BotocoreShape>>;
}

/** The newest model of a service in botocore, as set-up has fetched it. */
export async function readBotocoreModel(service: string): Promise<BotocoreModel> {
  const folder = botocoreModels(service);
  const versions = (await readdir(folder)).sort();
  const packed = await readFile(join(folder, versions.at(-1) ?? '', 'service-2.json.gz'));
  return JSON.parse(gunzipSync(packed).toString('utf8')) as BotocoreModel;
}

/** Names of botocore's types, by those of the shapes here. */
const TYPES: Readonly<Record<Shape['type'], readonly string[]>> = {
  string: ['string'],
  blob: ['blob'],
  boolean: ['boolean'],
  number: ['integer', 'long'],
  timestamp: ['timestamp'],
  list: ['list'],
  structure: ['structure'],
};

const sameSet = (a: readonly string[] = [], b: readonly string[] = []): boolean =>
  JSON.stringify([...a].sort()) === JSON.stringify([...b].sort());

/** Limits of the shape here, under botocore's names; what stands nowhere is undefined in both. */
const limitsOf = (shape: Shape): Pick<BotocoreShape, 'min' | 'max' | 'pattern'> => ({
  ...('min' in shape ? { min: shape.min } : {}),
  ...('max' in shape ? { max: shape.max } : {}),
  ...('pattern' in shape && shape.pattern ? { pattern: shape.pattern.source } : {}),
});

/** All patterns mean the whole of a text, whether they say so or not; some escape slashes. */
const plain = <T>(limit: T): T | string =>
  typeof limit === 'string' ? limit.replaceAll('\\/', '/').replace(/^\^(.*)\$$/, '$1') : limit;

/** Zero as the least is what no limit means. */
const isSameLimit = (name: string, own: unknown, theirs: unknown): boolean =>
  name === 'min' ? (own ?? 0) === (theirs ?? 0) : plain(own) === plain(theirs);

/** Where a shape here says something else than botocore's; members that are left out here are no difference. */
function compareShape(own: Shape, name: string, { shapes }: BotocoreModel, at: string): string[] {
  const theirs = shapes[name];
  if (theirs === undefined) return [`${at}: botocore has no shape ${name}`];
  if (!TYPES[own.type].includes(theirs.type)) return [`${at}: ${own.type}, not ${theirs.type}`];
  const limits = limitsOf(own);
  const found = (['min', 'max', 'pattern'] as const)
    .filter((name) => !isSameLimit(name, limits[name], theirs[name]))
    .map((name) => `${at}: ${name} ${limits[name]}, not ${theirs[name]}`);
  if (own.type === 'string' && !sameSet(own.values, theirs.enum)) found.push(`${at}: values`);
  if (own.type === 'list')
    found.push(...compareShape(own.of, theirs.member?.shape ?? '', { shapes } as BotocoreModel, `${at}[]`));
  if (own.type !== 'structure') return found;
  if (!sameSet(own.required, theirs.required)) found.push(`${at}: required ${own.required}, not ${theirs.required}`);
  for (const [member, shape] of Object.entries(own.members)) {
    const other = theirs.members?.[member];
    if (other === undefined) found.push(`${at}.${member}: not in botocore`);
    else found.push(...compareShape(shape, other.shape, { shapes } as BotocoreModel, `${at}.${member}`));
  }
  return found;
}

/** Where the emulator's model of a service says something else than botocore's. */
export function differences({ target, signingName, operations }: Service, model: BotocoreModel): string[] {
  const { metadata } = model;
  return [
    ...(metadata.targetPrefix === target ? [] : [`target ${target}, not ${metadata.targetPrefix}`]),
    ...((metadata.signingName ?? metadata.endpointPrefix) === signingName ? [] : [`signing name ${signingName}`]),
    ...(metadata.jsonVersion === '1.1' ? [] : [`JSON ${metadata.jsonVersion}`]),
    ...Object.entries(operations).flatMap(([name, { input, output }]) => {
      const theirs = model.operations[name];
      if (theirs === undefined) return [`${name}: not in botocore`];
      return [
        ...compareShape(input, theirs.input.shape, model, `${name} input`),
        ...compareShape(output, theirs.output.shape, model, `${name} output`),
      ];
    }),
  ];
}
