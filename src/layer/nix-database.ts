import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Closure } from '../definition/closure.ts';

/** Seconds; a time of our own would make two images of the same closure differ. */
const REGISTRATION_TIME = 1;

/**
 * Whoever runs the image trusts what is in it: `nix store verify` then asks for no signatures. Those that Nix knows here, and
 * what was built here, would make the database differ from machine to machine.
 */
const ULTIMATE = 1;

/** Schema 10 of Nix's database: what every Nix since 2.0 opens without a migration. */
const SCHEMA = `
  CREATE TABLE ValidPaths (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, path TEXT UNIQUE NOT NULL, hash TEXT NOT NULL,
    registrationTime INTEGER NOT NULL, deriver TEXT, narSize INTEGER, ultimate INTEGER, sigs TEXT, ca TEXT
  );
  CREATE TABLE Refs (
    referrer INTEGER NOT NULL, reference INTEGER NOT NULL, PRIMARY KEY (referrer, reference),
    FOREIGN KEY (referrer) REFERENCES ValidPaths(id) ON DELETE CASCADE,
    FOREIGN KEY (reference) REFERENCES ValidPaths(id) ON DELETE RESTRICT
  );
  CREATE INDEX IndexReferrer ON Refs(referrer);
  CREATE INDEX IndexReference ON Refs(reference);
  CREATE TRIGGER DeleteSelfRefs BEFORE DELETE ON ValidPaths
    BEGIN DELETE FROM Refs WHERE referrer = old.id AND reference = old.id; END;
  CREATE TABLE DerivationOutputs (
    drv INTEGER NOT NULL, id TEXT NOT NULL, path TEXT NOT NULL, PRIMARY KEY (drv, id),
    FOREIGN KEY (drv) REFERENCES ValidPaths(id) ON DELETE CASCADE
  );
  CREATE INDEX IndexDerivationOutputs ON DerivationOutputs(path);
`;

/** SQLite file format, section 1.3: fields that record the writer, not the content. */
const HEADER = { changeCounter: 24, versionValidFor: 92, sqliteVersion: 96 };

/** 3.40.0: any version is legal here, and a fixed one keeps the bytes the same when Node's SQLite moves on. */
const SQLITE_VERSION = 3_040_000;

/**
 * The bytes of a Nix database in which exactly the paths of `closure` are valid. A pure function of the closure,
 * made in a file below `tempDir` because SQLite wants one.
 */
export async function nixDatabase(closure: Closure, tempDir: string): Promise<Buffer> {
  const folder = await mkdtemp(join(tempDir, 'nix-db-'));
  try {
    const file = join(folder, 'db.sqlite');
    fill(file, closure);
    const bytes = await readFile(file);
    for (const offset of [HEADER.changeCounter, HEADER.versionValidFor]) bytes.writeUInt32BE(1, offset);
    bytes.writeUInt32BE(SQLITE_VERSION, HEADER.sqliteVersion);
    return bytes;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function fill(file: string, closure: Closure): void {
  const database = new DatabaseSync(file);
  try {
    // No journal: the file is ours alone until it is whole.
    database.exec('PRAGMA journal_mode = off; PRAGMA synchronous = off; PRAGMA page_size = 4096;');
    database.exec(`BEGIN; ${SCHEMA}`);
    const addPath = database.prepare(
      'INSERT INTO ValidPaths (id, path, hash, registrationTime, narSize, ultimate) VALUES (?, ?, ?, ?, ?, ?)',
    );
    const addReference = database.prepare('INSERT INTO Refs (referrer, reference) VALUES (?, ?)');
    const ids = new Map(closure.map((info, index) => [info.path, index + 1]));
    for (const info of closure)
      addPath.run(ids.get(info.path) ?? 0, info.path, base16(info.narHash), REGISTRATION_TIME, info.narSize, ULTIMATE);
    for (const info of closure) {
      for (const reference of [...info.references].sort())
        addReference.run(ids.get(info.path) ?? 0, ids.get(reference) ?? 0);
    }
    database.exec('COMMIT');
  } finally {
    database.close();
  }
}

/** Nix's database holds hashes in base 16. */
const base16 = (sri: string): string => `sha256:${Buffer.from(sri.slice('sha256-'.length), 'base64').toString('hex')}`;
