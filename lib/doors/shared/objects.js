'use strict';

module.exports = require('nodemailer/lib/shared/objects');
