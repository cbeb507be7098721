'use strict';

module.exports = require('nodemailer/lib/addressparser');
