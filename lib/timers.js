'use strict';

/**
 * Node's own timers, taken while the package is loaded: what is loaded with the first pool may meet
 * those a test has put in their place, which stand still.
 */
const { setImmediate, setTimeout, clearTimeout } = require('node:timers');

module.exports = { setImmediate, setTimeout, clearTimeout };
