// @ts-check
/**
 * A SharedWorker: holds the one connection for events of this browser. HTTP/1.1 allows six connections a host, so tabs
 * must not open one each. Without a tab that is looked at, it lets go.
 */
import { follow } from './event-stream.js';

/** @type {Map<MessagePort, number>} tabs that are looked at, and when they last said so */
const watching = new Map();
/** A tab that was killed says nothing more. */
const FORGET_MS = 30_000;
/** @type {(() => void) | undefined} */
let close;
/** @type {import('./event-stream.js').Message | undefined} */
let state;

/** @param {string} url */
function open(url) {
    close ??= follow(url, (message) => {
        if (message.kind !== 'event') state = message;
        for (const port of watching.keys()) port.postMessage(message);
    });
}

function letGo() {
    if (watching.size || !close) return;
    close();
    close = state = undefined;
}

/** @type {any} */ (globalThis).onconnect = (/** @type {MessageEvent} */ event) => {
    const port = event.ports[0];
    port.onmessage = ({ data }) => {
        if (data.kind === 'leave') {
            watching.delete(port);
            letGo();
            return;
        }
        const isNew = !watching.has(port);
        watching.set(port, Date.now());
        if (data.kind === 'restart') {
            close?.();
            close = state = undefined;
        }
        open(data.url);
        // A tab that comes later has not seen how the connection is.
        if (isNew && state) port.postMessage(state);
    };
};

setInterval(() => {
    for (const [port, at] of watching) if (Date.now() - at > FORGET_MS) watching.delete(port);
    letGo();
}, 5_000);
