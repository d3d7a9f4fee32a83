/** @import { ErrorKind } from './types.js' */

/** Every failure that reaches the page: a kind for programs, a message for people, the cause chained. */
export class LookalikeError extends Error {
  /**
   * @param {ErrorKind} kind
   * @param {string} message what, where, what to do
   * @param {{cause?: unknown}} [options]
   */
  constructor(kind, message, options) {
    super(message, options);
    this.name = 'LookalikeError';
    this.kind = kind;
  }
}

/**
 * Any thrown value as a LookalikeError; the engine's own errors carry a `kind` already.
 * @param {unknown} thrown
 * @param {ErrorKind} [fallback]
 * @returns {LookalikeError}
 */
export function asError(thrown, fallback = 'internal') {
  if (thrown instanceof LookalikeError) return thrown;
  if (thrown instanceof Error) {
    if (thrown.name === 'AbortError') return aborted(thrown);
    const kind = /** @type {{kind?: ErrorKind}} */ (/** @type {unknown} */ (thrown)).kind;
    return new LookalikeError(kind ?? fallback, thrown.message, { cause: thrown });
  }
  return new LookalikeError(fallback, String(thrown));
}

/** @param {unknown} [cause] */
export function aborted(cause) {
  return new LookalikeError('aborted', 'The work was called off.', { cause });
}

/**
 * Errors lose their class on the way out of a worker: only plain data survives.
 * @param {unknown} thrown
 * @returns {{kind: ErrorKind, message: string, cause?: string}}
 */
export function toWire(thrown) {
  const error = asError(thrown);
  const cause = error.cause instanceof Error ? error.cause.message : undefined;
  return { kind: error.kind, message: error.message, cause: cause === error.message ? undefined : cause };
}

/** @param {{kind: ErrorKind, message: string, cause?: string}} wire */
export function fromWire(wire) {
  return new LookalikeError(wire.kind, wire.message, wire.cause ? { cause: new Error(wire.cause) } : undefined);
}
