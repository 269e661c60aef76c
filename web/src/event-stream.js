// @ts-check
/**
 * Reads server-sent events with `fetch`, not with `EventSource`: that one hides the status (signed out? too many?), needs
 * every event's name beforehand, and tells nothing of a line that is silent.
 */

/** A line that is silent for longer is dead: the service sends a comment every 15 s. */
const SILENCE_MS = 25_000;
/** How long to wait before trying again. */
const RETRY_MS = 1_000;

/**
 * @typedef {{ kind: 'open' } | { kind: 'event', name: string, id: string, data: any }
 *   | { kind: 'down', status: number }} Message
 */

/**
 * Follows a stream of events until it is closed.
 * @param {string} url
 * @param {(message: Message) => void} tell
 * @returns {() => void} closes it
 */
export function follow(url, tell) {
    let closed = false;
    let lastId = '';
    /** @type {AbortController | undefined} */
    let request;

    async function once() {
        const control = (request = new AbortController());
        let watchdog = setTimeout(() => control.abort(), SILENCE_MS);
        let status = 0;
        try {
            const headers = { accept: 'text/event-stream', ...(lastId ? { 'last-event-id': lastId } : {}) };
            const response = await fetch(url, { credentials: 'same-origin', cache: 'no-store', headers, signal: control.signal });
            status = response.status;
            if (!response.ok || !response.body) return status;
            if (!closed) tell({ kind: 'open' });
            const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
            const feed = parser((name, id, text) => {
                if (id) lastId = id;
                const data = parse(text);
                if (!closed && data !== undefined) tell({ kind: 'event', name, id, data });
            });
            for (;;) {
                const { done, value } = await reader.read();
                if (done) break;
                clearTimeout(watchdog);
                watchdog = setTimeout(() => control.abort(), SILENCE_MS);
                feed(value);
            }
            return 0;
        } catch {
            return status === 200 ? 0 : status;
        } finally {
            clearTimeout(watchdog);
        }
    }

    (async () => {
        while (!closed) {
            const status = await once();
            if (closed) return;
            tell({ kind: 'down', status });
            await new Promise((resolve) => setTimeout(resolve, status >= 400 ? RETRY_MS * 5 : RETRY_MS));
        }
    })();
    return () => {
        closed = true;
        request?.abort();
    };
}

/** @param {string} text */
function parse(text) {
    try {
        return JSON.parse(text);
    } catch {
        return undefined;
    }
}

/**
 * @param {(name: string, id: string, data: string) => void} emit
 * @returns {(chunk: string) => void}
 */
export function parser(emit) {
    let rest = '';
    let name = 'message';
    let id = '';
    /** @type {string[]} */
    let data = [];
    return (chunk) => {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        for (const raw of lines) {
            const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
            if (line === '') {
                if (data.length) emit(name, id, data.join('\n'));
                name = 'message';
                id = '';
                data = [];
                continue;
            }
            const colon = line.indexOf(':');
            if (colon === 0) continue;
            const field = colon < 0 ? line : line.slice(0, colon);
            const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
            if (field === 'event') name = value;
            else if (field === 'id') id = value;
            else if (field === 'data') data.push(value);
        }
    };
}
