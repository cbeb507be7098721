'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { whyBuild } = require('../../scripts/support/addon');

const ADDON = `made.${process.platform}-${process.arch}-any.node`;
const BEFORE = new Date('2026-01-01T10:00:00Z');
const BUILT = new Date('2026-01-01T11:00:00Z');
const AFTER = new Date('2026-01-01T12:00:00Z');

let root;
afterEach(() => fs.rmSync(root, { recursive: true }));
beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'postpool-addon-'));
  write('package.json', JSON.stringify({ napi: { binaryName: 'made' } }), BEFORE);
  for (const name of [
    'Cargo.toml',
    'Cargo.lock',
    'build.rs',
    'src/lib.rs',
    'src/wire/reply.rs',
    'binding.js',
  ]) {
    write(name, '', BEFORE);
  }
  write('target/addon.json', JSON.stringify({ profile: 'release' }), BUILT);
  write(ADDON, '', BUILT);
  for (const folder of ['src/wire', 'src']) fs.utimesSync(path.join(root, folder), BEFORE, BEFORE);
});

function write(name, text, time) {
  const file = path.join(root, name);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, text);
  fs.utimesSync(file, time, time);
}

test('an addon newer than all its sources is not built again', () => {
  expect(whyBuild('release', root)).toBeNull();
});

test.each(['Cargo.toml', 'Cargo.lock', 'build.rs', 'src/wire/reply.rs'])(
  'a change in %s builds it',
  (name) => {
    write(name, '', AFTER);
    expect(whyBuild('release', root)).toBe('its sources changed');
  },
);

test('a source that was removed builds it', () => {
  fs.rmSync(path.join(root, 'src/wire/reply.rs'));
  expect(whyBuild('release', root)).toBe('its sources changed');
});

test.each([ADDON, 'binding.js'])('without %s it is built', (name) => {
  fs.rmSync(path.join(root, name));
  expect(whyBuild('release', root)).toBe('it is missing');
});

test('a debug build does not pass for the release', () => {
  write('target/addon.json', JSON.stringify({ profile: 'debug' }), BUILT);
  expect(whyBuild('release', root)).toBe('it is no release build');
});

test('a build that nobody noted down is not trusted to be the release', () => {
  fs.rmSync(path.join(root, 'target'), { recursive: true });
  expect(whyBuild('release', root)).toBe('it is no release build');
});
