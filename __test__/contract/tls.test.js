'use strict';

const { contract } = require('../support/contract');

contract('tls', require('./rows/tls'));
