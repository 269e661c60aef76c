// @ts-check
import { html, now, part } from '../ui.js';
import { icon } from './icon.js';

/** What was refused, and why, in the words of the service. @param {import('../api.js').ApiError} error @param {() => unknown} [retry] */
export const problem = (error, retry) => html`<div class="problem" role="alert">${icon('warn')}<div>
    <strong>${error.title}</strong>
    <p>${error.message}</p>
    ${error.requestId && html`<small>Request ${error.requestId}</small>`}
    ${retry && html`<button type="button" class="button plain" onClick=${retry}>Try again</button>`}
</div></div>`;

/** Nothing here: says so, and what to do. @param {{ title: string, text?: import('../ui.js').View, action?: import('../ui.js').View }} options */
export const empty = ({ title, text, action }) => html`<div class="empty"><strong>${title}</strong>${text && html`<p>${text}</p>`}${action}</div>`;

/**
 * What a resource has brought; before that, that it is awaited and for how long; or why not.
 * @template T
 * @param {import('../link.js').Resource<T>} resource
 * @param {(value: T) => import('../ui.js').View} view
 */
export function shown(resource, view) {
    const value = resource.value.value;
    const failed = resource.problem.value;
    if (value === undefined) return failed ? problem(failed, resource.reload) : waiting();
    return html`${failed && failed.status !== 0 && problem(failed, resource.reload)}${view(value)}`;
}

/** Never an endless spinner: after a while it says how long it has been. */
export const waiting = () => part(wait, undefined);

function wait() {
    const begun = Date.now();
    return () => {
        const seconds = Math.floor((now.value - begun) / 1000);
        return html`<p class="waiting" role="status">${seconds < 3 ? 'Loading…' : `No answer for ${seconds} s. Still asking.`}</p>`;
    };
}
