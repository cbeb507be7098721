'use strict';

/** The doors into the package: its own entrance for both module systems, and `postpool/lib/*`. */

const fs = require('node:fs');
const path = require('node:path');
const { execFile } = require('node:child_process');
const { promisify } = require('node:util');
const { doors, names, root } = require('../support/doors');

const home = path.join(__dirname, '../..');

/** Runs a script in Node itself, since Jest resolves modules in its own way; gives what it prints as JSON. */
async function node(kind, script) {
  const input = ['--input-type', kind, '--eval', script];
  const { stdout } = await promisify(execFile)(process.execPath, input, { cwd: home });
  return JSON.parse(stdout);
}

test('the files of the doors are what nodemailer offers', () => {
  const found = fs.readdirSync(root, { recursive: true }).filter((file) => path.extname(file));
  const files = Object.fromEntries(
    found.map((file) => [file, fs.readFileSync(path.join(root, file), 'utf8')]),
  );
  expect(files).toEqual(doors());
});

test('every path below lib is the module of nodemailer', async () => {
  const paths = names().flatMap((name) => [name, `${name}.js`]);
  const script = `
    const paths = ${JSON.stringify(paths)};
    const same = (name) => require('postpool/lib/' + name) === require('nodemailer/lib/' + name.replace(/\\.js$/, ''));
    console.log(JSON.stringify(paths.filter((name) => !same(name))));`;
  expect(await node('commonjs', script)).toEqual([]);
});

test('the table of services can be had as JSON', async () => {
  const script = `console.log(JSON.stringify(require('postpool/lib/well-known/services.json').Gmail.host))`;
  expect(await node('commonjs', script)).toBe('smtp.gmail.com');
});

test('ESM gets the same objects as CommonJS', async () => {
  const script = `
    import { createRequire } from 'node:module';
    import Mailer from 'postpool/lib/mailer';
    import { parseConnectionUrl } from 'postpool/lib/shared';
    import addressparser from 'postpool/lib/addressparser';
    const require = createRequire(import.meta.url);
    console.log(JSON.stringify([
      Mailer === require('postpool/lib/mailer'),
      parseConnectionUrl === require('postpool/lib/shared').parseConnectionUrl,
      addressparser('a@example.com')[0].address,
    ]));`;
  expect(await node('module', script)).toEqual([true, true, 'a@example.com']);
});

test('nothing else below lib is public', async () => {
  const script = `
    const reach = (name) => { try { require('postpool/' + name); return 'open'; } catch (err) { return err.code; } };
    console.log(JSON.stringify(['lib/doors/mailer', 'binding', 'lib/transporter'].map(reach)));`;
  const closed = ['MODULE_NOT_FOUND', 'ERR_PACKAGE_PATH_NOT_EXPORTED'];
  for (const answer of await node('commonjs', script)) expect(closed).toContain(answer);
});

test('the entrance exports what nodemailer exports, and pool, by require and by import', async () => {
  const script = `
    import postpool, { createTransport, createTestAccount, getTestMessageUrl, pool } from 'postpool';
    import * as everything from 'postpool';
    import { createRequire } from 'node:module';
    const required = createRequire(import.meta.url)('postpool');
    console.log(JSON.stringify([
      [createTransport, createTestAccount, getTestMessageUrl, pool].map((item) => typeof item),
      Object.keys(everything).sort(),
      Object.keys(required).sort(),
      postpool === required, required.default === required, createTransport === required.createTransport,
    ]));`;
  const entrance = ['createTestAccount', 'createTransport', 'getTestMessageUrl', 'pool'];
  expect(await node('module', script)).toEqual([
    Array(4).fill('function'),
    [...entrance.slice(0, 2), 'default', ...entrance.slice(2)],
    entrance,
    true,
    true,
    true,
  ]);
});
