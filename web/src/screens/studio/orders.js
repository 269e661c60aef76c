// @ts-check
/** What a person orders about a studio. Every order has a reason. */
import { api } from '../../api.js';
import { resource } from '../../link.js';
import { badge } from '../../parts/badge.js';
import { button } from '../../parts/button.js';
import { openDialog } from '../../parts/dialog.js';
import { createForm, field, formView } from '../../parts/form.js';
import { duration } from '../../parts/format.js';
import { shown } from '../../parts/problem.js';
import { time } from '../../parts/time.js';
import { say } from '../../parts/toast.js';
import { can } from '../../session.js';
import { html, region } from '../../ui.js';
import { SPANS } from '../channel/orders.js';
import { DRILLS, PURPOSES, REASONS } from './words.js';

/** @typedef {import('../../api/types').Schemas} Schemas */

/** @param {Schemas['Studio']} studio @param {() => unknown} changed */
export const orders = (studio, changed) => can('operator', studio.organization_id) && html`
    ${studio.desired === 'stopped' ? button({ label: 'Start', kind: 'main', icon: 'play', action: () => order(studio, 'start', changed) }) : button({ label: 'Stop', icon: 'stop', action: () => order(studio, 'stop', changed) })}
    ${studio.hold ? button({ label: 'Release', kind: 'main', action: () => order(studio, 'release', changed) }) : button({ label: 'Hold', action: () => order(studio, 'hold', changed) })}
    ${button({ label: 'Scene', action: () => order(studio, 'scene', changed) })}
    ${button({ label: 'Drill', action: () => drill(studio) })}`;

const ORDERS = /** @type {const} */ ({
    start: { title: 'Start', text: 'It goes on air as soon as all checks have passed.', done: 'is to be on air' },
    stop: { title: 'Stop', text: 'The stream ends. It stays off air until somebody starts it, also after a restart.', done: 'is stopped' },
    hold: { title: 'Hold', text: 'What is on air stays on air. Automation, the schedule and the owner change nothing meanwhile.', done: 'is held' },
    release: { title: 'Release', text: 'Automation continues.', done: 'is released' },
    scene: { title: 'Put a scene on air in', text: 'The scene goes on air and is held.', done: 'shows the scene' },
});

/** @param {Schemas['Studio']} studio @param {keyof typeof ORDERS} kind @param {() => unknown} changed */
function order(studio, kind, changed) {
    const { title, text, done } = ORDERS[kind];
    const lasts = kind === 'hold' || kind === 'scene';
    const form = createForm({ reason: '', for_seconds: '1800', scene: 'technical_difficulties', other: '' });
    const path = { name: studio.name };
    openDialog({
        title: `${title} ${studio.name}`,
        view: (close) => formView(form, {
            fields: html`<p>${text}</p>
                ${kind === 'scene' && html`${field(form, 'scene', { label: 'Scene', options: [...Object.entries(PURPOSES).map(([value, label]) => ({ value, label })), { value: '', label: 'Another scene in OBS' }] })}
                    ${form.values.scene.value === '' && field(form, 'other', { label: 'Its name in OBS', required: true })}`}
                ${lasts && field(form, 'for_seconds', { label: 'For how long', options: SPANS })}
                ${field(form, 'reason', { label: 'Reason', required: true, autofocus: true, help: 'It stands in the log of decisions.' })}`,
            action: kind === 'scene' ? 'Put it on air' : title,
            cancel: close,
            run: async ({ reason, for_seconds, scene, other }) => {
                const span = for_seconds ? { for_seconds: Number(for_seconds) } : {};
                if (kind === 'hold') await api.post('/studios/{name}/hold', { path, body: { reason, ...span } });
                else if (kind === 'scene') await api.post('/studios/{name}/scene', { path, body: { reason, scene: scene || other, ...span } });
                else if (kind === 'start') await api.post('/studios/{name}/start', { path, body: { reason } });
                else if (kind === 'stop') await api.post('/studios/{name}/stop', { path, body: { reason } });
                else await api.post('/studios/{name}/release', { path, body: { reason } });
                close();
                say(`${studio.name} ${done}.`);
                changed();
            },
        }),
    });
}

/** @param {Schemas['Studio']} studio */
function drill(studio) {
    const form = createForm({ kind: 'content_failure' });
    openDialog({
        title: `Try out a failure of ${studio.name}`,
        view: (close) => formView(form, {
            fields: html`<p>The failure is made on air, now. The report says when it was noticed and when the picture was back.</p>
                ${field(form, 'kind', { label: 'Failure', options: Object.entries(DRILLS).map(([value, { title }]) => ({ value, label: title })), help: DRILLS[/** @type {Schemas['DrillKind']} */ (form.values.kind.value)].text })}`,
            action: 'Make it fail on air',
            cancel: close,
            run: async ({ kind }) => {
                await api.post('/studios/{name}/drills', { path: { name: studio.name }, body: { kind: /** @type {Schemas['DrillKind']} */ (kind) } });
                close();
                say('The drill is ordered. Its report stands below.');
            },
        }),
    });
}

/** @param {{ name: string }} args @param {(what: () => void) => void} leaving */
export function drills({ name }, leaving) {
    const list = resource((signal) => api.get('/studios/{name}/drills', { path: { name }, query: { limit: 10 }, signal }), { topics: ['studio.'], every: 5_000 });
    leaving(list.close);
    return () => html`<section class="panel"><header><h2>Drills</h2></header>${region(() => shown(list, ({ drills: all }) => (all.length ? html`<ol class="log">${all.map(one)}</ol>` : html`<p class="quiet">No failure was tried out yet.</p>`)))}</section>`;
}

/** @param {Schemas['Drill']} drilled */
const one = (drilled) => html`<li key=${drilled.id}>${time(drilled.created_at)}<p><strong>${DRILLS[drilled.kind].title}</strong> ${badge(/** @type {const} */ ({ requested: 'wait', running: 'wait', done: 'good', failed: 'bad' })[drilled.state], { requested: 'Ordered', running: 'Running', done: 'Done', failed: 'Failed' }[drilled.state])}
    ${drilled.report && html` Noticed after ${drilled.report.noticed_ms === undefined ? 'a time that was not measured' : seconds(drilled.report.noticed_ms)}, recovered after ${drilled.report.recovered_ms === undefined ? 'a time that was not measured' : seconds(drilled.report.recovered_ms)}. <span class="quiet">${drilled.report.reasons.map((reason) => REASONS[reason]).join(', then ')}</span>`}
    ${drilled.error && html` ${drilled.error}`} <small>by ${drilled.by}</small></p></li>`;

/** @param {number} ms */
const seconds = (ms) => (ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : duration(ms));
