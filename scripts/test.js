// npm test: everything that must hold. `npm test -- clippy jest` runs the steps of these names.
'use strict';

require('./support/node-version');
const fs = require('node:fs');
const path = require('node:path');
const { ROOT, Complaint, main, run, packageBin } = require('./support/process');
const { ensurePackages } = require('./support/packages');
const { ensureAddon } = require('./support/addon');
const { ensureDebianPackages } = require('./support/debian');
const { requireRust } = require('./support/rust');
const { runSteps } = require('./support/steps');

const PLUGINS = path.join(ROOT, '__test__', 'plugins');
const RUNTIMES = path.join(ROOT, '__test__', 'runtimes');
const TYPE_TESTS = '__test__/types/tsconfig.json';

const cargo = (...args) => run('cargo', args);
const node = (name, ...args) => run(process.execPath, [packageBin(name), ...args]);

async function debian() {
  const reason = await ensureDebianPackages();
  return reason && { skip: `${reason}: what needs them is left out` };
}

async function runtimes() {
  await ensurePackages(RUNTIMES);
  // Node's packages bring its C++ headers, a quarter of the whole.
  const nodes = fs.readdirSync(path.join(RUNTIMES, 'node_modules')).filter((name) => /^node\d+$/.test(name));
  for (const name of nodes) {
    fs.rmSync(path.join(RUNTIMES, 'node_modules', name, 'include'), { recursive: true, force: true });
  }
}

function types() {
  if (!fs.existsSync(path.join(ROOT, TYPE_TESTS))) return { skip: `no ${TYPE_TESTS}` };
  return run(process.execPath, [packageBin('typescript', 'tsc'), '--noEmit', '-p', TYPE_TESTS]);
}

// One release build, the addon that users get; all that only Rust looks at shares the dev profile.
const STEPS = [
  { name: 'packages', run: () => ensurePackages() },
  { name: 'debian', run: debian },
  { name: 'rust', run: requireRust },
  { name: 'addon', needs: ['packages', 'rust'], run: ensureAddon },
  { name: 'rustfmt', needs: ['rust'], run: () => cargo('fmt', '--all', '--check') },
  {
    name: 'clippy',
    needs: ['rust'],
    run: () => cargo('clippy', '--workspace', '--all-targets', '--', '-D', 'warnings'),
  },
  { name: 'cargo-test', needs: ['rust'], run: () => cargo('test', '--workspace', '--no-fail-fast') },
  { name: 'engine-alone', needs: ['rust'], run: () => cargo('check', '--no-default-features') },
  { name: 'eslint', needs: ['packages'], run: () => node('eslint', '.') },
  {
    name: 'prettier',
    needs: ['packages'],
    run: () => node('prettier', '--check', '--log-level', 'warn', '.'),
  },
  { name: 'types', needs: ['packages'], run: types },
  // Several of Jest's files use these packages at once, so they are installed before it starts.
  { name: 'plugin-packages', needs: ['packages'], run: () => ensurePackages(PLUGINS) },
  { name: 'runtime-packages', needs: ['packages'], run: runtimes },
  { name: 'jest', needs: ['packages', 'addon'], run: () => node('jest') },
];

/** The steps of these names and, before them, what they need. */
function select(names) {
  const chosen = STEPS.filter((step) => names.includes(step.name));
  const needs = chosen.flatMap((step) => step.needs ?? []).filter((name) => !names.includes(name));
  return needs.length > 0 ? select([...names, ...needs]) : chosen;
}

main(async (names) => {
  const unknown = names.filter((name) => !STEPS.some((step) => step.name === name));
  if (unknown.length > 0) {
    const known = STEPS.map((step) => step.name).join(', ');
    throw new Complaint(`No step is called ${unknown.join(', ')}. The steps: ${known}.`);
  }
  const passed = await runSteps(names.length > 0 ? select(names) : STEPS);
  return passed ? 0 : 1;
});
