/**
 * Pictures of the page in each state, at three widths, light and dark, to be looked at.
 *
 *   node www/tools/screens.mjs [--out FOLDER] [--only STATE] [--docs]
 *
 * needs what `cargo xtask demo --no-serve` leaves. `--docs` renews those that the documentation uses instead.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { hand, jpeg, launch, newContext, parts, settled, unfoldTools } from '../../tests/e2e/harness.mjs';
import { ROOT, missing, serve } from '../../tests/e2e/server.mjs';

/** @import { Page } from 'playwright-core' */

const { values: options } = parseArgs({
  options: { out: { type: 'string' }, only: { type: 'string' }, docs: { type: 'boolean', default: false } },
});
const absent = missing();
if (absent) {
  console.error(absent);
  process.exit(2);
}
const folder = options.out ?? join(ROOT, options.docs ? 'docs/screens' : 'target/lookalike/screens');
mkdirSync(folder, { recursive: true });

const SIZES = { 390: 844, 820: 1180, 1440: 900 };
/** What the documentation shows: state, width, scheme. @type {Record<string, [string, keyof typeof SIZES, "light"|"dark"]>} */
const DOCS = {
  desktop: ['compare', 1440, 'light'],
  dots: ['dots', 390, 'light'],
  empty: ['empty', 1440, 'light'],
  phone: ['masked', 390, 'light'],
  product: ['product', 1440, 'light'],
  'tablet-dark': ['masked', 820, 'dark'],
  why: ['why', 1440, 'light'],
};

const server = await serve();
const browser = await launch();

/** The samples that are pairs of products: the same whatever photos there are. @param {Page} page */
const pair = (page) => page.locator('.samples button:has(canvas)').nth(2);

/** @param {Page} page */
async function photo(page) {
  await pair(page).click();
  await settled(page);
}

/** A photo from life. @param {Page} page */
async function life(page) {
  await page.locator('.samples button:has(img)').first().click();
  await settled(page);
}

/** @param {Page} page */
async function mask(page) {
  await photo(page);
  const ui = parts(page);
  await ui.canvas.scrollIntoViewIfNeeded();
  const box = await ui.canvas.boundingBox();
  if (!box) throw new Error('there is no photo to paint on');
  await unfoldTools(page);
  await ui.host.getByRole('slider', { name: 'Brush size' }).fill('150');
  if (await ui.tool('Invert').isVisible()) await ui.tool('More tools').click();
  const at = (/** @type {number} */ x, /** @type {number} */ y) => /** @type {const} */ ([box.x + x * box.width, box.y + y * box.height]);
  await page.mouse.move(...at(0.66, 0.58));
  await page.mouse.down();
  for (let i = 1; i <= 24; i++) await page.mouse.move(...at(0.66 + 0.12 * (1 + Math.sin(i / 2)), 0.58 + i * 0.011));
  await page.mouse.up();
  await ui.right.locator('.card:not(.ghost)').first().waitFor();
  await settled(page);
}

/** How each state is come to. @type {Record<string, (page: Page) => Promise<void>>} */
const STATES = {
  empty: async (page) => {
    await page.locator('.samples button').first().waitFor();
  },
  loading: async (page) => {
    await pair(page).click();
    await parts(page).canvas.waitFor();
  },
  results: photo,
  life,
  dots: async (page) => {
    await photo(page);
    await parts(page).host.locator('[part=dot]').first().waitFor();
    // Until all of the photo has been looked at.
    await page.waitForTimeout(2500);
  },
  tapped: async (page) => {
    await life(page);
    const box = await parts(page).canvas.boundingBox();
    if (!box) throw new Error('there is no photo to tap');
    await page.mouse.click(box.x + box.width * 0.47, box.y + box.height * 0.55);
    await parts(page).right.locator('.card:not(.ghost)').first().waitFor();
    await settled(page);
  },
  masked: mask,
  focus: async (page) => {
    await photo(page);
    const ui = parts(page);
    await ui.left.locator('.tile').nth(1).focus();
    await page.keyboard.press('Tab');
  },
  compare: async (page) => {
    await mask(page);
    const compared = parts(page).host.getByRole('switch', { name: 'Compare' });
    if (await compared.isVisible()) await compared.click();
    await settled(page);
  },
  scrolled: async (page) => {
    await mask(page);
    await page.mouse.move(0, 0);
    await page.evaluate(() => scrollTo(0, 500));
  },
  filters: async (page) => {
    await photo(page);
    const refining = parts(page).host.getByRole('button', { name: 'Refine' });
    if (await refining.isVisible()) await refining.click();
    const filters = parts(page).host.locator('.filters summary');
    if (await filters.isVisible()) await filters.click();
  },
  detail: async (page) => {
    await mask(page);
    await parts(page).right.locator('.tile').first().click();
  },
  why: async (page) => {
    await mask(page);
    await parts(page).right.locator('.tile').first().click();
    await parts(page).host.getByRole('button', { name: 'Why did this match?' }).click();
    await page.waitForTimeout(700);
  },
  help: async (page) => {
    await photo(page);
    await parts(page).canvas.focus();
    await page.keyboard.press('?');
  },
  product: async (page) => {
    await photo(page);
    await parts(page).left.locator('.tile').first().click();
    await parts(page).host.getByRole('button', { name: 'Find similar products' }).last().click();
    await settled(page);
  },
  error: async (page) => {
    await page.locator('.samples button').first().waitFor();
    await hand(page, 'drop', jpeg(Buffer.from('no picture'), 'notes.jpg'));
    await parts(page).message.waitFor();
  },
  offline: async (page) => {
    await photo(page);
    await page.context().setOffline(true);
    await page.waitForTimeout(200);
  },
};

/** @param {string} state @param {keyof typeof SIZES} width @param {"light"|"dark"} colorScheme @param {string} path */
async function take(state, width, colorScheme, path) {
  const touch = width < 800;
  const context = await newContext(browser, { viewport: { width, height: SIZES[width] }, colorScheme, hasTouch: touch, isMobile: touch, reducedMotion: 'reduce' });
  const page = await context.newPage();
  // Slow enough to be seen half-way.
  if (state === 'loading') server.fail({ path: /\/model-/, delay: 6000 });
  await page.goto(server.origin);
  await STATES[state](page);
  await page.mouse.move(0, 0);
  await page.waitForTimeout(500);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  if (wide > width) console.error(`${path}: the page is ${wide} pixels wide`);
  await page.screenshot(path.endsWith('.jpg') ? { path, type: 'jpeg', quality: 80 } : { path });
  server.heal();
  await context.close();
  console.log(path);
}

try {
  if (options.docs) {
    for (const [name, [state, width, scheme]] of Object.entries(DOCS)) await take(state, width, scheme, join(folder, `${name}.jpg`));
  } else {
    for (const state of Object.keys(STATES).filter((each) => !options.only || each === options.only)) {
      for (const width of /** @type {(keyof typeof SIZES)[]} */ (Object.keys(SIZES).map(Number))) {
        for (const scheme of /** @type {const} */ (['light', 'dark'])) await take(state, width, scheme, join(folder, `${state}-${width}-${scheme}.png`));
      }
    }
  }
} finally {
  await browser.close();
  await server.close();
}
