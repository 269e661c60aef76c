// @ts-check
/** Dialogs: the platform's own, which keep the focus inside and give it back. */
import { elementId, html, region, signal } from '../ui.js';
import { asApiError } from '../api.js';
import { icon } from './icon.js';
import { problem } from './problem.js';

/** @type {import('../ui.js').Signal<{ id: number, view: (close: () => void) => import('../ui.js').View, title: string, wide?: boolean, keep?: boolean, closed?: () => void }[]>} */
const open = signal([]);
let next = 1;

/**
 * @param {{ title: string, view: (close: () => void) => import('../ui.js').View, wide?: boolean, keep?: boolean, closed?: () => void }} options
 *   `keep`: only its own buttons close it, since what it shows is shown once.
 */
export function openDialog(options) {
    const id = next++;
    open.value = [...open.value, { id, ...options }];
    return () => closeDialog(id);
}

/** @param {number} id */
function closeDialog(id) {
    const closing = open.peek().find((one) => one.id === id);
    open.value = open.peek().filter((one) => one.id !== id);
    closing?.closed?.();
}

export function closeDialogs() {
    for (const { id } of open.peek()) closeDialog(id);
}

/** @param {HTMLDialogElement | null} element */
const show = (element) => {
    if (element && !element.open) element.showModal();
};

export const dialogs = () =>
    region(() => open.value.map(({ id, title, view, wide, keep }) => {
        const close = () => {
            const element = /** @type {HTMLDialogElement | null} */ (document.getElementById(`dialog${id}`));
            // The platform gives the focus back when it closes the dialog, not when the element vanishes.
            element?.close();
        };
        return html`<dialog id=${`dialog${id}`} key=${id} class=${wide ? 'wide' : ''} aria-labelledby=${`dialog${id}title`} ref=${show}
            onClose=${() => closeDialog(id)}
            onCancel=${(/** @type {Event} */ event) => keep && event.preventDefault()}>
            <header><h2 id=${`dialog${id}title`}>${title}</h2>${!keep && html`<button type="button" class="button quiet only" aria-label="Close" onClick=${close}>${icon('bad')}</button>`}</header>
            <div class="content">${region(() => view(close))}</div>
        </dialog>`;
    }));

/**
 * Asks before something that cannot be undone, and names it. The dialog stays open while it runs and when it is refused.
 * @param {{ title: string, text: import('../ui.js').View, action: string, run: () => Promise<unknown>, danger?: boolean, name?: string }} options
 *   `name`: must be typed first; for what hurts most.
 */
export function confirm({ title, text, action, run, danger = true, name }) {
    const busy = signal(false);
    const failed = signal(/** @type {import('../api.js').ApiError | undefined} */ (undefined));
    const typed = signal('');
    const inputId = elementId('confirm');
    openDialog({
        title,
        view: (close) => html`<form onSubmit=${async (/** @type {Event} */ event) => {
            event.preventDefault();
            busy.value = true;
            failed.value = undefined;
            try {
                await run();
                close();
            } catch (error) {
                failed.value = asApiError(error);
            } finally {
                busy.value = false;
            }
        }}>
            <div class="prose">${text}</div>
            ${name && html`<div class="field"><label for=${inputId}>Type <strong>${name}</strong> to confirm</label><input id=${inputId} autocomplete="off" value=${typed.value} onInput=${(/** @type {any} */ event) => (typed.value = event.target.value)} /></div>`}
            ${failed.value && problem(failed.value)}
            <footer>
                <button type="button" class="button plain" onClick=${close}>Cancel</button>
                <button class=${`button ${danger ? 'danger' : 'main'}`} disabled=${busy.value || (name && typed.value !== name)}>${busy.value ? 'Working…' : action}</button>
            </footer>
        </form>`,
    });
}
