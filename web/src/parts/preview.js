// @ts-check
/** A picture on click: HLS first, WebRTC for little delay. It stops when nobody sees it; four play at most. */
import { elementId, html, part, signal, untracked } from '../ui.js';
import { playbackToken } from '../media/playback.js';
import { button } from './button.js';
import { icon } from './icon.js';

/** @typedef {import('../api/types').Stream} Stream */
/** @typedef {'hls' | 'webrtc'} Way */

const MOST = 4;
/** @type {{ streamId: string, stop: (why: string) => void }[]} those that play, oldest first */
const playing = [];
/** MediaMTX counts an HLS reader for up to 50 s after its last request, and is asked every few seconds. */
const LINGER_MS = 75_000;
/** Streams that this page plays, or has just played: it may be among their readers. */
export const watched = signal(/** @type {Set<string>} */ (new Set()));

/** @param {{ stream: Stream, start?: boolean, label?: string }} options `start`: plays at once */
export const preview = (options) => part(player, options, options.stream.id);

/** @param {{ stream: Stream, start?: boolean }} first @param {(what: () => void) => void} leaving */
function player({ stream: { id: streamId }, start = false }, leaving) {
    const id = elementId('video');
    /** @type {import('../ui.js').Signal<'idle' | 'loading' | 'playing'>} */
    const state = signal('idle');
    const way = signal(/** @type {Way} */ ('hls'));
    const why = signal('');
    /** @type {AbortController | undefined} */
    let control;
    /** @type {IntersectionObserver | undefined} */
    let observer;
    const self = { streamId, stop };

    /** @param {string} [reason] */
    function stop(reason = '') {
        control?.abort();
        control = undefined;
        const place = playing.indexOf(self);
        if (place >= 0) {
            playing.splice(place, 1);
            setTimeout(() => {
                if (!playing.some((one) => one.streamId === streamId)) watched.value = new Set([...watched.peek()].filter((one) => one !== streamId));
            }, LINGER_MS);
        }
        state.value = 'idle';
        why.value = reason;
    }

    /** @param {Stream} stream @param {Way} by @param {string} [before] why another way failed */
    async function play(stream, by, before = '') {
        stop();
        if (playing.length >= MOST) playing[0].stop('Stopped: at most four previews play at once.');
        const video = /** @type {HTMLVideoElement | null} */ (document.getElementById(id));
        const url = stream.urls && addressOf(stream.urls, by);
        if (!video || !url) {
            why.value = 'The media server of this stream has no address for viewers.';
            return;
        }
        const mine = (control = new AbortController());
        playing.push(self);
        watched.value = new Set([...watched.peek(), streamId]);
        way.value = by;
        state.value = 'loading';
        why.value = before;
        const options = {
            url,
            token: () => playbackToken(stream.path),
            signal: mine.signal,
            ended: (/** @type {string} */ reason) => !mine.signal.aborted && stop(`The preview stopped: ${reason}.`),
        };
        try {
            const way = by === 'hls' ? (await import('../media/hls.js')).playHls : (await import('../media/whep.js')).playWhep;
            await way(video, options);
            if (!mine.signal.aborted) state.value = 'playing';
        } catch (error) {
            if (mine.signal.aborted && control !== undefined) return;
            const reason = error instanceof Error ? error.message : String(error);
            stop();
            if (by === 'webrtc') return void play(stream, 'hls', `Shown by HLS, with more delay: ${reason}.`);
            why.value = before ? `${before} And then: ${reason}.` : `No picture: ${reason}.`;
        }
    }

    const hide = () => document.hidden && state.peek() !== 'idle' && stop('Stopped while nobody looked.');
    document.addEventListener('visibilitychange', hide);
    leaving(() => {
        document.removeEventListener('visibilitychange', hide);
        observer?.disconnect();
        stop();
    });
    /** @param {HTMLElement | null} element */
    const watch = (element) => {
        if (!element || observer) return;
        observer = new IntersectionObserver(([{ isIntersecting }]) => {
            if (!isIntersecting && state.peek() !== 'idle') stop('Stopped while it was out of sight.');
        });
        observer.observe(element);
    };
    let started = false;

    return (/** @type {{ stream: Stream }} */ { stream }) => {
        if (start && !started) {
            started = true;
            queueMicrotask(() => untracked(() => void play(stream, 'hls')));
        }
        const running = state.value !== 'idle';
        return html`<div class="preview" ref=${watch}>
            <div class="stage">
                <video id=${id} muted playsinline aria-label=${`Preview of ${stream.path}`} hidden=${!running} controls=${state.value === 'playing'}></video>
                ${!running && html`<button type="button" class="poster" aria-label=${`Preview of ${stream.path}`} onClick=${() => play(stream, way.peek())}>${icon('play')}<span>Preview</span></button>`}
                ${state.value === 'loading' && html`<p class="loading" role="status">Asking for the picture…</p>`}
            </div>
            ${why.value && html`<p class="reason" role="status">${why.value}</p>`}
            ${running && html`<div class="actions">
                <span class="quiet">${way.value === 'hls' ? 'HLS' : 'WebRTC'}</span>
                ${stream.urls?.webrtc && button({ label: way.value === 'hls' ? 'Less delay' : 'Use HLS', kind: 'quiet', action: () => play(stream, way.peek() === 'hls' ? 'webrtc' : 'hls') })}
                ${button({ label: 'Stop', icon: 'stop', kind: 'quiet', action: () => stop() })}
            </div>`}
        </div>`;
    };
}

/** What a player asks for: `urls` are addresses of pages for people. @param {NonNullable<Stream['urls']>} urls @param {Way} way */
function addressOf(urls, way) {
    if (way === 'webrtc') return urls.webrtc.endsWith('/whep') ? urls.webrtc : `${urls.webrtc.replace(/\/$/, '')}/whep`;
    return urls.hls.endsWith('.m3u8') ? urls.hls : `${urls.hls.replace(/\/$/, '')}/index.m3u8`;
}
