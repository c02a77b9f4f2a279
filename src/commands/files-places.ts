import { resolve } from 'node:path';
import { systemClock } from '../core/clock.ts';
import { UserError } from '../core/error.ts';
import { dirPlace } from '../disk-places/dir-place.ts';
import type { FilesPlace } from '../disk-places/files-place.ts';
import { releasePlace } from '../disk-places/release-place.ts';
import { releaseUploads } from '../github/rest/release-uploads.ts';
import type { Host } from '../host/host.ts';
import { freeBytes } from '../machine/disk-space.ts';
import { type FilesLocation, formatFilesLocation } from '../storage/files-location.ts';
import type { NotPublished } from './not-published.ts';
import { gitHubApi } from './prune-places.ts';

/** The places of files that a run sends disks to. Several disks may go to one, and it is ended when all are there. */
export interface FilesPlaces {
  /** Opens a place for the files of a disk, whose names begin with `stem`. Throws UserError `input` where another disk has the same, `credentials` without a token. */
  open(location: FilesLocation, disk: { readonly name: string; readonly stem: string }): FilesPlace;
  /** Ends all of them; `isWhole` says whether every image of the run is where it must be. What fails is told by place. Throws UserError `cancelled`. */
  closeAll(isWhole: boolean): Promise<readonly NotPublished[]>;
}

export function filesPlaces(host: Host, token: string | undefined): FilesPlaces {
  const opened = new Map<string, FilesPlace>();
  const stems = new Map<string, string>();
  return {
    open: (location, { name, stem }) => {
      const text = formatFilesLocation(location);
      const other = stems.get(`${text} ${stem}`) ?? name;
      if (other !== name) {
        throw new UserError('input', `${other} and ${name} would be one file in ${text}: ${stem}.raw.zst`, {
          hint: `Put the name of the image into it, such as ${text}/{name}.`,
        });
      }
      stems.set(`${text} ${stem}`, name);
      const place = opened.get(text) ?? openPlace(location, text, token, host);
      opened.set(text, place);
      return place;
    },
    closeAll: async (isWhole) => {
      const failed: NotPublished[] = [];
      for (const place of opened.values()) {
        try {
          await place.close(isWhole);
        } catch (error) {
          if (!(error instanceof UserError) || error.code === 'cancelled') throw error;
          failed.push({ name: place.name, error });
        }
      }
      return failed;
    },
  };
}

function openPlace(location: FilesLocation, name: string, token: string | undefined, host: Host): FilesPlace {
  const { cwd, env, log, signal } = host;
  if (location.kind === 'dir') return dirPlace(resolve(cwd, location.path), { name, log, signal, free: freeBytes });
  const { repository, tag } = location;
  const api = gitHubApi(host, token, {
    what: `${name} is filled by GitHub's REST interface`,
    docs: 'disks.md#releases',
  });
  // The tag of another repository is not made at a commit of this one.
  const commit = env('GITHUB_REPOSITORY') === repository ? env('GITHUB_SHA') : undefined;
  return releasePlace(releaseUploads({ ...api, repository, tag, clock: systemClock }), { name, tag, commit, log });
}
