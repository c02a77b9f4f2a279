import type { Command } from '../../src/host/command.ts';
import { actionInputs, actionOutputs } from './action.ts';
import { renderYaml } from './yaml.ts';

const NOTE =
  '# Generated from the command publish by `npm run generate`. Do not edit. Stands at the top of a release as action.yml.\n';

/** What GitHub fills in. */
const expression = (text: string): string => `\${{ ${text} }}`;

const handedOn = (names: readonly string[]) =>
  Object.fromEntries(names.map((name) => [name, expression(`inputs.${name}`)]));

/** Inputs of the action `setup`, as its action.yml has them; other systems are built by emulation unless told otherwise. */
const SETUP_INPUTS = {
  emulate: {
    description: 'System of another kind that is built by emulation; empty where remote builders do it. One per line.',
    required: false,
    default: 'x86_64-linux\naarch64-linux',
  },
  boot: {
    description: "System whose disks are booted, for their tests: GitHub's own runners get QEMU. One per line.",
    required: false,
  },
  'free-space': {
    description:
      "Gibibytes that should be free for /nix/store; GitHub's own runners lose software that no build needs.",
    required: false,
    default: '10',
  },
  'nix-config': {
    description: 'Lines of nix.conf for this and the steps that follow, such as `sandbox = true`.',
    required: false,
  },
  'accept-flake-config': {
    description: 'Accept the settings of flakes (`nixConfig`), including binary caches and their keys.',
    required: false,
    default: 'false',
  },
  substituters: {
    description: 'Binary caches to fetch from, beside those of Nix, such as `https://NAME.cachix.org`. One per line.',
    required: false,
  },
  'trusted-public-keys': {
    description: 'Public keys of binary caches, such as `NAME.cachix.org-1:…`. One per line.',
    required: false,
  },
  'access-tokens': {
    description: 'Tokens for private inputs of flakes, a secret: `github.com=TOKEN`, one per line.',
    required: false,
  },
  netrc: {
    description: 'Logins for private binary caches, a secret: lines of a netrc file, `machine HOST password TOKEN`.',
    required: false,
  },
};

/** Of the action `cache`, which merges what it saves: there is one job. */
const CACHE_INPUTS = {
  cache: {
    description:
      "Take from GitHub's cache what earlier runs built, and save in the end what this one builds (docs/caches.md); `false` for neither.",
    required: false,
    default: 'true',
  },
  'cache-limit': {
    description:
      "Megabytes of everything in GitHub's cache, other tools' entries too; by default nine tenths of what the repository has.",
    required: false,
  },
};

/** What is always so at the top: there are no build jobs. So artifacts of that name are another job's, unless asked for. */
const FIXED = { 'build-missing': 'true' };

/**
 * Inputs of `plan` that have no meaning here: there are no jobs and no matrix, `system` chooses the systems, nothing is compared with what
 * is published (`publish` leaves alone what is live), and disk images go nowhere.
 */
const PLAN_ONLY = ['systems', 'runners', 'changed-since', 'force', 'nixos-variants', 'shared-work', 'max-parallel'];

/** Given to `plan`, what is at the destinations would be asked for twice. */
const PUBLISH_ONLY = [
  ...['to', 'tags', 'file', 'attr'],
  ...['registry', 'username', 'password', 'registry-auth', 'plain-http', 'token'],
  ...['aws-role', 'google-provider', 'google-service-account', 'docker-hub-connection'],
];

/** Where nothing says what to publish, every image of the repository's flake is, or those that `images` chooses. */
const planStep = (inputs: readonly string[]) => ({
  id: 'plan',
  if: expression('!inputs.installable && !inputs.file && !inputs.from && !inputs.plan'),
  uses: '$/plan',
  with: {
    ...handedOn(inputs.filter((name) => !PUBLISH_ONLY.includes(name))),
    systems: expression('inputs.system'),
  },
});

/** Indented below `steps:`; the list is the one shape that renderYaml does not know. */
const renderStep = (step: Parameters<typeof renderYaml>[0]): string =>
  renderYaml(step, '      ').replace(/^ {6}/, '    - ');

/**
 * `actions/root/action.yml`: what `uses: org/nix-images@v1` is, a composite action that makes the machine ready, finds the
 * images unless they are named, and hands the rest to `publish`, which builds what no build job has handed over. So one
 * step on one machine is the whole job.
 */
export const renderRootAction = (publish: Command, planning: Command): string => {
  const { 'build-missing': _fixed, ...published } = actionInputs(publish);
  const found = Object.fromEntries(
    Object.entries(actionInputs(planning)).filter(([name]) => !PLAN_ONLY.includes(name)),
  );
  const { default: _none, ...plan } = { default: undefined, ...Object(published.plan) };
  const handovers = Object.assign({}, published.handovers, { default: 'none' });
  // Without a plan it makes one, so here an empty plan is none.
  const inputs = { ...published, plan, handovers };
  const only = Object.fromEntries(Object.entries(found).filter(([name]) => !(name in inputs)));
  const outputs = Object.entries(actionOutputs(publish)).map(([name, output]) => [
    name,
    { ...output, value: expression(`steps.publish.outputs.${name}`) },
  ]);
  const head = {
    name: 'nix-images',
    description: publish.summary,
    inputs: { ...only, ...inputs, ...SETUP_INPUTS, ...CACHE_INPUTS },
    outputs: Object.fromEntries(outputs),
  };
  const steps = [
    { uses: '$/setup', with: handedOn(Object.keys(SETUP_INPUTS)) },
    {
      if: expression("inputs.cache != 'false'"),
      uses: '$/cache',
      with: { limit: expression('inputs.cache-limit'), merge: 'true' },
    },
    planStep(Object.keys(found)),
    {
      id: 'publish',
      uses: '$/publish',
      with: { ...handedOn(Object.keys(inputs)), plan: expression('inputs.plan || steps.plan.outputs.plan'), ...FIXED },
    },
  ];
  return `${NOTE}${renderYaml(head)}runs:\n  using: "composite"\n  steps:\n${steps.map(renderStep).join('')}`;
};
