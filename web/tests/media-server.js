/** A stand-in for MediaMTX's control API: what specs put on the air is listed there, and its bytes grow. Its hooks are the spec's. */
import http from 'node:http';

const BYTES_PER_SECOND = 250_000;

export async function startMediaServer() {
    const started = new Date().toISOString();
    /** What is live, by path. @type {Map<string, { id: string, since: number, readers: number }>} */
    const live = new Map();
    const item = (/** @type {[string, { id: string, since: number, readers: number }]} */ [name, { id, since, readers }]) => ({
        name,
        confName: 'all_others',
        ready: true,
        available: true,
        online: true,
        source: { type: 'rtmpConn', id },
        tracks2: [{ codec: 'H264' }, { codec: 'MPEG-4 Audio' }],
        readers: Array.from({ length: readers }, (_, index) => ({ type: 'hlsSession', id: `${id}-${index}` })),
        inboundBytes: Math.round(((Date.now() - since) / 1000) * BYTES_PER_SECOND),
    });
    /** @param {string} place */
    const answer = (place) => {
        const kicked = /^\/v3\/\w+\/kick\/(.+)$/.exec(place)?.[1];
        if (kicked) {
            for (const [name, { id }] of live) if (id === kicked) live.delete(name);
            return { status: 'ok' };
        }
        if (place === '/v3/info') return { version: 'v1.20.1', started };
        if (place === '/v3/paths/list') return { itemCount: live.size, pageCount: live.size ? 1 : 0, items: [...live].map(item) };
        if (place === '/v3/config/global/get') return { authMethod: 'http', authHTTPAddress: '' };
        if (place === '/v3/config/pathdefaults/get') return {};
        return undefined;
    };
    const server = http.createServer((request, response) => {
        const found = answer(decodeURIComponent(new URL(request.url ?? '/', 'http://media').pathname));
        request.resume();
        response.writeHead(found ? 200 : 404, { 'content-type': 'application/json' });
        response.end(JSON.stringify(found ?? { error: 'not found' }));
    });
    /** @type {number} */
    let port = 0;
    const listen = () => new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, '127.0.0.1', () => {
            port = /** @type {import('node:net').AddressInfo} */ (server.address()).port;
            resolve(undefined);
        });
    });
    await listen();
    return {
        live,
        url: `http://127.0.0.1:${port}`,
        /** It comes back where it was. */
        start: listen,
        stop: () => new Promise((resolve) => {
            server.close(resolve);
            server.closeAllConnections();
        }),
    };
}
