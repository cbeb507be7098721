'use strict';

/**
 * The same rows once more for those who keep nodemailer's import and hand it a transport object:
 * `nodemailer.createTransport(pool(options))` against nodemailer's own pool given in the same way.
 */

const { contract } = require('../support/contract');

const pair = {
  nodemailer: require.resolve('../support/libraries/nodemailer-transport'),
  postpool: require.resolve('../support/libraries/postpool-transport'),
};

// nodemailer's transport object ignores a proxy: the difference `proxy-of-a-transport`; and it is
// nodemailer that composes here, so that `attachment-stays` is none.
const compared = (row) =>
  !row.isolated && !/HTTP proxy/.test(row.name) && row.difference !== 'attachment-stays';

for (const area of ['bodies', 'hooks', 'idioms', 'plugins', 'pool', 'replies']) {
  const rows = require(`./rows/${area}`).filter(compared);
  contract(`${area}, as a transport object`, rows, { pair });
}
