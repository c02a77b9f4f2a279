import type { Command } from '../../src/host/command.ts';
import { type Field, type FieldMeta, fieldDescription, fieldMeta } from '../../src/host/fields.ts';
import { kebab } from '../../src/host/names.ts';
import { wrap } from '../../src/host/wrap.ts';
import { ACTION_EXAMPLES } from './examples.ts';
import { type FieldRow, renderFieldTable, WIDTH } from './field-table.ts';
import { code, renderTable } from './markdown.ts';
import { renderYaml, type Yaml } from './yaml.ts';

/** The stub beside action.yml. `.mjs`, for a release has no package.json above it that says what `.js` is. */
const ENTRY = 'main.mjs';

/** The stub of an action's post step. */
const POST_ENTRY = 'post.mjs';

/** First line of a generated action.yml; an action written by hand (a composite one) does not have it. */
export const GENERATED_NOTE = '# Generated from the command by `npm run generate`. Do not edit.\n';

/** Marketplace and logs list actions by this name. */
const actionName = (command: Command): string => `nix-images ${command.name}`;

const actionFields = (command: Command): (readonly [string, Field, FieldMeta])[] =>
  Object.entries(command.inputs)
    .map(([name, field]) => [name, field, fieldMeta(field)] as const)
    .filter(([, , meta]) => meta.faces !== 'cli');

const hints = (meta: FieldMeta): string[] => [
  ...(meta.repeatable ? ['One per line.'] : []),
  ...(meta.allowed === undefined ? [] : [`One of: ${meta.allowed.join(', ')}.`]),
];

const describeInput = (field: Field, meta: FieldMeta): string => [fieldDescription(field), ...hints(meta)].join(' ');

const defaultOf = (meta: FieldMeta): string | undefined =>
  meta.actionDefault ?? (meta.fallback.length > 0 ? meta.fallback.join('\n') : undefined);

const inputEntry = (field: Field, meta: FieldMeta): Yaml => {
  const fallback = defaultOf(meta);
  return {
    description: describeInput(field, meta),
    required: meta.required && fallback === undefined,
    ...(fallback === undefined ? {} : { default: fallback }),
  };
};

/** The section `inputs` of action.yml. */
export const actionInputs = (command: Command): Readonly<Record<string, Yaml>> =>
  Object.fromEntries(actionFields(command).map(([name, field, meta]) => [kebab(name), inputEntry(field, meta)]));

/** The section `outputs` of action.yml. */
export const actionOutputs = (command: Command): Readonly<Record<string, { readonly description: string }>> =>
  Object.fromEntries(Object.entries(command.outputs).map(([name, description]) => [kebab(name), { description }]));

/** `actions/NAME/action.yml`: GitHub's metadata syntax for JavaScript actions. */
export const renderActionYaml = (command: Command): string => {
  const inputs = actionInputs(command);
  const outputs = actionOutputs(command);
  const sections = {
    name: actionName(command),
    description: command.summary,
    ...(Object.keys(inputs).length === 0 ? {} : { inputs }),
    ...(Object.keys(outputs).length === 0 ? {} : { outputs }),
    runs: { using: 'node24', main: ENTRY, ...(command.post === undefined ? {} : { post: POST_ENTRY }) },
  };
  return GENERATED_NOTE + renderYaml(sections);
};

const renderStub = (word: string): string =>
  `${GENERATED_NOTE.replace('#', '//')}process.argv.splice(2, 0, '${word}');\nawait import('../dist/index.js');\n`;

/**
 * The stubs of an action by their names: the same files on main and in a release. A release has the program in `dist/`; on main,
 * `actions/dist/` stands there and says that main is not for use.
 */
export const renderActionEntries = ({ name, post }: Command): Readonly<Record<string, string>> => ({
  [ENTRY]: renderStub(`--action=${name}`),
  ...(post === undefined ? {} : { [POST_ENTRY]: renderStub(`--post-action=${name}`) }),
});

/** What a workflow writes for it. */
const TYPES: Readonly<Record<FieldMeta['kind'], string>> = {
  text: 'text',
  lines: 'lines',
  choice: 'choice',
  flag: 'true or false',
  path: 'path',
  secret: 'secret',
  integer: 'number',
};

const inputRow = (name: string, field: Field, meta: FieldMeta): FieldRow => {
  const fallback = defaultOf(meta);
  const shown = fallback === undefined ? '' : code(fallback.replaceAll('\n', ', '));
  return {
    name: kebab(name),
    type: TYPES[meta.kind],
    fallback: meta.required && fallback === undefined ? 'required' : shown,
    description: describeInput(field, meta),
  };
};

/** `actions/NAME/README.md`: an example, and tables of all inputs and outputs. */
export const renderActionReadme = (command: Command): string => {
  const inputs = actionFields(command).map(([name, field, meta]) => inputRow(name, field, meta));
  const outputs = Object.entries(command.outputs).map(([name, description]) => ({ name: kebab(name), description }));
  const example = ACTION_EXAMPLES[command.name];
  const parts = [
    '<!-- Generated from the command by `npm run generate`. Do not edit. -->',
    `# ${actionName(command)}`,
    command.summary,
    ...(example === undefined ? [] : [`\`\`\`yaml steps\n${example.trim()}\n\`\`\``]),
    wrap(command.description ?? '', WIDTH).join('\n'),
    ...(inputs.length === 0
      ? []
      : ['## Inputs', renderFieldTable(['Input', 'Type', 'Default', 'What it is'], inputs).trim()]),
    ...(outputs.length === 0 ? [] : ['## Outputs', renderFieldTable(['Output', 'What it is'], outputs).trim()]),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
};

/** The table of commands for the project's README. */
export const renderCommandTable = (commands: readonly Command[]): string =>
  renderTable(
    ['Command', 'Action', 'What it does'],
    commands.map(({ name, faces, summary }) => [
      code(`nix-images ${name}`),
      faces === 'cli' ? '' : `[${name}](actions/${name}/README.md)`,
      summary,
    ]),
  );
