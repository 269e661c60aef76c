// @ts-check
/** Stream keys: the list, what should be looked at, making, rotating and revoking. */
import { api } from '../api.js';
import { resource } from '../link.js';
import { badge, liveBadge } from '../parts/badge.js';
import { button } from '../parts/button.js';
import { firstConnection } from '../parts/connection.js';
import { confirm, openDialog } from '../parts/dialog.js';
import { encoderSettings } from '../parts/encoder.js';
import { createForm, field, formView } from '../parts/form.js';
import { plural } from '../parts/format.js';
import { icon } from '../parts/icon.js';
import { empty, shown } from '../parts/problem.js';
import { showOnce } from '../parts/secret.js';
import { table } from '../parts/table.js';
import { ago, time } from '../parts/time.js';
import { can } from '../session.js';
import { html, signal } from '../ui.js';

/** @typedef {import('../api/types').Schemas['StreamKey']} StreamKey */
/** @typedef {import('../api/types').Schemas['NewStreamKey']} NewStreamKey */
/** @typedef {import('../api/types').Schemas['Broadcaster']} Broadcaster */

const DAY = 86_400_000;
/** As long as nobody wonders about a key. */
const UNUSED_DAYS = 30;
const SOON_DAYS = 7;

export function keys() {
    const list = resource(async (signal) => {
        const [found, broadcasters] = await Promise.all([api.get('/stream-keys', { signal }), api.get('/broadcasters', { signal })]);
        return { keys: found.stream_keys, names: new Map(broadcasters.broadcasters.map((one) => [one.id, one.display_name])), broadcasters: broadcasters.broadcasters };
    }, { topics: ['stream_key.', 'stream.started', 'stream.ended', 'broadcaster.'] });
    const search = signal('');
    const only = signal('');
    return {
        close: list.close,
        view: () => shown(list, ({ keys: all, names, broadcasters }) => {
            const wanted = search.value.trim().toLowerCase();
            const rows = all.filter((key) => (only.value === 'attention' ? notes(key).length > 0 : !only.value || key.status === only.value)
                && (!wanted || `${key.path} ${key.label ?? ''} ${names.get(key.broadcaster_id) ?? ''}`.toLowerCase().includes(wanted)));
            return html`${hygiene(all, () => (only.value = 'attention'))}
                <div class="filters">
                    <input type="search" aria-label="Search by path, label or broadcaster" placeholder="Search ( / )" value=${search.value} onInput=${(/** @type {any} */ event) => (search.value = event.target.value)} />
                    <select aria-label="Which keys" onChange=${(/** @type {any} */ event) => (only.value = event.target.value)}>${[['', 'All keys'], ['active', 'Active'], ['attention', 'To look at'], ['expired', 'Expired'], ['revoked', 'Revoked']].map(([value, label]) => html`<option value=${value} selected=${value === only.value}>${label}</option>`)}</select>
                    ${can('admin') && button({ label: 'New key', icon: 'plus', kind: 'main', action: () => newKey(broadcasters) })}
                </div>
                ${rows.length === 0 ? empty({ title: all.length ? 'No key matches' : 'There is no stream key yet', text: all.length ? undefined : 'A key lets one broadcaster publish on one path.' }) : table({
                    caption: 'Stream keys',
                    key: ({ id }) => id,
                    rows,
                    columns: [
                        { head: 'Path', main: true, cell: (key) => html`${key.path}${key.label ? html`<br /><small>${key.label}</small>` : ''}` },
                        { head: 'Broadcaster', cell: (key) => names.get(key.broadcaster_id) ?? html`<span class="quiet">not visible</span>` },
                        { head: 'State', cell: keyState },
                        { head: 'Begins with', cell: (key) => html`<code>${key.key_prefix}…</code>` },
                        { head: 'Last used', cell: (key) => html`${ago(key.last_used_at)}${notes(key).map((text) => html`<br /><small class="note-small">${text}</small>`)}` },
                        { head: 'Expires', cell: (key) => (key.expires_at ? time(key.expires_at) : html`<span class="quiet">never</span>`) },
                        { head: '', end: true, cell: (key) => (key.status === 'active' && can('admin', key.organization_id) ? html`<div class="actions">
                            ${button({ label: `Rotate ${key.path}`, icon: 'rotate', only: true, kind: 'quiet', action: () => rotateKey({ id: key.id, path: key.path, inUse: key.in_use }) })}
                            ${button({ label: `Revoke ${key.path}`, icon: 'trash', only: true, kind: 'quiet', action: () => revoke(key) })}</div>` : null) },
                    ],
                })}`;
        }),
    };
}

