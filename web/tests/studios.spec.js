import { test } from './programmes.js';
import { expect } from './world.js';

const SCHEDULE = {
    time_zone: 'Europe/Vienna',
    reason: 'for a test',
    blocks: [{ name: 'After school', from: '15:00', to: '18:00', days: ['mon', 'tue', 'wed', 'thu', 'fri'], age: 'kids' }, { name: 'Night', from: '22:00', to: '06:00', kinds: ['video_file'] }],
    content: [{ name: 'Aquarium', media: { kind: 'video_file', path: '/media/aquarium.mp4' }, priority: 60 }, { name: 'Clock', media: { kind: 'scene_composition', scene: 'Clock' }, plays_for_seconds: 300 }],
};

test('a studio whose OBS is absent says so, and what to do; nothing about it is green', { tag: '@gate' }, async ({ at, page }) => {
    await at('#/studios/main');
    const band = page.getByRole('article', { name: 'main' });
    await expect(band.locator('.state')).toContainText('Not on air, as far as is known');
    await expect(band.locator('.state')).toContainText('OBS is not connected');
    await expect(page.getByText('A check failed')).toBeVisible();
    await expect(page.getByText(/Start OBS, turn on its WebSocket server/)).toBeVisible();
    await expect(page.getByText(/Checked again in \d+ s/)).toBeVisible();
    await expect(page.locator('.band .badge.good')).toHaveCount(0);
    // Nothing is made up: a studio that was never to be on air has no percentage.
    await expect(page.locator('.facts').filter({ hasText: 'Uptime in 7 days' })).toContainText('was never to be on air');
    await expect(page.locator('.bars .good')).toHaveCount(0);
});

test('stop, start, hold with its countdown, and release, each with a reason', { tag: '@gate' }, async ({ at, page, service }) => {
    await at('#/studios/main');
    await page.getByRole('button', { name: 'Hold', exact: true }).click();
    const hold = page.getByRole('dialog', { name: 'Hold main' });
    await hold.getByLabel('For how long').selectOption('300');
    await hold.getByLabel('Reason').fill('a guest is on air');
    await hold.getByRole('button', { name: 'Hold' }).click();
    await expect(page.locator('.hold')).toContainText('Reason: a guest is on air');
    await expect(page.getByRole('timer')).toHaveText(/^(5 min 00 s|4 min \d\d s)$/);
    await page.getByRole('button', { name: 'Release', exact: true }).click();
    await page.getByRole('dialog').getByLabel('Reason').fill('done');
    await page.getByRole('dialog').getByRole('button', { name: 'Release' }).click();
    await expect(page.locator('.hold')).toHaveCount(0);
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await page.getByRole('dialog', { name: 'Stop main' }).getByRole('button', { name: 'Stop' }).click();
    await expect(page.getByRole('dialog').getByLabel('Reason')).toHaveAttribute('aria-invalid', 'true');
    await page.getByRole('dialog').getByLabel('Reason').fill('power supply');
    await page.getByRole('dialog').getByRole('button', { name: 'Stop' }).click();
    await expect(page.getByRole('button', { name: 'Start', exact: true })).toBeVisible();
    expect((await service.call('GET', 'studios/main')).desired).toBe('stopped');
    await page.getByRole('button', { name: 'Start', exact: true }).click();
    await page.getByRole('dialog').getByLabel('Reason').fill('back');
    await page.getByRole('dialog').getByRole('button', { name: 'Start' }).click();
    await expect(page.getByRole('button', { name: 'Stop', exact: true })).toBeVisible();
    await expect(page.locator('.log')).toContainText('a person ordered it');
});

test('a drill that cannot be done is refused in words', async ({ at, page }) => {
    await at('#/studios/main');
    await page.getByRole('button', { name: 'Drill', exact: true }).click();
    const dialog = page.getByRole('dialog', { name: 'Try out a failure of main' });
    await dialog.getByLabel('Failure').selectOption('rtmp_drop');
    await dialog.getByRole('button', { name: 'Make it fail on air' }).click();
    await expect(dialog.locator('.problem').or(page.locator('.log .badge.bad')).first()).toBeVisible({ timeout: 15_000 });
});

test('the schedule as a week on the clock of the place, and a block added in the page', async ({ at, page, service }) => {
    await service.call('PUT', 'studios/main/schedule', SCHEDULE);
    await at('#/studios/main');
    const week = page.getByRole('list', { name: 'What plays when' });
    await expect(week.getByText('After school')).toHaveCount(5);
    await expect(week.getByText('15:00–18:00')).toHaveCount(5);
    await expect(page.getByText('on the clock of Europe/Vienna')).toBeVisible();
    await page.getByRole('button', { name: 'Add a block' }).click();
    const dialog = page.getByRole('dialog', { name: 'New block' });
    await dialog.getByLabel('Name').fill('Morning');
    await dialog.getByLabel('From').fill('07:00');
    await dialog.getByLabel('To', { exact: true }).fill('09:00');
    await dialog.getByRole('button', { name: 'sat', exact: true }).click();
    await dialog.getByRole('button', { name: 'Add the block' }).click();
    await expect(page.getByText('Not saved yet.')).toBeVisible();
    expect((await service.call('GET', 'studios/main/schedule')).blocks).toHaveLength(2);
    await page.getByRole('button', { name: 'Save the schedule' }).click();
    await expect(week.getByText('Morning')).toHaveCount(1);
    const { blocks } = await service.call('GET', 'studios/main/schedule');
    expect(blocks.find((/** @type {any} */ block) => block.name === 'Morning').days).toEqual(['sat']);
});

test('what overlaps is refused, and the draft stays', async ({ at, page, service }) => {
    await service.call('PUT', 'studios/main/schedule', SCHEDULE);
    await at('#/studios/main');
    await page.getByTitle('Change Night').click();
    const dialog = page.getByRole('dialog', { name: 'Change Night' });
    await dialog.getByLabel('From').fill('16:00');
    await dialog.getByRole('button', { name: 'Change the block' }).click();
    await page.getByRole('button', { name: 'Save the schedule' }).click();
    await expect(page.locator('.toast')).toContainText(/overlap/i);
    await expect(page.getByText('Not saved yet.')).toBeVisible();
    await page.getByRole('button', { name: 'Discard' }).click();
    await expect(page.getByText('Not saved yet.')).toHaveCount(0);
});
