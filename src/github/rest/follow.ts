import type { Effects } from '../../core/effects.ts';

/** A repository that was renamed, and whose owner was renamed, and http for https. */
const HOPS = 3;

const REDIRECTS = new Set([301, 302, 307, 308]);

/**
 * `fetch` that goes where GitHub sends it (a repository that was renamed is answered 301), as long as the host stays: the token
 * is for no other. Octokit leaves redirects to fetch, and ours follows none.
 */
export const followed =
  (fetch: Effects['fetch']): Effects['fetch'] =>
  async (input, init) => {
    let url = new URL(input instanceof Request ? input.url : input);
    for (let hop = 0; ; hop += 1) {
      const answer = await fetch(url, init);
      const next = answer.headers.get('location');
      if (!REDIRECTS.has(answer.status) || next === null || hop === HOPS) return answer;
      const to = new URL(next, url);
      if (to.origin !== url.origin) return answer;
      await answer.body?.cancel();
      url = to;
    }
  };
