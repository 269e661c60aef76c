// @ts-check
/** The way in: a one-time link, an e-mail address with a password, or an API token. */
import { api, ApiError, call } from './api.js';
import { createForm, field, formView } from './parts/form.js';
import { icon } from './parts/icon.js';
import { problem } from './parts/problem.js';
import { entered, notice } from './session.js';
import { replace } from './router.js';
import { html, signal } from './ui.js';

/** The code of the link that the first start prints. It stands in the fragment, which no server and no proxy sees. */
export const setupCode = () => /^#setup=(.+)$/.exec(location.hash)?.[1];

const way = signal(/** @type {'password' | 'token'} */ ('password'));
const needsCode = signal(false);
const redeeming = signal(false);
const refused = signal(/** @type {ApiError | undefined} */ (undefined));
const password = createForm({ email: '', password: '', code: '' });
const token = createForm({ token: '' });

async function redeem() {
    const code = setupCode();
    if (!code || redeeming.peek()) return;
    redeeming.value = true;
    // Gone from the address bar and from the history before anything else.
    history.replaceState(null, '', '#/');
    try {
        entered(await call('post', 'session', { body: { setup: code } }));
        replace('start');
    } catch (error) {
        refused.value = /** @type {ApiError} */ (error);
    } finally {
        redeeming.value = false;
    }
}

export function signIn() {
    if (setupCode()) void redeem();
    return html`<main class="alone" id="main">
        <div class="brandmark"><svg viewBox="0 0 32 32" aria-hidden="true"><path class="shield" d="M16 3l12 4.500v8c0 7-5 11.500-12 14-7-2.500-12-7-12-14v-8z"/><path class="sign" d="M13 11.500v9l7.500-4.500z"/></svg><h1>Streamward</h1></div>
        ${notice.value && html`<p class="note" role="status">${icon('wait')}<span>${notice.value}</span></p>`}
        ${refused.value && problem(refused.value)}
        ${redeeming.value
            ? html`<p class="waiting" role="status">Signing in with the link…</p>`
            : html`<div class="tabs" role="group" aria-label="How to sign in">
                  <button type="button" aria-pressed=${way.value === 'password'} onClick=${() => (way.value = 'password')}>E-mail and password</button>
                  <button type="button" aria-pressed=${way.value === 'token'} onClick=${() => (way.value = 'token')}>API token</button>
              </div>
              ${way.value === 'password' ? passwordForm() : tokenForm()}
              <p class="quiet">The first start prints a link that signs in once, and an admin token. Lost? <code>streamward token create --role admin me</code></p>`}
    </main>`;
}

const passwordForm = () => formView(password, {
    fields: html`${field(password, 'email', { label: 'E-mail address', type: 'email', autocomplete: 'username', required: true })}
        ${field(password, 'password', { label: 'Password', type: 'password', autocomplete: 'current-password', required: true })}
        ${needsCode.value && field(password, 'code', { label: 'Code of your authenticator app', autocomplete: 'one-time-code', help: 'Or one of your recovery codes.', autofocus: true })}`,
    action: 'Sign in',
    run: async ({ email, password: secret, code }) => {
        try {
            enter(await api.post('/session', { body: { email, password: secret, ...(code ? { code } : {}) } }));
            password.values.password.value = password.values.code.value = '';
            needsCode.value = false;
        } catch (error) {
            if (error instanceof ApiError && error.is('second-factor-needed') && !needsCode.peek()) needsCode.value = true;
            else throw error;
        }
    },
});

const tokenForm = () => formView(token, {
    fields: field(token, 'token', { label: 'API token', type: 'password', help: 'It is exchanged for a session of this browser, and not stored.', required: true }),
    action: 'Sign in',
    run: async ({ token: secret }) => {
        enter(await api.post('/session', { body: { token: secret } }));
        token.values.token.value = '';
    },
});

/** @param {import('./session.js').Session} current */
function enter(current) {
    refused.value = undefined;
    entered(current);
}
