// @ts-check
/** One stream: what it is, how it does, what happened, and what can be done. */
import { api, call, ApiError } from '../api.js';
import { resource, stale } from '../link.js';
import { badge, liveBadge, number } from '../parts/badge.js';
import { button } from '../parts/button.js';
import { chart } from '../parts/chart.js';
import { protocol, sentence } from '../parts/connection.js';
import { copyField } from '../parts/copy.js';
import { confirm } from '../parts/dialog.js';
import { bitrate, bytes, codecs, plural, words } from '../parts/format.js';
import { icon } from '../parts/icon.js';
import { preview } from '../parts/preview.js';
import { problem, shown } from '../parts/problem.js';
import { since, time } from '../parts/time.js';
import { to } from '../router.js';
import { can } from '../session.js';
import { liveStream, lostSince, samplesOf, useLive } from '../store.js';
import { html, region, signal } from '../ui.js';
import { rotateKey } from './keys.js';
import { readers } from './live.js';
import { endReason } from './stream-words.js';

/** @typedef {import('../store.js').Stream} Stream */
/** @typedef {{ at: string, tone: 'good' | 'bad' | 'warn' | 'idle', text: import('../ui.js').View }} Moment */

/** @param {string} id @returns {import('../areas.js').Screen} */
export function stream(id) {
    const live = useLive();
    const loaded = resource((signal) => api.get('/streams/{id}', { path: { id }, signal }), {
        topics: ['stream.'],
        on: ({ data }, value) => (data.stream?.id === id ? { ...value, ...data.stream } : value),
    });
    const before = resource(async (signal) => {
        const { path } = await api.get('/streams/{id}', { path: { id }, signal });
        return (await api.get('/streams', { query: { status: 'all', path, limit: 20 }, signal })).streams;
    }, { topics: ['stream.started', 'stream.ended'] });
    const refusals = can('operator') ? resource((signal) => api.get('/auth-failures', { query: { limit: 200 }, signal }), { every: 10_000 }) : undefined;
    const audit = can('admin') ? resource((signal) => api.get('/audit-logs', { query: { resource_type: 'stream', resource_id: id, limit: 20 }, signal }), { every: 10_000 }) : undefined;
    // The history that the service keeps; what this page measures itself where it keeps none.
    const samples = resource((signal) => call('get', `streams/${encodeURIComponent(id)}/samples`, { signal }), { every: 10_000 });
    const why = signal(/** @type {any} */ (undefined));
    return {
        title: () => loaded.value.value?.path ?? 'Stream',
        close() {
            for (const one of [live, loaded, before, refusals, audit, samples]) one?.close();
        },
        view: () => html`<a class="crumb" href=${to('live')}>${icon('back')} Live</a>
            ${shown(loaded, (value) => {
                const now = liveStream(id) ?? value;
                return html`<header class="head"><h1>${now.broadcaster_name}</h1>${state(now)}${actions(now)}</header>
                    <p>${inOneSentence(now)}</p>
                    <div class="columns">
                        <div>
                            ${now.status === 'active' && html`<section class="panel">${preview({ stream: now })}</section>`}
                            ${html`<section class="panel"><header><h2>Bitrate</h2>${now.status === 'active' ? number(bitrate(samplesOf(id).at(-1)?.bits), lostSince(now)) : null}</header>
                                ${rates(samples, id)}</section>`}
                            <section class="panel"><header><h2>What happened</h2></header>${timeline(now, before.value.value ?? [], refusals?.value.value?.auth_failures ?? [], audit?.value.value?.audit_logs ?? [])}</section>
                        </div>
                        <div>
                            <section class="panel"><header><h2>Now</h2></header>${facts(now)}</section>
                            ${can('operator', now.organization_id) ? explain(now, why) : null}
                            ${now.urls && now.status === 'active' ? addresses(now.urls) : null}
                        </div>
                    </div>`;
            })}`,
    };
}

