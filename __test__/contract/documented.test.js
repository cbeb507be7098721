'use strict';

/** docs/differences.md and the rows name the same differences. */

const fs = require('node:fs');
const path = require('node:path');
const { WIRE_DIFFERENCES } = require('../support/compare');

const page = fs.readFileSync(path.join(__dirname, '../../docs/differences.md'), 'utf8');
const documented = new Set([...page.matchAll(/^\| `([a-z0-9-]+)`/gm)].map(([, name]) => name));

const directory = path.join(__dirname, 'rows');
const rows = fs.readdirSync(directory).flatMap((file) => require(path.join(directory, file)));
const used = new Set(Object.keys(WIRE_DIFFERENCES));
for (const row of rows) {
  if (row.difference) used.add(row.difference);
  if (row.without) used.add(row.without.difference);
}
for (const { apart } of require('../peers/cases')) if (apart) used.add(apart);

test('every difference that a row or the harness uses is documented', () => {
  expect([...used].filter((name) => !documented.has(name))).toEqual([]);
});

test('every documented difference is shown by a row', () => {
  expect([...documented].filter((name) => !used.has(name))).toEqual([]);
});

test('the name of a row is unique in its area', () => {
  for (const file of fs.readdirSync(directory)) {
    const names = require(path.join(directory, file)).map(({ name }) => name);
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
  }
});

test('there are hundreds of rows', () => {
  process.stdout.write(`contract: ${rows.length} rows in ${fs.readdirSync(directory).length} areas\n`);
  expect(rows.length).toBeGreaterThan(200);
});
