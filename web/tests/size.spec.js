import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import ts from 'typescript';
import { expect, test } from './world.js';

const KIB = 1024;
const web = fileURLToPath(new URL('..', import.meta.url));

/** All files of the page but the player. */
const all = fs.readdirSync(web, { recursive: true, encoding: 'utf8' })
    .filter((file) => /^(src|vendor)\/.*\.(js|css)$|^(index\.html|app\.css|screens\.css|icon\.svg)$/.test(file) && file !== 'vendor/hls.js');

/** The bytes as they are sent. @param {string} url @returns {Promise<Buffer>} */
const sent = (url) => new Promise((resolve, reject) => {
    http.get(url, { headers: { 'accept-encoding': 'gzip' } }, (response) => {
        /** @type {Buffer[]} */
        const parts = [];
        response.on('data', (part) => parts.push(part));
        response.on('end', () => (response.statusCode === 200 ? resolve(Buffer.concat(parts)) : reject(new Error(`${url}: ${response.statusCode}`))));
    }).on('error', reject);
});

/** @param {any} service @returns {Promise<(file: string) => Promise<Buffer>>} */
async function files(service) {
    const index = await sent(`${service.url}ui/`);
    const version = /src="\.\/([^/"]+)\/src\/main\.js"/.exec(text(index))?.[1];
    return async (file) => (file === 'index.html' ? index : sent(`${service.url}ui/${version}/${file}`));
}

/** Small files are not compressed. @param {Buffer} bytes */
const text = (bytes) => (bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes).toString();

test('the first load is at most 60 KB gzip, and usable within a second', { tag: '@gate' }, async ({ page, service, signIn }) => {
    await signIn(service);
    /** @type {Set<string>} */
    const asked = new Set(['index.html']);
    page.on('response', (response) => {
        const name = /\/ui\/[^/]+\/((?:src|vendor|app|screens|icon).*)$/.exec(response.url())?.[1];
        if (name) asked.add(name);
    });
    // The first picture that somebody can use: the screen has its content, not only its frame.
    await page.addInitScript(() => {
        const look = new MutationObserver(() => {
            if (!document.querySelector('main h1') || document.querySelector('main .waiting')) return;
            /** @type {any} */ (globalThis).usable = performance.now();
            look.disconnect();
        });
        look.observe(document, { childList: true, subtree: true });
    });
    await page.goto(`${service.url}ui/#/live`);
    await page.waitForFunction(() => /** @type {any} */ (globalThis).usable);
    const usable = await page.evaluate(() => /** @type {any} */ (globalThis).usable);
    const read = await files(service);
    let total = 0;
    for (const file of asked) total += (await read(file)).length;
    console.log(`first load: ${asked.size} files, ${(total / KIB).toFixed(1)} KB gzip, usable after ${Math.round(usable)} ms`);
    expect(total).toBeLessThan(60 * KIB);
    // A second is promised on an idle machine; tests share theirs, with a build that is not optimised.
    expect(usable).toBeLessThan(10_000);
    expect([...asked].filter((file) => /hls|uPlot|uqr/.test(file))).toEqual([]);
});

/** What is sent today, and a little room. 110 KB are the aim: docs/page.md says what is missing. */
const ALL_KIB = 152;

test('all of it does not grow unseen: as it is sent, without the player', { tag: '@gate' }, async ({ service }) => {
    const read = await files(service);
    const sizes = await Promise.all(all.map(async (file) => ({ file, size: (await read(file)).length })));
    const sum = (/** @type {(file: string) => boolean} */ wanted) => sizes.filter(({ file }) => wanted(file)).reduce((total, { size }) => total + size, 0) / KIB;
    const isVendored = (/** @type {string} */ file) => file.startsWith('vendor/');
    const total = sum(() => true);
    console.log(`all: ${all.length} files, ${total.toFixed(1)} KB gzip without the player: ${sum((file) => !isVendored(file)).toFixed(1)} our own, ${sum(isVendored).toFixed(1)} libraries`);
    expect(total).toBeLessThan(ALL_KIB);
});

/** The words of a script, as its grammar parts them; indentation in HTML means nothing. @param {string} source */
function words(source) {
    const file = ts.createSourceFile('a.js', source, ts.ScriptTarget.Latest, true, ts.ScriptKind.JS);
    /** @type {string[]} */
    const found = [];
    const visit = (/** @type {ts.Node} */ node) => {
        const children = node.getChildren(file).filter(({ kind }) => kind < ts.SyntaxKind.FirstJSDocNode || kind > ts.SyntaxKind.LastJSDocNode);
        if (children.length) children.forEach(visit);
        else if (node.getText(file)) found.push(ts.isTemplateLiteralToken(node) ? node.getText(file).replace(/\n +/g, '\n') : node.getText(file));
    };
    visit(file);
    expect(/** @type {any} */ (file).parseDiagnostics.map((/** @type {ts.Diagnostic} */ { messageText }) => messageText)).toEqual([]);
    return found;
}

test('what is sent is what stands in web/, without comments and spaces that mean nothing', { tag: '@gate' }, async ({ service }) => {
    const read = await files(service);
    for (const file of all.filter((name) => name.endsWith('.js'))) {
        const [source, served] = [fs.readFileSync(path.join(web, file), 'utf8'), text(await read(file))];
        if (file.startsWith('vendor/')) expect(served === source, `${file} is not modified`).toBe(true);
        else {
            const [sent, written] = [words(served), words(source)];
            const place = written.findIndex((word, index) => word !== sent[index]);
            expect(sent.slice(Math.max(0, place - 5), place + 5), file).toEqual(written.slice(Math.max(0, place - 5), place + 5));
            expect(sent.length, file).toBe(written.length);
        }
        expect(served.split('\n').length, `${file}: lines keep their numbers`).toBe(source.split('\n').length);
    }
});
