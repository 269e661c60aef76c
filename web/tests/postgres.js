/** A PostgreSQL of our own, from the installed programs. */
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { eventually, freePort } from './service.js';

/** Where its programs are, the newest first. */
function programs() {
    const versions = fs.existsSync('/usr/lib/postgresql') ? fs.readdirSync('/usr/lib/postgresql').sort((a, b) => Number(b) - Number(a)) : [];
    const places = [...versions.map((version) => `/usr/lib/postgresql/${version}/bin`), '/usr/local/pgsql/bin', ...(process.env.PATH ?? '').split(':')];
    return places.find((place) => ['initdb', 'postgres', 'createdb'].every((program) => fs.existsSync(path.join(place, program))));
}

export const hasPostgres = programs() !== undefined;

/** It refuses to run as root. */
function otherUser() {
    if (process.getuid?.() !== 0) return {};
    const user = fs.readFileSync('/etc/passwd', 'utf8').includes('\npostgres:') ? 'postgres' : 'nobody';
    const id = (/** @type {string} */ which) => Number(execFileSync('id', [which, user]));
    return { uid: id('-u'), gid: id('-g') };
}

export async function startPostgres() {
    const bin = /** @type {string} */ (programs());
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'streamward-page-pg-'));
    const user = otherUser();
    if (user.uid !== undefined) fs.chownSync(dir, user.uid, user.gid);
    const data = path.join(dir, 'data');
    const options = { cwd: dir, ...user };
    execFileSync(path.join(bin, 'initdb'), ['-D', data, '-U', 'streamward', '--auth=trust', '--no-sync', '-E', 'UTF8', '--locale=C'], { ...options, stdio: 'ignore' });
    const port = await freePort();
    /** @type {import('node:child_process').ChildProcess | undefined} */
    let server;
    const start = async () => {
        server = spawn(path.join(bin, 'postgres'), ['-D', data, '-k', dir, '-c', 'listen_addresses=127.0.0.1', '-c', `port=${port}`, '-c', 'fsync=off'], { ...options, stdio: 'ignore' });
        await eventually(async () => fs.readFileSync(path.join(data, 'postmaster.pid'), 'utf8').split('\n')[7]?.trim() === 'ready', 'PostgreSQL is ready', 60_000);
    };
    /** At once, as a crash would. */
    const stop = () => new Promise((resolve) => {
        if (!server || server.exitCode !== null) return resolve(undefined);
        server.once('exit', resolve);
        server.kill('SIGQUIT');
    });
    process.once('exit', () => server?.kill('SIGQUIT'));
    await start();
    execFileSync(path.join(bin, 'createdb'), ['-h', '127.0.0.1', '-p', String(port), '-U', 'streamward', 'page'], options);
    return {
        url: `postgres://streamward@127.0.0.1:${port}/page`,
        start,
        stop,
        async remove() {
            await stop();
            fs.rmSync(dir, { recursive: true, force: true });
        },
    };
}
