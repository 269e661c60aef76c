// @ts-check
/** Live: what is on the air now. */
import { html, region, signal } from '../ui.js';
import { liveBadge, number } from '../parts/badge.js';
import { linkButton } from '../parts/button.js';
import { plural } from '../parts/format.js';
import { empty, problem, waiting } from '../parts/problem.js';
import { since } from '../parts/time.js';
import { to } from '../router.js';
import { can } from '../session.js';
import { liveIds, liveStream, useLive } from '../store.js';

export function open() {
    const live = useLive();
    const search = signal('');
    return {
        title: () => 'Live',
        close: live.close,
        view() {
            const ids = liveIds.value;
            return html`<header class="head"><h1>Live</h1>
                <input type="search" aria-label="Search by path or broadcaster" placeholder="Search" value=${search.value} onInput=${(/** @type {any} */ event) => (search.value = event.target.value)} />
            </header>
            ${live.problem.value && live.problem.value.status !== 0 && problem(live.problem.value, live.reload)}
            ${ids === undefined ? waiting() : ids.length === 0 ? nothing() : html`<ul class="tiles">${ids.map((id) => region(() => tile(id), id))}</ul>`}`;
        },
    };
}

const nothing = () => empty({
    title: 'Nothing is live',
    text: 'A stream appears here within a second after its encoder connects.',
    action: can('admin') ? linkButton({ label: 'Set up a first stream', href: to('start'), icon: 'start', kind: 'main' }) : undefined,
});

/** @param {string} id */
function tile(id) {
    const stream = liveStream(id);
    if (!stream) return null;
    return html`<li class="tile"><h2><a href=${to('live', id)}>${stream.broadcaster_name}</a></h2><p>${liveBadge('good', 'Live')} ${since(stream.started_at)} ${number(plural(stream.readers, 'reader'))}</p></li>`;
}
