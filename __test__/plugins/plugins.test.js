'use strict';

/** The plugins and the frameworks, in one file because they share one installation. */

const path = require('node:path');
const { execFile } = require('node:child_process');
const { promisify } = require('node:util');
const install = require('./install');
const { contract } = require('../support/contract');
const { startServer } = require('../support/servers');

/** Each library runs in Node itself, as it would in an application; it must also let the process end. */
async function run(name) {
  const server = await startServer();
  const script = [path.join(__dirname, 'frameworks.js'), name, server.port];
  try {
    const { stdout } = await promisify(execFile)(process.execPath, script, { timeout: 60000 });
    return { outcome: JSON.parse(stdout), messages: server.messages };
  } finally {
    await server.close();
  }
}

beforeAll(install, 300000);

contract('published plugins', require('./rows'), { file: require.resolve('./rows') });

test('nodemailer-mock takes the place of the sending', async () => {
  const { outcome, messages } = await run('nodemailer-mock');
  expect(outcome).toEqual(['recipient@example.com', 'hello', true, 1]);
  expect(messages).toEqual([]);
}, 60000);

test('email-templates sends, with options and with a transporter', async () => {
  const { outcome, messages } = await run('email-templates');
  expect(outcome).toEqual([
    [['recipient@example.com'], 'native'],
    [['recipient@example.com'], 'native'],
  ]);
  expect(messages).toHaveLength(2);
  for (const { body } of messages) expect(body).toMatch(/^Subject: =\?UTF-8\?Q\?welcome\/subject_for_Zo/m);
}, 60000);

test('preview-email makes its preview', async () => {
  const { outcome } = await run('preview-email');
  expect(outcome).toBe(true);
}, 60000);

test('@nestjs-modules/mailer sends and verifies', async () => {
  const { outcome, messages } = await run('@nestjs-modules/mailer');
  expect(outcome).toEqual([['recipient@example.com'], true, 'native']);
  expect(messages).toHaveLength(1);
}, 60000);
