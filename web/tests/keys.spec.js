import { expect, test, unique } from './world.js';

test('a key is shown once: for every encoder, as a QR code, never again', { tag: '@gate' }, async ({ at, service, page }) => {
    await service.call('POST', 'broadcasters', { display_name: unique('Once') });
    await at('#/access/keys');
    await page.getByRole('button', { name: 'New key' }).click();
    const path = `live/${unique('once').replace(' ', '-')}`;
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Path').fill(path);
    await dialog.getByRole('button', { name: 'Create the key' }).click();
    const shown = page.getByRole('dialog', { name: `New stream key: ${path}` });
    const secret = /sk_[\w-]{43}/.exec(await shown.getByLabel('Stream key', { exact: true }).inputValue())?.[0] ?? '';
    expect(secret).toMatch(/^sk_/);
    // Hidden until it is asked for.
    await expect(shown.getByLabel('Stream key', { exact: true })).toHaveAttribute('type', 'password');
    for (const [tab, label] of [['ffmpeg', 'Command'], ['SRT', 'SRT address'], ['RTMP', 'RTMP address'], ['RTSP', 'RTSP address'], ['WHIP', 'Bearer token'], ['Key only', 'Stream key']]) {
        await shown.getByRole('button', { name: tab, exact: true }).click();
        expect(await shown.getByLabel(label, { exact: true }).inputValue()).toContain(secret);
    }
    await shown.getByRole('button', { name: 'SRT', exact: true }).click();
    await shown.getByRole('button', { name: 'Show as QR code' }).click();
    await expect(shown.getByRole('img', { name: 'The SRT address as a QR code' }).locator('path')).toHaveAttribute('d', /M/);
    // Escape does not lose it.
    await page.keyboard.press('Escape');
    await expect(shown).toBeVisible();
    await shown.getByRole('button', { name: 'I have stored it' }).click();
    await expect(page.getByRole('rowheader', { name: path })).toBeVisible();
    expect(await page.content()).not.toContain(secret);
    expect(JSON.stringify(await service.call('GET', 'stream-keys'))).not.toContain(secret);
});

test('rotating asks, names what it ends, ends it, and shows the new key', { tag: '@gate' }, async ({ at, service, page }) => {
    const key = await service.key(unique('Rotate'));
    await service.goLive(key);
    await at('#/access/keys');
    const row = page.getByRole('row').filter({ hasText: key.path });
    await expect(row.getByText('In use')).toBeVisible();
    await row.getByRole('button', { name: `Rotate ${key.path}` }).click();
    const asks = page.getByRole('dialog', { name: `Rotate the key of ${key.path}?` });
    await expect(asks.getByText('This ends the running stream.')).toBeVisible();
    await asks.getByRole('button', { name: 'Rotate the key' }).click();
    const shown = page.getByRole('dialog', { name: `Rotated key: ${key.path}` });
    expect(await shown.getByLabel('Stream key', { exact: true }).inputValue()).not.toContain(key.key_value);
    expect((await service.knock(key.path, key.key_value)).allowed).toBe(false);
});

test('revoking names the key, and the row says it', { tag: '@gate' }, async ({ at, service, page }) => {
    const key = await service.key(unique('Revoke'));
    await at('#/access/keys');
    await page.getByRole('button', { name: `Revoke ${key.path}` }).click();
    await page.getByRole('dialog', { name: `Revoke the key of ${key.path}?` }).getByRole('button', { name: 'Revoke the key' }).click();
    await expect(page.getByRole('row').filter({ hasText: key.path }).getByText('Revoked')).toBeVisible();
});

test('tokens: shown once, and deleting the one in use ends the session while somebody looks', { tag: '@gate' }, async ({ at, service, page }) => {
    const mine = await service.call('POST', 'api-tokens', { name: unique('mine'), role: 'admin' });
    await at('#/access/tokens', mine.token);
    await page.getByRole('button', { name: 'New token' }).click();
    const name = unique('dashboard');
    await page.getByRole('dialog').getByLabel('Name').fill(name);
    await page.getByRole('dialog').getByRole('button', { name: 'Create the token' }).click();
    const shown = page.getByRole('dialog', { name: `API token: ${name}` });
    expect(await shown.getByLabel('Token', { exact: true }).inputValue()).toMatch(/^swt_/);
    await shown.getByRole('button', { name: 'I have stored it' }).click();
    await expect(page.getByRole('rowheader', { name })).toBeVisible();
    await service.call('DELETE', `api-tokens/${mine.id}`);
    await expect(page.getByText('Your session has ended')).toBeVisible({ timeout: 10_000 });
    await expect(page.getByRole('rowheader', { name })).toHaveCount(0);
});
