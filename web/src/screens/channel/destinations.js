// @ts-check
/** Where a channel is pushed. A key goes in once and never comes out. */
import { api, asApiError } from '../../api.js';
import { resource } from '../../link.js';
import { badge } from '../../parts/badge.js';
import { attempt, button } from '../../parts/button.js';
import { confirm, openDialog } from '../../parts/dialog.js';
import { createForm, field, formView } from '../../parts/form.js';
import { empty, problem, shown, waiting } from '../../parts/problem.js';
import { can } from '../../session.js';
import { html, part, region, signal } from '../../ui.js';
import { PLATFORMS } from './words.js';

/** @typedef {import('../../api/types').Schemas} Schemas */

/** @param {{ channel: Schemas['Channel'] }} args @param {(what: () => void) => void} leaving */
export function destinations({ channel }, leaving) {
    const { id } = channel;
    const list = resource((signal) => api.get('/channels/{id}/destinations', { path: { id }, signal }), {
        topics: ['destination.created', 'destination.updated', 'destination.deleted'],
        on: ({ data }, value) => (data.channel_id && data.channel_id !== id ? value : undefined),
        every: 30_000,
    });
    leaving(list.close);
    const admin = () => can('admin', channel.organization_id);
    return () => html`<section class="panel"><header><h2>Destinations</h2>${admin() && button({ label: 'Add', icon: 'plus', action: () => openForm(channel, undefined, list.reload) })}</header>
        ${region(() => shown(list, ({ destinations: all }) => (all.length ? html`<ul class="rows">${all.map((one) => row(channel, one, list.reload))}</ul>` : empty({ title: 'No destination', text: 'The programme is on the media server only. Add YouTube, Twitch, Kick, Facebook or any RTMP, RTMPS or SRT address.' }))))}
    </section>`;
}

/** @param {Schemas['Channel']} channel @param {Schemas['Destination']} one @param {() => unknown} changed */
const row = (channel, one, changed) => html`<li key=${one.id}><div><strong>${one.name}</strong> <small>${PLATFORMS[one.platform]}</small>${!one.enabled && html` ${badge('idle', 'Turned off')}`}<br /><code>${one.url}</code></div>
    <div class="actions">${can('operator', channel.organization_id) && button({ label: 'Test', kind: 'quiet', title: `Test ${one.name}`, action: () => openTest(channel, one) })}
        ${can('admin', channel.organization_id) && html`${button({ label: one.enabled ? 'Turn off' : 'Turn on', kind: 'quiet', title: `${one.enabled ? 'Turn off' : 'Turn on'} ${one.name}`, action: () => (one.enabled ? turnOff(channel, one, changed) : attempt(() => turn(channel, one, true)).then(changed)) })}
        ${button({ label: 'Change', kind: 'quiet', title: `Change ${one.name}`, action: () => openForm(channel, one, changed) })}
        ${button({ label: `Delete ${one.name}`, icon: 'trash', only: true, kind: 'quiet', action: () => remove(channel, one, changed) })}`}</div></li>`;

/** @param {Schemas['Channel']} channel @param {Schemas['Destination']} one @param {boolean} enabled */
const turn = (channel, one, enabled) => api.patch('/channels/{id}/destinations/{destination_id}', { path: { id: channel.id, destination_id: one.id }, body: { enabled } });

/** @param {Schemas['Channel']} channel @param {Schemas['Destination']} one @param {() => unknown} changed */
const turnOff = (channel, one, changed) => confirm({
    title: `Turn ${one.name} off?`,
    text: html`<p>The connection of ${channel.display_name} to ${one.name} ends. The platform may end the broadcast. Other destinations notice nothing.</p>`,
    action: 'Turn off',
    run: async () => {
        await turn(channel, one, false);
        changed();
    },
});

/** @param {Schemas['Channel']} channel @param {Schemas['Destination']} one @param {() => unknown} changed */
const remove = (channel, one, changed) => confirm({
    title: `Delete the destination ${one.name}?`,
    text: html`<p>${channel.display_name} is no longer sent there, and the stored key is erased. This cannot be undone.</p>`,
    action: 'Delete the destination',
    run: async () => {
        await api.delete('/channels/{id}/destinations/{destination_id}', { path: { id: channel.id, destination_id: one.id } });
        changed();
    },
});

