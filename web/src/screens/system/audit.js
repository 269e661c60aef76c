// @ts-check
/** The audit log: who did what, paged and filtered by the service. */
import { api } from '../../api.js';
import { resource } from '../../link.js';
import { badge } from '../../parts/badge.js';
import { button } from '../../parts/button.js';
import { words } from '../../parts/format.js';
import { empty } from '../../parts/problem.js';
import { table } from '../../parts/table.js';
import { time } from '../../parts/time.js';
import { elementId, html, region, signal } from '../../ui.js';
import { answered } from './section.js';

/** @typedef {import('../../api/types').Schemas['AuditEntry']} Entry */

const FIELDS = /** @type {const} */ ([
    { name: 'actor', label: 'Actor', placeholder: 'user:ada@example.org' },
    { name: 'action', label: 'Action', placeholder: 'sign_in' },
    { name: 'resource_type', label: 'Kind of thing', placeholder: 'stream_key' },
    { name: 'resource_id', label: 'Id of the thing', placeholder: '' },
]);

export function audit() {
    const filter = signal(/** @type {Record<string, string>} */ ({}));
    /** @type {import('../../ui.js').Signal<(string | undefined)[]>} the cursors of the pages up to this one */
    const pages = signal([undefined]);
    const list = resource((stop) => api.get('/audit-logs', { query: { ...filter.peek(), limit: 50, cursor: pages.peek().at(-1) }, signal: stop }));
    const id = elementId('audit');
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let typing;
    const set = (/** @type {string} */ name, /** @type {string} */ value) => {
        filter.value = Object.fromEntries(Object.entries({ ...filter.peek(), [name]: value.trim() }).filter(([, one]) => one));
        pages.value = [undefined];
        clearTimeout(typing);
        typing = setTimeout(list.reload, 300);
    };
    const when = (/** @type {string} */ name, /** @type {any} */ event) => set(name, event.target.value ? new Date(event.target.value).toISOString() : '');
    const turn = (/** @type {(string | undefined)[]} */ next) => {
        pages.value = next;
        void list.reload();
        scrollTo(0, 0);
    };
    return {
        close: list.close,
        view: () => html`<form class="sieve" role="search" aria-label="Filter of the audit log" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
                ${FIELDS.map(({ name, label, placeholder }) => html`<div class="field"><label for=${`${id}${name}`}>${label}</label><input id=${`${id}${name}`} placeholder=${placeholder} autocomplete="off" spellcheck=${false} onInput=${(/** @type {any} */ event) => set(name, event.target.value)} /></div>`)}
                <div class="field"><label for=${`${id}outcome`}>Outcome</label><select id=${`${id}outcome`} onChange=${(/** @type {any} */ event) => set('outcome', event.target.value)}><option value="">Any</option><option value="success">Success</option><option value="failure">Failure</option></select></div>
                <div class="field"><label for=${`${id}from`}>From</label><input id=${`${id}from`} type="datetime-local" onChange=${(/** @type {any} */ event) => when('from', event)} /></div>
                <div class="field"><label for=${`${id}to`}>To</label><input id=${`${id}to`} type="datetime-local" onChange=${(/** @type {any} */ event) => when('to', event)} /></div>
            </form>
            ${region(() => answered(list, ({ audit_logs: rows, pagination }) => html`<div class="actions pager"><p class="quiet number grow" role="status">${pagination.total.toLocaleString()} entries, page ${pages.value.length.toLocaleString()}</p>
                    ${button({ label: 'Newest', kind: 'quiet', disabled: pages.value.length === 1, action: () => turn([undefined]) })}
                    ${button({ label: 'Newer', icon: 'back', disabled: pages.value.length === 1, action: () => turn(pages.value.slice(0, -1)) })}
                    ${button({ label: 'Older', icon: 'right', disabled: !pagination.next_cursor, action: () => turn([...pages.value, pagination.next_cursor]) })}</div>
                ${rows.length ? table({
                    caption: 'Audit log',
                    rows,
                    key: (row) => row.id,
                    columns: [
                        { head: 'When', cell: (row) => html`<span class="nowrap">${time(row.timestamp)}</span>` },
                        { head: 'What', main: true, cell: (row) => html`${words(row.action)}${details(row)}` },
                        { head: 'Who', cell: (row) => row.actor ?? html`<span class="quiet">nobody known</span>` },
                        { head: 'Thing', cell: (row) => (row.resource_type ? html`${words(row.resource_type)}<br /><small class="mono">${row.resource_id ?? ''}</small>` : html`<span class="quiet">–</span>`) },
                        { head: 'From', cell: (row) => row.ip_address ?? html`<span class="quiet">–</span>` },
                        { head: 'Outcome', cell: (row) => html`${badge(row.outcome === 'success' ? 'good' : 'bad', row.outcome === 'success' ? 'Done' : 'Refused')}${row.failure_reason && html`<br /><small>${row.failure_reason}</small>`}` },
                    ],
                }) : empty({ title: 'No entry fits', text: 'Change the filter to see others.' })}`, 'The audit log'))}`,
    };
}

/** @param {Entry} row */
const details = (row) => html`<details class="more-fields small"><summary>Details</summary><dl class="pairs">
    ${row.request_method && html`<dt>Request</dt><dd><code>${row.request_method} ${row.request_path}</code></dd>`}
    ${row.request_id && html`<dt>Request id</dt><dd class="mono">${row.request_id}</dd>`}
    ${Object.entries(row.metadata ?? {}).map(([name, value]) => html`<dt>${words(name)}</dt><dd>${typeof value === 'object' ? JSON.stringify(value) : String(value)}</dd>`)}
    ${row.told && html`<dt>Told by</dt><dd>a dashboard, for one of its users</dd>`}</dl></details>`;
