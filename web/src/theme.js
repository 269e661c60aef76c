// @ts-check
/** Light, dark, or as the device says. */
import { signal } from './ui.js';

/** @typedef {'auto' | 'light' | 'dark'} Theme */

const KEY = 'streamward theme';
const stored = (() => {
    try {
        return localStorage.getItem(KEY);
    } catch {
        return null;
    }
})();

export const theme = signal(/** @type {Theme} */ (stored === 'light' || stored === 'dark' ? stored : 'auto'));

theme.subscribe((value) => {
    if (value === 'auto') document.documentElement.removeAttribute('data-theme');
    else document.documentElement.setAttribute('data-theme', value);
    try {
        if (value === 'auto') localStorage.removeItem(KEY);
        else localStorage.setItem(KEY, value);
    } catch {
        // A browser that stores nothing: it is for this visit.
    }
});

export const dark = () => theme.value === 'dark' || (theme.value === 'auto' && matchMedia('(prefers-color-scheme: dark)').matches);
