/** The pictures of docs/page.md: `PICTURES=1 npx playwright test pictures`, with MEDIAMTX_BIN and ffmpeg. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { eventually, expect, mediamtx, startService, test } from './world.js';

const folder = fileURLToPath(new URL('../../docs/images/', import.meta.url));

test('pictures for the docs', async ({ page, signIn, allowed }) => {
    test.skip(!process.env.PICTURES || !mediamtx, 'PICTURES and MEDIAMTX_BIN are not set: the pictures of the docs stay as they are');
    test.setTimeout(300_000);
    fs.mkdirSync(folder, { recursive: true });
    const service = await startService({ withMedia: true });
    for (const port of [service.port, service.hls, service.webrtc]) allowed.add(`http://127.0.0.1:${port}`);
    /** @type {import('node:child_process').ChildProcess[]} */
    const encoders = [];
    /** @param {string} name @param {'light' | 'dark'} colorScheme */
    const picture = async (name, colorScheme) => {
        await page.emulateMedia({ colorScheme });
        await page.waitForTimeout(400);
        const file = `${folder}page-${name}.png`;
        await page.screenshot({ path: file });
        expect(fs.statSync(file).size, file).toBeLessThan(150 * 1024);
    };
    try {
        await eventually(async () => (await service.call('GET', 'media-servers')).media_servers[0].reachable, 'MediaMTX is reached');
        await page.setViewportSize({ width: 1100, height: 720 });
        await signIn(service);
        await page.goto(`${service.url}ui/#/start`);
        await page.getByLabel('Name of the broadcaster').fill('Alice');
        await page.getByRole('button', { name: 'Create the key' }).click();
        await expect(page.getByText('Waiting for the first connection')).toBeVisible();
        await page.evaluate(() => scrollTo(0, 330));
        await picture('first-minutes', 'light');
        for (const [name, source] of [['Roof camera', 'smptebars=size=640x360:rate=25'], ['Studio', 'pal75bars=size=640x360:rate=25'], ['Bob', 'testsrc=size=640x360:rate=25']]) {
            const key = await service.key(name);
            encoders.push(spawn('ffmpeg', ['-nostdin', '-loglevel', 'error', '-re', '-f', 'lavfi', '-i', source, '-f', 'lavfi', '-i', 'sine', '-c:v', 'libx264', '-preset', 'ultrafast', '-b:v', '900k', '-minrate', '900k', '-nal-hrd', 'cbr', '-bf', '0', '-g', '25', '-c:a', 'aac', '-f', 'flv', key.ingest.rtmp], { stdio: 'ignore' }));
        }
        await page.goto(`${service.url}ui/#/live`);
        await expect(page.locator('.tile')).toHaveCount(3, { timeout: 30_000 });
        await page.locator('.poster').first().click();
        await expect.poll(() => page.evaluate(() => document.querySelector('video')?.currentTime ?? 0), { timeout: 40_000 }).toBeGreaterThan(1);
        await expect(page.locator('.tile .sparkline path').first()).toBeVisible({ timeout: 40_000 });
        await page.waitForTimeout(20_000);
        await picture('live', 'dark');
        await page.locator('.tile h2 a').first().click();
        await expect(page.getByText('has been on the air for')).toBeVisible();
        await page.waitForTimeout(25_000);
        await picture('stream', 'light');
        await page.goto(`${service.url}ui/#/access/keys`);
        await expect(page.getByRole('row')).toHaveCount(5);
        await picture('access', 'dark');
        await page.setViewportSize({ width: 360, height: 720 });
        await page.goto(`${service.url}ui/#/live`);
        await expect(page.locator('.tile')).toHaveCount(3);
                await picture('phone', 'light');
    } finally {
        for (const encoder of encoders) encoder.kill();
        await service.stop();
    }
});
