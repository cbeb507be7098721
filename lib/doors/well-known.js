'use strict';

module.exports = require('nodemailer/lib/well-known');
