'use strict';

const crypto = require('node:crypto');
const { copyOwnKeys, normalizeDomain } = require('nodemailer/lib/shared');
const { composedPath } = require('./reason');

/** Keys in strings, most recent first kept; objects are remembered as long as they live. */
const MAX_KEYS = 64;
const byText = new Map();
const byObject = new WeakMap();

/** A tag's value without what would end it. */
function tagValue(value) {
  // control characters are what is removed
  return (value || '').toString().replace(/[\x00-\x1f\x7f;=]/g, '');
}

/** Reads a private key in any form Node takes: `{ type, der }` or `{ error }`. */
function readKey(input) {
  try {
    const key = input instanceof crypto.KeyObject ? input : crypto.createPrivateKey(input);
    const { modulusLength } = key.asymmetricKeyDetails || {};
    const der = key.export({ type: 'pkcs8', format: 'der' });
    return { type: key.asymmetricKeyType, modulusLength, der };
  } catch (err) {
    return { error: err.message };
  }
}

function knownKey(input) {
  const known = input !== null && typeof input === 'object' ? byObject : byText;
  let key = known.get(input);
  if (!key) {
    if (known === byText && known.size >= MAX_KEYS) {
      known.clear();
    }
    key = readKey(input);
    known.set(input, key);
  }
  return key;
}

/** A key as the record has it, its DER beside the record. */
function recordKey({ domainName, keySelector, privateKey }, hash, parts) {
  const named = { domain: normalizeDomain(tagValue(domainName), false), selector: tagValue(keySelector) };
  const key = knownKey(privateKey);
  if (key.error) {
    return { ...named, error: key.error };
  }
  if (key.type === 'rsa') {
    // the engine's cryptography signs with no shorter key
    return key.modulusLength >= 2048 && key.modulusLength <= 8192
      ? { ...named, ...parts.beside(key.der) }
      : composedPath('dkim-key');
  }
  if (key.type === 'ed25519' && hash === 'sha256') {
    return { ...named, ...parts.beside(key.der) };
  }
  return { ...named, error: `no ${hash} signature with a key of type ${key.type}` };
}

/** How the message is signed; its own options win over the transporter's. */
function dkimOptions({ data, mailer }, parts) {
  const given = data.dkim || (mailer.dkim && mailer.dkim.options);
  if (!given) {
    return undefined;
  }
  const options = copyOwnKeys(copyOwnKeys({}, data._dkim), given);
  const hash = options.hashAlgo || 'sha256';
  const { headerFieldNames, skipFields } = options;
  const isNames = (value) => value === undefined || (typeof value === 'string' && /^[ -~]*$/.test(value));
  if (!['sha256', 'sha512'].includes(hash) || !isNames(headerFieldNames) || !isNames(skipFields)) {
    composedPath('dkim-option');
  }
  if (/[;=]/.test(headerFieldNames || '')) {
    composedPath('dkim-option');
  }
  const keys = [].concat(given.keys || given).map((key) => recordKey(key, hash, parts));
  return { keys, hash, headerFieldNames: headerFieldNames || undefined, skipFields: skipFields || '' };
}

module.exports = { dkimOptions };
