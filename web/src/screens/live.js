// @ts-check
/** Live: what is on the air now, what was, and one stream. */
import { api } from '../api.js';
import { resource } from '../link.js';
import { liveBadge, number } from '../parts/badge.js';
import { linkButton } from '../parts/button.js';
import { protocol } from '../parts/connection.js';
import { bitrate, codecs, plural } from '../parts/format.js';
import { pages } from '../parts/pages.js';
import { preview, watched } from '../parts/preview.js';
import { empty, problem, waiting } from '../parts/problem.js';
import { icon } from '../parts/icon.js';
import { sparkline } from '../parts/sparkline.js';
import { table } from '../parts/table.js';
import { clockTime, since, time } from '../parts/time.js';
import { to } from '../router.js';
import { can } from '../session.js';
import { liveIds, liveStream, lostSince, samplesOf, seedSamples, silent, useLive } from '../store.js';
import { html, part, region, signal } from '../ui.js';
import { endReason } from './stream-words.js';

/** As many tiles as a first look needs; more come when the end of the list comes near. */
const PAGE = 48;

/** @param {string[]} rest @returns {import('../areas.js').Screen | Promise<import('../areas.js').Screen>} */
export function open(rest) {
    if (rest[0] === 'ended') return ended();
    if (rest[0]) return import('./stream.js').then(({ stream }) => stream(rest[0]));
    return wall();
}

function wall() {
    const live = useLive();
    const search = signal('');
    const server = signal('');
    const most = signal(PAGE);
    return {
        title: () => 'Live',
        close: live.close,
        view() {
            const all = liveIds.value;
            const ids = all?.filter((id) => matches(id, search.value, server.value));
            const servers = [...new Set((all ?? []).map((id) => liveStream(id)?.media_server ?? ''))].filter(Boolean);
            return html`<header class="head"><h1>Live${all?.length ? html` <span class="quiet number">${all.length.toLocaleString()}</span>` : ''}</h1>
                ${linkButton({ label: 'Ended streams', href: to('live', 'ended'), kind: 'quiet' })}
                ${servers.length > 1 ? html`<select aria-label="Media server" onChange=${(/** @type {any} */ event) => (server.value = event.target.value)}><option value="">All media servers</option>${servers.map((name) => html`<option value=${name} selected=${name === server.value}>${name}</option>`)}</select>` : null}
                <input type="search" aria-label="Search by path or broadcaster" placeholder="Search ( / )" value=${search.value} onInput=${(/** @type {any} */ event) => (search.value = event.target.value)} />
            </header>
            ${live.problem.value && live.problem.value.status !== 0 && problem(live.problem.value, live.reload)}
            <p class="unseen" role="status" aria-live="polite">${all ? `${plural(all.length, 'live stream')}` : ''}</p>
            ${region(silentServers)}
            ${!ids ? waiting() : !all?.length ? nothing() : !ids.length ? empty({ title: 'No live stream matches', text: 'The search looks at paths and names of broadcasters.' })
                : html`<ul class="tiles">${ids.slice(0, most.value).map((id) => html`<li key=${id} class="tile">${part(oneTile, id, id)}</li>`)}</ul>
                    ${ids.length > most.value ? part(nearEnd, { more: () => (most.value += PAGE) }, `${most.value}`) : null}`}`;
        },
    };
}

const silentServers = () => silent().map(([name, at]) => html`<p class="note alert" role="status" key=${name}>${icon('warn')}<span>The media server <strong>${name}</strong> does not answer since ${clockTime(at)}. Whether its streams are still on the air is not known.</span></p>`);

/** @param {string} id @param {string} text @param {string} server */
function matches(id, text, server) {
    const stream = liveStream(id);
    if (!stream || (server && stream.media_server !== server)) return false;
    const wanted = text.trim().toLowerCase();
    return !wanted || stream.path.toLowerCase().includes(wanted) || stream.broadcaster_name.toLowerCase().includes(wanted);
}

