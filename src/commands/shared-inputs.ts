import { lines, path, secret, text } from '../host/fields.ts';

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
  token: secret({
    description: "Token for ghcr.io, used where docker's and podman's files know no login for it.",
    faces: 'action',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: GitHub fills it in, not JavaScript.
    actionDefault: '${{ github.token }}',
  }),
} as const;
