import { storePathName } from '../definition/store-path.ts';
import { type CacheIndex, packedSize } from './cache-index.ts';
import { withoutVersion } from './pack-order.ts';

/** What the index tells of a derivation that was built. */
interface MeasuredBuild {
  readonly seconds: number;
  /** Of its outputs, packed, as far as they are cached. */
  readonly bytes: number;
  readonly used: number;
}

const nameOf = (drvPath: string): string => storePathName(drvPath).replace(/\.drv$/, '');

/**
 * How long derivations took to build when they were last built, asked by system and derivation. Hashes change with every update, so the name
 * tells what it is; where it has another version now, the one before is as good an answer as there is.
 */
export function knownBuilds({
  paths,
}: Pick<CacheIndex, 'paths'>): (system: string, drvPath: string) => MeasuredBuild | undefined {
  const byDeriver = Map.groupBy(paths, ({ deriver, system }) => (deriver === undefined ? '' : `${system} ${deriver}`));
  byDeriver.delete('');
  const byName = new Map<string, MeasuredBuild>();
  for (const outputs of byDeriver.values()) {
    const [{ system = '', deriver = '' } = {}] = outputs;
    const build = {
      seconds: Math.max(...outputs.map(({ seconds }) => seconds)),
      bytes: outputs.reduce((sum, path) => sum + packedSize(path), 0),
      used: Math.max(...outputs.map(({ used }) => used)),
    };
    for (const name of new Set([nameOf(deriver), withoutVersion(nameOf(deriver))])) {
      const key = `${system} ${name}`;
      if (build.used >= (byName.get(key)?.used ?? -1)) byName.set(key, build);
    }
  }
  return (system, drvPath) => {
    const name = nameOf(drvPath);
    return byName.get(`${system} ${name}`) ?? byName.get(`${system} ${withoutVersion(name)}`);
  };
}
