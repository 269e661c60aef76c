// @ts-check
/**
 * The events of the service, by one connection for all tabs of this browser: a SharedWorker holds it, or, where there is
 * none, one tab that tells the others through a BroadcastChannel. A hidden tab lets go.
 */
import { base } from './api.js';
import { follow } from './event-stream.js';
import { ownScript } from './trusted.js';

/** @typedef {import('./event-stream.js').Message} Message */

const url = `${base}events`;
const HEARTBEAT_MS = 10_000;

/**
 * @param {(message: Message) => void} listener
 * @returns {{ restart: () => void, stop: () => void }}
 */
export function connect(listener) {
    const line = 'SharedWorker' in globalThis ? byWorker(listener) : byLeader(listener);
    const seen = () => (document.hidden ? line.leave() : line.watch());
    document.addEventListener('visibilitychange', seen);
    addEventListener('pagehide', line.leave);
    seen();
    return {
        restart: line.restart,
        stop() {
            document.removeEventListener('visibilitychange', seen);
            removeEventListener('pagehide', line.leave);
            line.leave();
        },
    };
}

/** @param {(message: Message) => void} listener */
function byWorker(listener) {
    // The same for tabs of one version and one address; another version has another file.
    const worker = new SharedWorker(ownScript('src/events-worker.js'), { type: 'module', name: 'streamward events' });
    worker.port.onmessage = ({ data }) => listener(data);
    worker.port.start();
    /** @type {ReturnType<typeof setInterval> | undefined} */
    let beat;
    const watch = () => {
        worker.port.postMessage({ kind: 'watch', url });
        beat ??= setInterval(watch, HEARTBEAT_MS);
    };
    const leave = () => {
        clearInterval(beat);
        beat = undefined;
        worker.port.postMessage({ kind: 'leave' });
    };
    return { watch, leave, restart: () => worker.port.postMessage({ kind: 'restart', url }) };
}

/** How long a leader may be silent. */
const LEADER_MS = 2_500;

/** @param {(message: Message) => void} listener */
function byLeader(listener) {
    const channel = new BroadcastChannel('streamward events');
    const me = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
    let leader = { id: '', at: 0 };
    /** @type {Message | undefined} */
    let state;
    /** @type {(() => void) | undefined} */
    let close;
    /** @type {ReturnType<typeof setInterval> | undefined} */
    let beat;

    const stopLeading = () => {
        close?.();
        close = state = undefined;
    };
    const lead = () => {
        close ??= follow(url, (message) => {
            if (message.kind !== 'event') state = message;
            channel.postMessage({ from: me, message });
            listener(message);
        });
        channel.postMessage({ from: me, beat: true, state });
    };
    const tick = () => {
        if (close || Date.now() - leader.at > LEADER_MS) lead();
    };
    channel.onmessage = ({ data }) => {
        if (!beat) return;
        // Two leaders: the one with the smaller name stays.
        if (data.beat && close && data.from < me) stopLeading();
        if (data.from !== leader.id && data.state) listener(data.state);
        if (data.beat) leader = { id: data.from, at: Date.now() };
        if (data.message && !close) listener(data.message);
    };
    const watch = () => {
        if (beat) return;
        beat = setInterval(tick, 1_000);
        setTimeout(tick, 300 + Math.random() * 300);
    };
    const leave = () => {
        clearInterval(beat);
        beat = undefined;
        leader = { id: '', at: 0 };
        stopLeading();
    };
    return { watch, leave, restart: () => (stopLeading(), tick()) };
}
