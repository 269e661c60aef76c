// @ts-check
/** API tokens: what programs sign in with. */
import { api } from '../api.js';
import { resource } from '../link.js';
import { badge } from '../parts/badge.js';
import { button } from '../parts/button.js';
import { confirm, openDialog } from '../parts/dialog.js';
import { copyField } from '../parts/copy.js';
import { createForm, field, formView } from '../parts/form.js';
import { empty, shown } from '../parts/problem.js';
import { showOnce } from '../parts/secret.js';
import { table } from '../parts/table.js';
import { time } from '../parts/time.js';
import { canEverywhere } from '../session.js';
import { html } from '../ui.js';
import { organizationNames } from './organizations.js';

export const ROLES = [
    { value: 'viewer', label: 'Viewer: sees' },
    { value: 'operator', label: 'Operator: sees and runs' },
    { value: 'admin', label: 'Admin: everything' },
];
const EVERYWHERE = '';

export function tokens() {
    const list = resource(async (signal) => {
        const [found, organizations] = await Promise.all([api.get('/api-tokens', { signal }), organizationNames(signal)]);
        return { rows: found.api_tokens, organizations };
    }, { topics: ['api_token.'] });
    return {
        close: list.close,
        view: () => shown(list, ({ rows, organizations }) => html`
            <div class="filters">${button({ label: 'New token', icon: 'plus', kind: 'main', action: () => create(organizations, list.reload) })}</div>
            ${rows.length === 0 ? empty({ title: 'There is no API token' }) : table({
                caption: 'API tokens',
                key: ({ id }) => id,
                rows,
                columns: [
                    { head: 'Name', main: true, cell: (one) => one.name },
                    { head: 'Role', cell: (one) => one.role },
                    { head: 'Where', cell: (one) => (one.organization_id ? (organizations.get(one.organization_id) ?? one.organization_id) : 'everywhere') },
                    { head: 'Created', cell: (one) => time(one.created_at) },
                    { head: 'Expires', cell: (one) => (!one.expires_at ? html`<span class="quiet">never</span>` : Date.parse(one.expires_at) < Date.now() ? badge('warn', 'Expired') : time(one.expires_at)) },
                    { head: '', end: true, cell: (one) => html`<div class="actions">${button({ label: `Delete ${one.name}`, icon: 'trash', only: true, kind: 'quiet', action: () => remove(one, list.reload) })}</div>` },
                ],
            })}`),
    };
}

/** @param {Map<string, string>} organizations @param {() => unknown} done */
function create(organizations, done) {
    const form = createForm({ name: '', role: 'viewer', organization_id: canEverywhere('admin') ? EVERYWHERE : ([...organizations.keys()][0] ?? ''), expires_at: '' });
    openDialog({
        title: 'New API token',
        view: (close) => formView(form, {
            fields: html`${field(form, 'name', { label: 'Name', placeholder: 'Dashboard', help: 'What uses it.', required: true, autofocus: true })}
                ${field(form, 'role', { label: 'Role', options: ROLES, help: 'The least that is enough.' })}
                ${field(form, 'organization_id', { label: 'Where', options: [...(canEverywhere('admin') ? [{ value: EVERYWHERE, label: 'Everywhere' }] : []), ...[...organizations].map(([value, label]) => ({ value, label }))] })}
                ${field(form, 'expires_at', { label: 'Expires', type: 'datetime-local', help: 'Empty: never.' })}`,
            action: 'Create the token',
            cancel: close,
            run: async ({ name, role, organization_id: organization, expires_at: expires }) => {
                const made = await api.post('/api-tokens', { body: { name, role: /** @type {import('../session.js').Role} */ (role), ...(organization ? { organization_id: organization } : {}), ...(expires ? { expires_at: new Date(expires).toISOString() } : {}) } });
                close();
                done();
                showOnce({
                    title: `API token: ${made.name}`,
                    text: 'The token is shown only this once. Streamward stores only a hash of it.',
                    view: () => html`${copyField({ label: 'Token', value: made.token, secret: true })}<p class="quiet">Programs send it as <code>Authorization: Bearer …</code>.</p>`,
                });
            },
        }),
    });
}

/** @param {{ id: string, name: string }} token @param {() => unknown} done */
const remove = (token, done) => confirm({
    title: `Delete the token ${token.name}?`,
    text: html`<p>Whatever uses <strong>${token.name}</strong> is refused at once. Sessions of this page that were opened with it end within a second, yours too if it is the one you signed in with.</p>`,
    action: 'Delete the token',
    run: async () => {
        await api.delete('/api-tokens/{id}', { path: { id: token.id } });
        done();
    },
});
