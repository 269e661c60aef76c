// @ts-check
import { html } from '../ui.js';
import { asApiError } from '../api.js';
import { say } from './toast.js';
import { icon } from './icon.js';

/**
 * @param {{ label: string, action: () => unknown, icon?: import('./icon.js').Icon, kind?: 'main' | 'danger' | 'plain' | 'quiet', disabled?: boolean, title?: string, only?: boolean }} options
 *   `only`: just the icon is seen; the label is read out.
 */
export function button({ label, action, icon: name, kind = 'plain', disabled = false, title, only = false }) {
    return html`<button type="button" class=${`button ${kind} ${only ? 'only' : ''}`} onClick=${action} disabled=${disabled} title=${title ?? (only ? label : undefined)} aria-label=${only ? label : undefined}>${name && icon(name)}${only ? null : html`<span>${label}</span>`}</button>`;
}

/** @param {{ label: string, href: string, icon?: import('./icon.js').Icon, kind?: 'main' | 'plain' | 'quiet' }} options */
export const linkButton = ({ label, href, icon: name, kind = 'plain' }) =>
    html`<a class=${`button ${kind}`} href=${href}>${name && icon(name)}<span>${label}</span></a>`;

/**
 * Does something at the service; what it refuses is said, not swallowed.
 * @param {() => Promise<unknown>} work
 * @param {string} [done] what is said when it is done
 */
export async function attempt(work, done) {
    try {
        await work();
        if (done) say(done);
        return true;
    } catch (error) {
        const failed = asApiError(error);
        say(failed.message, failed.requestId);
        return false;
    }
}

