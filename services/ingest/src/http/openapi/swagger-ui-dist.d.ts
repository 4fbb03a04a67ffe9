declare module 'swagger-ui-dist/absolute-path.js' {
  /** The folder of its files; this module loads none of them. */
  export default function getAbsoluteFSPath(): string;
}
