'use strict';

const crypto = require('node:crypto');

const SIZE = 8192;
let pool = null;
let used = SIZE;

/** Random octets in hexadecimal. A call of its own for every message costs more than its text. */
function randomHex(octets) {
  if (used + octets > SIZE) {
    pool = crypto.randomBytes(SIZE);
    used = 0;
  }
  used += octets;
  return pool.toString('hex', used - octets, used);
}

/** Left part of a generated message id. */
function randomId() {
  const hex = randomHex(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

module.exports = { randomHex, randomId };
