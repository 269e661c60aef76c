// @ts-check
/** Playback links: what viewers open, and permissions to watch where that needs one. */
import { call } from '../api.js';
import { resource } from '../link.js';
import { api } from '../api.js';
import { button } from '../parts/button.js';
import { copyField } from '../parts/copy.js';
import { openDialog } from '../parts/dialog.js';
import { createForm, field, formView } from '../parts/form.js';
import { plural } from '../parts/format.js';
import { empty, shown } from '../parts/problem.js';
import { showOnce } from '../parts/secret.js';
import { table } from '../parts/table.js';
import { time } from '../parts/time.js';
import { liveBadge, badge } from '../parts/badge.js';
import { to } from '../router.js';
import { html } from '../ui.js';

export function playback() {
    const list = resource(async (signal) => {
        const [keys, streams] = await Promise.all([api.get('/stream-keys', { signal }), api.get('/streams', { signal })]);
        return { paths: [...new Set(keys.stream_keys.filter(({ status }) => status === 'active').map(({ path }) => path))], live: new Map(streams.streams.map((one) => [one.path, one])) };
    }, { topics: ['stream_key.', 'stream.started', 'stream.ended'] });
    return {
        close: list.close,
        view: () => shown(list, ({ paths, live }) => html`<p class="quiet prose">An address for viewers never contains a secret. Where watching needs a permission, make a token: it is for the paths and the time that you choose.</p>
            ${paths.length === 0 ? empty({ title: 'There is no path yet', text: 'A path appears here with its stream key.' }) : table({
                caption: 'Paths that viewers may watch',
                key: (path) => path,
                rows: paths,
                columns: [
                    { head: 'Path', main: true, cell: (path) => { const stream = live.get(path); return stream ? html`<a href=${to('live', stream.id)}>${path}</a>` : path; } },
                    { head: 'State', cell: (path) => (live.has(path) ? liveBadge('good', 'Live') : badge('idle', 'Not live')) },
                    { head: 'HLS', cell: (path) => { const url = live.get(path)?.urls?.hls; return url ? html`<a class="mono" href=${url} rel="noreferrer" target="_blank">${url}</a>` : html`<span class="quiet">shown while it is live</span>`; } },
                    { head: '', end: true, cell: (path) => button({ label: 'New playback token', kind: 'quiet', icon: 'plus', action: () => create(path) }) },
                ],
            })}`),
    };
}

/** @param {string} path */
function create(path) {
    const form = createForm({ paths: path, ttl_seconds: '3600', address: '', max_sessions: '' });
    openDialog({
        title: `Playback token for ${path}`,
        view: (close) => formView(form, {
            fields: html`${field(form, 'paths', { label: 'Paths', help: 'Several with a comma between.', required: true })}
                ${field(form, 'ttl_seconds', { label: 'Valid for', options: [{ value: '300', label: '5 minutes' }, { value: '3600', label: '1 hour' }, { value: '21600', label: '6 hours' }, { value: '86400', label: '1 day' }] })}
                ${field(form, 'address', { label: 'Only from this address', placeholder: '192.0.2.7', help: 'Empty: from anywhere.' })}
                ${field(form, 'max_sessions', { label: 'Viewers at once', type: 'number', min: 1, help: 'Empty: any number.' })}`,
            action: 'Create the token',
            cancel: close,
            run: async ({ paths, ttl_seconds: seconds, address, max_sessions: most }) => {
                const list = paths.split(',').map((one) => one.trim()).filter(Boolean);
                const made = await call('post', 'playback-tokens', { body: { paths: list, ttl_seconds: Number(seconds), ...(address ? { address } : {}), ...(most ? { max_sessions: Number(most) } : {}) } });
                close();
                showOnce({
                    title: `Playback token for ${list.length === 1 ? list[0] : plural(list.length, 'path')}`,
                    text: 'Whoever has it may watch until it expires. It is shown only this once.',
                    view: () => html`${copyField({ label: 'Token', value: made.token, secret: true })}<p class="quiet">Valid until ${time(made.expires_at)}. Players send it as <code>Authorization: Bearer …</code>, or as <code>?token=…</code> where they can send no header.</p>`,
                });
            },
        }),
    });
}
