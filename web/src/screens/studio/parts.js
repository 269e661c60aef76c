// @ts-check
/** What a studio shows in the list and on its page. */
import { badge, liveBadge, number } from '../../parts/badge.js';
import { bitrate, duration } from '../../parts/format.js';
import { icon } from '../../parts/icon.js';
import { ago, since, time } from '../../parts/time.js';
import { html, now, region } from '../../ui.js';
import { ALERTS, ARRIVALS, CAUSES, CHECKS, OWNERS, PURPOSES, REASONS, onAir } from './words.js';

/** @typedef {import('../../api/types').Schemas} Schemas */

/** @param {Schemas['Studio']} studio @param {{ heading?: import('../../ui.js').View, actions?: import('../../ui.js').View }} options */
export function studioBand(studio, { heading, actions }) {
    const { word, tone, why } = onAir(studio);
    const { on_air: air, stream } = studio;
    return html`<article class=${`band ${tone}`} aria-label=${studio.name}>
        <header>${heading}<p class="state">${liveBadge(tone, word)} ${studio.session && tone === 'good' && html`<span>for ${since(studio.session.started_at)}</span>`} ${why && html`<span class="why">${why}</span>`}</p>${actions && html`<div class="actions">${actions}</div>`}</header>
        ${studio.hold && holdNote(studio.hold)}
        ${studio.alerts.filter((one) => one !== 'obs_unreachable' || studio.obs?.connection === 'connected').map((one) => html`<p class="note alert">${icon('warn')}<span>${ALERTS[one] ?? one}</span></p>`)}
        ${studio.nothing_to_play_at && html`<p class="note hold">${icon('warn')}<span>Nothing can be played from ${time(studio.nothing_to_play_at)} on. Change the schedule, or repair the files.</span></p>`}
        <dl class="facts">
            <div><dt>Plays now</dt><dd>${air?.content ? html`${air.content.name}${air.content.since && html` <small>for ${since(air.content.since)}${air.content.length_ms ? ` of ${duration(air.content.length_ms)}` : ''}</small>`}` : html`<span class="quiet">nothing known</span>`}</dd></div>
            <div><dt>Next</dt><dd>${air?.next ?? html`<span class="quiet">nothing known</span>`}</dd></div>
            <div><dt>Scene</dt><dd>${air?.scene ?? html`<span class="quiet">not known</span>`}${air?.purpose && html` <small>${PURPOSES[air.purpose]}</small>`}</dd></div>
            <div><dt>Why</dt><dd>${air ? REASONS[air.reason] : html`<span class="quiet">not known</span>`}</dd></div>
            <div><dt>Owner</dt><dd>${air && studio.obs?.connection === 'connected' ? OWNERS[air.owner] : html`<span class="quiet">not known</span>`}${air?.paused && html` <small>${air.paused.name} waits</small>`}</dd></div>
            <div><dt>Sent</dt><dd>${stream && stream.state === 'live' ? html`${number(bitrate(stream.bitrate_kbps * 1000))} <small>${stream.dropped_percent.toFixed(1)} % dropped</small>` : html`<span class="quiet">nothing measured</span>`}</dd></div>
            <div><dt>At the far end</dt><dd>${stream ? ARRIVALS[stream.far_end] : 'not measured'}${stream?.far_end_kbps !== undefined && html` <small>${bitrate(stream.far_end_kbps * 1000)}</small>`}</dd></div>
            <div><dt>OBS</dt><dd>${studio.obs?.version ?? html`<span class="quiet">not connected</span>`}${studio.obs && studio.obs.restarts > 0 && html` <small>${studio.obs.restarts} restarts</small>`}</dd></div>
        </dl>
    </article>`;
}

/** @param {Schemas['StudioHold']} hold */
const holdNote = (hold) => region(() => html`<p class="note hold">${icon('warn')}<span><strong>Held by ${hold.by}</strong>${hold.scene ? ` on the scene ${hold.scene}` : ''}, ${hold.until ? html`for another <b class="number" role="timer">${duration(Date.parse(hold.until) - now.value)}</b>` : 'until it is released'}.${hold.reason ? ` Reason: ${hold.reason}` : ''} Automation leaves it alone.</span></p>`);

