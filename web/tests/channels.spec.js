import { clip, test, video } from './programmes.js';
import { eventually, expect, unique } from './world.js';

const name = (/** @type {string} */ what) => unique(what).replace(' ', '-');

/** @param {any} service @param {string} what @param {string[]} [clips] */
const channel = (service, what, clips = []) => service.call('POST', 'channels', { name: name(what), inputs: { backup: { playlist: { clips } } } });

test('a channel is made in the page: its key is shown once, and its band says what is on air, since when and why', { tag: '@gate' }, async ({ at, page, service }) => {
    await at('#/channels');
    await page.getByRole('button', { name: 'New channel' }).click();
    const dialog = page.getByRole('dialog', { name: 'New channel' });
    const short = name('Made');
    await dialog.getByLabel('Short name').fill(short);
    await dialog.getByRole('button', { name: 'Make the channel' }).click();
    const shown = page.getByRole('dialog', { name: `${short} is made` });
    const secret = /sk_[\w-]{43}/.exec(await shown.getByLabel('Stream key', { exact: true }).inputValue())?.[0] ?? '';
    expect(secret).not.toBe('');
    await shown.getByRole('button', { name: 'I have stored it' }).click();
    const band = page.getByRole('article', { name: short });
    await expect(band.locator('.state')).toContainText(/Built-in picture\s*for \d+ s, because the programme began/);
    await expect(band.getByRole('region', { name: 'Inputs' }).locator('.lane').filter({ hasText: 'Live' })).toContainText('Absent');
    expect(await page.content()).not.toContain(secret);
});

test('a problem of the form stands at its field, and what was typed stays', { tag: '@gate' }, async ({ at, page }) => {
    await at('#/channels');
    await page.getByRole('button', { name: 'New channel' }).click();
    const dialog = page.getByRole('dialog', { name: 'New channel' });
    await dialog.getByLabel('Short name').fill('no/slash allowed');
    await dialog.getByRole('button', { name: 'Make the channel' }).click();
    await expect(dialog.getByLabel('Short name')).toHaveAttribute('aria-invalid', 'true');
    await expect(dialog.getByLabel('Short name')).toHaveValue('no/slash allowed');
});

test('settings: what is emptied is removed, and what is not touched stays', { tag: '@gate' }, async ({ at, page, service }) => {
    const one = await channel(service, 'Emptied');
    const failover = { stall_ms: 900, recovery_grace_seconds: 7, min_bitrate_kbps: 500, max_keyframe_gap_seconds: 4 };
    await service.call('PATCH', `channels/${one.id}`, { display_name: 'For people', failover });
    await service.call('POST', `channels/${one.id}/destinations`, { name: 'Out', platform: 'custom', url: 'rtmp://127.0.0.1:9/live', key: 'x', enabled: false, rotate_session_every_seconds: 3600 });
    await at(`#/channels/${one.id}`);
    const settings = async () => {
        await page.getByRole('button', { name: 'Settings', exact: true }).click();
        await page.getByText('When the live input counts as lost').click();
        return page.getByRole('dialog', { name: 'Settings of' });
    };
    const save = async (/** @type {import('@playwright/test').Locator} */ dialog) => {
        await dialog.getByRole('button', { name: 'Save' }).click();
        await expect(dialog).toHaveCount(0);
        return service.call('GET', `channels/${one.id}`);
    };
    let dialog = await settings();
    await expect(dialog.getByLabel('Below (kbit/s)')).toHaveValue('500');
    await dialog.getByLabel('Below (kbit/s)').fill('');
    let now = await save(dialog);
    expect(now.failover).toMatchObject({ stall_ms: 900, recovery_grace_seconds: 7, max_keyframe_gap_seconds: 4 });
    expect(now.failover).not.toHaveProperty('min_bitrate_kbps');
    expect(now.display_name).toBe('For people');
    dialog = await settings();
    await expect(dialog.getByLabel('Below (kbit/s)')).toHaveValue('');
    await dialog.getByLabel('Without a keyframe for (s)').fill('');
    await dialog.getByLabel('Without a picture for (ms)').fill('');
    await dialog.getByLabel('Name for people').fill('');
    now = await save(dialog);
    expect(now.failover).not.toHaveProperty('max_keyframe_gap_seconds');
    // Emptied, what must have a value has the usual one again.
    expect(now.failover.stall_ms).toBe(700);
    expect(now.display_name).toBe(one.name);

    await page.getByTitle('Change Out').click();
    dialog = page.getByRole('dialog', { name: 'Change Out' });
    await dialog.getByLabel('Address').fill('');
    await dialog.getByRole('button', { name: 'Save' }).click();
    await expect(dialog.getByLabel('Address')).toHaveAttribute('aria-invalid', 'true');
    await dialog.getByLabel('Address').fill('rtmp://127.0.0.1:9/other');
    await dialog.getByLabel('Begin a new session every (s)').fill('');
    await dialog.getByRole('button', { name: 'Save' }).click();
    await expect(dialog).toHaveCount(0);
    const [out] = (await service.call('GET', `channels/${one.id}/destinations`)).destinations;
    expect(out.url).toBe('rtmp://127.0.0.1:9/other');
    expect(out).not.toHaveProperty('rotate_session_every_seconds');
});

