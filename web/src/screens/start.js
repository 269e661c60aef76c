// @ts-check
/** First minutes: from nothing to a picture, on one screen. */
import { api } from '../api.js';
import { resource } from '../link.js';
import { publishTestPicture } from '../media/test-picture.js';
import { badge } from '../parts/badge.js';
import { button, linkButton } from '../parts/button.js';
import { firstConnection, streamOf } from '../parts/connection.js';
import { encoderSettings } from '../parts/encoder.js';
import { createForm, field, formView } from '../parts/form.js';
import { icon } from '../parts/icon.js';
import { shown } from '../parts/problem.js';
import { preview } from '../parts/preview.js';
import { to } from '../router.js';
import { useLive } from '../store.js';
import { html, part, signal } from '../ui.js';

/** @typedef {import('../api/types').Schemas['NewStreamKey']} NewStreamKey */

const NEW = 'new';
/** The key of this visit. It lives as long as the tab, so that looking elsewhere does not lose it. */
const made = signal(/** @type {NewStreamKey | undefined} */ (undefined));
const form = createForm({ broadcaster_id: NEW, display_name: '', path: '' });
/** A broadcaster that was made although its key was refused: trying again makes no second one. */
let half = { name: '', id: '' };

export function open() {
    const servers = resource((signal) => api.get('/media-servers', { signal }), { every: 5_000 });
    const broadcasters = resource((signal) => api.get('/broadcasters', { signal }), { topics: ['broadcaster.'] });
    const live = useLive();
    return {
        title: () => 'First minutes',
        close() {
            servers.close();
            broadcasters.close();
            live.close();
        },
        view: () => html`<header class="head"><h1>First minutes</h1>${made.value && button({ label: 'Set up another one', icon: 'plus', action: forget })}</header>
            <ol class="steps">
                ${step(1, 'The media server', serverState(servers), shown(servers, serverView))}
                ${step(2, 'Who publishes, and where', made.value ? badge('good', 'Done') : undefined, made.value ? chosen(made.value) : shown(broadcasters, choose))}
                ${step(3, 'Your encoder', undefined, made.value ? encoder(made.value) : later('The settings for your encoder stand here, with its key.'))}
                ${step(4, 'The picture', made.value && streamOf(made.value.id) ? badge('good', 'Live') : undefined, made.value ? picture(made.value) : later('The picture appears here as soon as something arrives.'))}
            </ol>`,
    };
}

function forget() {
    made.value = undefined;
    half = { name: '', id: '' };
    form.values.display_name.value = form.values.path.value = '';
    form.values.broadcaster_id.value = NEW;
}

/** @param {number} number @param {string} title @param {import('../ui.js').View} state @param {import('../ui.js').View} content */
const step = (number, title, state, content) => html`<li class="panel step"><header><span class="count" aria-hidden="true">${number}</span><h2>${title}</h2>${state}</header>${content}</li>`;

/** @param {string} text */
const later = (text) => html`<p class="quiet">${text}</p>`;

/** @typedef {import('../api/types').Schemas['MediaServerList']} MediaServerList */

/** @param {import('../link.js').Resource<MediaServerList>} servers */
function serverState(servers) {
    const list = servers.value.value?.media_servers;
    if (!list) return undefined;
    const reached = list.filter(({ reachable }) => reachable).length;
    if (reached === list.length) return badge('good', 'Reached');
    return badge(reached ? 'warn' : 'bad', reached ? `${reached} of ${list.length} reached` : 'Not reached');
}

/** @param {MediaServerList} list */
const serverView = ({ media_servers: servers }) => html`<ul class="plainlist">${servers.map((server) => server.reachable
    ? html`<li>${icon('good')}<span><strong>${server.name}</strong>${server.version ? `, version ${server.version.replace(/^v/, '')}` : ''}</span></li>`
    : html`<li class="prose"><p>${icon('bad')} <strong>${server.name}</strong> is not reached. ${server.last_error ?? ''}</p>
        <p>Start MediaMTX, or let <code>streamward up</code> run one. For a MediaMTX of your own, <code>streamward mediamtx-config</code> prints its configuration. This step turns green by itself.</p></li>`)}</ul>`;

