// @ts-check
/** Streamers: thousands of them. The service pages and filters; the page draws only the rows that are seen. */
import { api } from '../api.js';
import { resource } from '../link.js';
import { badge, liveBadge } from '../parts/badge.js';
import { attempt, button } from '../parts/button.js';
import { confirm, openDialog } from '../parts/dialog.js';
import { createForm, field, formView } from '../parts/form.js';
import { duration, plural } from '../parts/format.js';
import { empty, problem, shown, waiting } from '../parts/problem.js';
import { ago, time } from '../parts/time.js';
import { replace, to } from '../router.js';
import { can } from '../session.js';
import { elementId, html, part, region, signal } from '../ui.js';

/**
 * @typedef {import('../api/types').Schemas} Schemas
 * @typedef {Schemas['Streamer']} Streamer
 * @typedef {{ rows: Streamer[], more?: string }} Loaded
 */

const PAGE = 500;
const ROW = 52;
const NARROW_ROW = 76;
/** Rows drawn beyond those that are seen. */
const MARGIN = 8;

/** @type {Record<Schemas['StreamerStatus'], { word: string, tone: import('../parts/badge.js').Tone }>} */
const STATES = { online: { word: 'Online', tone: 'good' }, offline: { word: 'Offline', tone: 'idle' }, unknown: { word: 'Unknown', tone: 'unknown' } };

/** @param {string[]} rest @returns {import('../areas.js').Screen} */
export function open(rest) {
    const filter = { status: signal('all'), active: signal(''), username: signal('') };
    const query = () => ({ status: filter.status.peek(), active: filter.active.peek() === '' ? undefined : filter.active.peek() === 'true', username: filter.username.peek().trim() || undefined });
    /** @type {import('../link.js').Resource<Loaded>} */
    const list = resource(
        async (stop) => {
            // As many as were shown before, so that nothing jumps.
            const wanted = Math.max(PAGE, list?.value.peek()?.rows.length ?? 0);
            /** @type {Streamer[]} */
            const rows = [];
            /** @type {string | undefined} */
            let cursor;
            do {
                const page = await api.get('/streamers', { query: { ...query(), limit: PAGE, cursor }, signal: stop });
                rows.push(...page.streamers);
                cursor = page.next_cursor;
            } while (cursor && rows.length < wanted);
            return /** @type {Loaded} */ ({ rows, more: cursor });
        },
        { topics: ['streamer.'], on: ({ name, data }, value) => changed(value, name, data.streamer ?? data, query()) },
    );
    const again = () => {
        list.value.value = undefined;
        scrolled.value = 0;
        void list.reload();
    };
    const scrolled = signal(0);
    const size = signal({ height: 600, narrow: innerWidth <= 760 });
    const loading = signal(false);
    const more = async () => {
        const at = list.value.peek();
        if (!at?.more || loading.peek()) return;
        loading.value = true;
        const asked = query();
        await attempt(async () => {
            const page = await api.get('/streamers', { query: { ...asked, limit: PAGE, cursor: at.more } });
            const now = list.value.peek();
            // The filter was changed, or the list was loaded anew, while the answer was on its way.
            if (now && now.more === at.more && JSON.stringify(asked) === JSON.stringify(query())) list.value.value = { rows: [...now.rows, ...page.streamers], more: page.next_cursor };
        });
        loading.value = false;
    };
    const resized = () => (size.value = { height: size.peek().height, narrow: innerWidth <= 760 });
    addEventListener('resize', resized);
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let typing;
    const show = (/** @type {string | undefined} */ id) => id && openHistory(id);
    show(rest[0]);
    const ids = { status: elementId('status'), active: elementId('active') };

    return {
        title: () => 'Streamers',
        moved: ([id]) => show(id),
        close() {
            list.close();
            removeEventListener('resize', resized);
        },
        view: () => html`<header class="head"><h1>Streamers</h1>${can('admin') && button({ label: 'Add', icon: 'plus', kind: 'main', action: () => openAdd(list.reload) })}</header>
            <div class="sieve"><input type="search" aria-label="Exact name on Kick" placeholder="Exact name on Kick" value=${filter.username.value} onInput=${(/** @type {any} */ event) => {
                filter.username.value = event.target.value;
                clearTimeout(typing);
                typing = setTimeout(again, 300);
            }} />
            <div class="field"><label class="unseen" for=${ids.status}>Status</label><select id=${ids.status} value=${filter.status.value} onChange=${(/** @type {any} */ event) => {
                filter.status.value = event.target.value;
                again();
            }}><option value="all">Any status</option><option value="online">Online</option><option value="offline">Offline</option><option value="unknown">Unknown</option></select></div>
            <div class="field"><label class="unseen" for=${ids.active}>Watched</label><select id=${ids.active} value=${filter.active.value} onChange=${(/** @type {any} */ event) => {
                filter.active.value = event.target.value;
                again();
            }}><option value="">Watched or not</option><option value="true">Watched</option><option value="false">Not watched</option></select></div></div>
            ${region(() => {
                const value = list.value.value;
                const failed = list.problem.value;
                if (!value) return failed ? problem(failed, list.reload) : waiting();
                if (!value.rows.length) return query().username || query().status !== 'all' || query().active !== undefined
                    ? empty({ title: 'Nobody fits', text: 'The name must be complete. Change the filter to see others.' })
                    : empty({ title: 'Nobody is watched', text: html`Add people on Kick, and set <code>kick.feed</code> in <code>streamward.toml</code>: then their status arrives here.` });
                return html`<p class="quiet number" role="status">${value.more ? `The first ${value.rows.length.toLocaleString()}, by name. More come when you scroll.` : plural(value.rows.length, 'streamer')}</p>${rows(value)}`;
            })}`,
    };

    /** @param {Loaded} value */
    function rows({ rows: all, more: next }) {
        const row = size.value.narrow ? NARROW_ROW : ROW;
        const first = Math.max(0, Math.floor(scrolled.value / row) - MARGIN);
        const last = Math.min(all.length, Math.ceil((scrolled.value + size.value.height) / row) + MARGIN);
        if (next && last > all.length - PAGE / 4) queueMicrotask(more);
        return html`<div class="long" tabindex="0" role="region" aria-label="Streamers, scrollable" style=${{ '--row': `${row}px` }} ref=${measure} onScroll=${(/** @type {any} */ event) => (scrolled.value = event.target.scrollTop)}>
            <div role="table" aria-label="Streamers" aria-rowcount=${next ? -1 : all.length + 1}>
            <div role="row" class="long-head" aria-rowindex="1"><span role="columnheader">Name</span><span role="columnheader">Status</span><span role="columnheader">Last change</span><span role="columnheader">Session</span><span role="columnheader"><span class="unseen">Actions</span></span></div>
            <div role="rowgroup" style=${{ height: `${all.length * row}px`, '--first': first }}>${all.slice(first, last).map((one, index) => line(one, first + index))}</div></div></div>`;
    }

    /** @param {HTMLElement | null} element */
    function measure(element) {
        if (element && Math.abs(element.clientHeight - size.peek().height) > 4) queueMicrotask(() => (size.value = { ...size.peek(), height: element.clientHeight }));
    }

    /** @param {Streamer} one @param {number} index */
    function line(one, index) {
        const { word, tone } = STATES[one.status];
        return html`<div role="row" key=${one.id} class="long-row" aria-rowindex=${index + 2} style=${{ '--index': index }}>
            <span role="rowheader"><a href=${to('streamers', one.id)}>${one.display_name ?? one.username}</a>${one.display_name && html` <small>${one.username}</small>`}</span>
            <span role="cell">${one.is_active ? liveBadge(tone, word) : badge('idle', 'Not watched')}${one.problem && html` <small class="wrong" title=${one.problem}>${one.problem}</small>`}</span>
            <span role="cell">${one.last_status_update ? ago(one.last_status_update) : html`<span class="quiet">none known</span>`}</span>
            <span role="cell" class="session">${one.session ? html`${one.session.title ?? ''} <small>${[one.session.category, one.session.viewers !== undefined && plural(one.session.viewers, 'viewer')].filter(Boolean).join(' · ')}</small>` : ''}</span>
            <span role="cell" class="end">${can('admin', one.organization_id) && button({ label: `Remove ${one.username}`, icon: 'trash', only: true, kind: 'quiet', action: () => remove(one, list.reload) })}</span>
        </div>`;
    }
}

