import { expect, test, unique } from './world.js';

const sees = {
    viewer: { sections: ['Stream keys', 'Broadcasters'], start: false, end: false, rotate: false, create: false },
    operator: { sections: ['Stream keys', 'Broadcasters', 'Playback links'], start: false, end: true, rotate: false, create: false },
    admin: { sections: ['Stream keys', 'Broadcasters', 'Playback links', 'API tokens', 'People', 'Organizations'], start: true, end: true, rotate: true, create: true },
};

for (const [role, expected] of Object.entries(sees)) {
    test(`a ${role} sees what a ${role} may, and the API refuses the rest`, { tag: '@gate' }, async ({ at, service, page }) => {
        const key = await service.key(unique(`Role ${role}`));
        await service.goLive(key);
        const { token } = await service.call('POST', 'api-tokens', { name: unique(role), role });
        await at('#/access', token);
        await expect(page.getByRole('navigation', { name: 'Sections of Access' }).getByRole('link')).toHaveText(expected.sections);
        await expect(page.getByRole('row').filter({ hasText: key.path })).toBeVisible();
        await expect(page.getByRole('button', { name: 'New key' })).toHaveCount(expected.create ? 1 : 0);
        await expect(page.getByRole('navigation', { name: 'Areas' }).getByRole('link', { name: 'First minutes' })).toHaveCount(expected.start ? 1 : 0);
        // An address of a section that is not theirs leads to one that is.
        if (role === 'viewer') {
            await page.goto(`${service.url}ui/#/access/people`);
            await expect(page.getByRole('navigation', { name: 'Sections of Access' }).getByRole('link', { name: 'Stream keys' })).toHaveAttribute('aria-current', 'page');
        }
        await page.goto(`${service.url}ui/#/live`);
        await page.locator('.tile').filter({ hasText: key.path }).getByRole('link').first().click();
        await expect(page.getByText('has been on the air for')).toBeVisible();
        await expect(page.getByRole('button', { name: 'End', exact: true })).toHaveCount(expected.end ? 1 : 0);
        await expect(page.getByRole('button', { name: 'Rotate the key' })).toHaveCount(expected.rotate ? 1 : 0);
        const statuses = await page.evaluate(async (id) => {
            const ask = async (/** @type {string} */ method, /** @type {string} */ path, /** @type {any} */ body) => (await fetch(`../${path}`, { method, headers: body ? { 'content-type': 'application/json' } : {}, body: body && JSON.stringify(body) })).status;
            return { keys: await ask('GET', 'stream-keys'), tokens: await ask('GET', 'api-tokens'), refusals: await ask('GET', 'auth-failures'), rotate: await ask('POST', `stream-keys/${id}/rotate`), make: await ask('POST', 'broadcasters', { display_name: 'x' }) };
        }, key.id);
        const may = (/** @type {boolean} */ yes, /** @type {number} */ status) => (yes ? status : 403);
        expect(statuses).toEqual({ keys: 200, tokens: may(expected.rotate, 200), refusals: may(expected.end, 200), rotate: may(expected.rotate, 200), make: may(expected.create, 201) });
    });
}

test('an admin of one organization sees its rows and no other', { tag: '@gate' }, async ({ at, service, page }) => {
    const [mine, other] = [await service.call('POST', 'organizations', { name: unique('Mine') }), await service.call('POST', 'organizations', { name: unique('Other') })];
    const names = [unique('Ours'), unique('Theirs')];
    await service.call('POST', 'broadcasters', { display_name: names[0], organization_id: mine.id });
    await service.call('POST', 'broadcasters', { display_name: names[1], organization_id: other.id });
    const { token } = await service.call('POST', 'api-tokens', { name: unique('org'), role: 'admin', organization_id: mine.id });
    await at('#/access/broadcasters', token);
    await expect(page.getByRole('rowheader', { name: names[0] })).toBeVisible();
    await expect(page.getByRole('rowheader', { name: names[1] })).toHaveCount(0);
    await expect(page.getByRole('navigation', { name: 'Sections of Access' }).getByRole('link', { name: 'People' })).toHaveCount(0);
});