/** @param {import('../api/types').Schemas['BroadcasterList']} list */
const choose = ({ broadcasters }) => formView(form, {
    fields: html`${broadcasters.length > 0 && field(form, 'broadcaster_id', {
        label: 'Broadcaster',
        options: [{ value: NEW, label: 'A new broadcaster' }, ...broadcasters.map(({ id, display_name: name }) => ({ value: id, label: name }))],
    })}
        ${form.values.broadcaster_id.value === NEW && field(form, 'display_name', { label: 'Name of the broadcaster', help: 'A person, a camera or a place. You can change it later.', placeholder: 'Alice', required: true })}
        ${field(form, 'path', { label: 'Path', help: html`Where viewers find the stream, such as <code>live/alice</code>. Empty: made from the name.`, placeholder: 'live/alice' })}`,
    action: 'Create the key',
    run: async ({ broadcaster_id: chosenId, display_name: name, path }) => {
        let id = chosenId;
        if (id === NEW) {
            if (!half.id || half.name !== name) half = { name, id: (await api.post('/broadcasters', { body: { display_name: name } })).id };
            id = half.id;
        }
        made.value = await api.post('/stream-keys', { body: { broadcaster_id: id, ...(path ? { path } : {}) } });
    },
});

/** @param {NewStreamKey} key */
const chosen = (key) => html`<p>The key for <strong>${key.path}</strong> is made.</p>`;

/** @param {NewStreamKey} key */
const encoder = (key) => html`<p class="note">${icon('warn')}<span>The key is shown only now. It stays here until you close this tab. If it is lost, rotate it under <a href=${to('access', 'keys')}>Access</a>.</span></p>
    ${encoderSettings({ key })}`;

/** @param {NewStreamKey} key */
const picture = (key) => html`${firstConnection({ key })}
    ${part(testPicture, { key }, key.id)}
    ${watch(key)}`;

/** @param {NewStreamKey} key */
function watch(key) {
    const stream = streamOf(key.id);
    return stream ? html`${preview({ stream, start: true })}<div class="actions">${linkButton({ label: 'To the live streams', href: to('live'), icon: 'live', kind: 'main' })}</div>` : null;
}

/** @param {{ key: NewStreamKey }} options @param {(what: () => void) => void} leaving */
function testPicture({ key }, leaving) {
    /** @type {import('../ui.js').Signal<'idle' | 'starting' | 'running'>} */
    const state = signal('idle');
    const failed = signal('');
    /** @type {{ stop: () => Promise<void> } | undefined} */
    let running;
    const stop = async () => {
        await running?.stop();
        running = undefined;
        state.value = 'idle';
    };
    leaving(() => void stop());
    const begin = async () => {
        state.value = 'starting';
        failed.value = '';
        try {
            running = await publishTestPicture({
                url: /** @type {string} */ (key.ingest?.whip),
                secret: key.key_value,
                name: key.path,
                ended: (why) => {
                    failed.value = why;
                    state.value = 'idle';
                },
            });
            state.value = 'running';
        } catch (error) {
            failed.value = error instanceof Error ? error.message : String(error);
            state.value = 'idle';
        }
    };
    return () => {
        if (!key.ingest || !('RTCPeerConnection' in globalThis)) return null;
        const busy = !!streamOf(key.id) && state.value === 'idle';
        return html`<div class="actions">
            ${state.value === 'running'
                ? button({ label: 'Stop the test picture', icon: 'stop', action: stop })
                : busy ? null : button({ label: state.value === 'starting' ? 'Sending…' : 'Send a test picture from this browser', icon: 'play', action: begin, disabled: state.value === 'starting' })}
            ${state.value === 'running' ? html`<span class="quiet">This browser publishes a picture and a tone until you stop it or leave.</span>` : busy ? null : html`<span class="quiet">No encoder at hand? This proves the whole way.</span>`}
        </div>
        ${failed.value && html`<div class="problem" role="alert">${icon('warn')}<p>${failed.value}</p></div>`}`;
    };
}
