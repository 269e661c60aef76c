// @ts-check
/** Organizations: who owns broadcasters, keys, streams and channels. */
import { api } from '../api.js';
import { resource } from '../link.js';
import { button } from '../parts/button.js';
import { confirm, openDialog } from '../parts/dialog.js';
import { createForm, field, formView } from '../parts/form.js';
import { shown } from '../parts/problem.js';
import { table } from '../parts/table.js';
import { time } from '../parts/time.js';
import { canEverywhere, session } from '../session.js';
import { html } from '../ui.js';

/** @typedef {import('../api/types').Schemas['Organization']} Organization */

/** Names by id. Only administrators may read the names; for others the ids of their own stand in. @param {AbortSignal} [signal] */
export async function organizationNames(signal) {
    if (!canEverywhere('admin')) return new Map((session.peek()?.roles ?? []).map(({ organization_id: id }) => [id, id]));
    const { organizations: list } = await api.get('/organizations', { signal });
    return new Map(list.map(({ id, name }) => [id, name]));
}

export function organizations() {
    const list = resource((signal) => api.get('/organizations', { signal }), { topics: ['organization.'] });
    return {
        close: list.close,
        view: () => shown(list, ({ organizations: rows }) => html`
            ${canEverywhere('admin') && html`<div class="filters">${button({ label: 'New organization', icon: 'plus', kind: 'main', action: () => edit(list.reload) })}</div>`}
            ${table({
                caption: 'Organizations',
                key: ({ id }) => id,
                rows,
                columns: [
                    { head: 'Name', main: true, cell: (one) => one.name },
                    { head: 'Id', cell: (one) => html`<span class="mono">${one.id}</span>` },
                    { head: 'Created', cell: (one) => time(one.created_at) },
                    { head: '', end: true, cell: (one) => (canEverywhere('admin') ? html`<div class="actions">
                        ${button({ label: 'Rename', kind: 'quiet', action: () => edit(list.reload, one) })}
                        ${button({ label: `Delete ${one.name}`, icon: 'trash', only: true, kind: 'quiet', action: () => remove(one, list.reload) })}</div>` : null) },
                ],
            })}`),
    };
}

/** @param {() => unknown} done @param {Organization} [organization] */
function edit(done, organization) {
    const form = createForm({ name: organization?.name ?? '' });
    openDialog({
        title: organization ? `Rename ${organization.name}` : 'New organization',
        view: (close) => formView(form, {
            fields: field(form, 'name', { label: 'Name', required: true, autofocus: true }),
            action: organization ? 'Rename' : 'Create',
            cancel: close,
            run: async ({ name }) => {
                if (organization) await api.patch('/organizations/{id}', { path: { id: organization.id }, body: { name } });
                else await api.post('/organizations', { body: { name } });
                close();
                done();
            },
        }),
    });
}

/** @param {Organization} organization @param {() => unknown} done */
const remove = (organization, done) => confirm({
    title: `Delete the organization ${organization.name}?`,
    text: html`<p>It must own nothing any more: no broadcasters, keys, channels or clips. Otherwise this is refused.</p>`,
    action: 'Delete the organization',
    run: async () => {
        await api.delete('/organizations/{id}', { path: { id: organization.id } });
        done();
    },
});
