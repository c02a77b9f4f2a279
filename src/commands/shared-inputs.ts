import { flag, lines, path, secret, text } from '../host/fields.ts';
import { loginInputs } from './logins.ts';
import { parsePlace } from './naming.ts';
import { oidcInputs } from './oidc.ts';
import { parseCreated } from './origin.ts';

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
  allowImportFromDerivation: flag({
    description:
      'Build what an evaluation imports (import from derivation, as `callCabal2nix` and haskell.nix do); by default, such images are refused.',
  }),
  requireLock: flag({
    description: 'Fail if flake.lock is missing or out of date; by default that is a warning.',
  }),
  store: text({
    description:
      "Nix store that images are built in and read from, such as `ssh-ng://HOST` or `local?root=DIR`; Default: Nix's own settings.",
    placeholder: 'URL',
  }),
  evalStore: text({
    description:
      'Nix store that evaluations write to. Default: `store`, or `auto`, the one of this machine, where `store` is on another.',
    placeholder: 'URL',
  }),
  builders: text({
    description:
      "Machines that Nix may build on, as Nix's setting of that name takes them: `ssh-ng://HOST aarch64-linux`, or `@FILE`.",
    placeholder: 'BUILDERS',
  }),
} as const;

/** Input of every command that looks for all images of a flake. */
export const variantInputs = {
  nixosVariants: lines({
    description:
      'Variant of `config.system.build.images` to list for every NixOS configuration, such as `amazon`. Default: none.',
    placeholder: 'VARIANT',
  }),
} as const;

/** Inputs of every command that talks to registries. */
export const registryInputs = {
  ...loginInputs,
  ...oidcInputs,
  plainHttp: lines({
    description: 'Host of a registry that is spoken to without TLS; loopback addresses need not be named.',
    placeholder: 'HOST',
  }),
  token: secret({
    description: 'Token for ghcr.io, and no other registry, used where nothing else is a login for it.',
    faces: 'action',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: GitHub fills it in, not JavaScript.
    actionDefault: '${{ github.token }}',
  }),
} as const;

/** The image that a command reads. */
export const imageReference = text({
  description:
    'The image: `docker://REFERENCE` or a plain reference, `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`, `docker-archive:FILE[:REFERENCE]`.',
  placeholder: 'REF',
  positional: true,
  required: true,
  parse: parsePlace,
});

/** Input of every command that makes or sends layers. */
export const timingsInput = {
  timings: path({
    description:
      'File that gets the times of each step, program, layer and request, as a trace that ui.perfetto.dev and the developer tools of Chrome open (docs/timings.md).',
    placeholder: 'FILE',
  }),
} as const;

/** Inputs of every command that makes layers. */
export const reuseInputs = {
  reuse: flag({
    description:
      'Reuse layers of the image under the tag that is about to move where their content is the same, without reading or sending them.',
    default: true,
  }),
  reuseFrom: lines({
    description: 'Further image whose layers may be reused. Never name one that a pull request can write.',
    placeholder: 'REF',
    parse: parsePlace,
  }),
  recompress: flag({
    description: 'Make all layers again, but keep their plan and check that their content is the same.',
  }),
  created: text({
    description:
      'Time that images get which are made now: such as `2026-01-31T12:00:00Z`, seconds since 1970, or `commit` for that of the ' +
      'last commit. Default: SOURCE_DATE_EPOCH, or 1970; a definition with `created` keeps its own.',
    placeholder: 'TIME',
    parse: parseCreated,
  }),
  runAnnotations: flag({
    description:
      'Let images that are made now name the repository, commit, version and time of the run in their annotations ' +
      '(`org.opencontainers.image.*`). An unchanged image keeps those of the run that made it.',
    default: true,
    faces: 'action',
  }),
} as const;
