import type { Command } from '../../src/host/command.ts';
import { actionInputs, actionOutputs } from './action.ts';
import { renderYaml } from './yaml.ts';

const NOTE =
  '# Generated from the command publish by `npm run generate`. Do not edit. Stands at the top of a release as action.yml.\n';

/** Indented below `steps:`; the list is the one shape that renderYaml does not know. */
const renderStep = (names: readonly string[]): string => {
  const inputs = Object.fromEntries(names.map((name) => [name, `\${{ inputs.${name} }}`]));
  const text = renderYaml({ id: 'publish', uses: '$/publish', with: inputs }, '      ');
  return text.replace(/^ {6}/, '    - ');
};

/**
 * `actions/root/action.yml`: what `uses: org/nix-images@v1` is, a composite action that hands everything to `publish`,
 * which builds what no build job has handed over. So one step on one machine is the whole job.
 */
export const renderRootAction = (publish: Command): string => {
  const inputs = actionInputs(publish);
  const outputs = Object.entries(actionOutputs(publish)).map(([name, output]) => [
    name,
    { ...output, value: `\${{ steps.publish.outputs.${name} }}` },
  ]);
  const head = { name: 'nix-images', description: publish.summary, inputs, outputs: Object.fromEntries(outputs) };
  return `${NOTE}${renderYaml(head)}runs:\n  using: "composite"\n  steps:\n${renderStep(Object.keys(inputs))}`;
};
