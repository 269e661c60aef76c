// @ts-check
/** The checks of `streamward doctor`, by the service that runs. */
import { call } from '../../api.js';
import { resource } from '../../link.js';
import { badge } from '../../parts/badge.js';
import { button } from '../../parts/button.js';
import { icon } from '../../parts/icon.js';
import { ago } from '../../parts/time.js';
import { html } from '../../ui.js';
import { answered } from './section.js';

/**
 * @typedef {'ok' | 'skip' | 'warn' | 'fail'} Status
 * @typedef {{ at: string, status: Status, checks: { id: string, check: string, status: Status, found: string, advice?: string }[] }} Examination
 */

/** @type {Record<Status, { word: string, tone: import('../../parts/badge.js').Tone, all: string }>} */
const STATES = {
    ok: { word: 'Good', tone: 'good', all: 'Everything that was checked is good.' },
    skip: { word: 'Not checked', tone: 'idle', all: 'What was checked is good. Something was not checked.' },
    warn: { word: 'Warning', tone: 'warn', all: 'It works, but not well, or not for long.' },
    fail: { word: 'Fails', tone: 'bad', all: 'Broadcasts fail because of this.' },
};
/** @type {Status[]} */
const WORST_FIRST = ['fail', 'warn', 'skip', 'ok'];

export function doctor() {
    const examination = resource((stop) => /** @type {Promise<Examination>} */ (call('get', 'doctor', { signal: stop })), { every: 60_000 });
    return {
        close: examination.close,
        view: () => answered(examination, ({ at, status, checks }) => html`<div class="actions"><p class="grow" role="status">${badge(STATES[status].tone, STATES[status].word)} ${STATES[status].all} <span class="quiet">Checked ${ago(at)}.</span></p>${button({ label: 'Check again', icon: 'rotate', action: examination.reload })}</div>
            <section class="panel"><ul class="rows">${[...checks].sort((a, b) => WORST_FIRST.indexOf(a.status) - WORST_FIRST.indexOf(b.status)).map((one) => html`<li key=${one.id}><div><strong>${one.check}</strong> <small class="mono">${one.id}</small><br /><span class=${one.status === 'ok' || one.status === 'skip' ? 'quiet' : ''}>${one.found}</span>${one.advice && html`<p class="advice">${icon('right')}<span>${one.advice}</span></p>`}</div>${badge(STATES[one.status].tone, STATES[one.status].word)}</li>`)}</ul></section>
            <p class="quiet">The same on the command line, also when the service does not start: <code>streamward doctor</code></p>`, 'The doctor'),
    };
}
