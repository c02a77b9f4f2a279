import { type Deployed, deploy } from '../../../src/ami/deploy.ts';
import { DeployJournal } from '../../../src/ami/journal.ts';
import { makePlan } from '../../../src/ami/make-plan.ts';
import type { AmiPlan } from '../../../src/ami/plan.ts';
import { preflight } from '../../../src/ami/preflight.ts';
import { survey } from '../../../src/ami/survey.ts';
import { parseWanted, type Wanted } from '../../../src/ami/wanted.ts';
import { IdleClock } from '../../support/idle-clock.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { ModelCloud } from './model.ts';

export const REGIONS = ['us-east-1', 'eu-central-1', 'ap-south-1', 'sa-east-1'];

const GIB = 1024 ** 3;

const digest = (digit: string): string => `sha256:${digit.repeat(64)}`;

export const disk = (system: string, digit: string, more: object = {}) => ({
  ...{ image: 'team/server', version: '1.0', dataBytes: 1e9, identity: digest(digit), system, bytes: 5 * GIB },
  ...more,
});

export const POINTER = '/images/{image}/{arch}/latest';

/** Two systems, three regions that must not fail and one that may. */
export const wanted = (more: object = {}): Wanted =>
  parseWanted({
    disks: [disk('x86_64-linux', 'a'), disk('aarch64-linux', 'b')],
    regions: { required: REGIONS.slice(0, 3), bestEffort: REGIONS.slice(3) },
    sharing: { public: true },
    parameters: [POINTER],
    deprecateAfterDays: 90,
    protection: 'on',
    ...more,
  });

/** A run on the model: its clock goes on when everybody waits. */
export class Scene {
  readonly clock = new IdleClock(() => 0.5);
  readonly log = memoryLog();
  readonly cloud: ModelCloud;
  /** What journals have stored. */
  text = '';
  #runs = 0;

  constructor(regions: readonly string[] = REGIONS) {
    this.cloud = new ModelCloud(regions, this.clock);
  }

  async plan(asked: Wanted): Promise<AmiPlan> {
    const found = await survey(this.cloud, asked);
    return makePlan(await preflight(this.cloud, asked, found), asked, this.clock.now());
  }

  async run(
    asked: Wanted,
    store: (line: string) => Promise<void> = async () => {},
    signal?: AbortSignal,
  ): Promise<Deployed> {
    this.text = '';
    this.#runs += 1;
    return await deploy(await this.plan(asked), {
      ...{ cloud: this.cloud, upload: this.cloud.upload, clock: this.clock, log: this.log },
      signal: signal ?? new AbortController().signal,
      smokeTest: undefined,
      run: `run-${this.#runs}`,
      patience: 3_600_000,
      journal: new DeployJournal(
        async (line) => {
          await store(line);
          this.text += line;
        },
        () => this.clock.now(),
      ),
    });
  }
}
