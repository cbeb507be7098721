'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { packagesAreCurrent } = require('../../scripts/support/packages');

let root;
beforeEach(() => (root = fs.mkdtempSync(path.join(os.tmpdir(), 'postpool-packages-'))));
afterEach(() => fs.rmSync(root, { recursive: true }));

function write(file, packages) {
  const target = path.join(root, file);
  fs.mkdirSync(path.dirname(target), { recursive: true });
  fs.writeFileSync(target, JSON.stringify({ packages }));
}

const LOCKED = {
  '': { name: 'root' },
  'node_modules/a': { version: '1.0.0' },
  'node_modules/b': { version: '2.0.0', optional: true },
};

test.each([
  ['all as locked', { 'node_modules/a': { version: '1.0.0' }, 'node_modules/b': { version: '2.0.0' } }, true],
  ['a variant for another platform left out', { 'node_modules/a': { version: '1.0.0' } }, true],
  ['a package missing', { 'node_modules/b': { version: '2.0.0' } }, false],
  ['a package of another version', { 'node_modules/a': { version: '1.0.1' } }, false],
])('%s: current is decided by what npm installed', (_name, installed, current) => {
  write('package-lock.json', LOCKED);
  write('node_modules/.package-lock.json', installed);
  expect(packagesAreCurrent(root)).toBe(current);
});

test('nothing installed is not current', () => {
  write('package-lock.json', LOCKED);
  expect(packagesAreCurrent(root)).toBe(false);
});
