import { test } from './programmes.js';
import { eventually, expect, longTasks } from './world.js';

/** `STREAMERS=10000` is what is promised; it takes minutes. */
const MANY = Number(process.env.STREAMERS ?? 2_000);
const LOOKED_FOR = Math.floor(MANY * 0.7);
const name = (/** @type {number} */ index) => `streamer-${String(index).padStart(5, '0')}`;

/** A busy machine may ask to come again. @param {any} service @param {string} username */
const added = (service, username) => eventually(() => service.call('POST', 'streamers', { username }).catch((/** @type {Error} */ error) => /: 409 /.test(error.message) || Promise.reject(error)), `${username} is added`);

// A trace draws the page too.
test.use({ trace: 'off' });

test.describe('many streamers', () => {
    test.beforeAll(async ({ service }) => {
        test.setTimeout(540_000);
        for (let index = 0; index < MANY; index += 20)
            await Promise.all(Array.from({ length: 20 }, (_, more) => added(service, name(index + more))));
    });

    test('thousands are shown and scrolled without a task over 100 ms, while they change', async ({ at, page, service }) => {
        test.setTimeout(120_000);
        const tasks = await longTasks(page);
        await at('#/streamers');
        await expect(page.getByText('The first 500, by name.')).toBeVisible();
        await tasks.reset();
        const list = page.getByRole('region', { name: 'Streamers, scrollable' });
        let changing = true;
        const changes = (async () => {
            for (let index = 0; changing; index += 1) {
                await service.call('POST', 'streamers', { username: `aa-new-${String(index).padStart(4, '0')}` });
                await page.waitForTimeout(100);
            }
        })();
        for (let rounds = 0; rounds < 400; rounds += 1) {
            await list.evaluate((element) => element.scrollBy(0, 3_000));
            await page.waitForTimeout(30);
            if (await list.evaluate((element) => element.scrollTop + element.clientHeight >= element.scrollHeight - 60 && /** @type {any} */ (document.querySelector('main [role=status]')).textContent.includes('streamers'))) break;
        }
        changing = false;
        await changes;
        await expect(page.getByText(name(MANY - 1), { exact: true })).toBeVisible();
        const drawn = await page.getByRole('row').count();
        expect(drawn).toBeLessThan(60);
        await tasks.expectShort(`${MANY} streamers, ${drawn} rows drawn`);
    });

    test('the service filters: by name, by status, by being watched', async ({ at, page }) => {
        await at('#/streamers');
        await expect(page.getByText('The first 500, by name.')).toBeVisible();
        await page.getByRole('searchbox').fill(name(LOOKED_FOR));
        await expect(page.getByRole('status').filter({ hasText: '1 streamer' })).toBeVisible();
        await expect(page.getByText(name(LOOKED_FOR), { exact: true })).toBeVisible();
        await page.getByRole('searchbox').fill('');
        await page.getByLabel('Status').selectOption('online');
        await expect(page.getByText('Nobody fits')).toBeVisible();
        await page.getByLabel('Status').selectOption('all');
        await page.getByLabel('Watched').selectOption('false');
        await expect(page.getByText('Nobody fits')).toBeVisible();
    });

    test('one is added by another client, and appears by itself in its place', async ({ at, page, service }) => {
        await at('#/streamers');
        await expect(page.getByText('The first 500, by name.')).toBeVisible();
        await service.call('POST', 'streamers', { username: 'aa-live' });
        await expect(page.getByText('aa-live', { exact: true })).toBeVisible({ timeout: 5_000 });
    });
});

test('names are added in bulk, what is refused stays to be corrected, history is shown, removing asks', async ({ at, page, service }) => {
    await at('#/streamers');
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    const dialog = page.getByRole('dialog', { name: 'Add streamers' });
    await dialog.getByLabel('Names on Kick').fill('a-first\nhttps://kick.com/a-second, not/a/name');
    await dialog.getByRole('button', { name: 'Add', exact: true }).click();
    await expect(dialog.getByText('2 streamers added.')).toBeVisible();
    await expect(dialog.getByText('1 name refused')).toBeVisible();
    await expect(dialog.getByLabel('Names on Kick')).toHaveValue('not/a/name');
    await page.keyboard.press('Escape');
    await page.getByText('a-first', { exact: true }).click();
    const one = page.getByRole('dialog', { name: 'Streamer' });
    await expect(one.getByText('kick.com/a-first')).toBeVisible();
    await expect(one.getByText('No change was seen yet.')).toBeVisible();
    await one.getByRole('button', { name: 'Stop watching' }).click();
    await expect(one.getByRole('button', { name: 'Watch again' })).toBeVisible();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Remove a-second' }).click();
    await page.getByRole('dialog', { name: 'Remove a-second?' }).getByRole('button', { name: 'Remove the streamer' }).click();
    await expect(page.getByText('a-second', { exact: true })).toHaveCount(0);
    expect((await service.call('GET', 'streamers?username=a-second')).streamers).toEqual([]);
});
