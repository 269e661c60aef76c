// @ts-check
/** Studios: OBS on the air around the clock. */
import { api } from '../api.js';
import { resource } from '../link.js';
import { button } from '../parts/button.js';
import { icon } from '../parts/icon.js';
import { empty, problem, shown, waiting } from '../parts/problem.js';
import { time } from '../parts/time.js';
import { to } from '../router.js';
import { html, part, region, signal } from '../ui.js';
import { drills, orders } from './studio/orders.js';
import { budget, downtimes, preflight, studioBand, uptimeBars } from './studio/parts.js';
import { schedule } from './studio/schedule.js';
import { REASONS } from './studio/words.js';

/** @typedef {import('../api/types').Schemas} Schemas */

/** @param {string[]} rest */
export const open = (rest) => (rest[0] ? page(rest[0]) : list());

function list() {
    const studios = resource((stop) => api.get('/studios', { signal: stop }), { topics: ['studio.'], every: 5_000 });
    return {
        title: () => 'Studios',
        close: studios.close,
        view: () => html`<header class="head"><h1>Studios</h1></header>
            ${shown(studios, ({ studios: all }) => (all.length ? all.map((one) => studioBand(one, { heading: html`<h2><a href=${to('studios', one.name)}>${one.name}</a></h2>`, actions: orders(one, studios.reload) })) : empty({
                title: 'No studio is configured',
                text: html`A studio is one OBS that streams around the clock without anybody at the machine. Give it a section in <code>streamward.toml</code>: <code>[studios.main]</code> with <code>websocket_url</code>, then restart Streamward.`,
            })))}`,
    };
}

/** @param {string} name */
function page(name) {
    const studio = resource((stop) => api.get('/studios/{name}', { path: { name }, signal: stop }), { topics: ['studio.'], every: 3_000 });
    return {
        title: () => name,
        close: studio.close,
        view() {
            const one = studio.value.value;
            if (!one) return studio.problem.value ? problem(studio.problem.value, studio.reload) : waiting();
            return html`<header class="head"><a class="button quiet only" href=${to('studios')} aria-label="All studios">${icon('back')}</a><h1>${one.name}</h1>${orders(one, studio.reload)}</header>
                ${studio.problem.value && studio.problem.value.status !== 0 && problem(studio.problem.value, studio.reload)}
                ${studioBand(one, {})}
                <div class="halves"><div>${preflight(one)}</div><div>${part(uptime, { name, known: one.created_at }, 'uptime')}</div></div>
                ${part(schedule, { studio: one }, 'schedule')}
                <div class="halves"><div>${part(decisions, { name }, 'decisions')}</div><div>${part(drills, { name }, 'drills')}</div></div>`;
        },
    };
}

/** @param {{ name: string, known: string }} args @param {(what: () => void) => void} leaving */
function uptime({ name, known }, leaving) {
    const days = signal(7);
    const source = resource((stop) => api.get('/studios/{name}/health/uptime', { path: { name }, query: { period_days: days.peek() }, signal: stop }), { topics: ['studio.downtime'], every: 15_000 });
    leaving(source.close);
    return () => html`<section class="panel"><header><h2>Uptime</h2><div class="actions" role="group" aria-label="Period">${[7, 30].map((one) => html`<button type="button" class="button plain" aria-pressed=${days.value === one} onClick=${() => {
        days.value = one;
        void source.reload();
    }}>${one} days</button>`)}</div></header>
        ${region(() => shown(source, (value) => html`${uptimeBars(value, known)}${budget(value)}${downtimes(value.downtime_events)}`))}</section>`;
}

const PAGE = 20;

/** @param {{ name: string }} args @param {(what: () => void) => void} leaving */
function decisions({ name }, leaving) {
    const limit = signal(PAGE);
    const log = resource((stop) => api.get('/studios/{name}/decisions', { path: { name }, query: { limit: limit.peek() }, signal: stop }), { topics: ['studio.'], every: 15_000 });
    leaving(log.close);
    return () => html`<section class="panel"><header><h2>Decisions</h2></header>
        ${region(() => shown(log, ({ decisions: all, next_cursor: more }) => html`${all.length === 0 && html`<p class="quiet">Nothing was decided yet.</p>`}<ol class="log">${all.map(decision)}</ol>
            ${more && limit.value < 1000 && button({ label: 'Show earlier ones', kind: 'quiet', action: () => {
                limit.value = Math.min(limit.value * 5, 1000);
                void log.reload();
            } })}`))}</section>`;
}

/** @param {Schemas['StudioDecision']} one */
const decision = (one) => html`<li key=${one.id}>${time(one.at)}<p><strong>${{ scene: 'Scene', content: 'Content', stream: 'Stream', obs: 'OBS' }[one.subject]}: ${one.from ? `${one.from} → ` : ''}${one.to}</strong>${one.kind === 'done' ? '' : one.kind === 'refused' ? ', refused' : ', failed'}: ${REASONS[one.reason]}${one.by ? ` (${one.by})` : ''}</p></li>`;
