/**
 * Addresses of our own scripts, for pages that require Trusted Types: such a page lists the policy `lookalike`
 * (`require-trusted-types-for 'script'; trusted-types lookalike`).
 */

/** @type {{createScriptURL: (url: string) => string}|null|undefined} */
let policy;

/**
 * @param {string} url of a script that belongs to the search
 * @returns {string} what the browser takes as the address of a worker
 */
export function scriptUrl(url) {
  policy ??= makePolicy();
  return policy ? policy.createScriptURL(url) : url;
}

function makePolicy() {
  try {
    return Reflect.get(globalThis, 'trustedTypes')?.createPolicy('lookalike', { createScriptURL: (/** @type {string} */ url) => url }) ?? null;
  } catch {
    // The page does not list it; where it does not require one either, the plain address does.
    return null;
  }
}
