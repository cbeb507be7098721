'use strict';

/**
 * The types in the places where people meet them: under postpool's own name and installed in
 * nodemailer's place, for every way TypeScript resolves modules; and what the package's linters say.
 */

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { execFile } = require('node:child_process');

const root = path.join(__dirname, '../..');

/** The script of a command that a development dependency brings. */
function bin(name, command = name) {
  const file = path.join(root, 'node_modules', name, 'package.json');
  const declared = JSON.parse(fs.readFileSync(file, 'utf8')).bin;
  return path.join(path.dirname(file), typeof declared === 'string' ? declared : declared[command]);
}

/** Runs a command of a dependency; gives its exit code and what it said. */
function run(script, args, cwd) {
  return new Promise((resolve) => {
    const env = { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' };
    execFile(process.execPath, [script, ...args], { cwd, env }, (err, stdout, stderr) =>
      resolve({ code: err?.code ?? 0, said: `${stdout}${stderr}` }),
    );
  });
}

const fine = { code: 0, said: '' };
const folders = [];
afterAll(() => folders.forEach((folder) => fs.rmSync(folder, { recursive: true })));

/** A project of its own in which `nodemailer` is postpool, or has the types of `@types/nodemailer`. */
function application(options, { file = 'application.ts', types } = {}) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'postpool-types-'));
  folders.push(folder);
  const place = path.join(folder, 'node_modules', types ? '@types/nodemailer' : 'nodemailer');
  fs.mkdirSync(path.dirname(place), { recursive: true });
  fs.symlinkSync(types ?? root, place, 'junction');
  fs.copyFileSync(path.join(__dirname, 'alias', file), path.join(folder, file));
  const { compilerOptions } = JSON.parse(fs.readFileSync(path.join(__dirname, 'tsconfig.json'), 'utf8'));
  const typeRoots = [path.join(root, 'node_modules/@types')];
  const config = { compilerOptions: { ...compilerOptions, typeRoots, ...options }, include: ['*.ts'] };
  fs.writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify(config));
  return folder;
}

test('the types say what the type tests say', async () => {
  expect(await run(bin('typescript', 'tsc'), ['-p', __dirname], root)).toEqual(fine);
}, 120000);

test.each([
  ['Node16', { module: 'Node16', moduleResolution: 'Node16' }],
  ['a bundler', { module: 'ESNext', moduleResolution: 'Bundler' }],
  ['the old way of Node', { module: 'CommonJS', moduleResolution: 'Node10' }],
])(
  'an application of nodemailer compiles with postpool in its place, resolved by %s',
  async (name, options) => {
    expect(await run(bin('typescript', 'tsc'), ['-p', application(options)], root)).toEqual(fine);
  },
  120000,
);

const classic = path.join(root, '__test__/runtimes/node_modules/@types/nodemailer');
const installed = fs.existsSync(classic);
(installed ? test : test.skip)(
  `an application of @types/nodemailer 8 compiles unchanged${installed ? '' : ' (`npm test` installs them)'}`,
  async () => {
    const options = { exactOptionalPropertyTypes: false, skipLibCheck: true };
    const [before, after] = [{ types: classic }, {}].map((from) =>
      run(bin('typescript', 'tsc'), ['-p', application(options, { file: 'classic.ts', ...from })], root),
    );
    expect([await before, await after]).toEqual([fine, fine]);
  },
  120000,
);

test('publint has nothing to say about the package', async () => {
  const { code, said } = await run(bin('publint'), ['--strict', '--pack', 'false'], root);
  expect([code, /warning|error/i.test(said)]).toEqual([0, false]);
}, 120000);

test('the entrance has right types for every way of resolving it', async () => {
  const { code, said } = await run(bin('@arethetypeswrong/cli', 'attw'), ['--pack', '.'], root);
  expect([code, /No problems found/.test(said) || said]).toEqual([0, true]);
}, 120000);
