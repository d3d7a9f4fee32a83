/**
 * The builds of the engine: which one this browser runs, and starting it.
 *
 * They lie beside lookalike.js, each in a folder of its own, and differ in speed but not in what they compute. `full`
 * alone runs networks that are not quantised; the manifest says whether one needs it.
 */

/**
 * @import { LookalikeEngine } from './types.js'
 *
 * @typedef {(bytes: Uint8Array) => {format: string, width: number, height: number}} Sniff
 * @typedef {{new (manifest: Uint8Array): LookalikeEngine, sniff: Sniff}} Engine
 */

/**
 * Fetches a build and compiles it while it arrives.
 * @param {string} pkg URL of lookalike.js
 * @param {""|"full"} folder
 * @returns {Promise<Engine>}
 */
export async function start(pkg, folder = '') {
  const script = folder ? new URL(`${folder}/lookalike.js`, pkg).href : pkg;
  // Asked for beside its bindings, not after them.
  const wasm = fetch(new URL('lookalike_bg.wasm', script), { credentials: 'omit' });
  wasm.catch(() => {});
  const module = await import(script);
  await module.default({ module_or_path: wasm });
  return module.LookalikeEngine;
}