/** @param {Stream} stream */
const state = (stream) => (stream.status === 'active' ? liveBadge('good', 'Live', lostSince(stream)) : badge('idle', 'Ended'));

/** @param {Stream} stream */
const inOneSentence = (stream) => stream.status === 'active'
    ? html`<strong>${stream.path}</strong> has been on the air for ${since(stream.started_at)} on ${stream.media_server}${stream.source_type ? `, sent by ${protocol(stream.source_type)}` : ''}.`
    : html`<strong>${stream.path}</strong> was on the air for ${since(stream.started_at, stream.ended_at ?? stream.started_at)} and ended ${time(stream.ended_at)}: ${endReason(stream.end_reason)}.`;

/** @param {Stream} stream */
const facts = (stream) => html`<dl class="facts">
    <div><dt>Readers</dt><dd>${stream.status === 'active' ? readers(stream) : html`<span class="quiet">none, it has ended</span>`}</dd></div>
    <div><dt>Codecs</dt><dd>${codecs(stream.tracks) || html`<span class="quiet">not known</span>`}</dd></div>
    <div><dt>Received</dt><dd>${stream.status === 'active' ? number(bytes(stream.inbound_bytes), lostSince(stream)) : bytes(stream.inbound_bytes)}</dd></div>
    <div><dt>Began</dt><dd>${time(stream.started_at)}</dd></div>
    <div><dt>Media server</dt><dd>${stream.media_server}</dd></div>
    ${stream.ended_at && html`<div><dt>Ended</dt><dd>${time(stream.ended_at)}</dd></div>`}
</dl>`;

/** @param {Stream} stream */
const actions = (stream) => html`<div class="actions">
    ${can('admin', stream.organization_id) && button({ label: 'Rotate the key', icon: 'rotate', action: () => rotateKey({ id: stream.stream_key_id, path: stream.path, live: stream.status === 'active' ? stream : undefined }) })}
    ${stream.status === 'active' && can('operator', stream.organization_id) && button({ label: 'End', icon: 'stop', kind: 'danger', action: () => end(stream) })}
</div>`;

/** @param {Stream} stream */
const end = (stream) => confirm({
    title: `End ${stream.path}?`,
    text: html`<p>This ends the running stream of <strong>${stream.broadcaster_name}</strong>${stream.readers ? ` with ${plural(stream.readers, 'reader')}` : ''}. Its key stays valid: the encoder may come back at once. To keep it out, revoke or rotate the key.</p>`,
    action: 'End the stream',
    run: () => api.delete('/streams/{id}', { path: { id: stream.id } }),
});

/** @param {NonNullable<Stream['urls']>} urls */
const addresses = (urls) => html`<section class="panel"><header><h2>For viewers</h2></header>
    ${copyField({ label: 'HLS', value: urls.hls })}
    ${copyField({ label: 'WebRTC, a page of the media server', value: urls.webrtc })}
    <details><summary>RTMP, RTSP and SRT</summary><div class="encoder">${copyField({ label: 'RTMP', value: urls.rtmp })}${urls.rtsp ? copyField({ label: 'RTSP', value: urls.rtsp }) : null}${copyField({ label: 'SRT', value: urls.srt })}</div></details>
</section>`;

/**
 * @param {Stream} stream
 * @param {Stream[]} others broadcasts on the same path
 * @param {import('../api/types').Schemas['AuthFailure'][]} refusals
 * @param {import('../api/types').Schemas['AuditEntry'][]} audit
 */
