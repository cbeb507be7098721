'use strict';

/**
 * Thrown while a record is made when the message must take the composed path. Not an `Error`: it
 * never leaves `toRecord` and needs no stack.
 */
class ComposedPath {
  constructor(reason) {
    this.reason = reason;
  }
}

/** Leaves the native path for a reason that `stats()` counts. */
function composedPath(reason) {
  throw new ComposedPath(reason);
}

/** Returns a string, or leaves the native path: what else is coerced is not known to be the same. */
function text(value, reason) {
  return typeof value === 'string' ? value : composedPath(reason);
}

module.exports = { ComposedPath, composedPath, text };
