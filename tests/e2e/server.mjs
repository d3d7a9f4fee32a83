/**
 * A static host for the tests, as strict and as faulty as a test asks for.
 *
 * LOOKALIKE_PKG and LOOKALIKE_CATALOG name other folders to serve at /pkg/ and /catalog/.
 */
import { createReadStream, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TYPES = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.mjs': 'text/javascript', '.css': 'text/css',
  '.json': 'application/json', '.wasm': 'application/wasm', '.svg': 'image/svg+xml', '.jpg': 'image/jpeg', '.png': 'image/png', '.webp': 'image/webp',
};
/** The policy that the element promises to live with; frame-src only where a test is about another origin. */
export const STRICT_CSP = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'";

const FOLDERS = {
  '/pkg/': process.env.LOOKALIKE_PKG ?? join(ROOT, 'pkg'),
  '/catalog/': process.env.LOOKALIKE_CATALOG ?? join(ROOT, 'catalog'),
};

/**
 * @param {string} path of a URL
 * @param {Record<string, string>} [folders] served besides
 * @returns {string|null} the file
 */
export function fileOf(path, folders = {}) {
  const entry = Object.entries({ ...FOLDERS, ...folders }).find(([prefix]) => path.startsWith(prefix));
  const [base, rest] = entry ? [entry[1], path.slice(entry[0].length)] : [ROOT, path.slice(1)];
  const file = normalize(join(base, rest));
  return file.startsWith(resolve(base) + sep) || file === resolve(base) ? file : null;
}

/**
 * Names of hosted files carry a hash of their content; the manifest says them.
 * @param {'model'|'index'|'products'} role
 * @param {boolean} [packed] the one that is gzip
 * @returns {string} path of the URL of the catalogue's file
 */
export function hosted(role, packed = false) {
  const manifest = JSON.parse(readFileSync(/** @type {string} */ (fileOf('/catalog/manifest.json')), 'utf8'));
  const file = manifest.files.find((/** @type {any} */ each) => each.role === role);
  return `/catalog/${(packed ? file.packed : file).path}`;
}

/** @returns {string|null} what is missing, in words */
export function missing() {
  for (const path of ['/pkg/lookalike.js', '/catalog/manifest.json']) {
    try {
      statSync(/** @type {string} */ (fileOf(path)));
    } catch {
      return `${path} is not built; run \`cargo xtask demo --no-serve\``;
    }
  }
  return null;
}

/**
 * @typedef {object} Fault what happens to requests whose path matches
 * @property {RegExp} path
 * @property {number} [status] answered instead
 * @property {number} [truncate] the answer ends properly after so many bytes, without a length
 * @property {number} [drop] the connection is cut after so many bytes
 * @property {Buffer|string} [body] answered instead
 * @property {string} [type] content type that is named instead of the right one
 * @property {number} [delay] milliseconds before the answer
 * @property {boolean} [noRange] ranges are ignored
 * @property {boolean} [encode] packed on its way, and said to be; ranges are ignored then
 * @property {boolean} [declare] said to be packed, whatever it is
 * @property {number} [trickle] so many bytes come one by one, the rest at once
 * @property {number} [hold] nothing comes behind so many bytes, and the line stays open until all is healed
 * @property {number} [times] how often; for ever if absent
 *
 * @typedef {object} Options
 * @property {string|null} [csp]
 * @property {boolean} [cors]
 * @property {boolean} [isolated] with the headers that make a page cross-origin isolated, which threads need
 * @property {Record<string, string>} [pages] path -> HTML of pages that exist for a test only
 * @property {Record<string, string>} [folders] "/path/" -> folder that is served there
 */

