// @ts-check
/** Events across topics: what is in the log, and what arrives while somebody looks. */
import { call } from '../../api.js';
import { onEvent, resource } from '../../link.js';
import { button } from '../../parts/button.js';
import { words } from '../../parts/format.js';
import { empty } from '../../parts/problem.js';
import { time } from '../../parts/time.js';
import { elementId, html, region, signal } from '../../ui.js';
import { answered } from './section.js';

/** @typedef {{ seq: number, at: string, type: string, data: any }} Entry */

const TOPICS = ['stream', 'stream_key', 'broadcaster', 'streamer', 'channel', 'studio'];
/** What stays on the screen while events arrive. */
const KEPT = 500;

export function events() {
    const topic = signal('');
    const limit = signal(100);
    const stopped = signal(false);
    /** @type {import('../../ui.js').Signal<Entry[]>} */
    const arrived = signal([]);
    const log = resource(async (stop) => {
        const page = /** @type {{ events: Entry[], next_cursor?: string }} */ (await call('get', `event-log?limit=${limit.peek()}${topic.peek() ? `&topic=${topic.peek()}` : ''}`, { signal: stop }));
        const newest = page.events[0]?.seq ?? 0;
        arrived.value = arrived.peek().filter(({ seq }) => seq > newest);
        return page;
    });
    const unlisten = onEvent(({ name, id, data }) => {
        if (stopped.peek() || !name.includes('.')) return;
        arrived.value = [{ seq: Number(id), at: data?.at ?? new Date().toISOString(), type: name, data }, ...arrived.peek()].slice(0, KEPT);
    });
    const select = elementId('topic');
    const fits = (/** @type {Entry} */ one) => !topic.value || one.type.startsWith(`${topic.value}.`);
    return {
        close() {
            log.close();
            unlisten();
        },
        view: () => html`<div class="sieve"><div class="field"><label for=${select}>Topic</label><select id=${select} onChange=${(/** @type {any} */ event) => {
                topic.value = event.target.value;
                log.value.value = undefined;
                void log.reload();
            }}><option value="">All</option>${TOPICS.map((one) => html`<option value=${one}>${words(one)}</option>`)}</select></div>
            ${button({ label: stopped.value ? 'Go on' : 'Stop here', icon: stopped.value ? 'play' : 'stop', action: () => {
                stopped.value = !stopped.value;
                if (!stopped.value) void log.reload();
            } })}</div>
            <section class="panel"><header><h2>${stopped.value ? 'Stopped' : 'As they happen'}</h2></header>
                ${region(() => rows(arrived.value.filter(fits)))}
                ${region(() => answered(log, (page) => html`${!page.events.length && !arrived.value.length && empty({ title: 'No event yet', text: 'Changes of streams, keys, channels, studios and streamers appear here.' })}${rows(page.events)}
                    ${page.next_cursor && limit.value < 1000 && button({ label: 'Show earlier ones', kind: 'quiet', action: () => {
                        limit.value = 1000;
                        void log.reload();
                    } })}`, 'The log of events'))}</section>`,
    };
}

/** @param {Entry[]} all */
const rows = (all) => html`<ol class="log">${all.map((one) => html`<li key=${`${one.seq}-${one.type}`}>${time(one.at)}<div><strong>${one.type}</strong> ${subject(one.data)} <small class="number">no. ${one.seq}</small>
    <details class="more-fields small"><summary>Data</summary><pre class="code" tabindex="0">${JSON.stringify(one.data, null, 2)}</pre></details></div></li>`)}</ol>`;

/** @param {any} data */
const subject = (data) => data?.stream?.path ?? data?.stream_key?.path ?? data?.channel_name ?? data?.studio ?? data?.streamer?.username ?? data?.broadcaster?.display_name ?? '';
