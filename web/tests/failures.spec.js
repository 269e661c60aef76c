import { hasPostgres, startPostgres } from './postgres.js';
import { expect, startService, test, unique } from './world.js';

/** Long enough for the service to notice, also on a busy machine. */
const NOTICED = { timeout: 40_000 };
const TOKEN = 'swt_an-admin-token-for-the-tests-of-the-page-000';

/** Nothing on the screen claims to be well. @param {import('@playwright/test').Page} page */
const nothingIsGreen = async (page) => {
    await expect(page.locator('.badge.good')).toHaveCount(0);
    await expect(page.locator('.band.good, .connection.good')).toHaveCount(0);
};

/** Each screen says what is wrong; none waits in silence. @param {import('@playwright/test').Page} page @param {string[]} areas */
async function noEndlessWaiting(page, areas) {
    for (const area of areas) {
        await page.getByRole('navigation', { name: 'Areas' }).getByRole('link', { name: area }).first().click();
        await expect(page.locator('main').getByRole('alert').or(page.getByText(/No answer for \d+ s\. Still asking\./)).first(), area).toBeVisible(NOTICED);
    }
}

test('the database is away: said with its cause, nothing stays green, and all comes back by itself', async ({ page, signIn, allowed }) => {
    test.skip(!hasPostgres, 'PostgreSQL is not installed: not tried');
    test.setTimeout(240_000);
    const postgres = await startPostgres();
    const service = await startService({ env: { DATABASE__URL: postgres.url, MASTER_KEY: '07'.repeat(32), API__ADMIN_TOKEN: TOKEN } });
    allowed.add(service.origin);
    try {
        const key = await service.key('Database');
        await service.goLive(key);
        await signIn(service);
        await page.goto(`${service.url}ui/#/live`);
        const tile = page.locator('.tile');
        await expect(tile.getByText('Live', { exact: true })).toBeVisible(NOTICED);
        await postgres.stop();
        await expect(page.getByRole('alert').filter({ hasText: 'Streamward cannot answer since' })).toBeVisible(NOTICED);
        await expect(tile.getByText('Unknown, was live')).toBeVisible();
        await nothingIsGreen(page);
        await noEndlessWaiting(page, ['Access', 'Channels', 'Live']);
        await postgres.start();
        await expect(page.locator('.banner')).toHaveCount(0, NOTICED);
        await expect(tile.getByText('Live', { exact: true })).toBeVisible(NOTICED);
    } finally {
        await service.stop();
        await postgres.remove();
    }
});

test('the media server is away: its streams are unknown, nothing stays green, and all comes back by itself', { tag: '@gate' }, async ({ page, signIn, allowed }) => {
    test.setTimeout(150_000);
    const service = await startService();
    allowed.add(service.origin);
    try {
        const key = await service.key('Away');
        await service.goLive(key);
        await signIn(service);
        await page.goto(`${service.url}ui/#/live`);
        const tile = page.locator('.tile');
        await expect(tile.getByText('Live', { exact: true })).toBeVisible();
        await service.media?.stop();
        await expect(page.getByText('The media server default does not answer since')).toBeVisible(NOTICED);
        await expect(tile.getByText('Unknown, was live')).toBeVisible();
        await expect(tile.getByText(/unknown since \d\d:\d\d:\d\d/)).toHaveCount(3);
        await nothingIsGreen(page);
        await tile.getByRole('link').first().click();
        await expect(page.locator('.head').getByText('Unknown, was live')).toBeVisible();
        await nothingIsGreen(page);
        await page.goto(`${service.url}ui/#/system/servers`);
        await expect(page.locator('.band')).toContainText('Does not answer');
        await nothingIsGreen(page);
        await page.goto(`${service.url}ui/#/live`);
        await service.media?.start();
        await expect(tile.getByText('Live', { exact: true })).toBeVisible(NOTICED);
        await expect(page.locator('.note')).toHaveCount(0);
    } finally {
        await service.stop();
    }
});

test('the service is killed: a screen that is opened then says so, and comes when it is back', async ({ page, signIn, allowed }) => {
    test.setTimeout(120_000);
    const service = await startService();
    allowed.add(service.origin);
    try {
        await signIn(service);
        await page.goto(`${service.url}ui/#/live`);
        await expect(page.getByText('Nothing is live')).toBeVisible();
        await service.kill();
        await noEndlessWaiting(page, ['Access', 'System']);
        await nothingIsGreen(page);
        await service.start();
        await page.getByRole('button', { name: 'Load the page again' }).or(page.getByRole('button', { name: 'Try again' })).first().click();
        await expect(page.getByRole('heading', { level: 1, name: 'System' })).toBeVisible(NOTICED);
    } finally {
        await service.stop();
    }
});

test('the token is revoked while somebody looks: signed out, told why, and nothing stays on the screen', { tag: '@gate' }, async ({ at, page, service }) => {
    const mine = await service.call('POST', 'api-tokens', { name: unique('revoked'), role: 'operator' });
    const key = await service.key(unique('Seen'));
    await service.goLive(key);
    await at('#/live', mine.token);
    await expect(page.getByText(key.path)).toBeVisible();
    await service.call('DELETE', `api-tokens/${mine.id}`);
    await expect(page.getByText('Your session has ended')).toBeVisible(NOTICED);
    await expect(page.getByRole('button', { name: 'Sign in' })).toBeVisible();
    await expect(page.getByText(key.path)).toHaveCount(0);
});
