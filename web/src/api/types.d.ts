/** How the wrapper of `fetch` is typed by the generated description of the API. */
import type { paths, components } from './schema';

export type Schemas = components['schemas'];
export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';
export type PathsWith<M extends Method> = {
    [P in keyof paths]: paths[P] extends { [K in M]: { responses: unknown } } ? P : never;
}[keyof paths];
type Operation<P extends keyof paths, M extends Method> = paths[P] extends { [K in M]: infer O } ? O : never;
type Content<R> = R extends { content: { 'application/json': infer B } } ? B : undefined;
type Succeeded<R> = { [S in keyof R]: S extends 200 | 201 | 202 | 204 ? Content<R[S]> : never }[keyof R];
export type Answer<P extends keyof paths, M extends Method> =
    Operation<P, M> extends { responses: infer R } ? Succeeded<R> : never;
type Body<P extends keyof paths, M extends Method> =
    Operation<P, M> extends { requestBody?: infer B } ? Content<NonNullable<B>> : undefined;
type Parameters<P extends keyof paths, M extends Method, In extends 'path' | 'query'> =
    Operation<P, M> extends { parameters: infer R } ? (In extends keyof R ? R[In] : undefined) : undefined;
export type Options<P extends keyof paths, M extends Method> = {
    body?: Body<P, M>;
    path?: Parameters<P, M, 'path'>;
    query?: Parameters<P, M, 'query'>;
    signal?: AbortSignal;
};
export type Role = Schemas['Role'];
export type Stream = Schemas['Stream'];
export type FieldProblem = Schemas['FieldProblem'];