/**
 * The list after an event, changed in place: a copy of thousands for each event would be slow.
 * @param {Loaded} value @param {string} name @param {Streamer} streamer
 * @param {{ status: string, active?: boolean, username?: string }} query
 * @returns {Loaded | undefined}
 */
export function changed(value, name, streamer, query) {
    // How the service compares names is its business.
    if (!streamer?.username || query.username) return undefined;
    const { rows, more } = value;
    const at = place(rows, streamer.username);
    const here = rows[at]?.id === streamer.id;
    const fits = name !== 'streamer.deleted' && (query.status === 'all' || query.status === streamer.status) && (query.active === undefined || query.active === streamer.is_active);
    if (here && fits) rows[at] = { ...rows[at], ...streamer };
    else if (here) rows.splice(at, 1);
    else if (fits && (at < rows.length || !more)) rows.splice(at, 0, streamer);
    else return value;
    return { rows, more };
}

/** Where a name is, or would be, in a list by name. @param {Streamer[]} rows @param {string} username */
function place(rows, username) {
    let low = 0;
    let high = rows.length;
    while (low < high) {
        const middle = (low + high) >> 1;
        if (rows[middle].username < username) low = middle + 1;
        else high = middle;
    }
    return low;
}

/** @param {Streamer} one @param {() => unknown} reload */
const remove = (one, reload) => confirm({
    title: `Remove ${one.username}?`,
    text: html`<p>${one.username} is no longer watched, and the history is deleted. This cannot be undone. To keep the history, stop watching instead.</p>`,
    action: 'Remove the streamer',
    run: async () => {
        await api.delete('/streamers/{id}', { path: { id: one.id } });
        await reload();
    },
});

