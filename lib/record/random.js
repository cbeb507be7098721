'use strict';

const crypto = require('node:crypto');

const OCTETS = 8192;
let pool = '';
let used = 0;

/** Random octets in hexadecimal. A call of its own for every message costs more than its text. */
function randomHex(octets) {
  const end = used + octets * 2;
  if (end > pool.length) {
    pool = crypto.randomBytes(OCTETS).toString('hex');
    used = 0;
    return randomHex(octets);
  }
  const hex = pool.slice(used, end);
  used = end;
  return hex;
}

module.exports = { randomHex };
