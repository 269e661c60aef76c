// @ts-check
/** Refused attempts, each with what is wrong and one click that mends it. */
import { api } from '../../api.js';
import { resource } from '../../link.js';
import { badge } from '../../parts/badge.js';
import { attempt, button } from '../../parts/button.js';
import { sentence } from '../../parts/connection.js';
import { copyField } from '../../parts/copy.js';
import { openDialog } from '../../parts/dialog.js';
import { encoderSettings } from '../../parts/encoder.js';
import { createForm, field, formView } from '../../parts/form.js';
import { icon } from '../../parts/icon.js';
import { plural } from '../../parts/format.js';
import { empty } from '../../parts/problem.js';
import { showOnce } from '../../parts/secret.js';
import { ago } from '../../parts/time.js';
import { can } from '../../session.js';
import { html, region, signal } from '../../ui.js';
import { rotateKey } from '../keys.js';
import { answered } from './section.js';

/** @typedef {import('../../api/types').Schemas['AuthFailure']} Failure */

const PAGE = 50;

export function refusals() {
    const limit = signal(PAGE);
    const list = resource((stop) => api.get('/auth-failures', { query: { limit: limit.peek() }, signal: stop }), { every: 3_000 });
    return {
        close: list.close,
        view: () => html`<p class="quiet">Encoders and viewers that were turned away, the last ones first. Equal attempts are counted together.</p>
            ${region(() => answered(list, ({ auth_failures: all, next_cursor: more }) => (all.length ? html`<ul class="cards">${all.map(card)}</ul>${more && limit.value < 1000 && html`<div class="actions">${button({ label: 'Show earlier ones', action: () => {
                limit.value = Math.min(1000, limit.value * 4);
                void list.reload();
            } })}</div>`}` : empty({ title: 'Nobody was refused', text: 'When an encoder sends a wrong key or a wrong path, it appears here within seconds, with the reason.' })), 'The list of refused attempts'))}`,
    };
}

/** @param {Failure} one */
const card = (one) => html`<li class="panel" key=${one.id}><header><h2>${one.path ?? (one.key_path ? `a path other than ${one.key_path}` : 'A path that is not shown')}</h2>${badge('bad', sentence(one))}</header>
    ${one.detail && html`<p>${one.detail}</p>`}
    <p class="advice">${icon('right')}<span>${one.advice}</span></p>
    <p class="quiet number">${[plural(one.count, 'attempt'), one.protocol?.toUpperCase(), one.ip_address && `from ${one.ip_address}`, one.media_server && `at ${one.media_server}`, one.key_prefix && `key ${one.key_prefix}…`].filter(Boolean).join(' · ')} · last ${ago(one.last_at)}${one.count > 1 ? html`, first ${ago(one.first_at)}` : ''}</p>
    ${mending(one)}</li>`;

/** @param {Failure} one */
function mending(one) {
    const { path, key_path: right, nearest_path: nearest, stream_key_id: key } = one;
    const admin = can('admin', one.organization_id);
    const close = nearest && nearest !== path && nearest !== right ? nearest : undefined;
    return html`<div class="actions">
        ${right && right !== path && button({ label: 'Copy the right path', icon: 'copy', kind: 'main', action: () => rightPath(right, key) })}
        ${close && button({ label: `Did you mean ${close}?`, icon: 'copy', action: () => rightPath(close) })}
        ${key && button({ label: 'Show the key', icon: 'eye', action: () => attempt(() => showKey(key)) })}
        ${admin && nearest && !right && nearest === path && button({ label: 'New secret for its key', icon: 'rotate', kind: 'main', action: () => attempt(() => renew(nearest)) })}
        ${admin && path && nearest !== path && one.cause !== 'removed' && button({ label: 'Create a key for this path', icon: 'plus', kind: right || close ? 'plain' : 'main', action: () => attempt(() => createKey(path)) })}
    </div>`;
}

/** @param {string} path @param {string} [key] */
const rightPath = (path, key) => openDialog({
    title: 'The right path',
    view: () => html`<p>The encoder must send to this path. In OBS, the server is the address of the media server with the part before the last slash, and the stream key begins with the part after it.</p>
        ${copyField({ label: 'Path', value: path })}
        ${key && html`<div class="actions">${button({ label: 'Show its key', icon: 'eye', action: () => attempt(() => showKey(key)) })}</div>`}`,
});

/** A key is known by its beginning; its secret is not stored. @param {string} id */
async function showKey(id) {
    const key = await api.get('/stream-keys/{id}', { path: { id } });
    openDialog({
        title: `The key of ${key.path}`,
        view: () => html`<dl class="facts">
                <div><dt>Begins with</dt><dd><code>${key.key_prefix}…</code></dd></div>
                <div><dt>Label</dt><dd>${key.label ?? html`<span class="quiet">none</span>`}</dd></div>
                <div><dt>State</dt><dd>${badge(key.status === 'active' ? 'good' : 'bad', { active: 'Active', revoked: 'Revoked', expired: 'Expired' }[key.status])}</dd></div>
                <div><dt>In use</dt><dd>${key.in_use ? 'by an encoder now' : 'no'}</dd></div>
                <div><dt>Last used</dt><dd>${ago(key.last_used_at)}</dd></div>
                <div><dt>Made</dt><dd>${ago(key.created_at)}</dd></div>
            </dl>
            <p class="quiet">The secret itself is not stored, so it cannot be shown again. A new one can be made; the old one stops working at once.</p>
            ${can('admin', key.organization_id) && key.status === 'active' && html`<div class="actions">${button({ label: 'Make a new secret', icon: 'rotate', action: () => rotateKey(key) })}</div>`}`,
    });
}

/** @param {string} path */
async function renew(path) {
    const { stream_keys: keys } = await api.get('/stream-keys', { query: { path } });
    const key = keys.find(({ status }) => status === 'active') ?? keys[0];
    if (key) rotateKey(key);
    else await createKey(path);
}

/** @param {string} path */
async function createKey(path) {
    const { broadcasters } = await api.get('/broadcasters');
    const form = createForm({ broadcaster_id: broadcasters[0]?.id ?? '', display_name: path.split('/').pop() ?? path, label: '' });
    openDialog({
        title: `A key for ${path}`,
        view: (close) => formView(form, {
            fields: html`${field(form, 'broadcaster_id', { label: 'Broadcaster', options: [...broadcasters.map(({ id, display_name }) => ({ value: id, label: display_name })), { value: '', label: 'A new broadcaster' }] })}
                ${form.values.broadcaster_id.value === '' && field(form, 'display_name', { label: 'Name of the new broadcaster', required: true })}
                ${field(form, 'label', { label: 'Label', placeholder: 'OBS in the studio' })}`,
            action: 'Create the key',
            cancel: close,
            run: async ({ broadcaster_id, display_name, label }) => {
                const owner = broadcaster_id || (await api.post('/broadcasters', { body: { display_name } })).id;
                // A second try uses the broadcaster that the first one made.
                form.values.broadcaster_id.value = owner;
                const key = await api.post('/stream-keys', { body: { broadcaster_id: owner, path, label: label || undefined } });
                close();
                showOnce({ title: `The key of ${path}`, text: 'It is shown this once. Give it to the encoder.', view: () => encoderSettings({ key }) });
            },
        }),
    });
}
