import AxeBuilder from '@axe-core/playwright';
import { test } from './programmes.js';
import { expect, unique } from './world.js';

const path = (/** @type {string} */ what) => `live/${unique(what).replace(' ', '-')}`;

test('a refused attempt with a key of another path: copy the right path, show the key', { tag: '@gate' }, async ({ at, page, service }) => {
    const key = await service.key(unique('Wrong'));
    const wrong = path('elsewhere');
    expect((await service.knock(wrong, key.key_value)).allowed).toBe(false);
    await at('#/system/refused');
    const card = page.locator('.cards > li').filter({ hasText: wrong });
    await expect(card).toBeVisible({ timeout: 15_000 });
    await card.getByRole('button', { name: 'Copy the right path' }).click();
    const right = page.getByRole('dialog', { name: 'The right path' });
    await expect(right.getByLabel('Path', { exact: true })).toHaveValue(key.path);
    await right.getByRole('button', { name: 'Copy Path' }).click();
    await expect(right.getByText('Copied', { exact: true })).toBeVisible();
    await page.keyboard.press('Escape');
    await card.getByRole('button', { name: 'Show the key' }).click();
    const shown = page.getByRole('dialog', { name: `The key of ${key.path}` });
    await expect(shown).toContainText(key.key_prefix);
    expect(await page.content()).not.toContain(key.key_value);
});

test('an attempt on a path without a key: create a key for this path, and the encoder is let in', async ({ at, page, service }) => {
    const wanted = path('newcomer');
    await service.knock(wanted, `sk_${'x'.repeat(43)}`);
    await at('#/system/refused');
    const card = page.locator('.cards > li').filter({ hasText: wanted });
    await card.getByRole('button', { name: 'Create a key for this path' }).click({ timeout: 15_000 });
    const dialog = page.getByRole('dialog', { name: `A key for ${wanted}` });
    await dialog.getByLabel('Broadcaster', { exact: true }).selectOption('');
    await dialog.getByRole('button', { name: 'Create the key' }).click();
    const shown = page.getByRole('dialog', { name: `The key of ${wanted}` });
    const secret = /sk_[\w-]{43}/.exec(await shown.getByLabel('Stream key', { exact: true }).inputValue())?.[0] ?? '';
    await shown.getByRole('button', { name: 'I have stored it' }).click();
    expect((await service.knock(wanted, secret)).allowed).toBe(true);
});

test('a dead media server is bad, with its error; its task fails and says why', async ({ at, page, service }) => {
    await at('#/system/servers');
    await expect(page.locator('.band')).toContainText('Answers');
    await service.media.stop();
    await expect(page.locator('.band')).toContainText('Does not answer', { timeout: 30_000 });
    await expect(page.locator('.band')).toContainText('Connection refused');
    await expect(page.locator('.band .badge.good')).toHaveCount(0);
    await page.getByRole('link', { name: 'Tasks' }).click();
    const row = page.getByRole('row').filter({ hasText: 'reconcile:default' });
    await expect(row.getByText('Failing')).toBeVisible({ timeout: 25_000 });
    await expect(row).toContainText('the media server cannot be reached');
    await service.media.start();
});

test('the audit log is filtered and paged by the service', async ({ at, page, service }) => {
    const who = unique('Audit');
    for (let index = 0; index < 60; index += 1) await service.call('POST', 'broadcasters', { display_name: `${who} ${index}` });
    const { token } = await service.call('POST', 'api-tokens', { name: who, role: 'viewer' });
    await service.call('POST', 'broadcasters', { display_name: 'x' }, token).catch(() => undefined);
    await at('#/system/audit');
    await page.getByLabel('Kind of thing').fill('broadcaster');
    await expect(page.getByRole('cell', { name: 'session' })).toHaveCount(0);
    await expect(page.getByText(/entries, page 1/)).toBeVisible();
    await page.getByRole('button', { name: 'Older' }).click();
    await expect(page.getByText(/entries, page 2/)).toBeVisible();
    await expect(page.getByRole('button', { name: 'Newer' })).toBeEnabled();
    await page.getByLabel('Action').fill('no-such-action');
    await expect(page.getByText('No entry fits')).toBeVisible();
    await page.getByLabel('Action').fill('');
    await page.getByLabel('Outcome').selectOption('failure');
    await expect(page.getByText(/entries, page 1/)).toBeVisible();
    await page.getByLabel('Kind of thing').fill('');
    await expect(page.getByRole('cell', { name: 'Refused' }).first()).toBeVisible();
});

