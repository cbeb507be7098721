'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { ROOT, Complaint, capture } = require('./process');

const INSTALL_RUST = 'Install it from https://rustup.rs and run this again.';

/** `1.95` of `rustc 1.95.0 (…)` or of `rust-version = "1.95"`, as numbers. */
function version(text) {
  const match = /(\d+)\.(\d+)/.exec(text ?? '');
  return match && [Number(match[1]), Number(match[2])];
}

/** rustup's folder joins PATH when a shell that was started earlier does not know it yet. */
function findCargo() {
  const home = process.env.CARGO_HOME ?? path.join(os.homedir(), '.cargo');
  if (capture('cargo', ['--version']) !== null || !fs.existsSync(path.join(home, 'bin'))) return;
  process.env.PATH = path.join(home, 'bin') + path.delimiter + process.env.PATH;
}

/** Fails with advice unless a Rust toolchain new enough for Cargo.toml and a C compiler are here. */
function requireRust() {
  findCargo();
  if (capture('cargo', ['--version']) === null) {
    throw new Complaint(`Building postpool needs Rust, and there is no cargo. ${INSTALL_RUST}`);
  }
  const manifest = fs.readFileSync(path.join(ROOT, 'Cargo.toml'), 'utf8');
  const needed = version(/^rust-version = "(.+)"$/m.exec(manifest)?.[1]);
  const found = version(capture('rustc', ['--version']));
  if (needed && found && (found[0] - needed[0] || found[1] - needed[1]) < 0) {
    throw new Complaint(
      `Building postpool needs Rust ${needed.join('.')} or newer; this is ${found.join('.')}. ` +
        'With rustup: `rustup update`.',
    );
  }
  const compiler = process.env.CC ?? 'cc';
  if (process.platform !== 'win32' && capture(compiler, ['--version']) === null) {
    throw new Complaint(
      `Building postpool needs a C compiler (for aws-lc), and there is no ${compiler}. ` +
        'On Debian: `apt-get install gcc libc6-dev`.',
    );
  }
}

module.exports = { requireRust };
