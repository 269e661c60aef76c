// @ts-check
/** Notifications: who hears of which events, and what became of each message. */
import { call } from '../../api.js';
import { resource } from '../../link.js';
import { badge } from '../../parts/badge.js';
import { attempt, button } from '../../parts/button.js';
import { copyField } from '../../parts/copy.js';
import { confirm, openDialog } from '../../parts/dialog.js';
import { createForm, field, formView } from '../../parts/form.js';
import { plural, words } from '../../parts/format.js';
import { empty, shown } from '../../parts/problem.js';
import { showOnce } from '../../parts/secret.js';
import { ago, time } from '../../parts/time.js';
import { say } from '../../parts/toast.js';
import { html, part, region, signal } from '../../ui.js';
import { answered } from './section.js';

/**
 * @typedef {{ id: string, name: string, kind: string, target: string, topics: string[], paths: string[], severity: string, enabled: boolean, problem?: string, organization_id?: string, created_at: string }} Notification
 * @typedef {{ id: string, event: string, seq: number, state: 'pending' | 'delivered' | 'dead', attempts: number, last_status?: number, last_words?: string, next_attempt_at?: string, delivered_at?: string, created_at: string }} Delivery
 */

const KINDS = { webhook: 'Webhook, signed', email: 'E-mail', discord: 'Discord', slack: 'Slack', ntfy: 'ntfy' };
const SEVERITIES = [{ value: 'info', label: 'everything' }, { value: 'warning', label: 'warnings and what is critical' }, { value: 'critical', label: 'what is critical' }];
const STATES = /** @type {const} */ ({ pending: { word: 'Waiting', tone: 'wait' }, delivered: { word: 'Delivered', tone: 'good' }, dead: { word: 'Given up', tone: 'bad' } });

/** @param {Notification} one */
const place = (one) => `notifications/${encodeURIComponent(one.id)}`;
/** @param {string} text */
const list = (text) => text.split(/[\s,]+/).filter(Boolean);

export function notifications() {
    const all = resource((stop) => /** @type {Promise<{ notifications: Notification[] }>} */ (call('get', 'notifications', { signal: stop })), { every: 10_000 });
    return {
        close: all.close,
        view: () => answered(all, ({ notifications: rows }) => html`<div class="actions"><p class="quiet grow">Who hears of which events. A message is sent again for 24 h until its receiver takes it.</p>${button({ label: 'New notification', icon: 'plus', kind: 'main', action: () => openForm(undefined, all.reload) })}</div>
            ${rows.length ? html`<ul class="cards">${rows.map((one) => card(one, all.reload))}</ul>` : empty({ title: 'Nobody is told', text: 'A webhook, an e-mail address or a chat hears of events that it chose, such as a stream that ended.' })}`, 'The list of notifications'),
    };
}

/** @param {Notification} one @param {() => unknown} changed */
const card = (one, changed) => html`<li class="panel" key=${one.id}><header><h2>${one.name}</h2>${one.enabled ? badge('good', 'Turned on') : badge(one.problem ? 'bad' : 'idle', 'Turned off')}</header>
    ${one.problem && html`<p class="says">${one.problem}</p>`}
    <dl class="pairs"><dt>To</dt><dd>${KINDS[/** @type {'webhook'} */ (one.kind)] ?? one.kind}: <code>${one.target}</code></dd>
        <dt>Hears of</dt><dd>${SEVERITIES.find(({ value }) => value === one.severity)?.label ?? one.severity}${one.topics.length ? ` about ${one.topics.map(words).join(', ')}` : ''}${one.paths.length ? ` at ${one.paths.join(', ')}` : ''}</dd></dl>
    <div class="actions">${button({ label: 'Test', title: `Test ${one.name}`, action: () => test(one) })}
        ${button({ label: 'Messages', title: `Messages of ${one.name}`, action: () => openDialog({ title: `Messages of ${one.name}`, wide: true, view: () => part(deliveries, one, one.id) }) })}
        ${button({ label: 'Change', kind: 'quiet', title: `Change ${one.name}`, action: () => openForm(one, changed) })}
        ${button({ label: one.enabled ? 'Turn off' : 'Turn on', kind: 'quiet', title: `${one.enabled ? 'Turn off' : 'Turn on'} ${one.name}`, action: () => attempt(() => call('patch', place(one), { body: { enabled: !one.enabled } })).then(changed) })}
        ${one.kind === 'webhook' && button({ label: 'New secret', kind: 'quiet', title: `New secret of ${one.name}`, action: () => rotate(one) })}
        ${button({ label: `Delete ${one.name}`, icon: 'trash', only: true, kind: 'quiet', action: () => remove(one, changed) })}</div></li>`;

/** @param {Notification} one */
const test = (one) => attempt(async () => {
    const { is_delivered: taken, status, words: said } = await call('post', `${place(one)}/test`);
    say(`${one.name} ${taken ? 'took the test message' : 'did not take the test message'}${status ? `, status ${status}` : ''}: ${said}`);
});