function timeline(stream, others, refusals, audit) {
    /** @type {Moment[]} */
    const moments = [{ at: stream.started_at, tone: 'good', text: html`<strong>Live</strong>${stream.source_type ? ` by ${protocol(stream.source_type)}` : ''}` }];
    if (stream.ended_at) moments.push({ at: stream.ended_at, tone: 'idle', text: html`<strong>Ended</strong>: ${endReason(stream.end_reason)}` });
    for (const other of others) {
        if (other.id === stream.id) continue;
        moments.push({ at: other.started_at, tone: 'idle', text: html`Another broadcast began: <a href=${to('live', other.id)}>${other.status === 'active' ? 'still live' : html`lasted ${since(other.started_at, other.ended_at)}`}</a>` });
    }
    for (const refused of refusals)
        if (refused.path === stream.path || refused.stream_key_id === stream.stream_key_id)
            moments.push({ at: refused.last_at, tone: 'bad', text: html`<strong>Refused</strong>${refused.count > 1 ? ` ${refused.count} times` : ''}: ${sentence(refused)} ${refused.ip_address ? html`<span class="quiet">from ${refused.ip_address}</span>` : ''}` });
    for (const entry of audit)
        moments.push({ at: entry.timestamp, tone: entry.outcome === 'success' ? 'warn' : 'bad', text: html`${entry.actor ?? 'Somebody'}: ${words(entry.action)}${entry.outcome === 'failure' ? ` refused, ${entry.failure_reason ?? ''}` : ''}` });
    moments.sort((one, other) => Date.parse(other.at) - Date.parse(one.at));
    const icons = /** @type {const} */ ({ good: 'good', bad: 'bad', warn: 'person', idle: 'idle' });
    return html`<ol class="timeline">${moments.slice(0, 30).map(({ at, tone, text }) => html`<li>${time(at)}<span class=${tone}>${icon(icons[tone])}</span><span>${text}</span></li>`)}</ol>`;
}

/** Why it is, or is not, on the air, in sentences of the service. @param {Stream} stream @param {import('../ui.js').Signal<any>} answer */
function explain(stream, answer) {
    const ask = async () => {
        answer.value = { busy: true };
        try {
            answer.value = { told: await call('get', `explain?path=${encodeURIComponent(stream.path)}`) };
        } catch (error) {
            answer.value = { failed: error };
        }
    };
    return region(() => {
        const { busy, told, failed } = answer.value ?? {};
        return html`<section class="panel"><header><h2>Why is it${stream.status === 'active' ? '' : ' not'} on the air?</h2>${button({ label: busy ? 'Asking…' : told ? 'Ask again' : 'Explain', icon: 'unknown', action: ask, disabled: busy })}</header>
            ${failed instanceof ApiError ? problem(failed) : null}
            ${told ? explained(told) : failed ? null : html`<p class="quiet">Key, claim, media server, source, readers and the last change, in plain sentences.</p>`}</section>`;
    });
}

const tones = /** @type {const} */ ({ ok: 'good', info: 'idle', warn: 'warn', fail: 'bad' });

/** @param {{ sentences: { text: string, status: keyof typeof tones }[], next?: string }} told */
const explained = ({ sentences, next }) => html`<ul class="sentences">${sentences.map(({ text, status }) => html`<li class=${tones[status] ?? 'idle'}>${icon(tones[status] ?? 'idle')}<span>${text}</span></li>`)}</ul>
    ${next ? html`<p class="note">${icon('right')}<span>${next}</span></p>` : null}`;

/** @param {import('../link.js').Resource<any>} samples @param {string} id */
function rates(samples, id) {
    const value = samples.value.value;
    if (stale.value) return html`<p class="quiet">The connection is lost. The chart goes on when it is back.</p>`;
    const points = value
        ? value.samples.map((/** @type {any} */ one) => ({ at: Date.parse(one.at), value: one.inbound_bitrate ?? undefined }))
        : samplesOf(id).map(({ at, bits }) => ({ at, value: bits }));
    if (points.filter((/** @type {any} */ one) => one.value !== undefined).length < 2) return html`<p class="quiet">The chart begins when there are two measurements, some seconds from now.</p>`;
    return chart({ label: 'Bitrate', points, format: bitrate });
}
