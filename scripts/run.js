// Runs one of the project's programs on packages and an addon that are up to date.
'use strict';

require('./support/node-version');
const { main, run } = require('./support/process');
const { ensurePackages } = require('./support/packages');
const { ensureAddon } = require('./support/addon');

main(async ([program, ...args]) => {
  await ensurePackages();
  await ensureAddon();
  return run(process.execPath, [program, ...args]);
});
