import { eventually, expect, mediamtx, startService, test, unique } from './world.js';

test('a token signs in, and a wrong one says so at once', { tag: '@gate' }, async ({ page, service }) => {
    await page.goto(`${service.url}ui/`);
    await page.getByRole('button', { name: 'API token' }).click();
    await page.getByLabel('API token').last().fill('swt_wrong');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page.getByRole('alert')).toBeVisible();
    await page.locator('input[type=password]').fill(service.token);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page.getByRole('navigation', { name: 'Areas' })).toBeVisible();
    expect(await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, location.href, document.cookie]))).not.toContain('swt_');
});

test('from nothing to live: key, settings, refusal with its reason, green by itself', { tag: '@gate' }, async ({ at, service }) => {
    const page = await at('#/start');
    const name = unique('Alice');
    const chooser = page.getByLabel('Broadcaster', { exact: true });
    if (await chooser.count()) await chooser.selectOption('new');
    await page.getByLabel('Name of the broadcaster').fill(name);
    await page.getByRole('button', { name: 'Create the key' }).click();
    await expect(page.getByText('Waiting for the first connection')).toBeVisible();

    const server = await page.getByLabel('Server', { exact: true }).inputValue();
    expect(server).toMatch(/^rtmp:\/\/.*\/live$/);
    const secret = /sk_[\w-]{43}/.exec(await page.getByLabel('Stream key', { exact: true }).inputValue())?.[0] ?? '';
    const path = `live/${name.toLowerCase().replaceAll(' ', '-')}`;

    expect((await service.knock(`${path}-typo`, secret)).allowed).toBe(false);
    await expect(page.getByText(`The encoder asked for ${path}-typo; this key is for ${path}.`)).toBeVisible();
    await expect(page.getByText(`set the path of the encoder to ${path}`)).toBeVisible();

    await service.goLive({ path, key_value: secret });
    await expect(page.getByText(`${path} is on the air`)).toBeVisible({ timeout: 3_000 });
});

test('a field that is refused says it at the field, and keeps what was typed', { tag: '@gate' }, async ({ at }) => {
    const page = await at('#/start');
    const chooser = page.getByLabel('Broadcaster', { exact: true });
    await page.getByRole('button', { name: 'Create the key' }).waitFor();
    if (await chooser.count()) await chooser.selectOption('new');
    const name = unique('Zoe');
    await page.getByLabel('Name of the broadcaster').fill(name);
    await page.getByLabel('Path').fill('no spaces allowed');
    await page.getByRole('button', { name: 'Create the key' }).click();
    await expect(page.getByLabel('Path')).toHaveAttribute('aria-invalid', 'true');
    await expect(page.getByLabel('Path')).toBeFocused();
    await expect(page.getByLabel('Name of the broadcaster')).toHaveValue(name);
    // Trying again makes no second broadcaster.
    await page.getByLabel('Path').fill('');
    await page.getByRole('button', { name: 'Create the key' }).click();
    await expect(page.getByText('Waiting for the first connection')).toBeVisible();
    await page.goto(page.url().replace('#/start', '#/access/broadcasters'));
    await expect(page.getByRole('rowheader', { name })).toHaveCount(1);
});

test('the test picture goes from this browser through a real MediaMTX back to a preview', async ({ page, allowed, signIn }) => {
    test.skip(!mediamtx, 'MEDIAMTX_BIN is not set: not tried with a real media server');
    test.setTimeout(90_000);
    const service = await startService({ withMedia: true });
    try {
        for (const port of [service.port, service.hls, service.webrtc]) allowed.add(`http://127.0.0.1:${port}`);
        await eventually(async () => (await service.call('GET', 'media-servers')).media_servers[0].reachable, 'MediaMTX is reached');
        await signIn(service);
        await page.goto(`${service.url}ui/#/start`);
        await page.getByLabel('Name of the broadcaster').fill('Alice');
        await page.getByRole('button', { name: 'Create the key' }).click();
        await page.getByRole('button', { name: 'Send a test picture from this browser' }).click();
        await expect(page.getByText('live/alice is on the air')).toBeVisible({ timeout: 15_000 });
        await expect.poll(() => page.evaluate(() => document.querySelector('video')?.currentTime ?? 0), { timeout: 30_000 }).toBeGreaterThan(1);
        // It is a picture: the bars of the test picture differ.
        const colours = await page.evaluate(() => {
            const video = /** @type {HTMLVideoElement} */ (document.querySelector('video'));
            const canvas = document.createElement('canvas');
            canvas.width = canvas.height = 64;
            const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
            context.drawImage(video, 0, 0, 64, 64);
            return [4, 32, 60].map((x) => [...context.getImageData(x, 10, 1, 1).data].slice(0, 3).map((one) => one >> 6).join());
        });
        expect(new Set(colours).size).toBe(3);
        await page.getByRole('button', { name: 'Stop the test picture' }).click();
        await expect(page.getByText('Waiting for the first connection')).toBeVisible();
    } finally {
        await service.stop();
    }
});
