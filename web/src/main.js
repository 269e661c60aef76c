// @ts-check
/** The start of the page: who looks, which screen, and the frame around it. */
import { html, region, render } from './ui.js';
import { session, resume, unreachable } from './session.js';
import { shell } from './shell.js';
import { signIn, setupCode } from './sign-in.js';
import { dialogs } from './parts/dialog.js';
import { toasts } from './parts/toast.js';
import { problem, waiting } from './parts/problem.js';
import './theme.js';

function page() {
    if (unreachable.value) return html`<main class="alone">${problem(unreachable.value, resume)}</main>`;
    if (session.value === undefined) return html`<main class="alone">${waiting()}</main>`;
    return session.value === null ? region(signIn, 'sign in') : region(shell, 'shell');
}

const root = /** @type {HTMLElement} */ (document.getElementById('page'));
root.replaceChildren();
render(html`${region(page)}${dialogs()}${toasts()}`, root);
// A one-time link signs in by itself; what is stored from before does not matter then.
if (setupCode()) session.value = null;
else void resume();
