/** Previews against a real MediaMTX, with a real encoder. */
import { spawn } from 'node:child_process';
import { eventually, expect, mediamtx, startService, test } from './world.js';

test('a preview is a reader of the media server: it is said, is one, and ends with the preview', async ({ page, allowed, signIn }) => {
    test.skip(!mediamtx, 'MEDIAMTX_BIN is not set: not tried with a real media server');
    test.setTimeout(300_000);
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

        // No number that a preview may be part of is shown without a word about it, at any moment.
        await page.evaluate(() => {
            const look = () => {
                const text = [...document.querySelectorAll('.tile dl > div')].map((one) => one.textContent ?? '').find((one) => one.startsWith('Readers')) ?? '';
                if (/^Readers[1-9][0-9]*$/.test(text)) /** @type {any} */ (globalThis).sinned(`a preview is counted as somebody else: ${text}`);
            };
            new MutationObserver(look).observe(document.body, { childList: true, subtree: true, characterData: true });
        });
        const said = 'this page’s preview may be one';
        const plays = () => expect.poll(() => page.evaluate(() => document.querySelector('video')?.currentTime ?? 0), { timeout: 40_000 }).toBeGreaterThan(0.5);
        await tile.getByRole('button', { name: 'Preview of' }).click();
        await plays();
        await expect(shown).toHaveText(`Readers1${said}`, { timeout: 30_000 });
        await tile.getByRole('button', { name: 'Less delay' }).click();
        await plays();
        await expect(tile.locator('.actions').getByText('WebRTC', { exact: true })).toBeVisible();
        await expect(shown).toContainText(said);
        await tile.getByRole('button', { name: 'Stop', exact: true }).click();
        // MediaMTX counts it for a while. Then nobody reads, and nothing is said any more.
        await expect.poll(counted, { timeout: 90_000 }).toBe(0);
        await expect(shown).toHaveText('Readers0', { timeout: 100_000 });
    } finally {
        encoder?.kill();
        await service.stop();
    }
});
