'use strict';

/** An option only Node's own TLS can honour; the message names it. */
class Foreign extends Error {}

/** @param {string} reason @returns {never} */
function foreign(reason) {
  throw new Foreign(reason);
}

module.exports = { Foreign, foreign };