test('a cut has a reason and a countdown, ends with the word of a person, and stands in the log', { tag: '@gate' }, async ({ at, page, service }) => {
    const one = await channel(service, 'Cut');
    await at(`#/channels/${one.id}`);
    await page.getByRole('button', { name: 'Cut', exact: true }).click();
    const dialog = page.getByRole('dialog', { name: `Cut ${one.name}` });
    await dialog.getByLabel('What goes on air').selectOption('slate');
    await dialog.getByLabel('For how long').selectOption('300');
    await dialog.getByLabel('Reason').fill('moving the camera');
    await dialog.getByRole('button', { name: 'Cut' }).click();
    await expect(page.locator('.hold')).toContainText('The built-in picture is held');
    await expect(page.locator('.hold')).toContainText('Reason: moving the camera');
    const left = page.getByRole('timer');
    await expect(left).toHaveText(/^(5 min 00 s|4 min \d\d s)$/);
    const before = await left.textContent();
    await expect(left).not.toHaveText(before ?? '');
    expect((await service.call('GET', `channels/${one.id}`)).mode).toBe('slate');
    // A hold by another client is seen without a reload.
    await service.call('POST', `channels/${one.id}/mode`, { mode: 'auto', reason: 'done' });
    await expect(page.locator('.hold')).toHaveCount(0, { timeout: 3_000 });
});

test('a destination: the key goes in once, its state is in the words of the other side, the test goes step by step, off and delete ask', async ({ at, page, service }) => {
    const one = await channel(service, 'Out');
    await at(`#/channels/${one.id}`);
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    const form = page.getByRole('dialog', { name: `New destination of ${one.name}` });
    await form.getByLabel('Platform').selectOption('custom');
    await form.getByLabel('Name').fill('Our page');
    await form.getByLabel('Address').fill('rtmp://127.0.0.1:9/live');
    await form.getByLabel('Stream key').fill('a-very-secret-destination-key');
    await form.getByRole('button', { name: 'Add the destination' }).click();
    const lane = page.getByRole('region', { name: 'Destinations' }).locator('.lane').filter({ hasText: 'Our page' });
    await expect(lane).toContainText('Waiting to try again');
    await expect(lane).toContainText('Connection refused');
    await expect(lane).toContainText(/Next attempt in \d+ s|Trying again now/);
    await expect(lane.locator('.badge.good')).toHaveCount(0);
    expect(await page.content()).not.toContain('a-very-secret-destination-key');
    await page.getByTitle('Test Our page').click();
    const test = page.getByRole('dialog', { name: 'Test of Our page' });
    await expect(test.getByText('It cannot be reached')).toBeVisible();
    await expect(test.getByText('TCP connection')).toBeVisible();
    await page.keyboard.press('Escape');
    await page.getByTitle('Turn off Our page').click();
    await page.getByRole('dialog', { name: 'Turn Our page off?' }).getByRole('button', { name: 'Turn off' }).click();
    await expect(page.getByTitle('Turn on Our page')).toBeVisible();
    await page.getByRole('button', { name: 'Delete Our page' }).click();
    await page.getByRole('dialog', { name: 'Delete the destination Our page?' }).getByRole('button', { name: 'Delete the destination' }).click();
    await expect(page.getByText('No destination', { exact: true })).toBeVisible();
    expect((await service.call('GET', `channels/${one.id}/destinations`)).destinations).toEqual([]);
});

