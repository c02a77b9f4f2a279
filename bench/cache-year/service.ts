/** An entry of the simulated service. */
interface Entry {
  readonly bytes: number;
  used: number;
}

/** Bytes of a repository's cache, and the hours after which an entry that nobody used goes. */
export const SERVICE = { bytes: 10_000_000_000, idleHours: 168 } as const;

/**
 * GitHub's cache as far as a year needs it: once an hour it drops what was not used for a week, and, past its limit, what was
 * not used for longest.
 */
export class Service {
  readonly #entries = new Map<string, Entry>();
  readonly #limit: number;
  #hour = 0;
  #bytes = 0;
  /** The most bytes that were there at once, and what was dropped past the limit. */
  most = 0;
  uploaded = 0;
  evicted = 0;

  constructor(limit: number = SERVICE.bytes) {
    this.#limit = limit;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Lets time pass. Within the hour before, more than the limit may be there. */
  at(hour: number): void {
    if (hour > this.#hour) this.#sweep(hour);
    this.#hour = Math.max(this.#hour, hour);
  }

  #sweep(hour: number): void {
    for (const [key, { used }] of this.#entries) if (hour - used >= SERVICE.idleHours) this.remove(key);
    if (this.#bytes <= this.#limit) return;
    for (const [key] of [...this.#entries].sort(([, a], [, b]) => a.used - b.used)) {
      if (this.#bytes <= this.#limit) return;
      this.remove(key);
      this.evicted += 1;
    }
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  /** Whether it is there; it counts as used then. */
  read(key: string): boolean {
    const entry = this.#entries.get(key);
    if (entry) entry.used = this.#hour;
    return entry !== undefined;
  }

  save(key: string, bytes: number): void {
    if (this.read(key)) return;
    this.#entries.set(key, { bytes, used: this.#hour });
    this.#bytes += bytes;
    this.uploaded += bytes;
    this.most = Math.max(this.most, this.#bytes);
  }

  remove(key: string): void {
    this.#bytes -= this.#entries.get(key)?.bytes ?? 0;
    this.#entries.delete(key);
  }

  entries(): { readonly key: string; readonly bytes: number; readonly used: number }[] {
    return [...this.#entries].map(([key, entry]) => ({ key, ...entry }));
  }
}
