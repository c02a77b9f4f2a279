import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Case } from './cases.ts';
import { homeEnvironment, makeHome } from './environment.ts';
import { timed } from './measure/timed.ts';
import { inTurn, type Usage } from './measure/usage.ts';
import type { Measurement } from './measurement.ts';
import { readOutput } from './registry/output.ts';
import { type Registry, startRegistry, storageOf } from './registry/registry.ts';
import { copyStorage } from './registry/storage.ts';
import type { Inputs, Subject, SubjectRun } from './subjects/subject.ts';

const run = promisify(execFile);

const REPOSITORY = 'bench';
const TAG = 'latest';

export interface Runner {
  /** Runs a subject once in a case. `inputs` are those of the case's version, `base` those of the version before it. */
  run(subject: Subject, situation: Case, round: number, inputs: Inputs, base: Inputs): Promise<Measurement>;
}

/** What a subject left when it published the version `base`. */
interface Published {
  readonly folder: string;
  readonly port: number;
}

const registryIn = (folder: string): string => join(folder, 'registry');
const homeIn = (folder: string): string => join(folder, 'home');

/** Runs subjects, each against a registry of its own, in folders below `work`. */
export function createRunner(work: string, env: Readonly<Record<string, string>>): Runner {
  const published = new Map<string, Published>();

  const attempt = async (subject: Subject, at: Omit<SubjectRun, 'reference' | 'scratch'>, folder: string, port = 0) => {
    await makeHome(homeIn(folder));
    const scratch = join(folder, 'scratch');
    await mkdir(scratch);
    // What earlier runs wrote goes to the disk now, not while this one is measured.
    await run('sync');
    const registry = await startRegistry(registryIn(folder), port);
    const reference = `${registry.host}/${REPOSITORY}:${TAG}`;
    const commands = subject.commands({ ...at, reference, scratch });
    try {
      const before = await registry.counters();
      const usages: Usage[] = [];
      for (const command of commands) {
        const all = { ...env, ...homeEnvironment(homeIn(folder)), ...command.env };
        usages.push(await timed({ ...command, env: all }, scratch));
      }
      const after = await registry.counters();
      const output = await readOutput(registry.host, REPOSITORY, TAG);
      return { port: registry.port, usage: inTurn(usages), before, after, output, requests: await registry.stop() };
    } catch (error) {
      await stopAnyway(registry);
      throw error;
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  };

  const keep = async (subject: Subject, left: Published): Promise<Published> => {
    const old = published.get(subject.name);
    if (old) await rm(old.folder, { recursive: true, force: true });
    published.set(subject.name, left);
    return left;
  };

  /** The version `base` as the subject published it, now if that is still to be done. */
  const before = async (subject: Subject, base: Inputs): Promise<Published> => {
    const there = published.get(subject.name);
    if (there) return there;
    const folder = await mkdtemp(join(work, 'base-'));
    const { port } = await attempt(subject, { state: 'base', inputs: base }, folder);
    return keep(subject, { folder, port });
  };

  return {
    async run(subject, situation, round, inputs, base) {
      const folder = await mkdtemp(join(work, 'run-'));
      let port = 0;
      if (situation.published) {
        const left = await before(subject, base);
        await copyStorage(storageOf(registryIn(left.folder)), storageOf(registryIn(folder)));
        if (situation.cachesKept) {
          // Clients remember what is where by host and port.
          ({ port } = left);
          await cp(homeIn(left.folder), homeIn(folder), { recursive: true });
        }
      }
      try {
        const done = await attempt(subject, { state: situation.state, inputs }, folder, port);
        if (situation.name === 'cold') await keep(subject, { folder, port: done.port });
        return {
          case: situation.name,
          subject: subject.name,
          kind: subject.kind,
          codec: subject.codec,
          round,
          ...done.usage,
          bytesSent: done.after.bytesRead - done.before.bytesRead,
          requests: done.requests,
          registryCpuSeconds: done.after.cpuSeconds - done.before.cpuSeconds,
          layers: done.output.layers,
          outputBytes: done.output.bytes,
        };
      } finally {
        if (published.get(subject.name)?.folder !== folder) await rm(folder, { recursive: true, force: true });
      }
    },
  };
}

/** The first failure is what counts. */
const stopAnyway = (registry: Registry): Promise<unknown> => registry.stop().catch(() => undefined);
