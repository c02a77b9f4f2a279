import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { expect, onTestFinished, test } from 'vitest';
import { UserError } from '../../../src/core/error.ts';
import { evaluateImages } from '../../../src/nix/evaluate.ts';
import { fileInstallable, type Installable, parseInstallable } from '../../../src/nix/installable.ts';
import { type NixUnderTest, nixVersionsUnderTest, openNixUnderTest } from '../../support/nix.ts';
import { X86 } from '../../support/systems.ts';
import { uniqueTempDir } from '../../support/tools.ts';

/** A folder whose name has a blank, with a file in it. */
async function oddFolder(name: string, text: string): Promise<string> {
  const root = await uniqueTempDir('odd');
  onTestFinished(() => root.remove());
  const folder = `${root.path}/my images`;
  await mkdir(folder);
  await writeFile(`${folder}/${name}`, text);
  return folder;
}

/** What is said of an image that cannot be evaluated. */
async function refusal(version: NixUnderTest, installable: Installable): Promise<UserError> {
  const nix = await openNixUnderTest(version);
  const failure = async (): Promise<unknown> => {
    const { imageFor } = await evaluateImages(nix, installable, { systems: [X86] });
    return await imageFor(X86);
  };
  const error = await failure().catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(UserError);
  return error as UserError;
}

test('the command that shows more of a failed evaluation is one that a shell and Nix take', async () => {
  const folder = await oddFolder('images.nix', '{ app = throw "not today"; }');
  const [version] = nixVersionsUnderTest();
  if (version === undefined) throw new Error('there is no Nix');
  const { message, hint = '' } = await refusal(version, fileInstallable(`${folder}/images.nix`, 'app'));
  expect(message).toMatch(/failed: not today/);
  expect(hint).toContain(`nix eval --show-trace --file '${folder}/images.nix' app`);
  const command = hint.slice(hint.indexOf('nix eval'));
  const env = {
    ...process.env,
    ...version.env,
    NIX_CONFIG: `${version.env.NIX_CONFIG}extra-experimental-features = nix-command flakes\n`,
  };
  expect(() => execFileSync('bash', ['-c', command], { env, encoding: 'utf8', stdio: 'pipe' })).toThrow(/not today/);
});

for (const version of nixVersionsUnderTest()) {
  test(`a checkout in a folder with a blank: what ${version.label} says of it has a way out`, async () => {
    const folder = await oddFolder('flake.nix', `{ outputs = _: { nixImages.${X86}.app = throw "not today"; }; }`);
    execFileSync('git', ['init', '--quiet', folder]);
    execFileSync('git', ['-C', folder, 'add', '--all']);
    const { message, hint } = await refusal(version, parseInstallable(`${folder}#app`));
    if (/2\.8\./.test(version.label)) {
      expect(message).toContain('is not a valid URL');
      expect(hint).toBe(
        'This Nix cannot read a flake in a folder whose path has a space, a percent sign or a letter outside ASCII: use a newer Nix (2.26 can), or move the folder.',
      );
    } else {
      expect(message).toMatch(/failed: not today/);
    }
  });
}
