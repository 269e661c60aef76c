// @ts-check
/** The band of a channel: what goes out now, since when and why, and the state of each line into it and out of it. */
import { api } from '../../api.js';
import { resource } from '../../link.js';
import { badge, liveBadge, number } from '../../parts/badge.js';
import { bitrate, bytes, duration } from '../../parts/format.js';
import { icon } from '../../parts/icon.js';
import { problem, waiting } from '../../parts/problem.js';
import { since } from '../../parts/time.js';
import { html, now, region } from '../../ui.js';
import { INPUTS, OUTPUTS, PLATFORMS, REASONS, SOURCES } from './words.js';

/**
 * @typedef {import('../../api/types').Schemas} Schemas
 * @typedef {Schemas['ChannelStatus'] & { changed: number }} Seen `changed`: when this page saw a newer report, on its own clock
 */

/** Reports come every second. */
const SILENT_MS = 15_000;

/** @param {string} id @param {number} every */
export function followStatus(id, every) {
    /** @type {Seen | undefined} */
    let last;
    return resource(
        async (signal) => {
            const status = await api.get('/channels/{id}/status', { path: { id }, signal });
            const changed = last && last.at === status.at ? last.changed : Date.now();
            return (last = { ...status, changed });
        },
        { topics: ['channel.', 'destination.'], on: ({ data }, value) => (data.channel_id && data.channel_id !== id ? value : undefined), every },
    );
}

/** Whether the instance that runs the channel is silent: then nobody knows what is on air. @param {Seen} status */
const silent = (status) => status.running && now.value - status.changed > SILENT_MS;

/** What is on air, as a badge. @param {Schemas['Channel']} channel @param {Seen} status */
function onAir(channel, status) {
    if (!channel.enabled) return badge('idle', 'Turned off');
    if (!status.running) return badge('bad', 'Does not run');
    if (silent(status)) return badge('unknown', `Unknown: not reported for ${duration(now.value - status.changed)}`);
    if (!status.on_air) return badge('wait', 'Nothing on air yet');
    const { word, tone } = SOURCES[status.on_air];
    return liveBadge(tone, word);
}

/** Since when and why, as a sentence. @param {Schemas['Channel']} channel @param {Seen} status */
function why(channel, status) {
    if (!channel.enabled) return html`Its programme and its destinations are off until somebody turns it on.`;
    if (!status.running) return html`No instance of Streamward runs it. See <a href="#/system/tasks">its task</a> for the reason.`;
    if (!status.on_air || !status.since) return html`The programme is starting.`;
    return html`for ${since(status.since)}${status.reason && html`, because ${REASONS[status.reason]}`}`;
}

/** A hold, with what is left of it. @param {Schemas['Channel']} channel */
export function hold(channel) {
    if (channel.mode === 'auto') return null;
    return region(() => {
        const left = channel.mode_expires_at ? Date.parse(channel.mode_expires_at) - now.value : undefined;
        return html`<p class="note hold">${icon('warn')}<span><strong>${{ hold_live: 'The live input is held', hold_backup: 'The backup is held', slate: 'The built-in picture is held' }[/** @type {'slate'} */ (channel.mode)]}</strong>
            ${left === undefined ? 'until somebody sets it to automatic' : html`for another <b class="number" role="timer">${duration(left)}</b>`}.${channel.mode_reason && html` Reason: ${channel.mode_reason}`}</span></p>`;
    });
}

/**
 * @param {Schemas['Channel']} channel
 * @param {ReturnType<typeof followStatus>} source
 * @param {{ actions?: import('../../ui.js').View, heading?: import('../../ui.js').View, lanes?: boolean }} options
 */
