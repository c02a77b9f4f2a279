/** CPU seconds of each step of a cold publish alone. */
export interface Steps {
  /** Reading the store and writing tar, without any hash. */
  readonly readAndTar: number;
  /** SHA-256 of the uncompressed layers. */
  readonly hashTar: number;
  readonly compress: number;
  /** SHA-256 of the compressed layers. */
  readonly hashLayers: number;
  readonly send: number;
  /** The registry's share of that, on the same machine. */
  readonly registry: number;
}

export interface Floor {
  readonly cpuSeconds: number;
  /** Wall time that no arrangement of these steps can beat on two cores. */
  readonly wallSeconds: number;
}

/** Two cores, each busy all the time, with nothing done twice. */
export function twoCoreFloor(steps: Steps): Floor {
  const cpuSeconds = steps.readAndTar + steps.hashTar + steps.compress + steps.hashLayers + steps.send + steps.registry;
  return { cpuSeconds, wallSeconds: cpuSeconds / 2 };
}
