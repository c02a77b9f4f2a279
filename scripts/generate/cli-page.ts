import type { Command } from '../../src/host/command.ts';
import { renderCommandHelp, renderProgramHelp } from '../../src/host/help.ts';

/** Fits the column of a rendered page. */
const WIDTH = 90;

const block = (text: string): string => `\`\`\`text\n${text.trimEnd()}\n\`\`\``;

/** `docs/cli.md`: what `--help` prints, of the program and of each command. */
export const renderCliPage = (commands: readonly Command[]): string => {
  const parts = [
    '<!-- Generated from the commands by `npm run generate`. Do not edit. -->',
    '# The command line',
    block(renderProgramHelp(commands, WIDTH)),
    ...commands.flatMap((command) => [`## ${command.name}`, block(renderCommandHelp(command, WIDTH))]),
  ];
  return `${parts.join('\n\n')}\n`;
};
