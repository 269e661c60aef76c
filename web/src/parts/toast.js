// @ts-check
/** What was done, or refused, said once at the edge of the page. */
import { html, region, signal } from '../ui.js';

/** @type {import('../ui.js').Signal<{ id: number, text: string, request?: string }[]>} */
const messages = signal([]);
let next = 1;

/** @param {string} text @param {string} [request] the id to look for in the log; such a message stays until it is closed */
export function say(text, request) {
    const id = next++;
    messages.value = [...messages.value.slice(-2), { id, text, request }];
    if (!request) setTimeout(() => close(id), 6_000);
}

/** @param {number} id */
const close = (id) => {
    messages.value = messages.value.filter((message) => message.id !== id);
};

export const toasts = () =>
    html`<div class="toasts" role="status" aria-live="polite">${region(() => messages.value.map(({ id, text, request }) => html`<div class="toast" key=${id}><p>${text}${request && html`<small>Request ${request}</small>`}</p><button type="button" class="button quiet" onClick=${() => close(id)}>Close</button></div>`))}</div>`;
