/** jstat ships no types; this is the part of it that library.ts uses. */
declare module 'jstat' {
  const jstat: {
    readonly jStat: {
      readonly normal: {readonly inv: (p: number, mean: number, sd: number) => number};
    };
  };
  export default jstat;
}