/** @param {Schemas['Studio']} studio */
export function preflight(studio) {
    const made = studio.preflight;
    return html`<section class="panel"><header><h2>Pre-flight</h2>${made && badge(made.passed ? 'good' : 'bad', made.passed ? 'All checks passed' : 'A check failed')}</header>
        ${!made ? html`<p class="quiet">Not checked yet.</p>` : html`<ul class="rows">${made.checks.map((one) => html`<li key=${one.check}><div><strong>${CHECKS[one.check]}</strong><br /><span class=${one.state === 'failed' ? '' : 'quiet'}>${one.detail}</span>${one.state === 'failed' && one.advice && html`<p class="advice">${icon('right')}<span>${one.advice}</span></p>`}</div>${badge(/** @type {const} */ ({ passed: 'good', failed: 'bad', skipped: 'idle' })[one.state], { passed: 'Passed', failed: 'Failed', skipped: 'Not checked' }[one.state])}</li>`)}</ul>
            <small>Checked ${ago(made.at)}.${made.next_at && region(() => {
                const left = Date.parse(/** @type {string} */ (made.next_at)) - now.value;
                return html` ${left > 0 ? `Checked again in ${duration(left)}.` : 'Checked again now.'}`;
            })}</small>`}</section>`;
}

const DAY = 86_400_000;

/**
 * A bar for each day, with the downtime that began or went on in it. Days before the studio was known are empty.
 * @param {Schemas['StudioUptime']} uptime @param {string} known when the studio was first seen
 */
export function uptimeBars(uptime, known) {
    const today = new Date(now.peek());
    today.setHours(0, 0, 0, 0);
    const days = Array.from({ length: uptime.period_days }, (_, index) => {
        const begins = new Date(today);
        begins.setDate(begins.getDate() - (uptime.period_days - 1 - index));
        const ends = new Date(begins);
        ends.setDate(ends.getDate() + 1);
        const down = uptime.downtime_events.reduce((sum, event) => {
            const from = Date.parse(event.timestamp);
            const to = from + event.duration_sec * 1000;
            return sum + Math.max(0, Math.min(to, ends.getTime()) - Math.max(from, begins.getTime()));
        }, 0);
        return { at: begins, down, unknown: ends.getTime() <= Date.parse(known) };
    });
    // Nothing is good about a studio that was never to be on air.
    const nothing = uptime.total_uptime_seconds + uptime.total_downtime_seconds === 0;
    const worst = days.filter(({ down }) => down > 0);
    const label = nothing ? 'It was never to be on air' : worst.length ? `Downtime on ${worst.length} of ${days.length} days` : `No downtime recorded in ${days.length} days`;
    return html`<div class="bars" role="img" aria-label=${label}>${days.map(({ at, down, unknown }) => html`<span class=${unknown || nothing ? 'unknown' : down === 0 ? 'good' : down < 30_000 ? 'warn' : 'bad'} title=${`${at.toLocaleDateString()}: ${unknown ? 'not known yet' : nothing ? 'not to be on air' : down === 0 ? 'no downtime recorded' : `down for ${duration(down)}`}`} style=${{ '--down': `${down === 0 ? 0 : Math.max(12, Math.min(100, (down / DAY) * 100))}%` }}></span>`)}</div>`;
}

/** @param {Schemas['StudioUptime']} uptime */
export const budget = (uptime) => html`<dl class="facts">
    <div><dt>Uptime in ${uptime.period_days} days</dt><dd>${uptime.total_uptime_seconds + uptime.total_downtime_seconds > 0 ? html`${uptime.uptime_percentage.toFixed(3)} %` : html`<span class="quiet">was never to be on air</span>`}</dd></div>
    <div><dt>Downtime</dt><dd>${duration(uptime.total_downtime_seconds * 1000)}</dd></div>
    ${left('Left of 99.9 %', uptime.budget.percent_seconds_left)}
    ${left('Left of 30 s a week', uptime.budget.seconds_left)}
</dl>`;

/** @param {string} label @param {number} seconds */
const left = (label, seconds) => html`<div><dt>${label}</dt><dd class=${seconds < 0 ? 'wrong' : ''}>${seconds < 0 ? `exceeded by ${duration(-seconds * 1000)}` : duration(seconds * 1000)}</dd></div>`;

/** @param {Schemas['DowntimeEvent'][]} events */
export const downtimes = (events) =>
    events.length ? html`<ol class="log">${[...events].sort((a, b) => b.timestamp.localeCompare(a.timestamp)).slice(0, 20).map((event) => html`<li>${time(event.timestamp)}<p><strong>${event.ongoing ? html`Down for ${since(event.timestamp)}` : `Down for ${duration(event.duration_sec * 1000)}`}</strong>: ${CAUSES[event.failure_cause]}${event.recovery_action ? html`. <span class="quiet">${event.recovery_action}</span>` : ''}</p></li>`)}</ol>` : html`<p class="quiet">No downtime is recorded.</p>`;
