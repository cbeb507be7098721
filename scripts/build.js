// npm run build, npm run build:debug: the addon from its sources. Further flags go to `napi build`.
'use strict';

require('./support/node-version');
const { main } = require('./support/process');
const { ensurePackages } = require('./support/packages');
const { buildAddon } = require('./support/addon');

main(async (args) => {
  const profile = args.includes('--release') ? 'release' : 'debug';
  await ensurePackages();
  await buildAddon(
    profile,
    args.filter((flag) => flag !== '--release'),
  );
});
