'use strict';

module.exports = require('nodemailer/lib/smtp-pool/pool-resource');
