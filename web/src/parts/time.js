// @ts-check
/** Times: local, with UTC on hover, and durations that count. */
import { html, now, region } from '../ui.js';
import { duration } from './format.js';

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const day = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const year = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', year: 'numeric' });

/** @param {number} at */
export const clockTime = (at) => clock.format(at);

/** @param {number} at */
function text(at) {
    const then = new Date(at);
    const today = new Date();
    if (then.toDateString() === today.toDateString()) return clock.format(at);
    return `${then.getFullYear() === today.getFullYear() ? day.format(at) : year.format(at)}, ${clock.format(at).replace(/:\d\d(?=\D*$)/, '')}`;
}

/** @param {string | undefined} at RFC 3339 */
export const time = (at) =>
    at ? html`<time datetime=${at} title=${`${new Date(at).toISOString().replace('T', ' ').slice(0, 19)} UTC`}>${text(Date.parse(at))}</time>` : html`<span class="quiet">–</span>`;

/** How long ago; counts by itself. @param {string | undefined} at */
export const ago = (at) =>
    at
        ? region(() => {
              const age = now.value - Date.parse(at);
              const shown = age < 5_000 && age > -5_000 ? 'just now' : age < 0 ? `in ${duration(-age)}` : `${duration(age).replace(/ .. s$| \d+ s$/, '')} ago`;
              return html`<time datetime=${at} title=${`${new Date(at).toLocaleString()}, ${new Date(at).toISOString().replace('T', ' ').slice(0, 19)} UTC`}>${shown}</time>`;
          })
        : html`<span class="quiet">never</span>`;

/** A duration that counts up. @param {string} from @param {string} [to] */
export const since = (from, to) =>
    region(() => html`<time datetime=${from} title=${`since ${new Date(from).toLocaleString()}`}>${duration((to ? Date.parse(to) : now.value) - Date.parse(from))}</time>`);
