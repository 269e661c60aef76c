/** Without types of its own among the tools. */
declare module 'hls.js' {
    const Hls: any;
    export default Hls;
}
