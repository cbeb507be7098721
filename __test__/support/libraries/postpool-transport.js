'use strict';

/** nodemailer with postpool's pool as its transport object. */

const nodemailer = require('nodemailer');
const { pool } = require('../../..');

const createTransport = (options, defaults) => nodemailer.createTransport(pool(options), defaults);

module.exports = { ...nodemailer, createTransport };
