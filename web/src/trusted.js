// @ts-check
/** The only addresses of scripts that this page ever makes: its own files. The policy of the service names this one policy. */

/** @typedef {{ createScriptURL(url: string): any }} Policy */

const own = new URL('..', import.meta.url).href;

/** @param {string} url */
function check(url) {
    if (!url.startsWith(own)) throw new TypeError(`not a script of this page: ${url}`);
    return url;
}

const factory = /** @type {{ createPolicy(name: string, rules: Policy): Policy } | undefined} */ (
    /** @type {any} */ (globalThis).trustedTypes
);
const policy = factory?.createPolicy('streamward', { createScriptURL: check });

/**
 * @param {string} path of a file of `web/`
 * @returns {any} what `script.src` and `new SharedWorker()` take
 */
export const ownScript = (path) => {
    const url = new URL(path, own).href;
    return policy ? policy.createScriptURL(url) : check(url);
};
