'use strict';

module.exports = require('nodemailer/lib/stream-transport');
