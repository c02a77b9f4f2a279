/** The numbers in a list of processors as Linux writes it: `0-3,8` (proc(5), Cpus_allowed_list). */
function processors(list: string): number[] {
  return list.split(',').flatMap((part) => {
    const [from = Number.NaN, to = from] = part.split('-').map(Number);
    return Array.from({ length: to - from + 1 }, (_, at) => from + at);
  });
}

/** The first `count` processors that /proc/self/status allows, as taskset wants them; undefined where it allows no more than that. */
export function firstProcessors(status: string, count: number): string | undefined {
  const allowed = processors(/^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? '');
  return allowed.length > count ? allowed.slice(0, count).join(',') : undefined;
}
