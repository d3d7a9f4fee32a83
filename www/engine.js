/**
 * The builds of the engine: which one this browser runs best, and starting it.
 *
 * They lie beside lookalike.js, each in a folder of its own, and differ in speed but not in what they compute. `full`
 * alone runs networks that are not quantised; the manifest says whether one needs it.
 */

import { scriptUrl } from './trusted.js';

/**
 * @import { LookalikeEngine } from './types.js'
 *
 * @import { Eye } from './picture.js'
 * @typedef {{new (manifest: Uint8Array): LookalikeEngine} & Eye} Engine
 * @typedef {""|"relaxed"|"threads"|"relaxed-threads"|"full"} Build folder beside lookalike.js; "" is lookalike.js itself
 */

/** More threads than this wait for each other: a layer has few rows. */
const MOST_THREADS = 4;

/** A module of one function, `i32x4.relaxed_dot_i8x16_i7x16_add_s` of three vectors of zeros: validated, never run. */
const RELAXED = new Uint8Array([
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, // magic and version
  1, 5, 1, 0x60, 0, 1, 0x7b, // types: one, () -> v128
  3, 2, 1, 0, // functions: one, of that type
  10, 19, 1, 17, 0, // code: one body of 17 bytes, no locals
  0x41, 0, 0xfd, 15, 0x41, 0, 0xfd, 15, 0x41, 0, 0xfd, 15, // three times i32.const 0, i8x16.splat
  0xfd, 0x93, 2, 0x0b, // the instruction, end
]);

/** A module with nothing but a shared memory of one page. */
const SHARED = new Uint8Array([
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, // magic and version
  5, 4, 1, 3, 1, 1, // memories: one, shared, at least and at most 1 page
]);

/**
 * The builds that this browser can run, fastest first.
 * @param {boolean} [threads] whether those with threads count
 * @returns {Build[]}
 */
export function builds(threads = true) {
  // A shared memory cannot be had where the page is not cross-origin isolated.
  const shared = threads && threadsHere() > 1 && globalThis.crossOriginIsolated === true && WebAssembly.validate(SHARED);
  /** @type {Build[]} */
  const plain = WebAssembly.validate(RELAXED) ? ['relaxed', ''] : [''];
  return shared ? [plain[0] ? 'relaxed-threads' : 'threads', ...plain] : plain;
}

function threadsHere() {
  return Math.min(navigator.hardwareConcurrency || 1, MOST_THREADS);
}

/**
 * Starts the first of some builds that starts.
 * @param {string} pkg URL of lookalike.js
 * @param {Build[]} candidates
 * @returns {Promise<Engine>}
 */
export async function start(pkg, candidates) {
  let failure;
  for (const build of candidates) {
    try {
      return await startOne(pkg, build);
    } catch (thrown) {
      // A host may lack a folder, or a machine the memory that threads need: the next does without.
      failure = thrown;
    }
  }
  throw failure;
}

/**
 * Fetches a build and compiles it while it arrives.
 * @param {string} pkg
 * @param {Build} build
 * @returns {Promise<Engine>}
 */
async function startOne(pkg, build) {
  const script = build ? new URL(`${build}/lookalike.js`, pkg).href : pkg;
  // Asked for beside its bindings, not after them.
  const wasm = fetch(new URL('lookalike_bg.wasm', script), { credentials: 'omit' });
  wasm.catch(() => {});
  const bindings = await import(script);
  if (!build.endsWith('threads')) {
    await bindings.default({ module_or_path: wasm });
    return bindings.LookalikeEngine;
  }
  const module = await compile(await wasm);
  const { memory } = await bindings.default({ module_or_path: module });
  for (let i = 1; i < threadsHere(); i++) assist({ script, module, memory });
  return bindings.LookalikeEngine;
}

/**
 * While it arrives, or after it has where the host does not say that it is wasm.
 * @param {Response} response
 */
async function compile(response) {
  if (!response.ok) throw new Error(`${response.url}: the server answered ${response.status}`);
  const isNamed = response.headers.get('content-type') === 'application/wasm';
  return isNamed ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer());
}

/**
 * One more thread. The engine does not wait for it, and does its work alone until it comes, or if it never does.
 * @param {{script: string, module: WebAssembly.Module, memory: WebAssembly.Memory}} engine
 */
function assist(engine) {
  try {
    const helper = new Worker(scriptUrl(new URL('./helper.js', import.meta.url).href), { type: 'module', name: 'lookalike helper' });
    helper.onerror = (event) => event.preventDefault();
    helper.postMessage(engine);
  } catch {
    // The page's policy forbids it.
  }
}