/** @param {Schemas['Channel']} channel @param {Schemas['Destination'] | undefined} one @param {() => unknown} changed */
function openForm(channel, one, changed) {
    const form = createForm({ platform: one?.platform ?? 'youtube', name: one?.name ?? '', url: one?.platform === 'custom' || one?.platform === 'kick' ? one.url : '', key: '', rotate_session_every_seconds: String(one?.rotate_session_every_seconds ?? '') });
    openDialog({
        title: one ? `Change ${one.name}` : `New destination of ${channel.display_name}`,
        view: (close) => {
            const platform = form.values.platform.value;
            const known = platform !== 'custom' && platform !== 'kick';
            return formView(form, {
                fields: html`${field(form, 'platform', { label: 'Platform', options: Object.entries(PLATFORMS).map(([value, label]) => ({ value, label })) })}
                    ${field(form, 'name', { label: 'Name', required: true, placeholder: 'Our page' })}
                    ${field(form, 'url', { label: known ? 'Another address than the usual one' : 'Address', placeholder: known ? 'filled in for this platform' : 'rtmps://…', help: 'Without the key.' })}
                    ${field(form, 'key', { label: one ? 'New stream key' : 'Stream key', type: 'password', autocomplete: 'new-password', required: !one, placeholder: one ? 'the stored one stays' : '', help: 'It is stored sealed and never shown again.' })}
                    ${field(form, 'rotate_session_every_seconds', { label: 'Begin a new session every (s)', type: 'number', min: 60, placeholder: !one && platform === 'facebook' ? 'before its limit of 8 hours' : 'never' })}`,
                action: one ? 'Save' : 'Add the destination',
                cancel: close,
                run: async (values) => {
                    // Without an address, the service knows that of the platform, or says that it needs one. `null` removes what was set.
                    const body = { name: values.name, platform: /** @type {Schemas['Platform']} */ (values.platform), url: values.url || (known ? undefined : ''), rotate_session_every_seconds: values.rotate_session_every_seconds ? Number(values.rotate_session_every_seconds) : null };
                    if (one) await api.patch('/channels/{id}/destinations/{destination_id}', { path: { id: channel.id, destination_id: one.id }, body: { ...body, key: values.key || undefined } });
                    else await api.post('/channels/{id}/destinations', { path: { id: channel.id }, body: { ...body, key: values.key } });
                    form.values.key.value = '';
                    close();
                    changed();
                },
            });
        },
    });
}

/** @param {Schemas['Channel']} channel @param {Schemas['Destination']} one */
const openTest = (channel, one) => openDialog({ title: `Test of ${one.name}`, view: () => part(test, { channel, one }) });

/** @param {{ channel: Schemas['Channel'], one: Schemas['Destination'] }} args @param {(what: () => void) => void} leaving */
function test({ channel, one }, leaving) {
    const stop = new AbortController();
    const result = signal(/** @type {Schemas['DestinationTest'] | undefined} */ (undefined));
    const failed = signal(/** @type {import('../../api.js').ApiError | undefined} */ (undefined));
    leaving(() => stop.abort());
    const run = async () => {
        result.value = failed.value = undefined;
        try {
            result.value = await api.post('/channels/{id}/destinations/{destination_id}/test', { path: { id: channel.id, destination_id: one.id }, signal: stop.signal });
        } catch (error) {
            if (!stop.signal.aborted) failed.value = asApiError(error);
        }
    };
    void run();
    return () => {
        const found = result.value;
        if (!found) return failed.value ? problem(failed.value, run) : html`<p>Reaching ${one.url} step by step. Nothing is published.</p>${waiting()}`;
        return html`<p>${found.ok ? badge('good', 'It can be reached') : badge('bad', 'It cannot be reached')}</p>${steps(found.url)}${found.backup_url && html`<h3>Its second address</h3>${steps(found.backup_url)}`}
            <div class="actions">${button({ label: 'Test again', icon: 'rotate', action: run })}</div>`;
    };
}

/** @type {Record<Schemas['ProbeStep'], string>} */
const STEPS = { program: 'Program', name: 'Name is resolved', tcp: 'TCP connection', tls: 'TLS', handshake: 'Handshake', connect: 'Connect' };

/** @param {Schemas['ProbedStep'][]} all */
const steps = (all) => html`<ul class="rows">${all.map((one) => html`<li><div><strong>${STEPS[one.step]}</strong>${one.error && html`<br />${one.error}`}</div><div>${one.error ? badge('bad', 'Failed') : badge('good', `${one.milliseconds} ms`)}</div></li>`)}</ul>`;