/** @param {Notification} one */
const rotate = (one) => confirm({
    title: `Replace the signing secret of ${one.name}?`,
    text: html`<p>Messages are signed with both secrets for a while, so that the receiver can change without a loss.</p>`,
    action: 'Make a new secret',
    danger: false,
    run: async () => showSecret(await call('post', `${place(one)}/rotate-secret`)),
});

/** @param {any} made */
const showSecret = (made) => made.secret && showOnce({
    title: `The signing secret of ${made.name}`,
    text: 'It is shown this once. The receiver checks with it that a message is ours.',
    view: () => html`${copyField({ label: 'Signing secret', value: made.secret, secret: true })}${made.old_secret_until && html`<p>The old one is used too until ${time(made.old_secret_until)}.</p>`}`,
});

/** @param {Notification} one @param {() => unknown} changed */
const remove = (one, changed) => confirm({
    title: `Delete the notification ${one.name}?`,
    text: html`<p>Its messages are deleted too, also those that were not sent yet. This cannot be undone.</p>`,
    action: 'Delete the notification',
    run: async () => {
        await call('delete', place(one));
        changed();
    },
});

/** @param {Notification | undefined} one @param {() => unknown} changed */
function openForm(one, changed) {
    const form = createForm({ name: one?.name ?? '', kind: one?.kind ?? 'webhook', target: '', severity: one?.severity ?? 'info', topics: one?.topics.join(', ') ?? '', paths: one?.paths.join(', ') ?? '' });
    openDialog({
        title: one ? `Change ${one.name}` : 'New notification',
        view: (close) => formView(form, {
            fields: html`${field(form, 'name', { label: 'Name', required: true, autofocus: true, placeholder: 'Night shift' })}
                ${!one && field(form, 'kind', { label: 'By', options: Object.entries(KINDS).map(([value, label]) => ({ value, label })) })}
                ${field(form, 'target', { label: form.values.kind.value === 'email' ? 'E-mail address' : 'Address', required: !one, placeholder: one ? `stays ${one.target}` : form.values.kind.value === 'email' ? 'night@example.org' : 'https://', help: 'It is stored sealed. Only its host, or the e-mail address, is shown again.' })}
                ${field(form, 'severity', { label: 'Hears of', options: SEVERITIES })}
                ${field(form, 'topics', { label: 'Only these topics', placeholder: 'all', help: 'stream, stream_key, broadcaster, streamer, channel, studio' })}
                ${field(form, 'paths', { label: 'Only these paths', placeholder: 'all', help: html`Exact, or <code>prefix/*</code>.` })}`,
            action: one ? 'Save' : 'Create the notification',
            cancel: close,
            run: async (values) => {
                const body = { name: values.name, target: values.target || undefined, severity: values.severity, topics: list(values.topics), paths: list(values.paths) };
                const made = one ? await call('patch', place(one), { body }) : await call('post', 'notifications', { body: { ...body, kind: values.kind } });
                close();
                changed();
                showSecret(made);
            },
        }),
    });
}

/** @param {Notification} one @param {(what: () => void) => void} leaving */
function deliveries(one, leaving) {
    const state = signal('');
    const log = resource((stop) => /** @type {Promise<{ deliveries: Delivery[] }>} */ (call('get', `${place(one)}/deliveries?limit=100${state.peek() ? `&status=${state.peek()}` : ''}`, { signal: stop })), { every: 3_000 });
    leaving(log.close);
    const again = (/** @type {string} */ path) => attempt(async () => {
        const { count } = await call('post', path);
        say(`${plural(count, 'message')} sent again.`);
        await log.reload();
    });
    return () => html`<div class="actions" role="group" aria-label="State">${[['', 'All'], ['pending', 'Waiting'], ['dead', 'Given up'], ['delivered', 'Delivered']].map(([value, label]) => html`<button type="button" class="button plain" aria-pressed=${state.value === value} onClick=${() => {
            state.value = value;
            void log.reload();
        }}>${label}</button>`)}${button({ label: 'Send all that were given up again', kind: 'quiet', action: () => again(`${place(one)}/deliveries/replay`) })}</div>
        ${region(() => shown(log, ({ deliveries: rows }) => html`${rows.length === 0 && html`<p class="quiet">No message.</p>`}<ol class="rows">${rows.map((row) => html`<li key=${row.id}><div><strong>${row.event}</strong> <small>no. ${row.seq}, ${ago(row.created_at)}</small><br /><span class="quiet">${plural(row.attempts, 'attempt')}${row.last_status ? `, status ${row.last_status}` : ''}${row.last_words ? `: ${row.last_words}` : ''}${row.state === 'pending' && row.next_attempt_at ? html`. Next ${ago(row.next_attempt_at)}` : ''}</span></div>${badge(STATES[row.state].tone, STATES[row.state].word)}${row.state !== 'pending' && button({ label: 'Send again', kind: 'quiet', title: `Send ${row.event} again`, action: () => again(`${place(one)}/deliveries/${encodeURIComponent(row.id)}/replay`) })}</li>`)}</ol>`))}`;
}
