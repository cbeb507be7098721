'use strict';

const { contract } = require('../support/contract');

contract('bodies', require('./rows/bodies'));
