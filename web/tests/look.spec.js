import AxeBuilder from '@axe-core/playwright';
import { eventually, expect, test, unique } from './world.js';

test.describe.configure({ mode: 'parallel' });

const screens = ['#/live', '#/live/ended', '#/start', '#/access/keys', '#/access/broadcasters', '#/access/playback', '#/access/tokens', '#/access/people', '#/access/organizations'];

/** @param {import('@playwright/test').Page} page */
async function serious(page) {
    const { violations } = await new AxeBuilder({ page }).analyze();
    return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`);
}

for (const [scheme, width] of /** @type {const} */ ([['light', 1280], ['dark', 1280], ['light', 360], ['dark', 360]])) {
    test(`axe finds nothing serious, and nothing is wider than the screen: ${scheme}, ${width} px`, { tag: scheme === 'dark' && width === 360 ? '@gate' : [] }, async ({ at, service, page }) => {
        test.setTimeout(90_000);
        await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
        await page.setViewportSize({ width, height: 800 });
        const key = await service.key(unique('Axe'));
        await service.goLive(key);
        const stream = await eventually(async () => (await service.call('GET', 'streams')).streams.find(({ path }) => path === key.path), 'it is live');
        await page.goto(`${service.url}ui/`);
        await expect(page.getByRole('button', { name: 'Sign in' })).toBeVisible();
        expect(await serious(page)).toEqual([]);
        await at('#/live');
        for (const screen of [...screens, `#/live/${stream.id}`]) {
            await page.goto(`${service.url}ui/${screen}`);
            await expect(page.locator('nav a[aria-current]').first()).toHaveAttribute('href', screen.split('/').slice(0, 2).join('/'));
            await expect(page.locator('main .waiting')).toHaveCount(0);
            await page.waitForTimeout(150);
            expect(await serious(page), screen).toEqual([]);
            expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), `${screen} is too wide`).toBeLessThanOrEqual(0);
        }
        await page.goto(`${service.url}ui/#/access/keys`);
        await page.getByRole('button', { name: 'New key' }).click();
        await expect(page.getByRole('dialog')).toBeVisible();
        expect(await serious(page), 'a dialog').toEqual([]);
    });
}

test('targets are 44 px, except links within a sentence', { tag: '@gate' }, async ({ at, service, page }) => {
    await page.setViewportSize({ width: 360, height: 800 });
    await service.goLive(await service.key(unique('Target')));
    for (const screen of ['#/live', '#/access/keys', '#/start']) {
        await at(screen);
        await expect(page.locator('main .waiting')).toHaveCount(0);
        const small = await page.evaluate(() => [...document.querySelectorAll('button, summary, select, nav a, input:not([type=checkbox])')]
            .filter((element) => /** @type {any} */ (element).checkVisibility() && element.getBoundingClientRect().height < 44)
            .map((element) => element.outerHTML.slice(0, 120)));
        expect(small, screen).toEqual([]);
    }
});

test('the whole way by keyboard: sign in, make a key, find a stream, leave', { tag: '@gate' }, async ({ page, service }) => {
    await page.goto(`${service.url}ui/`);
    await page.getByRole('button', { name: 'API token' }).focus();
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    await page.keyboard.insertText(service.token);
    await page.keyboard.press('Enter');
    await expect(page.getByRole('heading', { level: 1, name: /^Live/ })).toBeVisible();
    await page.keyboard.press('g');
    await page.keyboard.press('f');
    await expect(page.getByRole('heading', { level: 1, name: 'First minutes' })).toBeVisible();
    await expect(page.getByRole('button', { name: 'Create the key' })).toBeVisible();
    const name = unique('Keys');
    const reach = async (/** @type {string} */ wanted) => {
        for (let presses = 0; presses < 40; presses += 1) {
            await page.keyboard.press('Tab');
            const label = await page.evaluate(() => {
                const element = /** @type {HTMLElement} */ (document.activeElement);
                return element.getAttribute('aria-label') ?? /** @type {any} */ (element).labels?.[0]?.textContent ?? element.textContent;
            });
            if (label?.trim() === wanted) return;
        }
        throw new Error(`${wanted} is not reached by Tab`);
    };
    const first = await page.getByLabel('Broadcaster', { exact: true }).count();
    if (first) await page.getByLabel('Broadcaster', { exact: true }).selectOption('new');
    await reach('Name of the broadcaster');
    await page.keyboard.insertText(name);
    await page.keyboard.press('Enter');
    await expect(page.getByText('Waiting for the first connection')).toBeVisible();
    await reach('Copy Server');
    await page.keyboard.press('Enter');
    await expect(page.getByText('Copied', { exact: true })).toBeVisible();
    await page.keyboard.press('Escape');
    await page.locator('main').focus();
    await page.keyboard.press('g');
    await page.keyboard.press('l');
    await expect(page.getByRole('heading', { level: 1, name: /^Live/ })).toBeVisible();
    await page.keyboard.press('/');
    await expect(page.getByRole('searchbox')).toBeFocused();
    await page.locator('main').focus();
    await page.keyboard.press('?');
    await expect(page.getByRole('dialog', { name: 'Keys of the keyboard' })).toBeVisible();
    await page.keyboard.press('Escape');
    await expect(page.getByRole('dialog')).toHaveCount(0);
    await reach('You and this page');
    await page.keyboard.press('Enter');
    await reach('Sign out');
    await page.keyboard.press('Enter');
    await expect(page.getByText('You are signed out.')).toBeVisible();
});

test('the theme is the device\'s, until somebody chooses', { tag: '@gate' }, async ({ at, page }) => {
    await page.emulateMedia({ colorScheme: 'dark' });
    await at('#/live');
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const night = await ground();
    await page.getByLabel('You and this page').click();
    await page.getByRole('button', { name: 'Light colours' }).click();
    const day = await ground();
    expect(day).not.toBe(night);
    await page.reload();
    expect(await ground()).toBe(day);
});
