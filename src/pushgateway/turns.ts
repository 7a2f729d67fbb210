/** How long is worked in one go before other work gets its turn: far less than a push may wait. */
const MAX_TURN_MS = 3;

/**
 * One step of some long work. False: nothing is left to do. A promise: the next step waits for it.
 */
export type Step = () => boolean | Promise<void>;

/** Takes steps until none is left, and lets other work in every few milliseconds. A promise comes back only if it has to. */
export function takeTurns(step: Step): undefined | Promise<void> {
  const left = takeTurn(step);
  return left === false ? undefined : takeMoreTurns(step, left);
}

async function takeMoreTurns(step: Step, first: true | Promise<void>): Promise<void> {
  for (let left: ReturnType<Step> = first; left !== false; left = takeTurn(step)) {
    if (left !== true) await left;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Steps until one wants to be waited for or the turn is over. */
function takeTurn(step: Step): ReturnType<Step> {
  const until = performance.now() + MAX_TURN_MS;
  for (;;) {
    const left = step();
    if (left !== true || performance.now() > until) return left;
  }
}
