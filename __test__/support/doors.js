'use strict';

/**
 * The doors `postpool/lib/*`: one file for each module that nodemailer offers under
 * `nodemailer/lib/*`, with its types for both module systems. Node allows no export that leaves its
 * package, so the files must exist; they hold nothing of their own but the look at where the name
 * `nodemailer` leads. Running this writes them anew.
 */

const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '../../lib/doors');
const upstream = path.dirname(require.resolve('nodemailer'));
/** Not doors: nodemailer's own entrance, and the name of its package. */
const private_ = new Set(['nodemailer', 'package-info']);
const services = 'well-known/services';

/** Names of the modules, as in `nodemailer/lib/<name>`. */
function names() {
  const files = fs.readdirSync(upstream, { recursive: true }).filter((file) => file.endsWith('.js'));
  const modules = files.map((file) => file.replaceAll(path.sep, '/').replace(/(\/index)?\.js$/, ''));
  return modules.filter((name) => !private_.has(name)).sort();
}

function declarations(name) {
  const index = path.join(upstream, name, 'index.d.ts');
  return fs.readFileSync(fs.existsSync(index) ? index : path.join(upstream, `${name}.d.ts`), 'utf8');
}

/** What a door's files must contain. */
function render(name) {
  const target = `nodemailer/lib/${name}`;
  const up = '../'.repeat(name.split('/').length);
  const types = [`export * from '${target}';`];
  if (/^export default|^export \{.*\bdefault\b/m.test(declarations(name)))
    types.push(`export { default } from '${target}';`);
  return {
    [`${name}.js`]: `'use strict';\n\nrequire('${up}upstream');\nmodule.exports = require('${target}');\n`,
    [`${name}.d.ts`]: `${types.join('\n')}\n`,
    [`${name}.d.mts`]: `${types.join('\n')}\n`,
  };
}

/** The table of services is JSON upstream and has no types of its own there. */
function renderServices() {
  const { [`${services}.js`]: script } = render(services);
  const table = [
    "import type { WellKnownServiceDefinition } from 'nodemailer/lib/well-known';",
    'declare const services: Record<string, WellKnownServiceDefinition>;',
  ];
  return {
    [`${services}.js`]: script,
    [`${services}.d.ts`]: `${[...table, 'export = services;'].join('\n')}\n`,
    [`${services}.d.mts`]: `${[...table, 'export default services;'].join('\n')}\n`,
  };
}

/** All files of all doors, by path below `lib/doors`. */
function doors() {
  return Object.assign({}, ...names().map((name) => (name === services ? renderServices() : render(name))));
}

function write() {
  fs.rmSync(root, { recursive: true, force: true });
  for (const [file, text] of Object.entries(doors())) {
    fs.mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    fs.writeFileSync(path.join(root, file), text);
  }
}

if (require.main === module) write();

module.exports = { doors, names, root };
