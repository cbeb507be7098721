'use strict';

const { contract } = require('../support/contract');

contract('idioms', require('./rows/idioms'));
