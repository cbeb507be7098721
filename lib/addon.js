'use strict';

/**
 * The addon of this platform. It is loaded with the first pool: an application that only requires
 * the package pays nothing. Where there is none, or Node may not load one, mail still goes out, on
 * nodemailer's engine, and a warning says why.
 */

let loaded = null;

/** @returns {{Engine: Function}|{missing: string}} the engine, or why this process has none */
function addon() {
  loaded ??= load();
  return loaded;
}

function load() {
  try {
    return { Engine: require('../binding.js').Engine };
  } catch (err) {
    const { platform, arch } = process;
    process.emitWarning(
      `postpool sends with nodemailer's engine, which is slower: ${explain(err, `${platform}-${arch}`)}`,
      { code: 'POSTPOOL_NO_ADDON' },
    );
    return { missing: 'no addon' };
  }
}

/** What the system said of an addon that is there; else that there is none. */
function explain(err, place) {
  for (let cause = err.cause; cause; cause = cause.cause) {
    if (!/^(Cannot find (module|package)|Unsupported )/.test(cause.message)) {
      return cause.message;
    }
  }
  return (
    `there is no addon for ${place}. npm leaves it out when optional dependencies are not installed, ` +
    'or when node_modules or the lock file come from another platform.'
  );
}

module.exports = { addon };
