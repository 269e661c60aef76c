/** What the specs of channels, studios, streamers and the system need besides `world.js`. */
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { test as base, startService } from './world.js';

/** A studio whose OBS is absent: nothing listens on the port of discard. */
const STUDIO = {
    STUDIOS__MAIN__WEBSOCKET_URL: 'ws://127.0.0.1:9',
    STUDIOS__MAIN__TIMEZONE: 'Europe/Vienna',
    STUDIOS__MAIN__PLATFORM__URL: 'rtmp://127.0.0.1:9/live',
    STUDIOS__MAIN__PLATFORM__KEY: 'a-key-of-a-platform',
    STUDIOS__MAIN__CONTENT__FAILOVER_VIDEO: '/media/failover.mp4',
};

export const test = base.extend({
    service: [async ({}, use) => {
        const service = await startService({ env: STUDIO });
        await use(service);
        await service.stop();
    }, { scope: 'worker' }],
});

/** A file as a person has it. Waiting for it must not stop the rest: a kept connection that the service closes meanwhile would go unnoticed. @param {string} name @param {number} [seconds] */
export async function video(name, seconds = 4) {
    const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'streamward-clip-')), name);
    await promisify(execFile)('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=s=1280x720:r=30', '-f', 'lavfi', '-i', 'sine', '-t', String(seconds), '-c:v', 'libx264', '-preset', 'ultrafast', '-g', '60', '-bf', '0', '-c:a', 'aac', '-ar', '48000', '-ac', '2', file]);
    return file;
}

/** A clip that is ready, uploaded over the API. @param {any} service @param {string} name */
export async function clip(service, name) {
    const content = fs.readFileSync(await video(name));
    const headers = { authorization: `Bearer ${service.token}`, 'tus-resumable': '1.0.0' };
    const made = await fetch(`${service.url}clips`, { method: 'POST', headers: { ...headers, 'upload-length': String(content.length), 'upload-metadata': `filename ${Buffer.from(name).toString('base64')}` } });
    const id = made.headers.get('location')?.split('/').pop() ?? '';
    await fetch(`${service.url}clips/${id}`, { method: 'PATCH', headers: { ...headers, 'upload-offset': '0', 'content-type': 'application/offset+octet-stream' }, body: content });
    return id;
}
