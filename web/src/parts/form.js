// @ts-check
/** Forms keep what was typed, through events and errors; a problem stands at its field. */
import { elementId, html, signal } from '../ui.js';
import { asApiError } from '../api.js';
import { problem } from './problem.js';

/**
 * @template {Record<string, any>} T
 * @typedef {{ id: string, values: { [K in keyof T]: import('../ui.js').Signal<T[K]> }, fields: import('../ui.js').Signal<Record<string, string>>,
 *   failed: import('../ui.js').Signal<import('../api.js').ApiError | undefined>, busy: import('../ui.js').Signal<boolean>, shown: Set<string>, get: () => T }} Form
 */

/**
 * @template {Record<string, any>} T
 * @param {T} initial
 * @returns {Form<T>}
 */
export function createForm(initial) {
    const values = /** @type {Form<T>['values']} */ (Object.fromEntries(Object.entries(initial).map(([name, value]) => [name, signal(value)])));
    return {
        id: elementId('form'),
        values,
        fields: signal({}),
        failed: signal(undefined),
        busy: signal(false),
        shown: new Set(),
        get: () => /** @type {T} */ (Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value.peek()]))),
    };
}

/**
 * @template {Record<string, any>} T
 * @param {Form<T>} form
 * @param {{ fields: import('../ui.js').View, action: string, run: (values: T) => Promise<unknown>, cancel?: () => void, extra?: import('../ui.js').View }} options
 */
export const formView = (form, { fields, action, run, cancel, extra }) => html`<form id=${form.id} novalidate onSubmit=${async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (form.busy.peek()) return;
    form.busy.value = true;
    form.failed.value = undefined;
    form.fields.value = {};
    try {
        await run(form.get());
    } catch (error) {
        refuse(form, asApiError(error));
    } finally {
        form.busy.value = false;
    }
}}>
    ${fields}
    ${form.failed.value && problem(form.failed.value)}
    <footer>${extra}${cancel && html`<button type="button" class="button plain" onClick=${cancel}>Cancel</button>`}<button class="button main" disabled=${form.busy.value}>${form.busy.value ? 'Working…' : action}</button></footer>
</form>`;

/** @param {Form<any>} form @param {import('../api.js').ApiError} error */
function refuse(form, error) {
    const known = error.fields.filter(({ field }) => form.shown.has(field));
    form.fields.value = Object.fromEntries(known.map(({ field, message }) => [field, message]));
    // What belongs to no field that is shown is said below them.
    if (known.length < error.fields.length || known.length === 0) form.failed.value = error;
    if (known.length) document.getElementById(`${form.id}-${known[0].field}`)?.focus();
}

/**
 * @typedef {{ label: string, help?: import('../ui.js').View, type?: string, autocomplete?: string, options?: { value: string, label: string }[],
 *   required?: boolean, placeholder?: string, area?: boolean, autofocus?: boolean, min?: number, max?: number }} Field
 */

/**
 * @template {Record<string, any>} T
 * @param {Form<T>} form
 * @param {keyof T & string} name as the API names it in problems
 * @param {Field} options
 */
export function field(form, name, { label, help, type = 'text', autocomplete = 'off', options, required, placeholder, area, autofocus, min, max }) {
    form.shown.add(name);
    const id = `${form.id}-${name}`;
    const value = form.values[name];
    const wrong = form.fields.value[name];
    const described = [help && `${id}-help`, wrong && `${id}-wrong`].filter(Boolean).join(' ') || undefined;
    const write = (/** @type {any} */ event) => (value.value = type === 'checkbox' ? event.target.checked : event.target.value);
    const common = { id, name, required, 'aria-invalid': wrong ? 'true' : undefined, 'aria-describedby': described, autofocus };
    if (type === 'checkbox') {
        return html`<div class="field check"><input type="checkbox" ...${common} checked=${value.value} onChange=${write} /><label for=${id}>${label}</label>${help && html`<small id=${`${id}-help`}>${help}</small>`}${wrong && html`<small class="wrong" id=${`${id}-wrong`}>${wrong}</small>`}</div>`;
    }
    const input = options
        ? html`<select ...${common} value=${value.value} onChange=${write}>${options.map((one) => html`<option value=${one.value} selected=${one.value === value.value}>${one.label}</option>`)}</select>`
        : area
          ? html`<textarea ...${common} rows="4" placeholder=${placeholder} value=${value.value} onInput=${write}></textarea>`
          : html`<input type=${type} ...${common} autocomplete=${autocomplete} placeholder=${placeholder} min=${min} max=${max} spellcheck=${false} value=${value.value} onInput=${write} />`;
    return html`<div class="field"><label for=${id}>${label}</label>${input}${help && html`<small id=${`${id}-help`}>${help}</small>`}${wrong && html`<small class="wrong" id=${`${id}-wrong`}>${wrong}</small>`}</div>`;
}
