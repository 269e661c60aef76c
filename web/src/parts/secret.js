// @ts-check
/** What is shown once: it stays until the person says that it is stored. */
import { html } from '../ui.js';
import { openDialog } from './dialog.js';
import { icon } from './icon.js';

/**
 * @param {{ title: string, text: string, view: () => import('../ui.js').View, done?: string, closed?: () => void, wide?: boolean }} options
 */
export const showOnce = ({ title, text, view, done = 'I have stored it', closed, wide = true }) =>
    openDialog({
        title,
        wide,
        keep: true,
        closed,
        view: (close) => html`<p class="note">${icon('warn')}<span>${text}</span></p>${view()}<footer><button type="button" class="button main" onClick=${close}>${done}</button></footer>`,
    });
