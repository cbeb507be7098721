'use strict';

/**
 * Package managers beside npm, each with what docs/drop-in.md says to write so that a framework gets
 * postpool for its nodemailer; Bun and Deno, which have no way to say it, install postpool by name.
 */

const path = require('node:path');
const { PACKAGES, RUNTIMES, THIS } = require('../runtimes/runtimes');

const alias = 'npm:postpool@^0.1.0';
const aliased = { nodemailer: alias, framework: '*' };

/** A package manager that is a script for Node. */
const script = (file) => {
  const needs = path.join(PACKAGES, file);
  return { ...THIS, args: [needs], needs };
};

const yarn4 = ({ url, scratch }, linker) => ({
  'yarn.lock': '',
  '.yarnrc.yml': [
    `npmRegistryServer: '${url}'`,
    "unsafeHttpWhitelist: ['127.0.0.1']",
    `nodeLinker: ${linker}`,
    'enableTelemetry: false',
    'npmMinimalAgeGate: 0',
    `globalFolder: '${path.join(scratch, 'yarn4')}'`,
  ].join('\n'),
});

/** A runtime that installs packages, and runs them. */
const runtime = (name) => {
  const starter = RUNTIMES.find((one) => one.name === name);
  return { ...starter, args: [], starter, manifest: { dependencies: { postpool: '^0.1.0' } }, opens: OWN };
};
const OWN = `require('postpool').createTransport(options)`;

const MANAGERS = [
  {
    ...script('pnpm/bin/pnpm.cjs'),
    name: 'pnpm',
    manifest: {
      dependencies: aliased,
      pnpm: { overrides: { nodemailer: alias, 'postpool>nodemailer': '^10.6.0' } },
    },
    files: ({ url }) => ({ '.npmrc': `registry=${url}` }),
    env: ({ scratch }) => ({ XDG_CACHE_HOME: scratch, XDG_STATE_HOME: scratch, XDG_DATA_HOME: scratch }),
    install: ['install', '--no-frozen-lockfile'],
  },
  {
    ...script('yarn1/bin/yarn.js'),
    name: 'Yarn 1',
    manifest: { dependencies: aliased, resolutions: { 'framework/nodemailer': alias } },
    env: ({ url, scratch }) => ({
      YARN_REGISTRY: url,
      YARN_CACHE_FOLDER: path.join(scratch, 'yarn1'),
    }),
    install: ['install', '--non-interactive'],
  },
  {
    ...script('yarn4/bin/yarn.js'),
    name: 'Yarn 4',
    manifest: { dependencies: aliased, resolutions: { 'framework/nodemailer': alias } },
    files: (place) => yarn4(place, 'node-modules'),
    install: ['install', '--no-immutable'],
  },
  {
    ...script('yarn4/bin/yarn.js'),
    name: "Yarn 4 with Plug'n'Play",
    manifest: { dependencies: aliased, resolutions: { 'framework/nodemailer': alias } },
    files: (place) => yarn4(place, 'pnp'),
    install: ['install', '--no-immutable'],
    starter: { ...THIS, args: ['--require', './.pnp.cjs'] },
  },
  {
    ...runtime('Bun'),
    env: ({ url, scratch }) => ({
      BUN_CONFIG_REGISTRY: url,
      BUN_INSTALL_CACHE_DIR: path.join(scratch, 'bun'),
    }),
    install: ['install'],
  },
  {
    ...runtime('Deno'),
    env: ({ url, scratch }) => ({ NPM_CONFIG_REGISTRY: url, DENO_DIR: path.join(scratch, 'deno') }),
    install: ['install', '--node-modules-dir=auto'],
  },
];

module.exports = { MANAGERS };
