/** An upload in parts that has begun. */
export interface ObjectUpload {
  readonly key: string;
  readonly id: string;
}

/** A part that S3 has, as ending the upload names it. */
export interface ObjectPart {
  /** From 1 on. */
  readonly number: number;
  readonly etag: string;
  /** CRC32 as S3 has it, base64. */
  readonly checksum: string | undefined;
}

/** Objects of one bucket, sent in parts. Everything throws AwsRefusal for what S3 refuses, and UserError for what did not get there. */
export interface S3Api {
  /** The region that the bucket is in. */
  bucketRegion(): Promise<string>;
  beginUpload(key: string): Promise<ObjectUpload>;
  /** Sends a part of 5 MiB or more, but for the last; its bytes are checked on arrival. */
  sendPart(upload: ObjectUpload, number: number, bytes: Uint8Array): Promise<ObjectPart>;
  endUpload(upload: ObjectUpload, parts: readonly ObjectPart[]): Promise<void>;
  /** Uploads of an object that neither ended nor were given up. */
  openUploads(key: string): Promise<readonly ObjectUpload[]>;
  /** Gives an upload up, and what it has stored. */
  abortUpload(upload: ObjectUpload): Promise<void>;
  /** Removes an object; one that is not there is no error. */
  remove(key: string): Promise<void>;
}