test('a clip is uploaded in pieces, continues after the connection broke, and becomes ready', async ({ at, page, service }) => {
    test.setTimeout(120_000);
    const file = await video(`${name('upload')}.mp4`, 8);
    const short = file.split('/').pop() ?? '';
    /** @type {number[]} */
    const offsets = [];
    let broken = 0;
    await page.route('**/clips/*', async (route) => {
        if (route.request().method() !== 'PATCH') return route.continue();
        offsets.push(Number(route.request().headers()['upload-offset']));
        if (offsets.length === 2) {
            broken += 1;
            return route.abort('connectionreset');
        }
        return route.continue();
    });
    await at('#/channels/clips');
    await page.getByLabel('Files to upload').setInputFiles(file);
    await expect(page.getByRole('progressbar', { name: `Upload of ${short}` })).toBeVisible();
    await expect(page.getByText('Trying again')).toBeVisible();
    const row = page.getByRole('row').filter({ hasText: short });
    await expect(row.getByText('Ready')).toBeVisible({ timeout: 60_000 });
    expect(broken).toBe(1);
    expect(offsets[0]).toBe(0);
    expect(offsets[1]).toBeGreaterThan(0);
    expect(offsets[2]).toBe(offsets[1]);
    await expect(row).toContainText('1280×720');
});

test('an upload continues where it was, also after the page was loaded anew', async ({ at, page, service }) => {
    test.setTimeout(90_000);
    const file = await video(`${name('resume')}.mp4`, 8);
    const short = file.split('/').pop() ?? '';
    let pieces = 0;
    await page.route('**/clips/*', (route) => (route.request().method() === 'PATCH' && ++pieces > 1 ? route.abort('connectionreset') : route.continue()));
    await at('#/channels/clips');
    await page.getByLabel('Files to upload').setInputFiles(file);
    await expect(page.getByText('Trying again')).toBeVisible();
    await page.getByTitle(`Pause ${short}`).click();
    const { clips } = await service.call('GET', 'clips');
    const half = clips.find((/** @type {any} */ one) => one.name === short);
    expect(half.uploaded).toBeGreaterThan(0);
    await page.unroute('**/clips/*');
    await page.reload();
    const row = page.getByRole('row').filter({ hasText: short });
    await expect(row.getByText('Uploading')).toBeVisible();
    const resumed = page.waitForRequest((request) => request.method() === 'PATCH');
    const choosing = page.waitForEvent('filechooser');
    await row.getByRole('button', { name: 'Continue' }).click();
    await (await choosing).setFiles(file);
    expect((await resumed).headers()['upload-offset']).toBe(String(half.uploaded));
    await expect(row.getByText('Ready')).toBeVisible({ timeout: 60_000 });
    expect((await service.call('GET', 'clips')).clips.filter((/** @type {any} */ one) => one.name === short)).toHaveLength(1);
});

