/** Previews against a real MediaMTX, with a real encoder. */
import { spawn } from 'node:child_process';
import { eventually, expect, mediamtx, startService, test } from './world.js';

test('a preview is a reader of the media server: it is said, is one, and ends with the preview', async ({ page, allowed, signIn }) => {
    test.skip(!mediamtx, 'MEDIAMTX_BIN is not set: not tried with a real media server');
    test.setTimeout(180_000);
    const service = await startService({ withMedia: true });
    /** @type {import('node:child_process').ChildProcess | undefined} */
    let encoder;
    try {
        for (const port of [service.port, service.hls, service.webrtc]) allowed.add(`http://127.0.0.1:${port}`);
        await eventually(async () => (await service.call('GET', 'media-servers')).media_servers[0].reachable, 'MediaMTX is reached');
        const key = await service.key('Readers');
        encoder = spawn('ffmpeg', ['-nostdin', '-loglevel', 'error', '-re', '-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=15', '-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-bf', '0', '-g', '15', '-f', 'flv', key.ingest.rtmp], { stdio: 'ignore' });
        await signIn(service);
        await page.goto(`${service.url}ui/#/live`);
        const tile = page.locator('.tile');
        await expect(tile.getByText('Live', { exact: true })).toBeVisible({ timeout: 30_000 });
        const counted = async () => (await service.call('GET', 'streams')).streams[0]?.readers;
        const shown = tile.locator('dl > div').filter({ hasText: 'Readers' });
        expect(await counted()).toBe(0);
        await expect(shown).toHaveText('Readers0');

        // Playing by HLS, then by WebRTC: one reader each time, and the tile says whose it may be.
        await tile.getByRole('button', { name: 'Preview of' }).click();
        await expect(tile.getByRole('button', { name: 'Less delay' })).toBeVisible();
        for (const [way, next] of [['HLS', 'Less delay'], ['WebRTC', 'Stop']]) {
            await expect.poll(() => page.evaluate(() => document.querySelector('video')?.currentTime ?? 0), { timeout: 40_000, message: way }).toBeGreaterThan(0.5);
            await expect(tile.locator('.actions').getByText(way, { exact: true })).toBeVisible();
            await expect(shown, way).toContainText('this preview may be one');
            await expect(shown, way).toContainText('Readers1', { timeout: 30_000 });
            await tile.getByRole('button', { name: next, exact: true }).click();
        }
        await expect(shown).toHaveText('Readers0', { timeout: 60_000 });
        expect(await counted()).toBe(0);
    } finally {
        encoder?.kill();
        await service.stop();
    }
});
