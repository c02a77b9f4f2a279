import { expect, test } from 'vitest';
import { DeployJournal, readJournal } from '../../../src/ami/journal.ts';
import { undoJournal } from '../../../src/ami/undo.ts';
import { type ModelCall, refusal } from './model.ts';
import { disk, POINTER, REGIONS, Scene, wanted } from './scene.ts';

const CHANGES =
  /^(?:putSnapshot|registerImage|copyImage|shareImage|shareSnapshot|deprecateImage|putImage|tag|protectImage)$/;

/** A scene whose parameters point to AMIs of before. */
function seeded(): Scene {
  const scene = new Scene();
  for (const region of REGIONS)
    for (const arch of ['x86_64', 'arm64']) {
      const value = scene.cloud.seed(region, { name: `before ${arch}` });
      const name = POINTER.replace('{image}', 'team/server').replace('{arch}', arch);
      scene.cloud.region(region).parameters.set(name, [{ value, version: 1, dataType: 'aws:ec2:image' }]);
    }
  return scene;
}

test('two systems go to all regions; the same again does nothing, in under ten requests a region', async () => {
  const scene = seeded();
  const first = await scene.run(wanted());
  expect(first).toMatchObject({ outcome: 'published', failure: undefined, left: [] });
  expect(first.amis).toHaveLength(8);
  expect(scene.cloud.calls.filter(({ verb, when }) => verb === 'putSnapshot' && when === 'before')).toHaveLength(2);
  const state = scene.cloud.state();
  expect(state.match(/ami team\/server.* true true$/gm)).toHaveLength(8);
  expect(state).not.toContain('latest=before');

  scene.cloud.calls.length = 0;
  const plan = await scene.plan(wanted());
  expect(plan.steps).toEqual([]);
  const before = scene.cloud.calls.filter(({ when }) => when === 'before');
  for (const region of REGIONS) expect(before.filter((call) => call.region === region).length).toBeLessThan(10);
  const again = await scene.run(wanted());
  expect(again.outcome).toBe('published');
  expect(again.amis).toEqual(first.amis);
  expect(scene.cloud.changes()).toBe(0);
  expect(scene.cloud.state()).toBe(state);
});

test('a changed disk is made beside the old one, and the pointers move', async () => {
  const scene = seeded();
  await scene.run(wanted());
  const next = wanted({ disks: [disk('x86_64-linux', 'c', { version: '1.1' }), disk('aarch64-linux', 'b')] });
  const { amis } = await scene.run(next);
  expect(amis.filter(({ name }) => name.includes('1.1'))).toHaveLength(4);
  expect(scene.cloud.state().match(/x86_64\/latest=team\/server-1\.1/g)).toHaveLength(4);
  expect(scene.cloud.state().match(/arm64\/latest=team\/server-1\.0/g)).toHaveLength(4);
});

test('nothing is shown to anybody before every region that must not fail is ready', async () => {
  const scene = seeded();
  const seen: string[] = [];
  scene.cloud.onCall = ({ region, verb, when }) => {
    if (when === 'before' && /^(?:share|deprecate|putImage|tag|protect)/.test(verb)) {
      seen.push(verb);
      for (const one of REGIONS.slice(0, 3)) {
        const ours = [...scene.cloud.region(one).images.values()].filter(({ name }) => name.startsWith('team'));
        expect(ours.map(({ state }) => state)).toEqual(['available', 'available']);
      }
      // Pointers only when everybody may use what they lead to.
      if (verb === 'putImage' && REGIONS.indexOf(region) < 3)
        for (const one of REGIONS.slice(0, 3))
          expect(scene.cloud.state().match(new RegExp(`^${one} ami team.* true `, 'gm'))).toHaveLength(2);
    }
  };
  await scene.run(wanted());
  expect(new Set(seen)).toEqual(
    new Set(['shareImage', 'shareSnapshot', 'deprecateImage', 'putImage', 'tag', 'protectImage']),
  );
});

/** The changes of a whole run, in their order: each is a point at which it may fail. */
async function points(): Promise<ModelCall[]> {
  const scene = seeded();
  await scene.run(wanted());
  return scene.cloud.calls.filter(({ when, verb }) => when === 'before' && CHANGES.test(verb));
}

const changesOf = (calls: readonly ModelCall[], region: string, verb: string): number =>
  calls.filter((call) => call.when === 'before' && call.region === region && call.verb === verb).length;

