'use strict';

/** Ways to run an application: flags of Node, a cluster, a bundle, a machine without an addon. */

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { HOME, PACKAGES, PROGRAMS, RUNTIMES, THIS, inEach, run, withServer } = require('./runtimes');

const NODES = RUNTIMES.filter(({ name }) => name.startsWith('Node'));
const BUNDLER = { ...THIS, needs: path.join(PACKAGES, 'esbuild/bin/esbuild') };
const [DENO] = RUNTIMES.filter(({ name }) => name === 'Deno');
const NATIVE = { code: 0, out: 'native 1\n' };

/** How a pool ends up on nodemailer's engine, with one warning that says why. */
const FALLBACK = { code: 0, out: 'nodemailer 1\n' };
const warnings = (err) => err.split('\n').filter((line) => line.includes('[POSTPOOL_NO_ADDON]'));

const here = withServer();

const once = (runtime, flags, env) =>
  run(runtime, [...flags, path.join(PROGRAMS, 'once.cjs'), here.server.port], { env });

test.each([
  ['--disable-proto=delete'],
  ['--disable-proto=throw'],
  ['--frozen-intrinsics', '--no-warnings'],
  ['--disallow-code-generation-from-strings'],
  ['--throw-deprecation', '--pending-deprecation'],
])('Node with %s', async (...flags) => {
  expect(await once(THIS, flags)).toEqual({ ...NATIVE, err: '' });
  expect(here.server.messages).toHaveLength(1);
});

test('Node told so by NODE_OPTIONS', async () => {
  const env = { NODE_OPTIONS: '--disable-proto=delete --enable-source-maps' };
  expect(await once(THIS, [], env)).toEqual({ ...NATIVE, err: '' });
});

const permission = (name) => (/Node 2[02]/.test(name) ? '--experimental-permission' : '--permission');
const network = (name) => (/Node 26/.test(name) ? ['--allow-net'] : []);

// Node 20 has no --allow-addons.
inEach(NODES.slice(1), 'permissions that allow addons', async (runtime) => {
  const flags = [permission(runtime.name), '--allow-fs-read=*', '--allow-addons'];
  expect(await once(runtime, flags)).toMatchObject(NATIVE);
});

inEach(NODES, 'permissions without addons', async (runtime) => {
  const flags = [permission(runtime.name), '--allow-fs-read=*', ...network(runtime.name)];
  const { err, ...seen } = await once(runtime, flags);
  expect(seen).toEqual(FALLBACK);
  expect(warnings(err)).toEqual([expect.stringContaining('loading addons is disabled')]);
});

inEach([DENO], 'permissions that allow addons', async (runtime) => {
  const allowed = ['--allow-read', '--allow-env', '--allow-sys', '--allow-ffi', '--allow-net'];
  const args = ['run', '--no-prompt', '--node-modules-dir=manual', ...allowed];
  expect(await once({ ...runtime, args }, [])).toEqual({ ...NATIVE, err: '' });
});

test('a processor without an addon', async () => {
  const { err, ...seen } = await once(THIS, ['--require', path.join(PROGRAMS, 'fake-arch.cjs')]);
  expect(seen).toEqual(FALLBACK);
  expect(warnings(err)).toEqual([expect.stringContaining(`no addon for ${process.platform}-s390x`)]);
  expect(here.server.messages).toHaveLength(1);
});

test('an addon that the system does not load', async () => {
  const broken = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'postpool-broken-')), 'broken.node');
  fs.writeFileSync(broken, 'no program');
  const { err, ...seen } = await once(THIS, [], { NAPI_RS_NATIVE_LIBRARY_PATH: broken });
  fs.rmSync(path.dirname(broken), { recursive: true });
  expect(seen).toEqual(FALLBACK);
  expect(warnings(err)).toEqual([expect.stringContaining('broken.node')]);
});

test('a cluster of four, each process with its own pool', async () => {
  const { code, out, err } = await run(THIS, [path.join(PROGRAMS, 'cluster.cjs'), here.server.port]);
  expect([code, err]).toEqual([0, '']);
  expect(JSON.parse(out)).toEqual({ said: Array(4).fill('native'), codes: [0, 0, 0, 0] });
  const subjects = here.server.messages.map(({ body }) => /^Subject: (.*)\r$/m.exec(body)[1]);
  expect([subjects.length, new Set(subjects).size]).toEqual([100, 100]);
});

inEach(NODES, 'AsyncLocalStorage is kept across sendMail', async (runtime) => {
  const { code, out, err } = await run(runtime, [path.join(PROGRAMS, 'context.cjs'), here.server.port]);
  expect([code, err]).toEqual([0, '']);
  const seen = JSON.parse(out);
  expect(seen.map(([name]) => name)).toHaveLength(8);
  expect(seen.filter(([name, store]) => name !== store)).toEqual([]);
});

inEach(NODES, 'mock timers of node:test', async (runtime) => {
  // Some versions warn that these timers are an experiment.
  const flags = ['--no-warnings', path.join(PROGRAMS, 'mock-timers.cjs'), here.server.port];
  expect(await run(runtime, flags)).toEqual({ ...NATIVE, err: '' });
});

/** Bundles the program into a folder of its own, with these flags, and runs it from there. */
async function bundled(flags, { prepare = () => {}, extension = 'js' } = {}) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'postpool-bundle-'));
  const args = [path.join(PROGRAMS, 'once.cjs'), '--bundle', '--platform=node', '--log-level=warning'];
  try {
    const built = await run(THIS, [BUNDLER.needs, ...args, `--outdir=${folder}`, ...flags]);
    expect(built).toEqual({ code: 0, out: '', err: '' });
    prepare(folder);
    return await run(THIS, [path.join(folder, `once.${extension}`), here.server.port], { cwd: folder });
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

inEach([BUNDLER], 'a bundle with the addon beside it', async () => {
  const addon = fs.readdirSync(HOME).find((name) => name.endsWith('.node'));
  const copy = (folder) => fs.copyFileSync(path.join(HOME, addon), path.join(folder, addon));
  expect(await bundled(['--external:*.node'], { prepare: copy })).toEqual({ ...NATIVE, err: '' });
});

inEach([BUNDLER], 'a bundle that took the addon along', async () => {
  expect(await bundled(['--loader:.node=copy'])).toEqual({ ...NATIVE, err: '' });
});

inEach([BUNDLER], 'a bundle as an ES module', async () => {
  const banner =
    "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";
  const flags = ['--format=esm', `--banner:js=${banner}`, '--out-extension:.js=.mjs', '--loader:.node=copy'];
  expect(await bundled(flags, { extension: 'mjs' })).toEqual({ ...NATIVE, err: '' });
});
