/** The real program, with SQLite in a directory of its own, on free ports. */
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startMediaServer } from './media-server.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const program = process.env.STREAMWARD_BIN ?? path.join(process.env.CARGO_TARGET_DIR ?? path.join(root, 'target'), 'debug/streamward');
export const mediamtx = process.env.MEDIAMTX_BIN;
const HOOK_SECRET = 'a-hook-secret-for-the-tests-of-the-page';

/** @returns {Promise<number>} */
export const freePort = () => new Promise((resolve, reject) => {
    const server = net.createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
        const { port } = /** @type {net.AddressInfo} */ (server.address());
        server.close(() => resolve(port));
    });
});

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** @param {() => Promise<any>} look @param {string} what */
export async function eventually(look, what, ms = 20_000) {
    const until = Date.now() + ms;
    let last;
    while (Date.now() < until) {
        try {
            const found = await look();
            if (found) return found;
        } catch (error) {
            last = error;
        }
        await sleep(100);
    }
    throw new Error(`${what}: not within ${ms} ms ${last ?? ''}`);
}

/** @param {{ withMedia?: boolean, basePath?: string, env?: Record<string, string> }} [options] `withMedia`: with a real MediaMTX */
export async function startService({ withMedia = false, basePath = '', env = {} } = {}) {
    if (!fs.existsSync(program)) throw new Error(`no program at ${program}: cargo build, or set STREAMWARD_BIN`);
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'streamward-page-'));
    const media = withMedia ? undefined : await startMediaServer();
    const [listen, api, rtmp, rtsp, srt, hls, webrtc, udp] = await Promise.all(Array.from({ length: 8 }, freePort));
    const origin = `http://127.0.0.1:${listen}`;
    const settings = {
        HTTP__LISTEN: `127.0.0.1:${listen}`,
        HTTP__BASE_PATH: basePath,
        HOOKS__SECRET: HOOK_SECRET,
        LOG__LEVEL: 'info',
        MEDIA_SERVERS__DEFAULT__API_URL: media?.url ?? `http://127.0.0.1:${api}`,
        MEDIA_SERVERS__DEFAULT__RTMP_URL: `rtmp://127.0.0.1:${rtmp}`,
        MEDIA_SERVERS__DEFAULT__RTSP_URL: `rtsp://127.0.0.1:${rtsp}`,
        MEDIA_SERVERS__DEFAULT__SRT_URL: `srt://127.0.0.1:${srt}`,
        MEDIA_SERVERS__DEFAULT__HLS_URL: `http://127.0.0.1:${hls}`,
        MEDIA_SERVERS__DEFAULT__WEBRTC_URL: `http://127.0.0.1:${webrtc}`,
        ...env,
    };
    const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(STREAMWARD_|DATABASE_URL|MEDIAMTX_BIN)/.test(name)));
    for (const [name, value] of Object.entries(settings)) if (value) clean[`STREAMWARD_${name}`] = value;
    const args = withMedia ? ['up', '--mediamtx', /** @type {string} */ (mediamtx), '--bind', '127.0.0.1', '--webrtc-udp-port', String(udp)] : ['serve'];
    let log = '';
    /** @type {import('node:child_process').ChildProcess | undefined} */
    let child;
    const url = `${origin}${basePath}/`;
    // SQLite's file is made by the first start.
    if (env.DATABASE__URL) execFileSync(program, ['migrate'], { cwd: dir, env: clean, stdio: 'pipe' });
    const start = async () => {
        child = spawn(program, args, { cwd: dir, env: clean, stdio: ['ignore', 'pipe', 'pipe'] });
        for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text) => (log += text));
        await eventually(async () => {
            if (child?.exitCode !== null) throw new Error(log);
            return (await fetch(`${url}readyz`)).ok;
        }, 'the service answers');
    };
    const kill = () => new Promise((resolve) => {
        if (!child || child.exitCode !== null) return resolve(undefined);
        child.once('exit', resolve);
        child.kill(withMedia ? 'SIGTERM' : 'SIGKILL');
    });
    await start();
    const token = env.API__ADMIN_TOKEN ?? await eventually(async () => /swt_\w+/.exec(log)?.[0], 'the admin token is printed');

    /** @param {string} method @param {string} place @param {any} [body] @param {string} [as] */
    async function call(method, place, body, as = token) {
        const response = await fetch(url + place, {
            method,
            headers: { authorization: `Bearer ${as}`, ...(body ? { 'content-type': 'application/json' } : {}) },
            body: body && JSON.stringify(body),
        });
        if (!response.ok) throw new Error(`${method} ${place}: ${response.status} ${await response.text()}`);
        return response.status === 204 ? undefined : response.json();
    }
    let number = 0;
    const service = {
        url,
        origin,
        port: listen,
        token,
        hls,
        webrtc,
        call,
        media,
        start,
        kill,
        log: () => log,
        async stop() {
            await kill();
            await media?.stop();
            fs.rmSync(dir, { recursive: true, force: true });
        },
        /** @param {string} name */
        async key(name) {
            const broadcaster = await call('POST', 'broadcasters', { display_name: name });
            return call('POST', 'stream-keys', { broadcaster_id: broadcaster.id });
        },
        /** What a media server asks before it lets an encoder in. @param {string} path @param {string} secret */
        async knock(path, secret, id = `00000000-0000-4000-8000-${String(++number).padStart(12, '0')}`) {
            const response = await fetch(`${url}auth`, {
                method: 'POST',
                headers: { authorization: `Bearer ${HOOK_SECRET}`, 'content-type': 'application/json' },
                body: JSON.stringify({ action: 'publish', path, password: secret, protocol: 'rtmp', id, ip: '192.0.2.7' }),
            });
            return { allowed: response.ok, id };
        },
        /** A stream begins or ends at the media server, which tells of it. @param {'ready' | 'not-ready'} kind @param {string} path @param {string} id */
        async tell(kind, path, id) {
            if (kind === 'ready') media?.live.set(path, { id, since: Date.now(), readers: 0 });
            else media?.live.delete(path);
            const response = await fetch(`${url}webhook/${kind}`, {
                method: 'POST',
                headers: { authorization: `Bearer ${HOOK_SECRET}`, 'content-type': 'application/json' },
                body: JSON.stringify({ path, source_type: 'rtmpConn', source_id: id }),
            });
            if (!response.ok) throw new Error(`${kind}: ${response.status} ${await response.text()}`);
        },
        /** Brings a key on the air. @param {{ path: string, key_value: string }} key */
        async goLive(key) {
            const { allowed, id } = await service.knock(key.path, key.key_value);
            if (!allowed) throw new Error(`${key.path} was refused`);
            await service.tell('ready', key.path, id);
            return id;
        },
    };
    return service;
}
