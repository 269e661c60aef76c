import { expect, startService, test } from './world.js';

test('below a path: everything works, and nothing leaves it', { tag: '@gate' }, async ({ page, signIn, allowed, context }) => {
    const service = await startService({ basePath: '/tv/stream' });
    allowed.add(service.origin);
    /** @type {string[]} */
    const outside = [];
    context.on('request', (request) => {
        const { origin, pathname } = new URL(request.url());
        if (origin === service.origin && !pathname.startsWith('/tv/stream/')) outside.push(pathname);
    });
    try {
        await signIn(service);
        await page.goto(`${service.url}ui/#/live`);
        await expect(page.getByText('Nothing is live')).toBeVisible();
        const key = await service.key('Below');
        await service.goLive(key);
        await expect(page.locator('.tile')).toBeVisible();
        await page.goto(`${service.url}ui/#/access/keys`);
        await page.getByRole('button', { name: `Revoke ${key.path}` }).click();
        await page.getByRole('dialog').getByRole('button', { name: 'Revoke the key' }).click();
        await expect(page.getByRole('row').filter({ hasText: key.path }).getByText('Revoked')).toBeVisible();
        expect(outside).toEqual([]);
    } finally {
        await service.stop();
    }
});

test('by a name of the LAN on plain http: signing in, copying, events', { tag: '@gate' }, async ({ page, service, allowed }) => {
    const origin = `http://ui.test:${service.port}`;
    allowed.add(origin);
    await page.goto(`${origin}/ui/`);
    expect(await page.evaluate(() => [isSecureContext, 'clipboard' in navigator])).toEqual([false, false]);
    await page.getByRole('button', { name: 'API token' }).click();
    await page.locator('input[type=password]').fill(service.token);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page.getByRole('heading', { level: 1, name: /^Live/ })).toBeVisible();
    const key = await service.key('Lan');
    await service.goLive(key);
    const tile = page.locator('.tile').filter({ hasText: key.path });
    await expect(tile).toBeVisible({ timeout: 3_000 });
    await tile.getByRole('link').first().click();
    await page.getByRole('button', { name: 'Copy HLS' }).click();
    await expect(page.getByText('Copied', { exact: true })).toBeVisible();
    // What was copied is what is shown.
    await page.evaluate(() => document.body.append(Object.assign(document.createElement('textarea'), { id: 'paste' })));
    await page.locator('#paste').focus();
    await page.keyboard.press('Control+V');
    expect(await page.locator('#paste').inputValue()).toBe(await page.getByLabel('HLS', { exact: true }).inputValue());
});

test('the policy of the page is strict, and its files never change', { tag: '@gate' }, async ({ request, service }) => {
    const index = await request.get(`${service.url}ui/`);
    const policy = index.headers()['content-security-policy'];
    for (const rule of ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "require-trusted-types-for 'script'"]) expect(policy).toContain(rule);
    expect(policy).not.toMatch(/unsafe-|\*/);
    const script = /src="\.\/([^"]+\/src\/main\.js)"/.exec(await index.text())?.[1];
    const file = await request.get(`${service.url}ui/${script}`);
    expect(file.headers()['cache-control']).toContain('immutable');
    expect(file.headers()['content-type']).toContain('javascript');
});
