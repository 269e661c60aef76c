// @ts-check
/** People who sign in: their roles, one-time links and sessions. */
import { api } from '../api.js';
import { resource } from '../link.js';
import { badge } from '../parts/badge.js';
import { attempt, button } from '../parts/button.js';
import { copyField } from '../parts/copy.js';
import { confirm, openDialog } from '../parts/dialog.js';
import { createForm, field, formView } from '../parts/form.js';
import { empty, shown } from '../parts/problem.js';
import { showOnce } from '../parts/secret.js';
import { table } from '../parts/table.js';
import { ago, time } from '../parts/time.js';
import { session } from '../session.js';
import { html } from '../ui.js';
import { organizationNames } from './organizations.js';
import { sessionsOf } from './you.js';

/** @typedef {import('../api/types').Schemas['User']} User */
/** @typedef {import('../session.js').Role} Role */

const NONE = '';
const ADMINISTRATOR = 'administrator';

export function people() {
    const list = resource(async (signal) => {
        const [found, organizations] = await Promise.all([api.get('/users', { signal }), organizationNames(signal)]);
        return { rows: found.users, organizations };
    }, { topics: ['user.'] });
    return {
        close: list.close,
        view: () => shown(list, ({ rows, organizations }) => html`
            <div class="filters">${button({ label: 'New person', icon: 'plus', kind: 'main', action: () => create(organizations, list.reload) })}</div>
            ${rows.length === 0 ? empty({ title: 'Nobody signs in with a password yet', text: 'Everything works with tokens alone. A person gets a one-time link, and sets a password with it.' }) : table({
                caption: 'People',
                key: ({ id }) => id,
                rows,
                columns: [
                    { head: 'Name', main: true, cell: (one) => html`${one.display_name || one.email}<br /><small>${one.email}</small>` },
                    { head: 'May', cell: (one) => (one.administrator ? 'everything, everywhere' : one.roles.map(({ organization_id: id, role }) => html`<div>${role} in ${organizations.get(id) ?? id}</div>`)) },
                    { head: 'Signs in', cell: (one) => html`${one.issuer ? html`with ${new URL(one.issuer).host}` : one.has_password ? 'with a password' : badge('warn', 'No password yet')}${one.second_factor ? html`<br /><small>and a second factor</small>` : ''}` },
                    { head: 'Last time', cell: (one) => ago(one.signed_in_at) },
                    { head: 'Created', cell: (one) => time(one.created_at) },
                    { head: '', end: true, cell: (one) => html`<div class="actions">
                        ${button({ label: 'Sessions', kind: 'quiet', action: () => sessionsDialog(one) })}
                        ${one.issuer ? null : button({ label: 'Link', icon: 'link', kind: 'quiet', title: 'A one-time link that sets a password', action: () => link(one) })}
                        ${button({ label: 'Roles', kind: 'quiet', action: () => roles(one, organizations, list.reload) })}
                        ${button({ label: `Delete ${one.email}`, icon: 'trash', only: true, kind: 'quiet', action: () => remove(one, list.reload) })}</div>` },
                ],
            })}`),
    };
}

/** @param {Map<string, string>} organizations @param {Partial<Record<string, Role>>} had @param {boolean} administrator */
function roleForm(organizations, had, administrator) {
    /** @type {Record<string, string>} */
    const initial = { email: '', display_name: '', [ADMINISTRATOR]: administrator ? 'yes' : 'no' };
    for (const id of organizations.keys()) initial[`role ${id}`] = had[id] ?? NONE;
    const form = createForm(initial);
    return {
        form,
        fields: () => html`${field(form, ADMINISTRATOR, { label: 'May', options: [{ value: 'no', label: 'What its roles say' }, { value: 'yes', label: 'Everything, everywhere (administrator)' }] })}
            ${form.values[ADMINISTRATOR].value === 'no' && [...organizations].map(([id, name]) => field(form, `role ${id}`, { label: `Role in ${name}`, options: [{ value: NONE, label: 'None' }, { value: 'viewer', label: 'Viewer' }, { value: 'operator', label: 'Operator' }, { value: 'admin', label: 'Admin' }] }))}`,
        /** @param {Record<string, string>} values */
        read: (values) => values[ADMINISTRATOR] === 'yes'
            ? { administrator: true }
            : { administrator: false, roles: [...organizations.keys()].filter((id) => values[`role ${id}`]).map((id) => ({ organization_id: id, role: /** @type {Role} */ (values[`role ${id}`]) })) },
    };
}

/** @param {Map<string, string>} organizations @param {() => unknown} done */
function create(organizations, done) {
    const first = [...organizations.keys()][0];
    const { form, fields, read } = roleForm(organizations, first ? { [first]: 'viewer' } : {}, false);
    openDialog({
        title: 'New person',
        view: (close) => formView(form, {
            fields: html`${field(form, 'email', { label: 'E-mail address', type: 'email', required: true, autofocus: true })}
                ${field(form, 'display_name', { label: 'Name' })}${fields()}`,
            action: 'Create, and show the link',
            cancel: close,
            run: async (values) => {
                const made = await api.post('/users', { body: { email: values.email, ...(values.display_name ? { display_name: values.display_name } : {}), ...read(values) } });
                close();
                done();
                await attempt(() => link(made));
            },
        }),
    });
}

/** @param {User} user @param {Map<string, string>} organizations @param {() => unknown} done */
function roles(user, organizations, done) {
    const { form, fields, read } = roleForm(organizations, Object.fromEntries(user.roles.map((one) => [one.organization_id, one.role])), user.administrator);
    openDialog({
        title: `Roles of ${user.email}`,
        view: (close) => formView(form, {
            fields: html`${fields()}<p class="quiet">It takes effect at once, and ends all sessions of this person${session.value?.user?.id === user.id ? ': yours, too' : ''}.</p>`,
            action: 'Change the roles',
            cancel: close,
            run: async (values) => {
                await api.patch('/users/{id}', { path: { id: user.id }, body: read(values) });
                close();
                done();
            },
        }),
    });
}

/** @param {User} user */
async function link(user) {
    const made = await api.post('/users/{id}/link', { path: { id: user.id } });
    showOnce({
        title: `One-time link for ${user.email}`,
        text: 'The link is shown only this once. Whoever opens it sets the password of this person.',
        view: () => html`${copyField({ label: 'Link', value: made.url, secret: true })}<p class="quiet">It works once, until ${time(made.expires_at)}.</p>`,
    });
}

/** @param {User} user */
function sessionsDialog(user) {
    const section = sessionsOf(user);
    openDialog({ title: `Sessions of ${user.email}`, wide: true, closed: section.close, view: () => section.view() });
}

/** @param {User} user @param {() => unknown} done */
const remove = (user, done) => confirm({
    title: `Delete ${user.email}?`,
    text: html`<p>All sessions of <strong>${user.display_name || user.email}</strong> end at once. What this person did stays in the audit log.</p>`,
    action: 'Delete the person',
    run: async () => {
        await api.delete('/users/{id}', { path: { id: user.id } });
        done();
    },
});
