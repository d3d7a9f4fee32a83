/** The builds of the engine: each page fetches the one that it needs, and no other. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { ROOT, STRICT_CSP, fileOf, missing, serve } from './server.mjs';
import { hand, idsOf, jpeg, launch, newContext, parts, problemsOf, products, settled, thumbOf } from './harness.mjs';

const NATIVE = join(ROOT, 'target/release/lookalike');
const absent = missing() ?? (existsSync(NATIVE) ? null : 'the command line is not built; run `cargo xtask demo --no-serve`');

describe('the builds of the engine', { skip: absent ?? false }, () => {
  /** @type {Awaited<ReturnType<typeof serve>>} */
  let server;
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** A catalogue whose network is real-valued: it does not run on our kernels. @type {string} */
  let folder;
  const page = (/** @type {string} */ manifest) => `<!doctype html><html lang="en"><meta charset="utf-8"><title>t</title>
    <script type="module" src="/www/element.js"></script><main><h1>t</h1><look-alike manifest="${manifest}" loading="eager"></look-alike></main></html>`;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'lookalike-builds-'));
    const [pictures, model, served] = ['pictures', 'model.onnx', 'served'].map((name) => join(folder, name));
    mkdirSync(pictures);
    for (const [i, product] of products().slice(0, 24).entries()) writeFileSync(join(pictures, `${i}.jpg`), thumbOf(product));
    execFileSync(NATIVE, ['model', 'prepare', join(ROOT, 'tests/models/tiny.onnx'), '-o', model, '--layer', 'first,joined']);
    execFileSync(NATIVE, ['index', pictures, '--model', model, '-o', served], { stdio: 'ignore' });
    const stated = JSON.parse(readFileSync(join(served, 'manifest.json'), 'utf8'));
    assert.equal(stated.model.engine, 'tract');
    const silent = join(folder, 'silent');
    execFileSync('cp', ['-r', served, silent]);
    delete stated.model.engine;
    writeFileSync(join(silent, 'manifest.json'), JSON.stringify(stated));
    server = await serve({
      csp: STRICT_CSP,
      folders: { '/tiny/': served, '/silent/': silent },
      pages: { '/usual.html': page('/catalog/manifest.json'), '/tiny.html': page('/tiny/manifest.json'), '/silent.html': page('/silent/manifest.json') },
    });
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await server?.close();
    if (folder) rmSync(folder, { recursive: true });
  });
  beforeEach(() => server.forget());

  /** The modules that were asked for. */
  const modules = () => server.log().map(({ path }) => path).filter((path) => path.endsWith('.wasm'));

  test('the usual catalogue fetches one module, and never the full one', async () => {
    const context = await newContext(browser);
    const tab = await context.newPage();
    const problems = problemsOf(tab);
    await tab.goto(`${server.origin}/usual.html`);
    await hand(tab, 'drop', jpeg(thumbOf(products()[7])));
    await settled(tab);
    assert.equal((await idsOf(parts(tab).left))[0], products()[7].id);
    assert.equal(modules().length, 1, modules().join());
    assert.ok(!modules().some((path) => path.includes('/full/')));
    assert.deepEqual(problems, []);
    await context.close();
  });

  const full = existsSync(/** @type {string} */ (fileOf('/pkg/full/lookalike.js'))) ? false : 'pkg/full/ is not built; run `cargo xtask build`';
  test('a network that is not quantised is searched with through the full build', { skip: full }, async () => {
    const context = await newContext(browser);
    const tab = await context.newPage();
    const problems = problemsOf(tab);
    await tab.goto(`${server.origin}/tiny.html`);
    await hand(tab, 'drop', jpeg(thumbOf(products()[5])));
    await settled(tab);
    // Rows of the folder are in the order of the files' names.
    const [first] = await idsOf(parts(tab).left);
    assert.match(first, /(^|\/)5(\.jpg)?$/);
    assert.ok(modules().includes('/pkg/full/lookalike_bg.wasm'), modules().join());
    assert.deepEqual(problems, []);
    await context.close();
  });

  test('where the manifest does not say so, the error does', async () => {
    const context = await newContext(browser);
    const tab = await context.newPage();
    await tab.goto(`${server.origin}/silent.html`);
    const { message } = parts(tab);
    await message.waitFor();
    assert.doesNotMatch(await message.textContent() ?? '', /picture is not supported/);
    assert.match(await message.textContent() ?? '', /quantised.*lookalike index.*pkg\/full/s);
    assert.ok(!modules().some((path) => path.includes('/full/')));
    await context.close();
  });
});