/** @param {StreamKey} key */
function keyState(key) {
    if (key.status === 'revoked') return badge('bad', 'Revoked');
    if (key.status === 'expired') return badge('warn', 'Expired');
    return key.in_use ? liveBadge('good', 'In use') : badge('idle', 'Not in use');
}

/** What a careful person would look at. @param {StreamKey} key */
function notes(key) {
    if (key.status !== 'active') return [];
    const found = [];
    const used = Date.parse(key.last_used_at ?? key.created_at);
    if (!key.in_use && Date.now() - used > UNUSED_DAYS * DAY) found.push(`unused for ${Math.floor((Date.now() - used) / DAY)} days`);
    if (key.expires_at && Date.parse(key.expires_at) - Date.now() < SOON_DAYS * DAY) found.push('expires this week');
    return found;
}

/** @param {StreamKey[]} all @param {() => void} look */
function hygiene(all, look) {
    const active = all.filter(({ status }) => status === 'active');
    const attention = active.filter((key) => notes(key).length);
    if (!attention.length) return null;
    return html`<div class="note">${icon('warn')}<span>${plural(attention.length, 'key')} of ${active.length} should be looked at: unused for more than ${UNUSED_DAYS} days, or expiring within ${SOON_DAYS}. <button type="button" class="button quiet" onClick=${look}>Show them</button></span></div>`;
}

/** @param {Broadcaster[]} broadcasters @param {string} [chosen] */
export function newKey(broadcasters, chosen) {
    const form = createForm({ broadcaster_id: chosen ?? broadcasters[0]?.id ?? '', path: '', label: '', expires_at: '', takeover: false });
    openDialog({
        title: 'New stream key',
        view: (close) => broadcasters.length === 0 ? html`<p>Create a broadcaster first: a key belongs to one.</p>` : formView(form, {
            fields: html`${field(form, 'broadcaster_id', { label: 'Broadcaster', options: broadcasters.map((one) => ({ value: one.id, label: one.display_name })) })}
                ${field(form, 'path', { label: 'Path', placeholder: 'live/alice', help: 'Where viewers find the stream. Empty: made from the name.' })}
                ${field(form, 'label', { label: 'Label', placeholder: 'OBS in the studio', help: 'Only for you.' })}
                ${field(form, 'expires_at', { label: 'Expires', type: 'datetime-local', help: 'Empty: never. A running stream ends with its key.' })}
                ${field(form, 'takeover', { label: 'A new encoder takes over', type: 'checkbox', help: 'For encoders on a bad line. Otherwise a second encoder is refused while the first one is connected.' })}`,
            action: 'Create the key',
            cancel: close,
            run: async ({ broadcaster_id: broadcaster, path, label, expires_at: expires, takeover }) => {
                const key = await api.post('/stream-keys', { body: {
                    broadcaster_id: broadcaster,
                    ...(path ? { path } : {}),
                    ...(label ? { label } : {}),
                    ...(expires ? { expires_at: new Date(expires).toISOString() } : {}),
                    ...(takeover ? { on_conflict: /** @type {const} */ ('takeover') } : {}),
                } });
                close();
                showKey(key, 'New stream key');
            },
        }),
    });
}

/** @param {NewStreamKey} key @param {string} title */
const showKey = (key, title) => showOnce({
    title: `${title}: ${key.path}`,
    text: 'The key is shown only this once. Copy it to the encoder now. Streamward stores only a hash of it.',
    view: () => html`${encoderSettings({ key })}${firstConnection({ key })}`,
});

/** @param {{ id: string, path: string, inUse?: boolean, live?: import('../store.js').Stream }} key */
export const rotateKey = ({ id, path, inUse = false, live }) => confirm({
    title: `Rotate the key of ${path}?`,
    text: html`<p>The old key is invalid at once. ${live ? `This ends the running stream${live.readers ? ` with ${plural(live.readers, 'reader')}` : ''}.` : inUse ? 'This ends the running stream.' : 'Nothing runs on it now.'} The new key is shown once.</p>`,
    action: 'Rotate the key',
    run: async () => {
        const key = await api.post('/stream-keys/{id}/rotate', { path: { id } });
        showKey(key, 'Rotated key');
    },
});

/** @param {StreamKey} key */
const revoke = (key) => confirm({
    title: `Revoke the key of ${key.path}?`,
    text: html`<p>The key <code>${key.key_prefix}…</code> is invalid at once and for ever. ${key.in_use ? html`<strong>This ends the running stream.</strong>` : 'Nothing runs on it now.'} Its path becomes free.</p>`,
    action: 'Revoke the key',
    run: () => api.delete('/stream-keys/{id}', { path: { id: key.id } }),
});
