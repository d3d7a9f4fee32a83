/**
 * Runs the worker for a page of another origin and hands its port through. Serves any page that embeds it: it
 * holds nothing of value, and each page gets a worker of its own. No page may run scripts of its choice in this origin:
 * worker and engine are those that lie beside this file, or that frame.html names.
 */
import { scriptUrl } from './trusted.js';

const WORKER = new URL('./worker.js', import.meta.url).href;
const ENGINES = new Set([
  new URL('../pkg/lookalike.js', import.meta.url).href,
  ...[...document.querySelectorAll('link[rel=lookalike-engine]')].map((link) => /** @type {HTMLLinkElement} */ (link).href),
]);

addEventListener('message', (event) => {
  if (event.source !== parent || event.data?.lookalike !== 'connect') return;
  const { worker, greeting } = event.data;
  const refuse = (/** @type {string} */ message) => parent.postMessage({ lookalike: 'worker-failed', message }, event.origin);
  if (worker !== WORKER) {
    refuse(`the worker of this host is ${WORKER}`);
    return;
  }
  if (!ENGINES.has(greeting?.pkg)) {
    refuse(`the engine of this host is ${[...ENGINES].join(' or ')}; another one must be named in its frame.html`);
    return;
  }
  const started = new Worker(scriptUrl(WORKER), { type: 'module', name: 'lookalike' });
  started.onerror = (error) => refuse(error.message ?? WORKER);
  started.postMessage({ manifest: String(greeting.manifest), pkg: greeting.pkg, threads: greeting.threads !== false }, [...event.ports]);
});
// The port comes with the answer; until then there is nothing that only one origin may know.
parent.postMessage({ lookalike: 'frame-ready' }, '*');