/** @param {Options} [options] */
export async function serve({ csp = null, cors = false, isolated = false, pages = {}, folders = {} } = {}) {
  /** @type {Fault[]} */
  let faults = [];
  /** @type {import('node:http').ServerResponse[]} */
  let held = [];
  /** `sent`: over the line, with the headers, once that is known. @type {{path: string, search: string, method: string, bytes: number, range: string|undefined, sent: number}[]} */
  let log = [];

  const server = createServer((request, response) => {
    const { pathname, search } = new URL(request.url ?? '/', 'http://x');
    const path = decodeURIComponent(pathname);
    const entry = { path, search, method: request.method ?? '', bytes: Number(request.headers['content-length'] ?? 0), range: request.headers.range, sent: 0 };
    log.push(entry);
    const before = request.socket.bytesWritten;
    response.on('close', () => { entry.sent = request.socket.bytesWritten - before; });
    const fault = faults.find((each) => each.path.test(path) && each.times !== 0);
    if (fault?.times !== undefined) fault.times--;
    if (fault?.delay) setTimeout(() => answer(path, fault), fault.delay);
    else answer(path, fault);

    /** @param {string} path @param {Fault} [fault] */
    function answer(path, fault) {
      if (csp) response.setHeader('content-security-policy', csp);
      if (cors) {
        response.setHeader('access-control-allow-origin', '*');
        response.setHeader('cross-origin-resource-policy', 'cross-origin');
      }
      if (isolated) {
        response.setHeader('cross-origin-opener-policy', 'same-origin');
        response.setHeader('cross-origin-embedder-policy', 'require-corp');
      }
      response.setHeader('x-content-type-options', 'nosniff');
      if (fault?.status) {
        response.writeHead(fault.status).end();
        return;
      }
      if (fault?.body !== undefined) {
        response.setHeader('content-type', TYPES[/** @type {keyof typeof TYPES} */ (extname(path))] ?? 'application/octet-stream');
        response.end(fault.body);
        return;
      }
      if (pages[path] !== undefined) {
        response.setHeader('content-type', 'text/html; charset=utf-8');
        response.end(pages[path]);
        return;
      }
      const file = fileOf(path === '/' ? '/index.html' : path, folders);
      let size;
      try {
        const found = file === null ? null : statSync(file);
        if (!file || !found?.isFile()) throw new Error('no file');
        size = found.size;
      } catch {
        response.writeHead(404, { 'content-type': 'text/plain' }).end('not found');
        return;
      }
      response.setHeader('content-type', fault?.type ?? TYPES[/** @type {keyof typeof TYPES} */ (extname(file))] ?? 'application/octet-stream');
      // As a host does it: code and pictures may be kept, the manifest is asked for again.
      response.setHeader('cache-control', path.endsWith('manifest.json') ? 'no-cache' : 'public, max-age=3600');
      if (fault?.truncate !== undefined) {
        createReadStream(file, { end: fault.truncate - 1 }).pipe(response);
        return;
      }
      let start = 0;
      if (fault?.encode || fault?.declare) {
        const bytes = readFileSync(file);
        response.setHeader('content-encoding', 'gzip');
        const body = fault.encode ? gzipSync(bytes) : bytes;
        response.setHeader('content-length', body.length);
        if (fault.drop === undefined) response.end(body);
        else dropped(body.subarray(0, fault.drop));
        return;
      }
      const range = fault?.noRange ? null : /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
      if (!fault?.noRange) response.setHeader('accept-ranges', 'bytes');
      if (range) {
        start = Number(range[1]);
        if (start >= size) {
          response.writeHead(416, { 'content-range': `bytes */${size}` }).end();
          return;
        }
        response.statusCode = 206;
        response.setHeader('content-range', `bytes ${start}-${size - 1}/${size}`);
      }
      response.setHeader('content-length', size - start);
      if (fault?.drop !== undefined) {
        dropped(readFileSync(file).subarray(start, start + fault.drop));
        return;
      }
      if (fault?.hold !== undefined) {
        response.write(readFileSync(file).subarray(start, start + fault.hold));
        held.push(response);
        return;
      }
      const first = start + (fault?.trickle ?? 0);
      const rest = () => createReadStream(file, { start: first }).pipe(response);
      const one = (/** @type {Buffer} */ bytes) => {
        if (bytes.length === 0) return rest();
        response.write(bytes.subarray(0, 1));
        return setTimeout(one, 15, bytes.subarray(1));
      };
      request.socket.setNoDelay(true);
      if (first > start) one(readFileSync(file).subarray(start, first));
      else rest();

      /** @param {Buffer} bytes */
      function dropped(bytes) {
        response.write(bytes);
        // What was written must have arrived, and the page have had a turn to read it, before the line is cut.
        setTimeout(() => response.destroy(), 700);
      }
    }
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', () => done(undefined)));
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  return {
    origin: `http://127.0.0.1:${port}`,
    /** The same server by another name: another origin. */
    other: `http://localhost:${port}`,
    /** @param {...Fault} list */
    fail: (...list) => { faults = list; },
    heal: () => {
      faults = [];
      for (const response of held) response.destroy();
      held = [];
    },
    log: () => log,
    forget: () => { log = []; },
    close: () => {
      server.closeAllConnections();
      return new Promise((done) => server.close(() => done(undefined)));
    },
  };
}
