// @ts-check
/** The person who looks: password, second factor, sessions. */
import { api } from '../api.js';
import { resource } from '../link.js';
import { badge } from '../parts/badge.js';
import { attempt, button } from '../parts/button.js';
import { copyField } from '../parts/copy.js';
import { confirm, openDialog } from '../parts/dialog.js';
import { createForm, field, formView } from '../parts/form.js';
import { qr } from '../parts/qr.js';
import { shown } from '../parts/problem.js';
import { showOnce } from '../parts/secret.js';
import { table } from '../parts/table.js';
import { say } from '../parts/toast.js';
import { ago, time } from '../parts/time.js';
import { session } from '../session.js';
import { html } from '../ui.js';

/** @typedef {import('../api/types').Schemas['User']} User */

export function you() {
    const user = /** @type {User} */ (session.peek()?.user);
    const sessions = sessionsOf(user);
    const fresh = resource((signal) => api.get('/users/{id}', { path: { id: user.id }, signal }));
    return {
        close() {
            sessions.close();
            fresh.close();
        },
        view: () => html`<section class="panel"><header><h2>How you sign in</h2></header>${shown(fresh, (now) => now.issuer
            ? html`<p>With ${new URL(now.issuer).host}. Password and second factor are managed there.</p>`
            : html`<p>${now.email}, with a password${now.second_factor ? ' and a second factor' : ''}.</p><div class="actions">
                ${button({ label: 'Change the password', action: () => changePassword(now) })}
                ${now.second_factor ? button({ label: 'Remove the second factor', kind: 'danger', action: () => removeFactor(now, fresh.reload) }) : button({ label: 'Set up a second factor', action: () => setUpFactor(now, fresh.reload) })}</div>`)}</section>
            <section class="panel"><header><h2>Your sessions</h2></header>${sessions.view()}</section>`,
    };
}

/** @param {User} user */
export function sessionsOf(user) {
    const list = resource((signal) => api.get('/users/{id}/sessions', { path: { id: user.id }, signal }), { every: 10_000 });
    return {
        close: list.close,
        view: () => shown(list, ({ sessions }) => html`${table({
            caption: `Sessions of ${user.email}`,
            key: ({ id }) => id,
            rows: sessions,
            columns: [
                { head: 'Browser', main: true, cell: (one) => html`${browser(one.user_agent)} ${one.id === session.value?.session_id ? badge('good', 'This one') : ''}` },
                { head: 'Address', cell: (one) => one.ip_address ?? html`<span class="quiet">not known</span>` },
                { head: 'Used', cell: (one) => ago(one.used_at) },
                { head: 'Expires', cell: (one) => time(one.expires_at) },
                { head: '', end: true, cell: (one) => button({ label: 'End', kind: 'quiet', action: () => attempt(async () => {
                    await api.delete('/users/{id}/sessions/{session_id}', { path: { id: user.id, session_id: one.id } });
                    await list.reload();
                }, 'The session is ended.') }) },
            ],
        })}
        ${sessions.length > 1 ? html`<div class="actions">${button({ label: 'End all sessions', kind: 'danger', action: () => confirm({
            title: `End all sessions of ${user.email}?`,
            text: html`<p>Everywhere, ${session.value?.user?.id === user.id ? 'this one too' : 'at once'}.</p>`,
            action: 'End all sessions',
            run: async () => {
                await api.delete('/users/{id}/sessions', { path: { id: user.id } });
                await list.reload();
            },
        }) })}</div>` : null}`),
    };
}

/** @param {string | undefined} agent */
function browser(agent) {
    if (!agent) return 'Not known';
    const name = /Edg\//.test(agent) ? 'Edge' : /OPR\//.test(agent) ? 'Opera' : /Firefox\//.test(agent) ? 'Firefox' : /Chrome\//.test(agent) ? 'Chrome' : /Safari\//.test(agent) ? 'Safari' : agent.slice(0, 40);
    const system = /Android/.test(agent) ? 'Android' : /iPhone|iPad/.test(agent) ? 'iOS' : /Windows/.test(agent) ? 'Windows' : /Mac OS/.test(agent) ? 'macOS' : /Linux/.test(agent) ? 'Linux' : '';
    return system ? `${name} on ${system}` : name;
}

/** @param {User} user */
function changePassword(user) {
    const form = createForm({ current_password: '', password: '' });
    openDialog({
        title: 'Change the password',
        view: (close) => formView(form, {
            fields: html`${field(form, 'current_password', { label: 'Current password', type: 'password', autocomplete: 'current-password', autofocus: true })}
                ${field(form, 'password', { label: 'New password', type: 'password', autocomplete: 'new-password', help: '12 characters or more, of any kind. All your sessions end.' })}`,
            action: 'Change the password',
            cancel: close,
            run: async (values) => {
                await api.post('/users/{id}/password', { path: { id: user.id }, body: values });
                close();
                say('The password is changed.');
            },
        }),
    });
}

/** @param {User} user @param {() => unknown} done */
function setUpFactor(user, done) {
    const form = createForm({ password: '' });
    openDialog({
        title: 'Set up a second factor',
        view: (close) => formView(form, {
            fields: html`<p>You need an authenticator app. Signing in then asks for its code too.</p>${field(form, 'password', { label: 'Your password', type: 'password', autocomplete: 'current-password', autofocus: true })}`,
            action: 'Go on',
            cancel: close,
            run: async (values) => {
                const made = await api.post('/users/{id}/second-factor', { path: { id: user.id }, body: values });
                close();
                confirmFactor(user, made, done);
            },
        }),
    });
}

/** @param {User} user @param {{ secret: string, uri: string }} factor @param {() => unknown} done */
function confirmFactor(user, factor, done) {
    const form = createForm({ code: '' });
    openDialog({
        title: 'Scan it, then type the code',
        keep: true,
        view: (close) => formView(form, {
            fields: html`${qr({ text: factor.uri, label: 'The secret for the authenticator app as a QR code' })}${copyField({ label: 'Or type this secret', value: factor.secret, secret: true })}
                ${field(form, 'code', { label: 'Code of the app', autocomplete: 'one-time-code' })}`,
            action: 'Confirm',
            cancel: close,
            run: async (values) => {
                const { recovery_codes: codes } = await api.post('/users/{id}/second-factor/confirm', { path: { id: user.id }, body: values });
                close();
                done();
                showOnce({ title: 'Recovery codes', text: 'Each replaces a code once, if the app is lost. They are shown only this once.', view: () => html`<pre>${codes.join('\n')}</pre>`, wide: false });
            },
        }),
    });
}

/** @param {User} user @param {() => unknown} done */
function removeFactor(user, done) {
    const form = createForm({ password: '' });
    openDialog({
        title: 'Remove the second factor',
        view: (close) => formView(form, {
            fields: field(form, 'password', { label: 'Your password', type: 'password', autocomplete: 'current-password', autofocus: true }),
            action: 'Remove it',
            cancel: close,
            run: async (values) => {
                await api.post('/users/{id}/second-factor/remove', { path: { id: user.id }, body: values });
                close();
                done();
            },
        }),
    });
}
