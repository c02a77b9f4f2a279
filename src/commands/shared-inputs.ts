import { lines, path, text } from '../host/fields.ts';

/** Inputs of every command that evaluates with Nix. */
export const nixInputs = {
  file: path({
    description: 'Nix file to evaluate instead of a flake; `attr` chooses in it. It may be a function of `system`.',
    placeholder: 'FILE',
    short: 'f',
  }),
  attr: text({ description: 'Attribute of `file` that is the image.', placeholder: 'ATTR', short: 'A' }),
  nixArg: lines({
    description: 'One more argument for each evaluation by Nix; several are given one by one.',
    placeholder: 'ARG',
  }),
} as const;

/** Inputs of every command that talks to registries. */
export const registryInputs = {
  plainHttp: lines({
    description: 'Host of a registry that is spoken to without TLS; loopback addresses always are.',
    placeholder: 'HOST',
  }),
} as const;