test('the playlist by the keyboard alone: move, take out, add, save', async ({ at, page, service }) => {
    test.setTimeout(120_000);
    const [first, second, third] = await Promise.all(['one.mp4', 'two.mp4', 'three.mp4'].map((file) => clip(service, `${Math.random().toString(36).slice(2, 8)}-${file}`)));
    const one = await channel(service, 'Keys', [first, second, third]);
    await at(`#/channels/${one.id}`);
    const grips = page.locator('.order .grip');
    await expect(grips).toHaveCount(3);
    await grips.first().focus();
    await page.keyboard.press('ArrowDown');
    await expect(grips.nth(1)).toBeFocused();
    await expect(page.locator('.playlist [role=status]')).toHaveText(/one\.mp4.* is number 2 of 3/);
    await page.keyboard.press('End');
    await expect(grips.nth(2)).toBeFocused();
    await page.keyboard.press('Home');
    await page.keyboard.press('Delete');
    await expect(grips).toHaveCount(2);
    await expect(grips.first()).toBeFocused();
    await page.getByLabel('Add a clip').focus();
    await page.getByLabel('Add a clip').selectOption(first);
    await page.getByLabel('It takes effect').selectOption('at_once');
    await page.getByRole('button', { name: 'Save the playlist' }).focus();
    await page.keyboard.press('Enter');
    await expect(page.getByText('Not saved yet.')).toHaveCount(0);
    const { playlist } = (await service.call('GET', `channels/${one.id}`)).inputs.backup;
    expect(playlist.clips).toEqual([second, third, first]);
    expect(playlist.change).toBe('at_once');
});

test('the playlist by dragging', async ({ at, page, service }) => {
    test.setTimeout(90_000);
    const [first, second] = await Promise.all(['a.mp4', 'b.mp4'].map((file) => clip(service, `${Math.random().toString(36).slice(2, 8)}-${file}`)));
    const one = await channel(service, 'Drag', [first, second]);
    await at(`#/channels/${one.id}`);
    const from = await page.locator('.order .grip').first().boundingBox();
    const to = await page.locator('.order li').nth(1).boundingBox();
    if (!from || !to) throw new Error('nothing to drag');
    await page.mouse.move(from.x + 10, from.y + 10);
    await page.mouse.down();
    await page.mouse.move(from.x + 10, to.y + to.height / 2, { steps: 4 });
    await page.mouse.move(from.x + 10, to.y + to.height - 2, { steps: 4 });
    await page.mouse.up();
    await page.getByRole('button', { name: 'Save the playlist' }).click();
    await expect(page.getByText('Not saved yet.')).toHaveCount(0);
    expect((await service.call('GET', `channels/${one.id}`)).inputs.backup.playlist.clips).toEqual([second, first]);
});

test('a rehearsal that cannot be done says why; deleting names the channel and wants its name', async ({ at, page, service }) => {
    const one = await channel(service, 'Gone');
    await at(`#/channels/${one.id}`);
    await page.getByRole('button', { name: 'Rehearse' }).click();
    const dialog = page.getByRole('dialog', { name: `Rehearse the loss of the live input of ${one.name}` });
    await dialog.getByLabel('Seconds without the live input').fill('1');
    await dialog.getByRole('button', { name: 'Rehearse on air' }).click();
    await expect(page.getByRole('dialog').locator('.problem, .badge.bad, .badge.good').first()).toBeVisible({ timeout: 15_000 });
    while (await page.getByRole('dialog').count()) await page.keyboard.press('Escape');
    await page.getByRole('button', { name: `Delete ${one.name}` }).click();
    const asks = page.getByRole('dialog', { name: `Delete the channel ${one.name}?` });
    await expect(asks.getByRole('button', { name: 'Delete the channel' })).toBeDisabled();
    await asks.getByRole('textbox').fill(one.name);
    await asks.getByRole('button', { name: 'Delete the channel' }).click();
    await expect(page.getByRole('heading', { name: 'Channels' })).toBeVisible();
    await eventually(async () => !(await service.call('GET', 'channels')).channels.some((/** @type {any} */ other) => other.id === one.id), 'the channel is gone');
});

test('never green while dead: when the service is killed, no badge stays good', async ({ at, page, service }) => {
    const one = await channel(service, 'Dead');
    await at(`#/channels/${one.id}`);
    await expect(page.getByRole('region', { name: 'Destinations' })).toBeVisible();
    await service.kill();
    await expect(page.getByText(/No connection to Streamward since/)).toBeVisible({ timeout: 30_000 });
    await expect(page.locator('.band .badge.good')).toHaveCount(0);
    await service.start();
    await expect(page.getByText(/No connection to Streamward since/)).toHaveCount(0, { timeout: 30_000 });
});
