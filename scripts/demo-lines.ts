import { shellWord } from '../src/core/shell.ts';

const PLATFORMS = ['linux/amd64', 'linux/arm64'];

interface Demo {
  /** As podman takes it, relative to the checkout. */
  readonly destination: string;
  readonly command: readonly string[];
  /** Settings of containers that podman needs on this machine; usually none. */
  readonly conf: string | undefined;
  /** The checkout, where whoever reads this is not in it. */
  readonly folder: string | undefined;
}

/** What the demo says at its end: the lines to paste, one for each platform. */
export const runLines = ({ destination, command, conf, folder }: Demo): string[] => [
  `\nThe image is at ${destination}. Run it for each platform:`,
  ...(folder === undefined ? [] : [`  cd ${shellWord(folder)}`]),
  ...PLATFORMS.map((platform) => {
    const args = ['run', '--rm', '--platform', platform, destination, ...command];
    return `  ${conf === undefined ? '' : `CONTAINERS_CONF=${shellWord(conf)} `}podman ${args.map(shellWord).join(' ')}`;
  }),
];
