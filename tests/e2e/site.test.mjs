/**
 * What is given away works as it is: the site that `cargo xtask dist` makes, minified, on another host under another
 * path, with the strictest policy.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { choose, idsOf, jpeg, launch, newContext, parts, problemsOf, products, settled, thumbOf } from './harness.mjs';
import { ROOT, STRICT_CSP, serve } from './server.mjs';

const SITE = join(ROOT, 'target/lookalike/dist/site');
const absent = existsSync(join(SITE, 'catalog/manifest.json')) ? false : 'there is no site; run `cargo xtask dist`';

describe('the site that is given away', { skip: absent }, () => {
  /** @type {Awaited<ReturnType<typeof serve>>} */
  let server;
  /** @type {import('playwright-core').Browser} */
  let browser;
  before(async () => {
    server = await serve({ csp: STRICT_CSP, folders: { '/shop/search/': `${SITE}/` } });
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  test('finds the product that a photo shows', async () => {
    const page = await (await newContext(browser)).newPage();
    const problems = problemsOf(page);
    await page.goto(`${server.origin}/shop/search/index.html`);
    const product = products()[100];
    await choose(page, jpeg(thumbOf(product)));
    await settled(page);
    assert.equal((await idsOf(parts(page).left))[0], product.id);
    assert.deepEqual(problems, []);
    const outside = server.log().filter(({ path }) => !path.startsWith('/shop/search/') && path !== '/favicon.ico');
    assert.deepEqual(outside, [], 'all of it comes from the folder');
  });

  test('has no comment of a source, no tool, and nothing that only the next run wants', () => {
    const files = readdirSync(SITE, { recursive: true, encoding: 'utf8' });
    assert.ok(files.length > 50);
    assert.equal(files.filter((file) => /^catalog\/(model|index|products)-\w+\.packed$/.test(file)).length, 3);
    assert.deepEqual(files.filter((file) => /(^|\/)(tools|\.lookalike)(\/|$)|\.map$/.test(file)), []);
  });
});
