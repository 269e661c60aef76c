// @ts-check
/** Copying works on plain http too, where `navigator.clipboard` does not exist. */
import { elementId, html, part, signal } from '../ui.js';
import { icon } from './icon.js';

/** @param {HTMLInputElement} input */
async function copy(input) {
    if (navigator.clipboard && isSecureContext) {
        await navigator.clipboard.writeText(input.value);
        return true;
    }
    const selection = document.activeElement;
    input.focus();
    input.select();
    const done = document.execCommand('copy');
    if (selection instanceof HTMLElement) selection.focus();
    return done;
}

/**
 * A field that can only be read and copied.
 * @param {{ label: string, value: string, secret?: boolean }} options `secret`: hidden until it is asked for
 */
export const copyField = (options) => part(field, options, options.value);

/** @param {{ label: string, value: string, secret?: boolean }} options */
function field({ value, secret = false }) {
    const id = elementId('copy');
    const said = signal('');
    const hidden = signal(secret);
    return (/** @type {{ label: string }} */ { label }) => html`<div class="copy">
        <label for=${id}>${label}</label>
        <div class="row">
            <input id=${id} readonly type=${hidden.value ? 'password' : 'text'} value=${value} autocomplete="off" spellcheck=${false}
                onFocus=${(/** @type {any} */ event) => event.target.select()} />
            ${secret && html`<button type="button" class="button quiet" aria-pressed=${!hidden.value} onClick=${() => (hidden.value = !hidden.value)}>${hidden.value ? 'Show' : 'Hide'}</button>`}
            <button type="button" class="button plain" aria-label=${`Copy ${label}`} onClick=${async () => {
                const input = /** @type {HTMLInputElement} */ (document.getElementById(id));
                const was = hidden.value;
                // A hidden field gives nothing to `execCommand`.
                if (was) input.type = 'text';
                const done = await copy(input).catch(() => false);
                if (was) input.type = 'password';
                said.value = done ? 'Copied' : 'Select it and copy by hand';
                setTimeout(() => (said.value = ''), 2_000);
            }}>${icon(said.value === 'Copied' ? 'good' : 'copy')}<span>${said.value || 'Copy'}</span></button>
        </div>
    </div>`;
}
