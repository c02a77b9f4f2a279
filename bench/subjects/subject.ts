import type { CaseName } from '../cases.ts';
import type { StateName } from '../fixture/fixture.ts';
import type { Command } from '../measure/command.ts';

/** One way to bring a closure into a registry. */
export interface Subject {
  readonly name: string;
  readonly kind: 'own' | 'peer';
  /** How the layers it pushes are compressed. */
  readonly codec: 'gzip' | 'zstd';
  /** The program and its version. */
  readonly version: string;
  /** Whether it runs once a case, being slow, and not as often as the others. */
  readonly once: boolean;
  /** Where it makes sense. */
  readonly cases: readonly CaseName[];
  /** What it takes its layers from: nothing beside the store, or a form made beforehand. */
  readonly input: 'store' | 'layers' | 'archive' | 'tar';
  /** The commands that publish, one after another; their figures are summed. */
  commands(run: SubjectRun): readonly Command[];
}

/** Where a subject runs. */
export interface SubjectRun {
  readonly state: StateName;
  /** Folder with what was made of the version beforehand. */
  readonly inputs: Inputs;
  /** `HOST:PORT/REPOSITORY:TAG` of a registry without TLS. */
  readonly reference: string;
  /** Folder that is deleted afterwards. */
  readonly scratch: string;
}

/** Forms of one version that peers start from. */
export interface Inputs {
  /** Words that make Nix evaluate the image. */
  readonly nixWords: readonly string[];
  /** `dir:` layout (containers/image) of uncompressed layers. */
  readonly layers: string;
  /** docker-archive. */
  readonly archive: string;
  /** One tar of the closure. */
  readonly tar: string;
}
