// @ts-check
/** Which screen is shown: by the fragment, `#/live/<id>`, so that one file serves every address below any path. */
import { signal } from './ui.js';

/** @typedef {{ area: string, rest: string[] }} Route */

/** @returns {Route} */
function read() {
    const parts = location.hash.startsWith('#/') ? location.hash.slice(2).split('?')[0].split('/').filter(Boolean) : [];
    return { area: parts[0] ?? '', rest: parts.slice(1).map(decodeURIComponent) };
}

export const route = signal(read());
addEventListener('hashchange', () => {
    route.value = read();
});

/** @param {string} area @param {...string} rest */
export const to = (area, ...rest) => `#/${[area, ...rest.map(encodeURIComponent)].join('/')}`;

/** @param {string} area @param {...string} rest */
export function go(area, ...rest) {
    location.hash = to(area, ...rest);
}

/** The same, without an entry to go back to. @param {string} area @param {...string} rest */
export function replace(area, ...rest) {
    history.replaceState(null, '', to(area, ...rest));
    route.value = read();
}
