// @ts-check
/** Broadcasters: who may publish. */
import { api } from '../api.js';
import { resource } from '../link.js';
import { badge } from '../parts/badge.js';
import { button } from '../parts/button.js';
import { confirm, openDialog } from '../parts/dialog.js';
import { createForm, field, formView } from '../parts/form.js';
import { plural } from '../parts/format.js';
import { empty, shown } from '../parts/problem.js';
import { table } from '../parts/table.js';
import { time } from '../parts/time.js';
import { can } from '../session.js';
import { html } from '../ui.js';
import { newKey } from './keys.js';
import { organizationNames } from './organizations.js';

/** @typedef {import('../api/types').Schemas['Broadcaster']} Broadcaster */

export function broadcasters() {
    const list = resource(async (signal) => {
        const [found, keys, organizations] = await Promise.all([api.get('/broadcasters', { signal }), api.get('/stream-keys', { signal }), organizationNames(signal)]);
        return { rows: found.broadcasters, keys: keys.stream_keys.filter(({ status }) => status === 'active'), organizations };
    }, { topics: ['broadcaster.', 'stream_key.', 'stream.started', 'stream.ended'] });
    return {
        close: list.close,
        view: () => shown(list, ({ rows, keys, organizations }) => html`
            ${can('admin') && html`<div class="filters">${button({ label: 'New broadcaster', icon: 'plus', kind: 'main', action: () => edit(organizations) })}</div>`}
            ${rows.length === 0 ? empty({ title: 'There is no broadcaster yet', text: 'A broadcaster is a person, a camera or a place that may publish. Its keys are made next.' }) : table({
                caption: 'Broadcasters',
                key: ({ id }) => id,
                rows,
                columns: [
                    { head: 'Name', main: true, cell: (one) => one.display_name },
                    { head: 'Keys', cell: (one) => {
                        const mine = keys.filter((key) => key.broadcaster_id === one.id);
                        return mine.length ? mine.map((key) => html`<div>${key.path} ${key.in_use ? badge('good', 'In use') : ''}</div>`) : html`<span class="quiet">none: cannot publish</span>`;
                    } },
                    ...(organizations.size > 1 ? [{ head: 'Organization', cell: (/** @type {Broadcaster} */ one) => organizations.get(one.organization_id) ?? '' }] : []),
                    { head: 'Created', cell: (one) => time(one.created_at) },
                    { head: '', end: true, cell: (one) => (can('admin', one.organization_id) ? html`<div class="actions">
                        ${button({ label: 'New key', kind: 'quiet', action: () => newKey(rows, one.id) })}
                        ${button({ label: 'Rename', kind: 'quiet', action: () => edit(organizations, one) })}
                        ${button({ label: `Delete ${one.display_name}`, icon: 'trash', only: true, kind: 'quiet', action: () => remove(one, keys.filter((key) => key.broadcaster_id === one.id)) })}</div>` : null) },
                ],
            })}`),
    };
}

/** @param {Map<string, string>} organizations @param {Broadcaster} [broadcaster] */
function edit(organizations, broadcaster) {
    const form = createForm({ display_name: broadcaster?.display_name ?? '', organization_id: [...organizations.keys()][0] ?? '' });
    openDialog({
        title: broadcaster ? `Rename ${broadcaster.display_name}` : 'New broadcaster',
        view: (close) => formView(form, {
            fields: html`${field(form, 'display_name', { label: 'Name', placeholder: 'Alice', required: true, autofocus: true })}
                ${!broadcaster && organizations.size > 1 ? field(form, 'organization_id', { label: 'Organization', options: [...organizations].map(([value, label]) => ({ value, label })) }) : null}`,
            action: broadcaster ? 'Rename' : 'Create',
            cancel: close,
            run: async ({ display_name: name, organization_id: organization }) => {
                if (broadcaster) await api.patch('/broadcasters/{id}', { path: { id: broadcaster.id }, body: { display_name: name } });
                else await api.post('/broadcasters', { body: { display_name: name, ...(organizations.size > 1 ? { organization_id: organization } : {}) } });
                close();
            },
        }),
    });
}

/** @param {Broadcaster} broadcaster @param {{ path: string, in_use: boolean }[]} keys */
function remove(broadcaster, keys) {
    const running = keys.filter((key) => key.in_use).length;
    confirm({
        title: `Delete ${broadcaster.display_name}?`,
        text: html`<p>${keys.length ? `This revokes ${plural(keys.length, 'key')}: ${keys.map(({ path }) => path).join(', ')}.` : 'It has no key.'} ${running ? html`<strong>It ends ${plural(running, 'running stream')}.</strong>` : 'Nothing runs now.'} The history of its streams stays, with its name.</p>`,
        action: 'Delete the broadcaster',
        name: running ? broadcaster.display_name : undefined,
        run: () => api.delete('/broadcasters/{id}', { path: { id: broadcaster.id } }),
    });
}
