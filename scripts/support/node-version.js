// Loaded before anything else, so it keeps to syntax that any Node understands.
'use strict';

/* eslint-disable no-var */
var needed = [20, 17];
var running = process.versions.node.split('.').map(Number);

if (running[0] < needed[0] || (running[0] === needed[0] && running[1] < needed[1])) {
  console.error(
    'Building postpool needs Node.js ' +
      needed.join('.') +
      ' or newer; this is ' +
      process.versions.node +
      '.',
  );
  process.exit(1);
}
