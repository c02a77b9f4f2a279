/** Requests in distribution's access log (Apache's combined format), those of `ownAgent` apart. */
export function countRequests(log: string, ownAgent: string): number {
  const lines = log
    .split('\n')
    .filter((line) => /"(?:GET|HEAD|POST|PATCH|PUT|DELETE) \S+ HTTP\/[\d.]+" \d{3} /.test(line));
  return lines.filter((line) => !line.endsWith(`"${ownAgent}"`)).length;
}

/** Bytes of the bodies with which GETs were answered in such a log: all that whoever pulls is sent. */
export const bytesSent = (log: string): number =>
  [...log.matchAll(/"GET \S+ HTTP\/[\d.]+" 20\d (\d+) /g)].reduce((sum, [, bytes]) => sum + Number(bytes), 0);
