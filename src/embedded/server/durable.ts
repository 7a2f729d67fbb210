/**
 * Resolves when all changes so far are on disk. Where there is none, an answer does not wait for the disk. Rejects when they
 * could not be written, which has been logged then.
 */
export type Durable = () => Promise<void>;

/** What a client is told whose change is stored but could not be written. */
export const NOT_DURABLE = "Cannot write to the persistence file, see the log. The change may be lost at a restart";

/** Goes on when all changes so far are on disk, or at once if nobody waits for that. */
export function whenDurable(durable: Durable | undefined, goOn: (isDurable: boolean) => void): void {
  if (durable === undefined) goOn(true);
  else
    void durable().then(
      () => goOn(true),
      () => goOn(false),
    );
}

/** The same for one that can wait. */
export function isDurable(durable: Durable | undefined): Promise<boolean> {
  return new Promise((resolve) => whenDurable(durable, resolve));
}