test('events appear as they happen, without a secret', { tag: '@gate' }, async ({ at, page, service }) => {
    await at('#/system/events');
    await page.waitForTimeout(1_000);
    await service.call('POST', 'streamers', { username: 'seen-at-once' });
    await expect(page.locator('.log li').filter({ hasText: 'streamer.created' }).filter({ hasText: 'seen-at-once' })).toBeVisible({ timeout: 3_000 });
    await page.getByRole('button', { name: 'Stop here' }).click();
    await service.call('POST', 'streamers', { username: 'not-while-stopped' });
    await page.waitForTimeout(1_000);
    await expect(page.getByText('not-while-stopped')).toHaveCount(0);
});

test('a notification: its secret is shown once, a test says what the receiver said, deleting asks', async ({ at, page, service }) => {
    const there = await service.call('GET', 'notifications').catch(() => undefined);
    test.skip(!there, 'this program has no notifications');
    const name = unique('Night shift');
    await at('#/system/notifications');
    await page.getByRole('button', { name: 'New notification' }).click();
    const dialog = page.getByRole('dialog', { name: 'New notification' });
    await dialog.getByLabel('Name').fill(name);
    await dialog.getByLabel('Address', { exact: true }).fill('https://receiver.invalid/a-secret-part');
    await dialog.getByRole('button', { name: 'Create the notification' }).click();
    const shown = page.getByRole('dialog', { name: `The signing secret of ${name}` });
    expect(await shown.getByLabel('Signing secret', { exact: true }).inputValue()).toMatch(/^whsec_/);
    await shown.getByRole('button', { name: 'I have stored it' }).click();
    const card = page.locator('.cards > li').filter({ hasText: name });
    await expect(card).toContainText('receiver.invalid');
    expect(await page.content()).not.toContain('a-secret-part');
    await card.getByTitle(`Test ${name}`).click();
    await expect(page.locator('.toast')).toContainText('did not take the test message', { timeout: 20_000 });
    await card.getByRole('button', { name: `Delete ${name}` }).click();
    await page.getByRole('dialog', { name: `Delete the notification ${name}?` }).getByRole('button', { name: 'Delete the notification' }).click();
    await expect(card).toHaveCount(0);
});

test('a section that the service refuses, or does not have, says so in a sentence', { tag: '@gate' }, async ({ at, page }) => {
    await page.route('**/audit-logs?*', (route) => route.fulfill({ status: 403, contentType: 'application/problem+json', body: JSON.stringify({ type: '/problems/forbidden', title: 'Not allowed', status: 403, detail: 'Your role is too small.' }) }));
    await page.route('**/doctor', (route) => route.fulfill({ status: 404, contentType: 'application/problem+json', body: JSON.stringify({ title: 'No route', status: 404, detail: 'No route has this path.' }) }));
    await at('#/system/audit');
    await expect(page.getByText('The audit log is not for your role')).toBeVisible();
    await page.getByRole('link', { name: 'Doctor' }).click();
    await expect(page.getByText('The doctor is not here')).toBeVisible();
});

