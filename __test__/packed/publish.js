'use strict';

/**
 * A release without the world: the packages are made as a release makes them, and a registry on
 * 127.0.0.1 hands them to npm.
 */

const crypto = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { execFile } = require('node:child_process');
const { promisify } = require('node:util');

const HOME = path.join(__dirname, '../..');
const NAPI = path.join(HOME, 'node_modules/@napi-rs/cli/dist/cli.js');
const NPM = process.platform === 'win32' ? 'npm.cmd' : 'npm';
const execute = promisify(execFile);

const manifestOf = (folder) => JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'));

/**
 * Copies what a release is made of, and makes it: an addon in each platform's package, and all of
 * those named by the main one. Only this platform's is a real one.
 *
 * @returns {Promise<{main: string, fitting: string, others: string[]}>} folders of packages
 */
async function stage(folder) {
  const { files, napi, scripts } = manifestOf(HOME);
  for (const name of ['package.json', 'README.md', 'LICENSE', 'npm', ...files]) {
    fs.cpSync(path.join(HOME, name), path.join(folder, name), { recursive: true });
  }
  const prefix = `${napi.binaryName}.${process.platform}-${process.arch}`;
  const addon = fs.readdirSync(HOME).find((name) => name.startsWith(prefix) && name.endsWith('.node'));
  const platforms = fs.readdirSync(path.join(HOME, 'npm'));
  for (const platform of platforms) {
    const name = `${napi.binaryName}.${platform}.node`;
    const target = path.join(folder, 'npm', platform, name);
    if (name === addon) fs.copyFileSync(path.join(HOME, addon), target);
    else fs.writeFileSync(target, 'for another platform');
  }
  const [, ...command] = scripts.prepublishOnly.split(' ');
  await execute(process.execPath, [NAPI, ...command, '--skip-optional-publish'], { cwd: folder });
  const [fitting] = platforms.filter((name) => addon.includes(`.${name}.`));
  const at = (name) => path.join(folder, 'npm', name);
  const others = platforms.filter((name) => name !== fitting).map(at);
  return { main: folder, fitting: at(fitting), others };
}

/** Packs a package's folder; gives what a registry says of a version, and the tarball. */
async function pack(folder, into) {
  const args = ['pack', folder, '--pack-destination', into, '--json', '--ignore-scripts'];
  const { stdout } = await execute(NPM, args, { cwd: into, shell: process.platform === 'win32' });
  const [{ filename }] = Object.values(JSON.parse(stdout));
  const tarball = fs.readFileSync(path.join(into, filename));
  const integrity = `sha512-${crypto.createHash('sha512').update(tarball).digest('base64')}`;
  return { manifest: manifestOf(folder), filename, tarball, integrity };
}

/** A package made of a manifest and one file. */
function write(folder, manifest, script) {
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ main: 'index.js', ...manifest }));
  fs.writeFileSync(path.join(folder, 'index.js'), script);
  return folder;
}

/**
 * Serves packages as a registry does.
 *
 * @param {{manifest: object, filename: string, tarball?: Buffer, integrity?: string}[]} packages
 * @returns {Promise<{url: string, close(): Promise<void>}>}
 */
async function serve(packages) {
  const server = http.createServer((request, response) => {
    const url = `http://127.0.0.1:${server.address().port}`;
    const name = decodeURIComponent(request.url.slice(1));
    const file = packages.find(({ filename }) => name === `tarballs/${filename}`);
    const versions = packages.filter(({ manifest }) => manifest.name === name);
    response.statusCode = file || versions.length ? 200 : 404;
    response.end(file ? file.tarball : JSON.stringify(packument(url, name, versions)));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

function packument(url, name, packages) {
  const versions = packages.map(({ manifest, filename, integrity }) => [
    manifest.version,
    { ...manifest, dist: { tarball: `${url}/tarballs/${filename}`, integrity } },
  ]);
  return { name, 'dist-tags': { latest: versions.at(-1)?.[0] }, versions: Object.fromEntries(versions) };
}

/** Makes a release in a folder, and serves it with nodemailer and these other packages. */
async function publish(folder, others) {
  const at = (name) => path.join(folder, name);
  fs.mkdirSync(at('tarballs'));
  const release = await stage(at('release'));
  const written = others.map(({ manifest, script }, i) => write(at(`other-${i}`), manifest, script));
  const packages = [];
  for (const source of [
    release.main,
    release.fitting,
    ...written,
    path.join(HOME, 'node_modules/nodemailer'),
  ]) {
    packages.push(await pack(source, at('tarballs')));
  }
  // Some package managers download what fits no platform, and look no further.
  const [, fitting] = packages;
  return serve([
    ...packages,
    ...release.others.map((source) => ({ ...fitting, manifest: manifestOf(source) })),
  ]);
}

module.exports = { NPM, execute, publish };