// Refused, and done with the answer lost: AWS's client has tried again by then.
test.each(['before', 'after'] as const)('failure %s each change: all is public, or nothing is left', async (when) => {
  const all = await points();
  expect(all.length).toBeGreaterThanOrEqual(30);
  const untouched = seeded().cloud.state();
  const outcomes = new Map<string, number>();
  for (const [at, point] of all.entries()) {
    const scene = seeded();
    const nth = changesOf(all.slice(0, at + 1), point.region, point.verb);
    let isBroken = true;
    scene.cloud.onCall = (call) => {
      if (!isBroken || call.when !== when || call.region !== point.region || call.verb !== point.verb) return;
      const count = scene.cloud.calls.filter(
        (one) => one.when === when && one.region === call.region && one.verb === call.verb,
      ).length;
      if (count !== nth) return;
      isBroken = false;
      throw when === 'before' ? refusal('InternalError', 'injected') : new TypeError('fetch failed');
    };
    const ended = await scene.run(wanted()).catch((error: unknown) => {
      // What is no UserError is a bug to the program: it is thrown, after it was taken back.
      if (!(error instanceof TypeError)) throw error;
      return undefined;
    });
    const name = `${point.verb} ${nth} in ${point.region}`;
    expect(isBroken, name).toBe(false);
    const state = scene.cloud.state();
    const published = state.match(/ami team\/server.* true /g)?.length ?? 0;
    const outcome = ended?.outcome ?? 'thrown';
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    expect(ended?.left ?? [], name).toEqual([]);
    if (published === 0) expect(state, name).toBe(untouched);
    else {
      expect([6, 8], name).toContain(published);
      expect(state.match(/latest=team/g), name).toHaveLength(published);
      expect(state.match(/snapshot team/g), name).toHaveLength(published);
    }
    expect(scene.cloud.renewals, name).toBe(published === 8 ? 0 : 1);
    scene.cloud.onCall = () => undefined;
    // Whatever was left, the next run ends it.
    expect((await scene.run(wanted())).outcome, name).toBe('published');
    expect(scene.cloud.state().match(/ami team\/server.* true true/g), name).toHaveLength(8);
    expect((await scene.plan(wanted())).steps, name).toEqual([]);
  }
  expect(outcomes.get('published') ?? 0).toBeGreaterThan(0);
  expect((outcomes.get('undone') ?? 0) + (outcomes.get('thrown') ?? 0)).toBeGreaterThan(20);
});

class Killed extends Error {}

/** A run that dies when its journal has `count` lines: nothing of it happens any more, not even taking back. */
async function killedAt(scene: Scene, count: number): Promise<void> {
  let lines = 0;
  const never = new Promise<never>(() => {});
  let die: (error: Error) => void = () => {};
  const death = new Promise<never>((_, reject) => {
    die = reject;
  });
  const dead = (): boolean => lines >= count;
  scene.cloud.onCall = () => {
    if (dead()) throw new Killed();
  };
  const run = scene.run(wanted(), async () => {
    if (dead()) await never;
    lines += 1;
    if (dead()) die(new Killed());
  });
  await Promise.race([run, death]).catch((error: unknown) => {
    if (!(error instanceof Killed)) throw error;
  });
  scene.cloud.onCall = () => undefined;
}

test('killed at each line of the journal, the next run ends what was begun', async () => {
  const whole = seeded();
  await whole.run(wanted());
  const lines = whole.text.trimEnd().split('\n').length;
  expect(lines).toBeGreaterThan(100);
  for (let count = 1; count < lines; count += 1) {
    const scene = seeded();
    await killedAt(scene, count);
    const ended = await scene.run(wanted());
    expect(ended.outcome, `line ${count}`).toBe('published');
    expect(scene.cloud.state(), `line ${count}`).toBe(whole.cloud.state());
  }
});

test('killed at each line, another run takes it back by the journal alone, unless all was published', async () => {
  const whole = seeded();
  await whole.run(wanted());
  const lines = whole.text.trimEnd().split('\n').length;
  const untouched = seeded().cloud.state();
  let [undone, published] = [0, 0];
  for (let count = 2; count < lines; count += 3) {
    const scene = seeded();
    await killedAt(scene, count);
    const { cloud, clock, log } = scene;
    const tools = {
      cloud,
      clock,
      log,
      journal: new DeployJournal(
        async () => {},
        () => clock.now(),
      ),
    };
    const undoing = undoJournal(readJournal(scene.text), tools);
    if (scene.text.includes('"kind":"tag"')) {
      await expect(undoing).rejects.toThrow('was published');
      published += 1;
      continue;
    }
    expect(await undoing, `line ${count}`).toEqual([]);
    expect(scene.cloud.state(), `line ${count}`).toBe(untouched);
    undone += 1;
  }
  expect(undone).toBeGreaterThan(20);
  expect(published).toBeGreaterThan(3);
});

