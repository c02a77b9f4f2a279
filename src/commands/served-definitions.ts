import { UserError } from '../core/error.ts';
import type { Host } from '../host/host.ts';
import { evaluateImages } from '../nix/evaluate.ts';
import type { Evaluated } from '../nix/found-image.ts';
import { fileInstallable, type Installable, installableText, parseInstallable } from '../nix/installable.ts';
import type { Nix } from '../nix/nix.ts';
import { possibleSystems } from '../nix/search-places.ts';
import { SYSTEMS, type System } from '../oci/system.ts';
import { isContainer, type PlannedImage } from '../plan/plan.ts';
import type { DefinedImage, Definitions } from '../serve/definitions.ts';
import { flakeFingerprint, flakeFolder } from '../serve/flake-files.ts';
import { installables } from './installables.ts';
import { imagesOf, sourcesOf, warnOfBroken } from './plan-sources.ts';
import { systemHere } from './system-here.ts';

/** Definitions that a command line names. */
interface NamedDefinitions extends Definitions {
  /** How a person names one of several images: `.#app`, where `app` is the attribute and not the image's own name. */
  installableOf(name: string): string;
}

export interface DefinitionInputs {
  /** `FLAKE#NAME` for one image, `FLAKE` for all of it. */
  readonly installable: string | undefined;
  readonly file: string | undefined;
  readonly attr: string | undefined;
  readonly nixArg: readonly string[];
  /** Systems to serve; none for all that an image has. */
  readonly system: readonly System[];
  /** Whether what is found first counts to the end, so that nobody looks for files that have changed. */
  readonly isFixed?: boolean;
}

/** Milliseconds that a list of images counts where nobody knows whether files have changed. */
const LIST_FRESH = 10_000;

/** Milliseconds that an evaluation counts in the same case. */
const EVALUATED_FRESH = 1_000;

/** Arguments by which an evaluation reads more than the flake's own files. */
const READS_MORE = /^--(?:override-input|override-flake|impure|include|eval-store)$|^-I/;

/** What is defined in the flake or file that the inputs name. Throws UserError `input`. */
export function definitionsOf(inputs: DefinitionInputs, nix: Nix, host: Host): NamedDefinitions {
  const { installable, file, attr } = inputs;
  const isOne = installable?.includes('#') || attr !== undefined;
  return isOne
    ? oneImage(installables(installable === undefined ? [] : [installable], file, attr), inputs, nix, host)
    : allImages(inputs, nix, host);
}

/** The systems in the order in which they matter: this machine's own first. */
function inOrder(systems: readonly System[]): System[] {
  const here = systemHere();
  return [...systems].sort((a, b) => Number(b === here) - Number(a === here));
}

/** Changes with the files of a flake on this machine. */
function fingerprintOf(flake: string | undefined, { nixArg, isFixed = false }: DefinitionInputs, { exec, cwd }: Host) {
  if (isFixed) return async (): Promise<string> => '';
  const folder =
    flake === undefined || nixArg.some((arg) => READS_MORE.test(arg)) ? undefined : flakeFolder(flake, cwd);
  return async (): Promise<string | undefined> => (folder === undefined ? undefined : flakeFingerprint(folder, exec));
}

function oneImage(
  [installable]: readonly Installable[],
  inputs: DefinitionInputs,
  nix: Nix,
  host: Host,
): NamedDefinitions {
  if (!installable) throw new UserError('input', 'missing image', { hint: 'Write FLAKE#NAME, for instance .#app.' });
  const text = installableText(installable);
  const evaluate = async (): Promise<DefinedImage> => {
    const possible = possibleSystems(installable);
    const systems = inOrder(inputs.system.length > 0 ? inputs.system : possible);
    const others = SYSTEMS.filter((system) => possible.includes(system) && !systems.includes(system));
    const evaluations = await host.log.group(`Evaluating ${text}`, () =>
      evaluateImages(nix, installable, { systems, others }),
    );
    const found = systems.filter((system) => inputs.system.includes(system) || evaluations.systems.includes(system));
    return definedImage(found.length > 0 ? found : systems, (system) => evaluations.imageFor(system));
  };
  const fingerprint = fingerprintOf(installable.kind === 'flake' ? installable.flake : undefined, inputs, host);
  // Whoever asks for the name asks for the image next.
  let last: { readonly image: DefinedImage; readonly fingerprint: string | undefined; readonly at: number } | undefined;
  return {
    text,
    installableOf: () => text,
    names: async () => {
      const now = await fingerprint();
      last = { image: await evaluate(), fingerprint: now, at: Date.now() };
      return [last.image.name];
    },
    evaluate: async (name) => {
      const now = await fingerprint();
      const isKnown = last && (now === undefined ? Date.now() - last.at < EVALUATED_FRESH : last.fingerprint === now);
      const image = (isKnown && last?.image) || (await evaluate());
      // Once only: what Nix wrote for it may be collected later.
      last = undefined;
      return image.name === name ? image : undefined;
    },
    fingerprint,
  };
}

