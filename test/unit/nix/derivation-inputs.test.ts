import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { derivationInputs } from '../../../src/nix/derivation-inputs.ts';
import { uniqueTempDir } from '../../support/tools.ts';

const input = (name: string): string => `/nix/store/${name.padStart(32, '0')}-${name}.drv`;

test('what a derivation is built from is read in its file; what is not here is built from nothing, as far as is known', async () => {
  await using temp = await uniqueTempDir('drv');
  const drvPath = join(temp.path, 'app.drv');
  const plain = `("${input('lib')}",["dev","out"])`;
  const dynamic = `("${input('made')}",(["out"],[("x",["out"])]))`;
  const rest = `["/nix/store/${'0'.repeat(32)}-source.sh"],"x86_64-linux","sh",[],[("text","see ${input('text')}")]`;
  await writeFile(drvPath, `Derive([("out","${input('own')}","","")],[${plain},${dynamic}],${rest})`);
  const inputs = await derivationInputs([drvPath, input('none')]);
  expect(inputs.get(drvPath)).toEqual(new Set([drvPath, input('lib'), input('made')]));
  expect(inputs.get(input('none'))).toEqual(new Set([input('none')]));
});
