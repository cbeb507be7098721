'use strict';

/** The same once more: a second file that loads the addon in the same worker, or beside it. */

require('./mail.case.js');