/** Evaluates each system; the first must do so. */
async function definedImage(
  systems: readonly System[],
  imageFor: (system: System) => Promise<Evaluated>,
): Promise<DefinedImage> {
  const platforms: Evaluated[] = [];
  const failures: UserError[] = [];
  for (const system of systems) {
    try {
      platforms.push(await imageFor(system));
    } catch (error) {
      if (platforms.length === 0 || !(error instanceof UserError) || error.code === 'cancelled') throw error;
      failures.push(error);
    }
  }
  const [first] = platforms;
  if (!first) throw new UserError('platforms', 'the image has no platform', { hint: 'Choose another with --system.' });
  return { name: first.name, tag: first.tag, platforms, failures };
}

function allImages(inputs: DefinitionInputs, nix: Nix, host: Host): NamedDefinitions {
  const { installable, file, attr } = inputs;
  const sources = sourcesOf(installable === undefined ? [] : [installable], file, attr);
  const fingerprint = fingerprintOf(file === undefined ? (installable ?? '.') : undefined, inputs, host);
  const systems = inputs.system.length > 0 ? inputs.system : SYSTEMS;
  let listed:
    | { readonly images: readonly PlannedImage[]; readonly fingerprint: string | undefined; readonly at: number }
    | undefined;
  // Of an image that is broken now it is known where it was: it is evaluated there, and says what is wrong.
  const seen = new Map<string, PlannedImage>();
  const list = async (): Promise<readonly PlannedImage[]> => {
    const now = await fingerprint();
    const isKnown = now === undefined ? listed && Date.now() - listed.at < LIST_FRESH : listed?.fingerprint === now;
    if (listed && isKnown) return listed.images;
    const chosen = await imagesOf(sources, { systems, variants: [], globs: [] }, nix, host);
    warnOfBroken(chosen, host);
    const containers = chosen.images.filter(({ jobs }) => jobs.some(isContainer));
    for (const image of containers) seen.set(image.name, image);
    listed = { images: containers, fingerprint: now, at: Date.now() };
    return containers;
  };
  return {
    text: file === undefined ? (installable ?? '.') : `--file ${file}`,
    names: async () => (await list()).map(({ name }) => name),
    installableOf: (name) => {
      const planned = seen.get(name);
      const attribute = planned?.jobs.filter(isContainer)[0]?.attr;
      return planned === undefined || attribute === undefined ? name : shortText(installableAt(planned, attribute));
    },
    evaluate: async (name) => {
      const planned = (await list()).find((image) => image.name === name) ?? seen.get(name);
      if (!planned) return undefined;
      const attrs = new Map(planned.jobs.filter(isContainer).map((job) => [job.system, job.attr]));
      return definedImage(inOrder([...attrs.keys()]), async (system) => {
        const its = installableAt(planned, attrs.get(system) ?? '');
        return (await evaluateImages(nix, its, { systems: [system] })).imageFor(system);
      });
    },
    fingerprint,
  };
}

const installableAt = ({ source }: PlannedImage, attribute: string): Installable =>
  source.file === null ? parseInstallable(`${source.flake}#${attribute}`) : fileInstallable(source.file, attribute);

/** Without the output and the system, which are searched for a name anyway. */
const shortText = (installable: Installable): string =>
  installableText(installable.kind === 'flake' ? { ...installable, output: undefined } : installable);
