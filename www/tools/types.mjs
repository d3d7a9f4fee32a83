/**
 * Makes what describes the element to other tools, from its source and nothing else:
 *
 *   www/element.d.ts          one file, for TypeScript and editors
 *   www/custom-elements.json  the custom-elements manifest, for editors and catalogues of components
 *
 * `--check` writes nothing and fails where they are not up to date.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const WWW = fileURLToPath(new URL('../', import.meta.url));
const work = mkdtempSync(join(tmpdir(), 'lookalike-types-'));

/** @param {string} name of a package @param {string} tool among its commands */
function command(name, tool) {
  let folder = dirname(require.resolve(name));
  while (!existsSync(join(folder, 'package.json')) || JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).name !== name) folder = dirname(folder);
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return join(folder, typeof bin === 'string' ? bin : bin[tool]);
}

function declarations() {
  execFileSync(process.execPath, [command('typescript', 'tsc'), '-p', join(WWW, '../tsconfig.page.json'), '--noEmit', 'false',
    '--declaration', '--emitDeclarationOnly', '--noCheck', '--rootDir', join(WWW, '..'), '--outDir', work], { stdio: 'inherit' });
  const read = (/** @type {string} */ name) => {
    const nested = join(work, 'www', name);
    return readFileSync(existsSync(nested) ? nested : join(work, name), 'utf8');
  };
  const noImports = (/** @type {string} */ text) => text.replace(/^import .*;\n/gm, '').replace(/^export \{\};?\n?/gm, '').trim();
  const element = noImports(read('element.d.ts')).replace(/^export type (Answer|Product|Query|Labels|Widget) = import.*\n/gm, '').replace(/^\s*#private;\n/m, '');
  return `${[
    '// Made from the sources by `npm run types`; do not edit.',
    noImports(read('types.d.ts')),
    // The words are a value of another module; here they are a type.
    `export type Labels = ${/\bLABELS: (\{[\s\S]*?\n\});/.exec(read('labels.d.ts'))?.[1]};`,
    element,
    'declare global {\n  interface HTMLElementTagNameMap {\n    "look-alike": LookAlike;\n  }\n}',
  ].join('\n\n')}\n`;
}

function manifest() {
  // In a folder of its own: the analyzer writes into the package.json that it finds.
  mkdirSync(join(work, 'www'), { recursive: true });
  cpSync(join(WWW, 'element.js'), join(work, 'www/element.js'));
  writeFileSync(join(work, 'package.json'), '{}');
  execFileSync(process.execPath, [command('@custom-elements-manifest/analyzer', 'cem'), 'analyze', '--globs', 'www/element.js', '--outdir', '.', '--quiet'],
    { cwd: work, stdio: ['ignore', 'ignore', 'inherit'] });
  const made = JSON.parse(readFileSync(join(work, 'custom-elements.json'), 'utf8'));
  for (const module of made.modules) {
    for (const each of module.declarations ?? []) {
      // Private things are nobody's business, and events that are sent in passing are described at the top.
      each.members = each.members?.filter((/** @type {any} */ member) => member.privacy !== 'private' && !/^(connected|disconnected|attributeChanged)Callback$/.test(member.name));
    }
  }
  return `${JSON.stringify(made, null, 2)}\n`;
}

try {
  const made = { 'element.d.ts': declarations(), 'custom-elements.json': manifest() };
  let stale = 0;
  for (const [name, text] of Object.entries(made)) {
    const path = join(WWW, name);
    const old = existsSync(path) ? readFileSync(path, 'utf8') : '';
    if (old === text) continue;
    if (process.argv.includes('--check')) {
      console.error(`www/${name} is not up to date: npm run types`);
      stale++;
    } else {
      writeFileSync(path, text);
    }
  }
  process.exitCode = stale > 0 ? 1 : 0;
} finally {
  rmSync(work, { recursive: true, force: true });
}
