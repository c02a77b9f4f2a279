import type { CreateTagsRequest, DeleteTagsRequest } from '@aws-sdk/client-ec2';
import type { CloudCall } from '../cloud/cloud-call.ts';
import { changeView } from './change-view.ts';
import { ownImage, ownSnapshotOf, refused } from './look-up.ts';
import { checkTags, tagList } from './tag-specification.ts';

const MOST_RESOURCES = 1000;

/** What changes the tags of one thing, once all things were found. */
function changerOf(call: CloudCall<unknown>, id: string): (change: (tags: Map<string, string>) => void) => void {
  if (id.startsWith('ami-')) {
    const image = ownImage(call, id);
    return (change) => {
      const tags = new Map(image.view.value.tags);
      change(tags);
      checkTags(tagList(tags));
      changeView(call, image, { tags });
    };
  }
  if (!id.startsWith('snap-')) throw refused('InvalidID', `The ID '${id}' is not valid`);
  const snapshot = ownSnapshotOf(call, id);
  return (change) => {
    const tags = new Map(snapshot.tags);
    change(tags);
    checkTags(tagList(tags));
    snapshot.tags.clear();
    for (const [key, value] of tags) snapshot.tags.set(key, value);
  };
}

export function createTags(call: CloudCall<CreateTagsRequest>): object {
  const { Resources = [], Tags = [] } = call.input;
  if (Resources.length === 0 || Resources.length > MOST_RESOURCES || Tags.length === 0)
    throw refused('MissingParameter', 'The request must contain 1 to 1000 resources, and tags');
  const given = checkTags(Tags);
  const changers = Resources.map((id) => changerOf(call, id));
  for (const changer of changers) changer((tags) => given.forEach((value, key) => void tags.set(key, value)));
  return {};
}

/** A tag with a value goes only where it has that value. */
export function deleteTags(call: CloudCall<DeleteTagsRequest>): object {
  const { Resources = [], Tags = [] } = call.input;
  const changers = Resources.map((id) => changerOf(call, id));
  for (const changer of changers) {
    changer((tags) => {
      if (Tags.length === 0) tags.clear();
      for (const { Key = '', Value } of Tags) if (Value === undefined || tags.get(Key) === Value) tags.delete(Key);
    });
  }
  return {};
}
