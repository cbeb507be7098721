// npm run lint says what is wrong with the form of the code; npm run format puts it right where it can.
'use strict';

require('./support/node-version');
const { main, run, packageBin } = require('./support/process');
const { ensurePackages } = require('./support/packages');
const { requireRust } = require('./support/rust');

main(async (args) => {
  const fix = args.includes('--fix');
  requireRust();
  await ensurePackages();
  const node = (name, ...flags) => run(process.execPath, [packageBin(name), ...flags]);
  const codes = [
    await run('cargo', fix ? ['fmt', '--all'] : ['fmt', '--all', '--check']),
    await node('eslint', '.', ...(fix ? ['--fix'] : [])),
    await node('prettier', fix ? '--write' : '--check', '--log-level', 'warn', '.'),
  ];
  if (!fix) {
    codes.push(await run('cargo', ['clippy', '--workspace', '--all-targets', '--', '-D', 'warnings']));
  }
  return Math.max(...codes);
});
