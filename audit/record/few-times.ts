/** True at most `most` times per stretch: what anyone can trigger must not fill a log. */
export function createFewTimes(most: number, stretchMs: number, now = Date.now): () => boolean {
  let since = -Infinity;
  let times = 0;
  return () => {
    if (now() - since >= stretchMs) {
      since = now();
      times = 0;
    }
    times += 1;
    return times <= most;
  };
}
