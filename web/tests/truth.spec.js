import http from 'node:http';
import { expect, startService, test, unique } from './world.js';

test('a stream is shown within a second after it is live, and gone within a second after it ended', { tag: '@gate' }, async ({ at, service, page }) => {
    const key = await service.key(unique('Truth'));
    await at('#/live');
    await page.waitForTimeout(1_500);
    const tile = page.locator('.tile').filter({ hasText: key.path });
    await expect(tile).toHaveCount(0);
    let told = Date.now();
    const id = await service.goLive(key);
    await expect(tile.getByText('Live', { exact: true })).toBeVisible();
    expect(Date.now() - told).toBeLessThan(1_500);
    told = Date.now();
    await service.tell('not-ready', key.path, id);
    await expect(tile).toHaveCount(0);
    expect(Date.now() - told).toBeLessThan(1_500);
});

test('the service is killed: a banner with the age, numbers become unknown, and all comes back by itself', { tag: '@gate' }, async ({ page, signIn, allowed }) => {
    test.setTimeout(90_000);
    const service = await startService();
    allowed.add(service.origin);
    try {
        const key = await service.key('Lost');
        await service.goLive(key);
        await signIn(service);
        await page.goto(`${service.url}ui/#/live`);
        const tile = page.locator('.tile');
        await expect(tile.getByText('Live', { exact: true })).toBeVisible();
        await service.kill();
        const banner = page.getByRole('alert').filter({ hasText: 'No connection to Streamward since' });
        await expect(banner).toBeVisible({ timeout: 12_000 });
        await expect(banner.getByText(/What you see is \d+ s old/)).toBeVisible();
        await expect(tile.getByText('Unknown, was live')).toBeVisible();
        await expect(tile.getByText(/unknown since \d\d:\d\d:\d\d/).first()).toBeVisible();
        await expect(tile.locator('.badge.good')).toHaveCount(0);
        await service.start();
        await expect(banner).toHaveCount(0, { timeout: 15_000 });
        await expect(page.locator('.badge.unknown')).toHaveCount(0);
    } finally {
        await service.stop();
    }
});

test('three tabs hold one connection for events, and hidden ones let go', async ({ context, service, allowed }) => {
    /** A proxy that counts. */
    let open = 0;
    let most = 0;
    const proxy = http.createServer((request, response) => {
        const isEvents = /^\/events/.test(request.url ?? '');
        if (isEvents) {
            open += 1;
            most = Math.max(most, open);
            response.on('close', () => (open -= 1));
        }
        const forward = http.request({ host: '127.0.0.1', port: service.port, path: request.url, method: request.method, headers: { ...request.headers, host: `127.0.0.1:${service.port}` } }, (answer) => {
            response.writeHead(answer.statusCode ?? 502, answer.headers);
            answer.pipe(response);
        });
        forward.on('error', () => response.destroy());
        response.on('close', () => forward.destroy());
        request.pipe(forward);
    });
    await new Promise((resolve) => proxy.listen(0, '127.0.0.1', () => resolve(undefined)));
    const origin = `http://127.0.0.1:${/** @type {any} */ (proxy.address()).port}`;
    allowed.add(origin);
    try {
        const answer = await context.request.post(`${service.url}session`, { data: { token: service.token }, headers: { origin: service.origin } });
        expect(answer.status()).toBe(201);
        const tabs = [];
        for (let number = 0; number < 3; number += 1) {
            const tab = await context.newPage();
            await tab.goto(`${origin}/ui/#/live`);
            await expect(tab.locator('main h1')).toBeVisible();
            tabs.push(tab);
        }
        await tabs[0].waitForTimeout(2_000);
        expect(most).toBe(1);
        const key = await service.key(unique('Tabs'));
        await service.goLive(key);
        for (const tab of tabs) await expect(tab.locator('.tile').filter({ hasText: key.path })).toBeVisible();
        for (const tab of tabs) await tab.close();
        await expect.poll(() => open).toBe(0);
    } finally {
        proxy.closeAllConnections();
        proxy.close();
    }
});

test('ending a stream asks, names it, and is seen', { tag: '@gate' }, async ({ at, service, page }) => {
    const key = await service.key(unique('End'));
    await service.goLive(key);
    await at('#/live');
    await page.locator('.tile').filter({ hasText: key.path }).getByRole('link').first().click();
    await expect(page.getByText(`${key.path} has been on the air for`)).toBeVisible();
    await page.getByRole('button', { name: 'End', exact: true }).click();
    const asks = page.getByRole('dialog', { name: `End ${key.path}?` });
    await expect(asks.getByText('Its key stays valid')).toBeVisible();
    await asks.getByRole('button', { name: 'Cancel' }).click();
    await expect(asks).toHaveCount(0);
});
