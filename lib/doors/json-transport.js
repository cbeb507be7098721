'use strict';

module.exports = require('nodemailer/lib/json-transport');