test('a copy that fails ends the run at once, with the reason of AWS, and is removed', async () => {
  const scene = seeded();
  const untouched = scene.cloud.state();
  scene.cloud.fates.set('eu-central-1', 'failed');
  const { outcome, failure, left } = await scene.run(wanted());
  expect([outcome, left]).toEqual(['undone', []]);
  expect(failure?.message).toContain('Copy image failed with an internal error');
  expect(failure?.message).toContain('eu-central-1');
  expect(scene.cloud.state()).toBe(untouched);
});

test('a region that may fail fails alone, and is taken back alone', async () => {
  const scene = seeded();
  scene.cloud.fates.set('sa-east-1', 'failed');
  const { outcome, failedRegions, amis } = await scene.run(wanted());
  expect([outcome, [...failedRegions.keys()], amis.length]).toEqual(['published', ['sa-east-1'], 6]);
  expect(scene.cloud.state()).not.toMatch(/^sa-east-1 (?:ami|snapshot) team/m);
  expect(scene.cloud.state()).toMatch(/^sa-east-1 .*latest=before/m);
});

test('what cannot be taken back is listed, with what to type', async () => {
  const scene = seeded();
  scene.cloud.fates.set('ap-south-1', 'failed');
  scene.cloud.onCall = ({ region, verb, when }) => {
    if (when === 'before' && region === 'eu-central-1' && verb === 'deregisterImage')
      throw refusal('UnauthorizedOperation', 'not authorized');
  };
  const { outcome, left } = await scene.run(wanted());
  expect(outcome).toBe('left');
  expect(left.flatMap(({ commands }) => commands)).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^aws ec2 deregister-image --region eu-central-1 --image-id ami-/),
      expect.stringMatching(/^aws ec2 delete-snapshot --region eu-central-1 --snapshot-id snap-/),
    ]),
  );
  expect(left.every(({ region }) => region === 'eu-central-1')).toBe(true);
});

test('a run that adds a region takes back that region alone, and what is published stays', async () => {
  const scene = seeded();
  const two = wanted({ regions: { required: REGIONS.slice(0, 2) } });
  await scene.run(two);
  const state = scene.cloud.state();
  scene.cloud.fates.set('ap-south-1', 'failed');
  const { outcome } = await scene.run(wanted({ regions: { required: REGIONS.slice(0, 3) } }));
  expect(outcome).toBe('undone');
  expect(scene.cloud.state()).toBe(state);
});

test('a cancelled run takes everything back', async () => {
  const scene = seeded();
  const untouched = scene.cloud.state();
  const stop = new AbortController();
  scene.cloud.onCall = ({ verb, region, when }) => {
    if (verb === 'copyImage' && region === 'ap-south-1' && when === 'after') stop.abort();
  };
  const { outcome, failure } = await scene.run(wanted(), undefined, stop.signal);
  expect([outcome, failure?.code]).toEqual(['undone', 'cancelled']);
  expect(scene.cloud.state()).toBe(untouched);
});

test('what another run has published is not taken away, though a read shows it without its tag at first', async () => {
  const scene = seeded();
  await scene.run(wanted({ regions: { required: REGIONS.slice(0, 2) } }));
  const state = scene.cloud.state();
  const hide = (isHidden: boolean): void => {
    for (const region of REGIONS)
      for (const { tags } of scene.cloud.region(region).images.values())
        if (isHidden && tags.delete('nix-images:run')) tags.set('hidden', '');
        else if (!isHidden && tags.delete('hidden')) tags.set('nix-images:run', 'run-1');
  };
  hide(true);
  scene.cloud.fates.set('ap-south-1', 'failed');
  scene.cloud.onCall = ({ verb, region }) => {
    if (verb === 'deregisterImage' && region === 'ap-south-1') hide(false);
  };
  const { outcome } = await scene.run(wanted({ regions: { required: REGIONS.slice(0, 3) } }));
  expect(outcome).toBe('undone');
  expect(scene.cloud.state()).toBe(state);
});
