'use strict';

/** What the types promise is there. */

const fs = require('node:fs');
const path = require('node:path');
const postpool = require('../..');

const declarations = fs.readFileSync(path.join(__dirname, '../../index.d.ts'), 'utf8');

/** Names of the members of an interface in the type declarations. */
function members(name) {
  const body = declarations.match(new RegExp(`interface ${name} [^{]*\\{([\\s\\S]*?)\\n\\}`))[1];
  const names = [...body.matchAll(/^ {2}(?:readonly )?(\[[\w.]+\]|\w+)[?(:<]/gm)].map(([, member]) => member);
  return [...new Set(names)].map((member) =>
    member.startsWith('[') ? (Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')) : member,
  );
}

const transporter = postpool.createTransport({ pool: true, host: '127.0.0.1', port: 1 });
const transport = postpool.pool({ host: '127.0.0.1', port: 1 });
afterAll(() => Promise.all([transporter.close(), transport.close()]));

test.each(members('PoolTransporter').map((member) => [member]))('a transporter has %p', (member) => {
  expect(transporter[member]).toBeDefined();
});

test.each(
  members('PoolTransport')
    .filter((member) => member !== 'mailer')
    .map((member) => [member]),
)('a transport has %p', (member) => {
  expect(transport[member]).toBeDefined();
});

/** Whether a value has the form of an interface, where that has fields of its own. */
function expectForm(value, name) {
  expect(Object.keys(value).sort()).toEqual(expect.arrayContaining(required(name)));
}

/** Names of the fields that an interface always has. */
function required(name) {
  const body = declarations.match(new RegExp(`interface ${name} [^{]*\\{([\\s\\S]*?)\\n\\}`))[1];
  return [...body.matchAll(/^ {2}(\w+):/gm)].map(([, field]) => field).sort();
}

test('stats has the form that the types promise', () => {
  expectForm(transporter.stats(), 'PoolStats');
});

test('drain gives what the types promise', async () => {
  const drained = postpool.createTransport({ pool: true, host: '127.0.0.1', port: 1 });
  expectForm(await drained.drain(), 'DrainResult');
});