test('each role sees the sections and the actions that it may use', async ({ at, page, service }) => {
    test.setTimeout(90_000);
    const channel = await service.call('POST', 'channels', { name: unique('Role').replace(' ', '-') });
    const sees = {
        viewer: { sections: ['Media servers', 'Events'], cut: 0, settings: 0, hold: 0, upload: 0 },
        operator: { sections: ['Doctor', 'Media servers', 'Refused attempts', 'Tasks', 'Events'], cut: 1, settings: 0, hold: 1, upload: 1 },
        admin: { sections: ['Doctor', 'Media servers', 'Refused attempts', 'Tasks', 'Events', 'Audit', 'Notifications', 'Configuration', 'Backups'], cut: 1, settings: 1, hold: 1, upload: 1 },
    };
    for (const [role, expected] of Object.entries(sees)) {
        const { token } = await service.call('POST', 'api-tokens', { name: unique(role), role });
        await page.context().clearCookies();
        await at('#/system', token);
        await page.reload();
        await expect(page.getByRole('navigation', { name: 'Sections of System' }).getByRole('link')).toHaveText(expected.sections);
        for (const section of expected.sections) {
            await page.getByRole('navigation', { name: 'Sections of System' }).getByRole('link', { name: section }).click();
            await expect(page.locator('main .waiting')).toHaveCount(0);
            await expect(page.getByText('is not for your role'), `${role}: ${section}`).toHaveCount(0);
        }
        await page.goto(`${service.url}ui/#/channels/${channel.id}`);
        await expect(page.getByRole('heading', { name: channel.name })).toBeVisible();
        await expect(page.getByRole('button', { name: 'Cut', exact: true })).toHaveCount(expected.cut);
        await expect(page.getByRole('button', { name: 'Settings', exact: true })).toHaveCount(expected.settings);
        await page.goto(`${service.url}ui/#/channels/clips`);
        await expect(page.getByRole('heading', { name: 'Clips' })).toBeVisible();
        await expect(page.getByRole('button', { name: 'Upload', exact: true })).toHaveCount(expected.upload);
        await page.goto(`${service.url}ui/#/studios/main`);
        await expect(page.getByText('Pre-flight')).toBeVisible();
        await expect(page.getByRole('button', { name: 'Hold', exact: true })).toHaveCount(expected.hold);
    }
});

for (const [scheme, width] of /** @type {const} */ ([['light', 1280], ['dark', 1280], ['light', 360], ['dark', 360]])) {
    test(`axe finds nothing serious, and nothing is wider than the screen: ${scheme}, ${width} px`, async ({ at, page, service }) => {
        test.setTimeout(150_000);
        await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
        await page.setViewportSize({ width, height: 800 });
        const channel = await service.call('POST', 'channels', { name: unique('Axe').replace(' ', '-') });
        await service.call('POST', `channels/${channel.id}/destinations`, { name: 'Out', platform: 'custom', url: 'rtmp://127.0.0.1:9/live', key: 'x' });
        await service.call('POST', `channels/${channel.id}/mode`, { mode: 'hold_backup', reason: 'for a test', expires_in_seconds: 600 });
        await service.call('POST', 'streamers', { username: unique('axe').replace(' ', '-') });
        await service.knock(path('axe'), `sk_${'y'.repeat(43)}`);
        await service.call('PUT', 'studios/main/schedule', { time_zone: 'Europe/Vienna', reason: 'for a test', blocks: [{ name: 'Night', from: '22:00', to: '06:00' }], content: [{ name: 'Clock', media: { kind: 'scene_composition', scene: 'Clock' } }] });
        await at('#/channels');
        const screens = ['channels', `channels/${channel.id}`, 'channels/clips', 'studios', 'studios/main', 'streamers', ...['doctor', 'servers', 'refused', 'tasks', 'events', 'audit', 'notifications', 'configuration', 'backups'].map((section) => `system/${section}`)];
        for (const screen of screens) {
            await page.goto(`${service.url}ui/#/${screen}`);
            await expect(page.locator('main .waiting')).toHaveCount(0);
            await page.waitForTimeout(250);
            const { violations } = await new AxeBuilder({ page }).analyze();
            expect(violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`), screen).toEqual([]);
            expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), `${screen} is too wide`).toBeLessThanOrEqual(0);
        }
        for (const [screen, action] of [['channels', 'New channel'], [`channels/${channel.id}`, 'Settings'], ['streamers', 'Add'], ['studios/main', 'Scene']]) {
            await page.goto(`${service.url}ui/#/${screen}`);
            await page.getByRole('button', { name: action, exact: true }).click();
            await expect(page.getByRole('dialog')).toBeVisible();
            const { violations } = await new AxeBuilder({ page }).analyze();
            expect(violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`), `${screen}: ${action}`).toEqual([]);
            await page.keyboard.press('Escape');
        }
    });
}
