'use strict';

require('../upstream');
module.exports = require('nodemailer/lib/smtp-pool');
