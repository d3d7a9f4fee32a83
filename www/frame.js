/**
 * Runs the worker for a page of another origin and hands its port through. Serves any page that embeds it: it
 * holds nothing of value, and each page gets a worker of its own.
 */
addEventListener('message', (event) => {
  if (event.source !== parent || event.data?.lookalike !== 'connect') return;
  const url = new URL('./worker.js', import.meta.url);
  // Only our own scripts: a page must not run scripts of its choice in this origin.
  if (event.data.worker !== url.href || new URL(event.data.greeting.pkg).origin !== url.origin) {
    parent.postMessage({ lookalike: 'worker-failed', message: `worker and pkg must both come from ${url.origin}` }, event.origin);
    return;
  }
  const worker = new Worker(url, { type: 'module', name: 'lookalike' });
  worker.onerror = (error) => parent.postMessage({ lookalike: 'worker-failed', message: error.message ?? url.href }, event.origin);
  worker.postMessage(event.data.greeting, [...event.ports]);
});
// The port comes with the answer; until then there is nothing that only one origin may know.
parent.postMessage({ lookalike: 'frame-ready' }, '*');