/** @param {{ more: () => void }} options @param {(what: () => void) => void} leaving */
function nearEnd({ more }, leaving) {
    const observer = new IntersectionObserver(([{ isIntersecting }]) => isIntersecting && more(), { rootMargin: '600px' });
    leaving(() => observer.disconnect());
    return () => html`<p class="waiting" ref=${(/** @type {Element | null} */ element) => element && observer.observe(element)}>More…</p>`;
}

const nothing = () => empty({
    title: 'Nothing is live',
    text: 'A stream appears here within a second after its encoder is connected.',
    action: can('admin') ? linkButton({ label: 'Set up a first stream', href: to('start'), icon: 'start', kind: 'main' }) : undefined,
});

/** @param {string} first */
function oneTile(first) {
    void seedSamples(first);
    return tile;
}

/** @param {string} id */
function tile(id) {
    const stream = liveStream(id);
    if (!stream) return null;
    const samples = samplesOf(id);
    const lost = lostSince(stream);
    return html`${preview({ stream })}
        <h2><a href=${to('live', id)}>${stream.broadcaster_name}</a>${isStill(samples) ? liveBadge('warn', 'Live, nothing arrives', lost) : liveBadge('good', 'Live', lost)}</h2>
        <p class="place"><span>${stream.path}</span><span>${stream.media_server}</span></p>
        <div class="rate">${lost ? html`<span></span>` : sparkline(samples.map(({ bits }) => bits), { label: 'Bitrate', format: bitrate })}${number(bitrate(samples.at(-1)?.bits), lost)}</div>
        <dl>
            <div><dt>On air for</dt><dd>${lost ? number('', lost) : since(stream.started_at)}</dd></div>
            <div><dt>Readers</dt><dd>${readers(stream)}</dd></div>
            <div><dt>Codecs</dt><dd>${codecs(stream.tracks) || html`<span class="quiet">not known yet</span>`}${stream.source_type ? html`<br /><small>${protocol(stream.source_type)}</small>` : ''}</dd></div>
        </dl>`;
}

/** Two measurements without a byte: on the air, but nothing arrives. @param {{ bits: number }[]} samples */
const isStill = (samples) => samples.length > 1 && samples.slice(-2).every(({ bits }) => bits === 0);

/** A preview is a reader of the media server: it is said, not hidden. @param {import('../store.js').Stream} stream */
export const readers = (stream) => html`${number(stream.readers.toLocaleString(), lostSince(stream))}${watched.value.has(stream.id) ? html`<br /><small>this page’s preview may be one</small>` : ''}`;

/** @returns {import('../areas.js').Screen} */
function ended() {
    const list = pages(async (cursor, signal) => {
        const page = await api.get('/streams', { query: { status: 'ended', limit: 50, ...(cursor ? { cursor } : {}) }, signal });
        return { rows: page.streams, next: page.next_cursor };
    });
    const news = resource(async () => 0, { topics: ['stream.ended'], on: () => (void list.restart(), 0) });
    return {
        title: () => 'Ended streams',
        close: () => (news.close(), list.close()),
        view: () => html`<header class="head"><h1>Ended streams</h1>${linkButton({ label: 'Live streams', href: to('live'), icon: 'back', kind: 'quiet' })}</header>
            ${list.view((rows) => rows.length === 0 ? empty({ title: 'No stream has ended yet' }) : table({
                caption: 'Ended streams, newest first',
                key: ({ id }) => id,
                rows,
                columns: [
                    { head: 'Path', main: true, cell: (row) => html`<a href=${to('live', row.id)}>${row.path}</a>` },
                    { head: 'Broadcaster', cell: (row) => row.broadcaster_name },
                    { head: 'Began', cell: (row) => time(row.started_at) },
                    { head: 'Lasted', cell: (row) => since(row.started_at, row.ended_at ?? row.started_at) },
                    { head: 'Why it ended', cell: (row) => endReason(row.end_reason) },
                ],
            }))}`,
    };
}
