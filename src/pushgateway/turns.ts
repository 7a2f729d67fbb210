/** How long is worked in one go before other work gets its turn: far less than a push may wait. */
const MAX_TURN_MS = 1;
/**
 * Work that is shorter needs no turn of its own. Much longer it must not be: Bun reads a socket up to ten times before it looks at
 * the next one.
 */
const SHORT_MS = 0.1;

/** One step of some long work. False: nothing is left to do. A promise: the next step waits for it. */
export type Step = () => boolean | Promise<void>;

/**
 * Takes steps until none is left, and lets other work in after every millisecond. Returns a promise only if it has to. Works that go on
 * at the same time each take their turn: whoever starts many of them makes everybody else wait for the sum.
 */
export function takeTurns(step: Step): undefined | Promise<void> {
  const started = performance.now();
  const left = takeTurn(step);
  if (left === false && performance.now() - started < SHORT_MS) return undefined;
  return takeMoreTurns(step, left);
}

async function takeMoreTurns(step: Step, first: ReturnType<Step>): Promise<void> {
  for (let left = first; ; left = takeTurn(step)) {
    if (typeof left !== "boolean") await left;
    await new Promise((resolve) => setImmediate(resolve));
    if (left === false) return;
  }
}

/** Steps until nothing is left, one wants to be waited for, or the turn is over. */
function takeTurn(step: Step): ReturnType<Step> {
  const until = performance.now() + MAX_TURN_MS;
  for (;;) {
    const left = step();
    if (left !== true || performance.now() > until) return left;
  }
}
