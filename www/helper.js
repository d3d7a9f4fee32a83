/**
 * One of the engine's threads: runs parts of the network's layers in the memory that it shares with the engine. It waits
 * for them inside the module and reads no message after the first.
 */
const scope = /** @type {DedicatedWorkerGlobalScope} */ (/** @type {unknown} */ (self));

/** @param {MessageEvent<{script: string, module: WebAssembly.Module, memory: WebAssembly.Memory}>} event */
scope.onmessage = async ({ data: { script, module, memory } }) => {
  const bindings = await import(script);
  bindings.initSync({ module, memory });
  try {
    bindings.assist();
  } catch (thrown) {
    // A bug, in a part that the engine waits for.
    bindings.lost();
    throw thrown;
  }
};
