import type { Command } from '../../src/host/command.ts';
import { renderCommandHelp, renderProgramHelp } from '../../src/host/help.ts';
import { COMMAND_EXAMPLES } from './examples.ts';

/** Fits the column of a rendered page. */
const WIDTH = 90;

const block = (kind: string, text: string): string => `\`\`\`${kind}\n${text.trim()}\n\`\`\``;

const exampleOf = ({ name }: Command): string[] => {
  const example = COMMAND_EXAMPLES[name];
  return example === undefined ? [] : [block('sh', example)];
};

/** `docs/cli.md`: what `--help` prints, of the program and of each command, each below an example. */
export const renderCliPage = (commands: readonly Command[]): string => {
  const parts = [
    '<!-- Generated from the commands by `npm run generate`. Do not edit. -->',
    '# The command line',
    'The program is started with `nix run github:org/nix-images/v1 -- COMMAND`, or with `npx nix-images COMMAND` where there is Node 24. ' +
      '`nix-images completion bash` (or `zsh`, `fish`) prints a script that completes its words.',
    block('text', renderProgramHelp(commands, WIDTH)),
    ...commands.flatMap((command) => [
      `## ${command.name}`,
      ...exampleOf(command),
      block('text', renderCommandHelp(command, WIDTH)),
    ]),
  ];
  return `${parts.join('\n\n')}\n`;
};
