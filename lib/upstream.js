'use strict';

/**
 * nodemailer itself, which everything here stands on. Loaded before any other module asks for it:
 * where the name `nodemailer` leads elsewhere, that is said at once and in words.
 */

const own = require('../package.json');

/** The oldest nodemailer with all that is used here, by major and minor version. */
const OLDEST = [10, 6];

const ADVICE = `postpool keeps the real one if package.json says so; for npm:
  "overrides": { "nodemailer": { ".": "$nodemailer", "nodemailer": "^10.6.0" } }
docs/drop-in.md has this for other package managers too.`;

/**
 * Why the package behind the name `nodemailer` will not do, or `null`.
 *
 * @param {{name: string, version: string}} found its package.json
 */
function objection({ name, version }) {
  if (name === own.name) {
    return 'the name "nodemailer" leads back to postpool, as an alias or an override without an exception does';
  }
  const [major, minor] = version.split('.').map(Number);
  const tooOld = major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
  return tooOld ? `it needs ${OLDEST.join('.')} or newer, and found ${version}` : null;
}

const reason = objection(require('nodemailer/package.json'));
if (reason) {
  throw Object.assign(new Error(`postpool cannot use nodemailer: ${reason}.\n${ADVICE}`), {
    code: 'ECONFIG',
  });
}

// By this path and not by the bare name, which bundlers and Jest's moduleNameMapper can be told to replace.
module.exports = require('nodemailer/lib/nodemailer');