/** @param {() => unknown} reload */
function openAdd(reload) {
    const form = createForm({ username: '' });
    const refused = signal(/** @type {string[]} */ ([]));
    const added = signal(0);
    openDialog({
        title: 'Add streamers',
        view: (close) => formView(form, {
            fields: html`${field(form, 'username', { label: 'Names on Kick', area: true, required: true, autofocus: true, placeholder: 'xqc\ntrainwreckstv', help: 'As in kick.com/<name>. One on each line, or separated by commas.' })}
                <p role="status">${added.value > 0 && `${plural(added.value, 'streamer')} added.`}</p>
                ${refused.value.length > 0 && html`<div class="problem" role="alert"><div><strong>${plural(refused.value.length, 'name')} refused</strong>${refused.value.slice(0, 8).map((one) => html`<p>${one}</p>`)}</div></div>`}`,
            action: 'Add',
            cancel: close,
            run: async ({ username }) => {
                const names = [...new Set(username.split(/[\s,]+/).map((name) => name.replace(/^(https?:\/\/)?(www\.)?kick\.com\//, '').replace(/^@/, '')).filter(Boolean))];
                refused.value = [];
                added.value = 0;
                /** @type {string[]} */
                const left = [];
                for (const name of names) {
                    try {
                        await api.post('/streamers', { body: { username: name } });
                        added.value += 1;
                    } catch (error) {
                        refused.value = [...refused.value, `${name}: ${/** @type {Error} */ (error).message}`];
                        left.push(name);
                    }
                }
                await reload();
                // What was refused stays in the field, to be corrected.
                form.values.username.value = left.join('\n');
                if (!left.length) close();
            },
        }),
    });
}

/** @param {string} id */
const openHistory = (id) => openDialog({ title: 'Streamer', wide: true, view: () => part(one, { id }, id), closed: () => location.hash === to('streamers', id) && replace('streamers') });

/** @param {{ id: string }} args @param {(what: () => void) => void} leaving */
function one({ id }, leaving) {
    const limit = signal(50);
    /** @template T @param {import('../link.js').ServiceEvent} event @param {T} value @returns {T | undefined} */
    const concerns = ({ data }, value) => ((data.streamer ?? data).id === id ? undefined : value);
    const streamer = resource((stop) => api.get('/streamers/{id}', { path: { id }, signal: stop }), { topics: ['streamer.'], on: concerns });
    const events = resource((stop) => api.get('/streamers/{id}/events', { path: { id }, query: { limit: limit.peek() }, signal: stop }), { topics: ['streamer.'], on: concerns });
    leaving(streamer.close);
    leaving(events.close);
    return () => html`${region(() => shown(streamer, (value) => html`
            <div class="actions"><h3 class="grow">${value.display_name ?? value.username}</h3>${liveBadge(STATES[value.status].tone, STATES[value.status].word)}
                ${can('admin', value.organization_id) && button({ label: value.is_active ? 'Stop watching' : 'Watch again', action: () => attempt(() => api.patch('/streamers/{id}', { path: { id }, body: { is_active: !value.is_active } })).then(streamer.reload) })}</div>
            ${value.problem && html`<p class="wrong">${value.problem}</p>`}
            <dl class="facts"><div><dt>On Kick</dt><dd><a href=${`https://kick.com/${encodeURIComponent(value.username)}`} rel="noreferrer" target="_blank">kick.com/${value.username}</a></dd></div>
                <div><dt>Watched</dt><dd>${value.is_active ? 'yes' : 'no'}</dd></div>
                <div><dt>Last change</dt><dd>${ago(value.last_status_update)}</dd></div>
                <div><dt>Last seen online</dt><dd>${ago(value.last_seen_online)}</dd></div>
                ${value.session && html`<div><dt>Session</dt><dd>${value.session.title ?? 'without a title'} <small>${value.session.category ?? ''}</small></dd></div>`}</dl>`))}
        <h3>History</h3>
        ${region(() => shown(events, ({ events: all }) => html`${all.length === 0 && html`<p class="quiet">No change was seen yet.</p>`}
            <ol class="log">${all.map((change) => html`<li key=${change.seq}>${time(change.occurred_at)}<p>${change.previous_status} → <strong>${change.new_status}</strong>${change.banned ? ', banned' : ''} <small>by ${change.source}${delay(change)}</small>${change.session?.title && html`<br />${change.session.title} <small>${change.session.category ?? ''}</small>`}</p></li>`)}</ol>
            ${all.length >= limit.value && limit.value < 1000 && button({ label: 'Show earlier ones', kind: 'quiet', action: () => {
                limit.value = Math.min(1000, limit.value * 4);
                void events.reload();
            } })}`))}`;
}

/** @param {Schemas['StatusEvent']} change */
function delay(change) {
    const late = Date.parse(change.received_at) - Date.parse(change.occurred_at);
    return late > 2_000 ? `, ${duration(late)} later` : '';
}
