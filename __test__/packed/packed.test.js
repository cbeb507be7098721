'use strict';

/** The packages as package managers install them, through each way in, and the ways that lead astray. */

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { startServer } = require('../support/servers');
const { inEach, run, THIS } = require('../runtimes/runtimes');
const { MANAGERS } = require('./managers');
const { NPM, execute, publish } = require('./publish');

const ONCE = path.join(__dirname, '../runtimes/programs/once.cjs');

/** A package that requires nodemailer itself, as frameworks do. */
const FRAMEWORK = {
  manifest: { name: 'framework', version: '1.0.0', dependencies: { nodemailer: '^10.0.0' } },
  script: `exports.open = (options) => require('nodemailer').createTransport(options);`,
};
/** A nodemailer from before all that postpool uses. */
const OLD = {
  manifest: { name: 'nodemailer', version: '9.0.5' },
  script: 'exports.createTransport = () => {};',
};

const SEND = `
  async function send(transporter) {
    const fields = { from: 'sender@example.com', to: 'recipient@example.com', text: 'Hello.' };
    const info = await transporter.sendMail(fields);
    transporter.close();
    const engine = transporter.engine ?? transporter.transporter.engine;
    console.log([engine, info.accepted.length].join(' '));
  }
  const options = { pool: true, host: '127.0.0.1', port: Number(process.argv[2]) };`;

let scratch;
let registry;
let server;

beforeAll(async () => {
  scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'postpool-packed-'));
  registry = await publish(scratch, [OLD, FRAMEWORK]);
}, 120000);
afterAll(async () => {
  await registry.close();
  fs.rmSync(scratch, { recursive: true });
});

beforeEach(async () => (server = await startServer()));
afterEach(() => server.close());

/** Makes a project and installs its packages; gives a way to run a program in it. */
async function install(manifest, flags = []) {
  const folder = fs.mkdtempSync(path.join(scratch, 'project-'));
  fs.writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ private: true, ...manifest }));
  const own = ['--registry', registry.url, '--cache', path.join(scratch, 'cache')];
  const args = ['install', '--no-audit', '--no-fund', '--ignore-scripts', ...own, ...flags];
  await execute(NPM, args, { cwd: folder, shell: process.platform === 'win32' });
  const { packages } = JSON.parse(
    fs.readFileSync(path.join(folder, 'node_modules/.package-lock.json'), 'utf8'),
  );
  return {
    installed: Object.entries(packages).map(([where, { name, version }]) =>
      [where.replaceAll('node_modules/', ''), name, version].filter(Boolean).join(' '),
    ),
    run(script) {
      fs.writeFileSync(path.join(folder, 'program.cjs'), script);
      return run(THIS, ['program.cjs', server.port], { cwd: folder });
    },
  };
}

const sent = { code: 0, out: 'native 1\n', err: '' };
const addon = expect.stringMatching(`^postpool-${process.platform}-${process.arch}\\S* 0\\.`);
const ours = expect.stringMatching(/^postpool 0\./);
const aliased = expect.stringMatching(/^nodemailer postpool 0\./);
const postpool = '^0.1.0';
const alias = `npm:postpool@${postpool}`;
const exception = { '.': '$nodemailer', nodemailer: '^10.6.0' };

test('postpool comes with nodemailer and the addon of this platform, and nothing else', async () => {
  const project = await install({ dependencies: { postpool } });
  expect(project.installed).toEqual(['nodemailer 10.6.0', ours, addon]);
  expect(await project.run(fs.readFileSync(ONCE, 'utf8'))).toEqual(sent);
}, 60000);

test('a pool as a transport object of the nodemailer that is installed beside it', async () => {
  const project = await install({ dependencies: { postpool, nodemailer: '^10.0.0' } });
  expect(project.installed).toEqual(['nodemailer 10.6.0', ours, addon]);
  const open = `require('nodemailer').createTransport(require('postpool').pool(options))`;
  expect(await project.run(`${SEND} send(${open})`)).toEqual(sent);
}, 60000);

test('under the name of nodemailer', async () => {
  const project = await install({ dependencies: { nodemailer: alias } });
  expect(project.installed).toEqual([aliased, 'nodemailer/nodemailer 10.6.0', addon]);
  const open = `require('nodemailer').createTransport(options)`;
  expect(await project.run(`${SEND} send(${open})`)).toEqual(sent);
}, 60000);

test('under the name of nodemailer, also for a framework that brings its own', async () => {
  const dependencies = { nodemailer: alias, framework: '*' };
  const project = await install({ dependencies, overrides: { nodemailer: exception } });
  expect(project.installed).toEqual(['framework 1.0.0', aliased, 'nodemailer/nodemailer 10.6.0', addon]);
  expect(await project.run(`${SEND} send(require('framework').open(options))`)).toEqual(sent);
}, 60000);

test('an override without the exception is explained, whatever is required first', async () => {
  const dependencies = { nodemailer: alias, framework: '*' };
  const project = await install({ dependencies, overrides: { nodemailer: alias } });
  expect(project.installed).toEqual(['framework 1.0.0', aliased, addon]);
  const loads = [`require('nodemailer')`, `require('nodemailer/lib/mailer')`, `import('nodemailer')`];
  for (const load of loads) {
    const { code, err } = await project.run(load);
    expect(code).toBe(1);
    expect(err).toContain('the name "nodemailer" leads back to postpool');
    expect(err).toContain('"nodemailer": "^10.6.0"');
  }
}, 60000);

test('an override with an old nodemailer is explained', async () => {
  const project = await install({ dependencies: { postpool }, overrides: { nodemailer: '9.0.5' } });
  const { code, err } = await project.run(`require('postpool')`);
  expect(code).toBe(1);
  expect(err).toContain('it needs 10.6 or newer, and found 9.0.5');
}, 60000);

test('without optional packages mail goes out all the same, and a warning says why it is slow', async () => {
  const project = await install({ dependencies: { postpool } }, ['--omit=optional']);
  expect(project.installed).toEqual(['nodemailer 10.6.0', ours]);
  const { code, out, err } = await project.run(fs.readFileSync(ONCE, 'utf8'));
  expect([code, out]).toEqual([0, 'nodemailer 1\n']);
  expect(err).toMatch(/POSTPOOL_NO_ADDON.*optional dependencies are not installed/);
}, 60000);

const FRAMEWORKS = `require('framework').open(options)`;

inEach(MANAGERS, 'other package managers', async (manager) => {
  const { manifest, files, env, install: args, starter = THIS, opens = FRAMEWORKS } = manager;
  const folder = fs.mkdtempSync(path.join(scratch, 'managed-'));
  const place = { url: registry.url, scratch };
  const written = {
    'package.json': JSON.stringify({ private: true, ...manifest }),
    'program.cjs': `${SEND} send(${opens})`,
    ...files?.(place),
  };
  for (const [name, text] of Object.entries(written)) fs.writeFileSync(path.join(folder, name), text);
  const installed = await run(manager, args, { cwd: folder, env: env?.(place) });
  expect(installed.code === 0 || installed).toBe(true);
  expect(await run(starter, ['program.cjs', server.port], { cwd: folder })).toEqual(sent);
});
