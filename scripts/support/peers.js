'use strict';

// Mail servers that the tests talk to and that are not installed: their packages would push Postfix
// aside or start daemons. They are only fetched; a test unpacks them over a view of this machine of
// its own (__test__/peers/machine.sh).

const fs = require('node:fs');
const path = require('node:path');
const { ROOT, capture, run } = require('./process');

const FOLDER = path.join(process.env.CARGO_TARGET_DIR || path.join(ROOT, 'target'), 'peers');

/** Servers, and the Debian packages that hold them. */
const SERVERS = {
  exim: ['exim4-daemon-light'],
  opensmtpd: ['opensmtpd'],
  dovecot: ['dovecot-lmtpd', 'dovecot-submissiond'],
  aiosmtpd: ['python3-aiosmtpd'],
};

/** A view of this machine, as `machine.sh` makes it, which takes root and a kernel that lets it. */
const VIEW = [
  'layers=$(mktemp -d)',
  'mount -t tmpfs tmpfs $layers && mkdir $layers/upper $layers/work $layers/root',
  'mount -t overlay overlay -o lowerdir=/,upperdir=$layers/upper,workdir=$layers/work $layers/root',
  'verdict=$?; umount -R $layers; rmdir $layers; exit $verdict',
];

/** Where the packages of a server are kept. */
const packagesOf = (server) => path.join(FOLDER, server);

/** Why no such server can run on this machine, or `null`. */
function whyNoServers() {
  if (capture('dpkg', ['--version']) === null) return 'this is not Debian';
  if (process.getuid?.() !== 0) return 'only root can give a server its own view of the machine';
  const seen = capture('unshare', ['--mount', '--pid', '--fork', 'sh', '-c', VIEW.join('\n')]);
  return seen === null ? 'this machine lets nobody mount an overlay' : null;
}

/**
 * Downloads what is missing. apt resolves the packages against what is installed, so that they come
 * with the libraries this machine lacks; nothing that is installed changes.
 *
 * @param {() => Promise<unknown>} update refreshes apt's lists; called only when something is missing
 * @returns {Promise<string | null>} what is still missing and why, or `null`
 */
async function ensurePeers(update) {
  const missing = Object.keys(SERVERS).filter((server) => !fs.existsSync(packagesOf(server)));
  if (missing.length === 0) return null;
  const reason = whyNoServers();
  if (reason) return `no ${missing.join(', ')}: ${reason}`;
  await update();
  const failed = [];
  for (const server of missing) if (!(await download(server))) failed.push(server);
  return failed.length > 0 ? `${failed.join(', ')} could not be fetched` : null;
}

/** Fetches into a folder beside, so that the server's own folder is there only when it is complete. */
async function download(server) {
  const folder = packagesOf(server);
  const unfinished = `${folder}.unfinished`;
  fs.rmSync(unfinished, { recursive: true, force: true });
  fs.mkdirSync(path.join(unfinished, 'partial'), { recursive: true });
  console.log(`Fetching the mail server ${server} …`);
  const options = ['--download-only', '--no-install-recommends', '-o', `Dir::Cache::archives=${unfinished}`];
  const code = await run('apt-get', ['install', '-y', ...options, ...SERVERS[server]], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (code === 0) fs.renameSync(unfinished, folder);
  return code === 0;
}

module.exports = { ensurePeers, packagesOf, whyNoServers };
