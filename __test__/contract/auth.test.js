'use strict';

const { contract } = require('../support/contract');

contract('auth', require('./rows/auth'));