export function band(channel, source, { actions, heading }) {
    return region(() => {
        const status = source.value.value;
        const failed = source.problem.value;
        const tone = status && channel.enabled && status.running && !silent(status) ? (status.on_air === 'live' ? 'good' : 'warn') : channel.enabled ? 'bad' : 'idle';
        return html`<article class=${`band ${status ? tone : 'idle'}`} aria-label=${channel.display_name}>
            <header>${heading}
                <p class="state">${status && html`${onAir(channel, status)} <span class="why">${why(channel, status)}</span>`}</p>
                ${actions && html`<div class="actions">${actions}</div>`}
            </header>
            ${hold(channel)}
            ${failed && failed.status !== 0 && problem(failed, source.reload)}
            ${status ? lanes(channel, status) : !failed && waiting()}
        </article>`;
    }, channel.id);
}

/** @param {Schemas['Channel']} channel @param {Seen} status */
function lanes(channel, status) {
    return html`<div class="lanes">
        ${status.inputs && html`<section aria-label="Inputs"><h3>In</h3><ul>
            ${input('Live', status.inputs.live, status)}
            ${input(channel.inputs.backup.kind === 'stream' ? 'Backup encoder' : 'Backup playlist', status.inputs.backup, status)}
        </ul></section>`}
        <section aria-label="Destinations"><h3>Out</h3><ul>
            ${status.media_server && output('Viewers at the media server', status.media_server, status)}
            ${status.destinations.map((one) => destinationLane(one, status))}
            ${!status.destinations.length && html`<li class="lane"><span class="quiet">No destination yet</span></li>`}
        </ul></section>
    </div>`;
}

/** @param {string} name @param {Schemas['InputStatus']} state @param {Seen} status */
function input(name, state, status) {
    const { word, tone } = INPUTS[state.state];
    const details = [state.fps !== undefined && `${Math.round(state.fps * 10) / 10} fps`, state.keyframe_interval_ms !== undefined && `keyframe every ${(state.keyframe_interval_ms / 1000).toFixed(1)} s`, ...state.codecs].filter(Boolean);
    return html`<li class="lane"><strong>${name}</strong>${silent(status) ? badge('unknown', 'Unknown') : liveBadge(tone, word)}
        <span class="numbers">${state.bitrate_kbps !== undefined && number(bitrate(state.bitrate_kbps * 1000))}${details.length > 0 && html` <span class="quiet">${details.join(' · ')}</span>`}</span>
        ${state.problem && html`<p class="says">${state.problem}</p>`}</li>`;
}

/** @param {Schemas['DestinationStatus']} one @param {Seen} status */
function destinationLane(one, status) {
    const name = html`${one.name} ${one.platform !== 'custom' && html`<small>${PLATFORMS[one.platform]}</small>`}`;
    if (one.connection) return output(name, one.connection, status);
    return html`<li class="lane" key=${one.id}><strong>${name}</strong>${badge('idle', one.enabled ? 'Not connected: the programme does not run' : 'Turned off')}</li>`;
}

/** @param {import('../../ui.js').View} name @param {Schemas['OutputStatus']} one @param {Seen} status */
function output(name, one, status) {
    const { word, tone } = OUTPUTS[one.state];
    const known = !silent(status);
    const numbers = [one.connects > 1 && `${one.connects - 1} reconnects`, one.dropped_frames > 0 && `${one.dropped_frames.toLocaleString()} frames dropped`, one.rtt_ms !== undefined && `${one.rtt_ms} ms away`].filter(Boolean);
    return html`<li class="lane"><strong>${name}</strong>${known ? liveBadge(tone, word) : badge('unknown', 'Unknown')}
        <span class="numbers">${known && html`<span class="quiet">for ${since(one.since)}</span>`} ${one.state === 'live' && number([bytes(one.bytes), ...numbers].join(' · '))}</span>
        ${one.state !== 'live' && (one.last_error || one.next_attempt_at) && html`<p class="says">${one.last_error}${next(one)}</p>`}</li>`;
}

/** @param {Schemas['OutputStatus']} one */
const next = (one) =>
    one.next_attempt_at &&
    region(() => {
        const left = Date.parse(/** @type {string} */ (one.next_attempt_at)) - now.value;
        return html` <span class="quiet">${left > 0 ? `Next attempt in ${duration(left)}.` : 'Trying again now.'}</span>`;
    });
