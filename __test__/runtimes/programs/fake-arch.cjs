'use strict';

/** Loaded before a program: pretends to be on a processor that no addon is built for. */

Object.defineProperty(process, 'arch', { value: 's390x' });
